//! A key that lies in AWS KMS and never leaves it: of the kind `ECC_NIST_EDWARDS25519`, whose signatures
//! by `ED25519_SHA_512` over a message as it is are those of RFC 8032, so that verifiers need no more
//! than for a key of a file
//! (<https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::DecodePublicKey as _;
use serde_json::{Value, json};
use stanch_engine_core::effect::Effect;
use stanch_engine_core::span::Span;
use stanch_engine_core::world::World;
use stanch_plugins_sdk::Catalogue;

use super::{KeyError, is_signed};
use crate::own_call::OwnCall;

/// What KMS signs as it is.
const MESSAGE_BYTES: usize = 4_096;

/// How long one call may take.
const PATIENCE: Span = Span::from_secs(10);

/// A key in KMS.
#[derive(Clone)]
pub(crate) struct KmsKey {
    arn: String,
    public: VerifyingKey,
    call: OwnCall,
}

impl KmsKey {
    /// The key of this ARN. `known` is the public key that it had before, and is taken when KMS can't
    /// be reached: what is signed is held against it.
    ///
    /// # Errors
    /// [`KeyError::Kms`] when it can't be had, or signs nothing that verifiers know.
    pub(crate) async fn find(
        arn: &str,
        (world, catalogue): (&World, &Catalogue),
        known: Option<VerifyingKey>,
    ) -> Result<Self, KeyError> {
        let region = arn.split(':').nth(3).map(str::to_owned);
        let (world, catalogue) = (world.clone(), catalogue.clone());
        let (purpose, account, granted) = ("key", None, Effect::Destroy);
        let call =
            OwnCall { world, catalogue, purpose, account, region, granted, patience: PATIENCE };
        let asked = call.repeated("kms:GetPublicKey", json!({"KeyId": arn})).await;
        let public = match (asked, known) {
            (Ok(found), _) => read(&found).ok_or_else(|| {
                let why =
                    "it must be an asymmetric key for signing, of the kind ECC_NIST_EDWARDS25519";
                KeyError::kms(arn, why)
            })?,
            (Err(error), Some(known)) if error.kind.passes() => {
                tracing::warn!(key = arn, %error, "KMS can't be reached: the key is taken to be as before");
                known
            }
            (Err(error), _) => return Err(KeyError::kms(arn, error)),
        };
        Ok(Self { arn: arn.to_owned(), public, call })
    }

    pub(super) fn arn(&self) -> &str {
        &self.arn
    }

    pub(super) fn public(&self) -> VerifyingKey {
        self.public
    }

    /// Signs bytes; the signature is 64 bytes in hexadecimal digits.
    ///
    /// # Errors
    /// [`KeyError::Kms`] when KMS says no.
    pub(super) async fn sign(&self, bytes: &[u8]) -> Result<String, KeyError> {
        if bytes.len() > MESSAGE_BYTES {
            let why = format!("what is to be signed has {} bytes, and KMS takes 4096", bytes.len());
            return Err(KeyError::kms(&self.arn, why));
        }
        let params = json!({
            "KeyId": self.arn, "Message": STANDARD.encode(bytes), "MessageType": "RAW",
            "SigningAlgorithm": "ED25519_SHA_512",
        });
        let signed = self.call.repeated("kms:Sign", params).await;
        let signed = signed.map_err(|error| KeyError::kms(&self.arn, error))?;
        let signature = hex::encode(bytes_of(&signed, "Signature"));
        match is_signed(&self.public, bytes, &signature) {
            true => Ok(signature),
            false => Err(KeyError::kms(&self.arn, "what it gave is no signature by this key")),
        }
    }
}

fn read(found: &Value) -> Option<VerifyingKey> {
    VerifyingKey::from_public_key_der(&bytes_of(found, "PublicKey")).ok()
}

fn bytes_of(answer: &Value, member: &str) -> Vec<u8> {
    let text = answer.get(member).and_then(Value::as_str).unwrap_or_default();
    STANDARD.decode(text).unwrap_or_default()
}
