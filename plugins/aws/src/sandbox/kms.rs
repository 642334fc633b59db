//! KMS: any key is one for signing, of the kind `ECC_NIST_EDWARDS25519`, made of its own id
//! (<https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html>).

use aws_smithy_types::base64;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use stanch_plugins_sdk::core::digest::Sha256;

use super::reply::Refusal;
use super::request::Asked;
use crate::client::value;

/// The one algorithm that is played.
const ALGORITHM: &str = "ED25519_SHA_512";

/// What comes before the 32 bytes of such a key in its SubjectPublicKeyInfo (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Bytes that are signed as they are.
const MESSAGE_BYTES: usize = 4_096;

/// Answers for KMS.
pub(super) fn answer(operation: &str, asked: &Asked) -> Option<Result<Value, Refusal>> {
    match operation {
        "GetPublicKey" => Some(public_key(asked)),
        "Sign" if asked.text("SigningAlgorithm") == Some(ALGORITHM) => Some(sign(asked)),
        _ => None,
    }
}

fn pair(asked: &Asked) -> Result<(String, Ed25519KeyPair), Refusal> {
    let id = asked.text("KeyId").unwrap_or_default().to_owned();
    let pair = Ed25519KeyPair::from_seed_unchecked(Sha256::of(&id).bytes());
    let pair = pair.map_err(|_| Refusal::new(500, "KMSInternalException", "no key"))?;
    Ok((id, pair))
}

fn public_key(asked: &Asked) -> Result<Value, Refusal> {
    let (id, pair) = pair(asked)?;
    let der = [&SPKI[..], pair.public_key().as_ref()].concat();
    Ok(json!({
        "KeyId": id, "PublicKey": base64::encode(der), "KeyUsage": "SIGN_VERIFY",
        "KeySpec": "ECC_NIST_EDWARDS25519", "SigningAlgorithms": [ALGORITHM, "ED25519_PH_SHA_512"],
    }))
}

fn sign(asked: &Asked) -> Result<Value, Refusal> {
    let (id, pair) = pair(asked)?;
    let message = asked.params.get("Message").and_then(value::blob).unwrap_or_default();
    if message.is_empty() || message.len() > MESSAGE_BYTES {
        let why = "1 validation error detected: Value at 'message' failed to satisfy constraint";
        return Err(Refusal::new(400, "ValidationException", why));
    }
    if asked.text("MessageType").unwrap_or("RAW") != "RAW" {
        let why = "ED25519_SHA_512 requires MessageType RAW";
        return Err(Refusal::new(400, "ValidationException", why));
    }
    let signature = base64::encode(pair.sign(&message));
    Ok(json!({"KeyId": id, "Signature": signature, "SigningAlgorithm": ALGORITHM}))
}
