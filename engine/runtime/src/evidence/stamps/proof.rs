//! Whether a token proves that something was there at a time: it is about that, it is signed, and
//! whoever signed it may stamp times, by an authority that the verifier trusts.

use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::time::Timestamp;
use webpki::ring::{
    ECDSA_P256_SHA256, ECDSA_P256_SHA384, ECDSA_P384_SHA256, ECDSA_P384_SHA384, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
};
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;
use x509_parser::time::ASN1Time;

use super::token::{Hash, Token};

/// What a certificate must be for, 1.3.6.1.5.5.7.3.8.
const STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];

/// Why a token proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StampError {
    /// It is no token.
    #[error("the time-stamp can't be read")]
    Unread,
    /// It is about something else.
    #[error("the time-stamp is about something else")]
    Imprint,
    /// It answers another request.
    #[error("the time-stamp answers another request")]
    Nonce,
    /// It was changed, or is signed by another key than that of its certificate.
    #[error("the time-stamp is not signed by the certificate that it names, or was changed")]
    Signature,
    /// Nobody who is trusted vouches for its certificate.
    #[error("no certificate that you gave vouches for the authority of the time-stamp")]
    Untrusted,
    /// Its certificate, or one above it, did not hold then.
    #[error("a certificate of the time-stamp's authority did not hold at {0}")]
    NotThen(Timestamp),
    /// Its certificate is for something else.
    #[error("the certificate of the time-stamp is not for time-stamps alone")]
    Purpose,
    /// Its certificate can't be used.
    #[error("the certificate of the time-stamp: {0}")]
    Certificate(String),
}

/// The authorities that a verifier trusts.
#[derive(Clone, Debug)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// Reads certificates in PEM.
    ///
    /// # Errors
    /// In words, when there is none, or one can't be read.
    pub fn read(pem: &str) -> Result<Self, String> {
        let read = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
        let read = read.map_err(|_| "it holds no certificates in PEM".to_owned())?;
        for certificate in &read {
            anchor_from_trusted_cert(certificate).map_err(|error| error.to_string())?;
        }
        match read.is_empty() {
            true => Err("it holds no certificates in PEM".to_owned()),
            false => Ok(Self(read)),
        }
    }

    /// Those whose own certificates held then.
    fn then(&self, at: Timestamp) -> Vec<TrustAnchor<'_>> {
        let held = self.0.iter().filter(|certificate| {
            let read = X509Certificate::from_der(certificate).ok();
            read.is_some_and(|(_, read)| holds(&read, at))
        });
        held.filter_map(|certificate| anchor_from_trusted_cert(certificate).ok()).collect()
    }
}

fn holds(certificate: &X509Certificate<'_>, at: Timestamp) -> bool {
    let at = ASN1Time::from_timestamp(at.millis().div_euclid(1_000));
    at.is_ok_and(|at| certificate.validity().is_valid_at(at))
}

/// The time at which something was there, by a token about it. The nonce is that of the request, where
/// it is known, as the content of a number in DER.
///
/// # Errors
/// [`StampError`] says why it proves nothing.
pub fn proved(
    token: &[u8],
    text: &[u8],
    nonce: Option<&[u8]>,
    authorities: &Authorities,
) -> Result<Timestamp, StampError> {
    let token = fits(token, text, nonce)?;
    let signature = &token.signature;
    if signature.hash.of(token.info) != signature.digest {
        return Err(StampError::Signature);
    }
    let (kind, hash) = signature.signer;
    let (own, above): (Vec<&[u8]>, Vec<&[u8]>) =
        token.certificates.iter().copied().partition(|der| kind.of(der) == hash);
    let own = own.first().ok_or(StampError::Signature)?;
    let own = CertificateDer::from(own.to_vec());
    let above: Vec<_> = above.into_iter().map(|der| CertificateDer::from(der.to_vec())).collect();
    let unusable = |error: Error| StampError::Certificate(error.to_string());
    let certificate = EndEntityCert::try_from(&own).map_err(unusable)?;
    let is_signed = algorithms(signature.hash).iter().any(|algorithm| {
        certificate.verify_signature(*algorithm, &signature.attributes, signature.bytes).is_ok()
    });
    if !is_signed {
        return Err(StampError::Signature);
    }
    require_purpose(&own)?;
    let roots = authorities.then(token.at);
    if roots.is_empty() {
        return Err(StampError::NotThen(token.at));
    }
    let seconds = u64::try_from(token.at.millis() / 1_000).unwrap_or_default();
    let trusted = certificate.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &roots,
        &above,
        UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
        // Of those above it is asked only what they are not for: their purposes need not be said.
        KeyUsage::required_if_present(STAMPING),
        None,
        None,
    );
    match trusted {
        Ok(_) => Ok(token.at),
        Err(Error::UnknownIssuer | Error::InvalidSignatureForPublicKey) => {
            Err(StampError::Untrusted)
        }
        Err(Error::CertExpired { .. } | Error::CertNotValidYet { .. }) => {
            Err(StampError::NotThen(token.at))
        }
        Err(error) => Err(unusable(error)),
    }
}

/// A token that is about a text and answers a request, whoever signed it.
///
/// # Errors
/// [`StampError`] says what is wrong with it.
pub(super) fn fits<'a>(
    token: &'a [u8],
    text: &[u8],
    nonce: Option<&[u8]>,
) -> Result<Token<'a>, StampError> {
    let token = Token::read(token).ok_or(StampError::Unread)?;
    if token.imprint != Sha256::of(text).bytes() {
        return Err(StampError::Imprint);
    }
    match nonce.is_some_and(|nonce| token.nonce != Some(nonce)) {
        true => Err(StampError::Nonce),
        false => Ok(token),
    }
}

/// How what is signed by a hash can be signed.
fn algorithms(hash: Hash) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    static WITH_SHA256: [&dyn SignatureVerificationAlgorithm; 3] =
        [ECDSA_P256_SHA256, ECDSA_P384_SHA256, RSA_PKCS1_2048_8192_SHA256];
    static WITH_SHA384: [&dyn SignatureVerificationAlgorithm; 3] =
        [ECDSA_P256_SHA384, ECDSA_P384_SHA384, RSA_PKCS1_2048_8192_SHA384];
    static WITH_SHA512: [&dyn SignatureVerificationAlgorithm; 2] =
        [RSA_PKCS1_2048_8192_SHA512, ED25519];
    match hash {
        Hash::Sha1 => &[],
        Hash::Sha256 => &WITH_SHA256,
        Hash::Sha384 => &WITH_SHA384,
        Hash::Sha512 => &WITH_SHA512,
    }
}

/// RFC 3161 section 2.3: time-stamps, nothing else, and whoever does not know that must not go on.
fn require_purpose(certificate: &CertificateDer<'_>) -> Result<(), StampError> {
    let read = X509Certificate::from_der(certificate);
    let (_, read) = read.map_err(|error| StampError::Certificate(error.to_string()))?;
    let purposes = read.extended_key_usage().ok().flatten();
    let is_right = purposes.is_some_and(|extension| {
        let of = extension.value;
        let others = [
            of.any,
            of.server_auth,
            of.client_auth,
            of.code_signing,
            of.email_protection,
            of.ocsp_signing,
            !of.other.is_empty(),
        ];
        extension.critical && of.time_stamping && !others.contains(&true)
    });
    is_right.then_some(()).ok_or(StampError::Purpose)
}
