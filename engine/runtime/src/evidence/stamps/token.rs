//! What a token says, and who signed it (RFC 3161, RFC 5652).

use stanch_engine_core::time::Timestamp;

use super::der::{self, INTEGER, NULL, OCTETS, OID, SEQUENCE, SET, TIME, Value, Values, ZEROTH};

/// SHA-256, 2.16.840.1.101.3.4.2.1.
pub(super) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];
/// What is signed, 1.2.840.113549.1.7.2.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// The content of a token, 1.2.840.113549.1.9.16.1.4.
const INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
/// Attributes of a signature: 1.2.840.113549.1.9.3 and .4, and .16.2.12 and .16.2.47 of the signer.
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
const SIGNER: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0c];
const SIGNER_V2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];

/// A way to make a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    /// Only where an attribute names the signer's certificate, whose key vouches for it anyway.
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn named(oid: &[u8]) -> Option<Self> {
        match oid {
            _ if oid == SHA256 => Some(Self::Sha256),
            _ if oid == SHA384 => Some(Self::Sha384),
            _ if oid == SHA512 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The hash of some bytes.
    pub(super) fn of(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha1 => &ring::digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &ring::digest::SHA256,
            Self::Sha384 => &ring::digest::SHA384,
            Self::Sha512 => &ring::digest::SHA512,
        };
        ring::digest::digest(algorithm, bytes).as_ref().to_vec()
    }
}

/// A token, taken apart.
pub(super) struct Token<'a> {
    /// What it says, as it is signed.
    pub(super) info: &'a [u8],
    /// What was stamped: the SHA-256 of something.
    pub(super) imprint: &'a [u8],
    /// When, by the authority.
    pub(super) at: Timestamp,
    /// What the request was told apart by.
    pub(super) nonce: Option<&'a [u8]>,
    /// The certificates that came with it.
    pub(super) certificates: Vec<&'a [u8]>,
    pub(super) signature: Signature<'a>,
}

/// The signature of a token.
pub(super) struct Signature<'a> {
    /// The way to make the hashes of this signature.
    pub(super) hash: Hash,
    /// What is signed: attributes, as a set of them is written.
    pub(super) attributes: Vec<u8>,
    /// The hash of what the token says, by the attributes.
    pub(super) digest: &'a [u8],
    /// The signer's certificate, by the attributes: how its hash is made, and the hash.
    pub(super) signer: (Hash, &'a [u8]),
    pub(super) bytes: &'a [u8],
}

/// A request for a stamp on what has this SHA-256. The nonce is a positive number in DER's form.
pub(super) fn request(imprint: &[u8], nonce: &[u8]) -> Vec<u8> {
    let algorithm = [der::write(OID, SHA256), der::write(NULL, &[])].concat();
    let imprint = [der::write(SEQUENCE, &algorithm), der::write(OCTETS, imprint)].concat();
    let parts = [
        der::write(INTEGER, &[1]),
        der::write(SEQUENCE, &imprint),
        der::write(INTEGER, nonce),
        // The certificate is wanted, too.
        der::write(der::BOOLEAN, &[0xff]),
    ];
    der::write(SEQUENCE, &parts.concat())
}

/// The token in the answer to a request, or why there is none.
///
/// # Errors
/// In words: the answer's status, or that it is none.
pub(super) fn of_answer(answer: &[u8]) -> Result<&[u8], String> {
    let mut parts = Values(answer).alone(SEQUENCE).ok_or("it is no answer to a request")?.inside();
    let status = parts.of(SEQUENCE).and_then(|status| status.inside().of(INTEGER));
    match status.map(|status| status.content) {
        Some([0 | 1]) => {
            let token = parts.of(SEQUENCE).ok_or("the answer holds no token")?;
            Ok(token.whole)
        }
        Some([status]) => Err(format!("the request was refused with status {status}")),
        _ => Err("it is no answer to a request".to_owned()),
    }
}

impl<'a> Token<'a> {
    /// Takes a token apart; nothing where it is none, or is signed by more or fewer than one.
    pub(super) fn read(token: &'a [u8]) -> Option<Self> {
        let mut parts = Values(token).alone(SEQUENCE)?.inside();
        parts.of(OID).filter(|kind| kind.content == SIGNED_DATA)?;
        let mut data = parts.of(ZEROTH)?.inside().alone(SEQUENCE)?.inside();
        data.of(INTEGER)?;
        data.of(SET)?;
        let mut content = data.of(SEQUENCE)?.inside();
        content.of(OID).filter(|kind| kind.content == INFO)?;
        let info = content.of(ZEROTH)?.inside().alone(OCTETS)?.content;
        let certificates = data.of(ZEROTH).map_or_else(Vec::new, |all| {
            all.inside().filter(|one| one.tag == SEQUENCE).map(|one| one.whole).collect()
        });
        // Lists of what was revoked.
        data.of(ZEROTH + 1);
        let signer = data.of(SET)?.inside().alone(SEQUENCE)?;
        let (imprint, at, nonce) = told(info)?;
        let signature = Signature::read(signer)?;
        Some(Self { info, imprint, at, nonce, certificates, signature })
    }
}

/// What was stamped, when, and the nonce.
type Told<'a> = (&'a [u8], Timestamp, Option<&'a [u8]>);

fn told(info: &[u8]) -> Option<Told<'_>> {
    let mut parts = Values(info).alone(SEQUENCE)?.inside();
    parts.of(INTEGER).filter(|version| version.content == [1])?;
    parts.of(OID)?;
    let mut imprint = parts.of(SEQUENCE)?.inside();
    let kind = imprint.of(SEQUENCE)?.inside().of(OID)?;
    let imprint = imprint.of(OCTETS).filter(|_| kind.content == SHA256)?.content;
    parts.of(INTEGER)?;
    let at = time(parts.of(TIME)?.content)?;
    parts.of(SEQUENCE);
    parts.of(der::BOOLEAN);
    Some((imprint, at, parts.of(INTEGER).map(|nonce| nonce.content)))
}

/// `YYYYMMDDhhmmss[.f…]Z`.
fn time(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, part) = text.split_at_checked(14)?;
    let digits = |from: usize, to: usize| whole.get(from..to);
    let (day, hour) = ((digits(0, 4)?, digits(4, 6)?, digits(6, 8)?), digits(8, 10)?);
    let text = format!(
        "{}-{}-{}T{hour}:{}:{}{part}Z",
        day.0,
        day.1,
        day.2,
        digits(10, 12)?,
        digits(12, 14)?
    );
    Timestamp::parse(&text).ok()
}

impl<'a> Signature<'a> {
    fn read(signer: Value<'a>) -> Option<Self> {
        let mut parts = signer.inside();
        parts.of(INTEGER)?;
        // Whom it names: the attributes do it by a hash.
        parts.any()?;
        let hash = Hash::named(parts.of(SEQUENCE)?.inside().of(OID)?.content)?;
        let signed = parts.of(ZEROTH)?;
        parts.of(SEQUENCE)?;
        let bytes = parts.of(OCTETS)?.content;
        attribute(signed, CONTENT_TYPE)?.of(OID).filter(|kind| kind.content == INFO)?;
        let digest = attribute(signed, MESSAGE_DIGEST)?.of(OCTETS)?.content;
        let signer = match attribute(signed, SIGNER_V2) {
            Some(value) => {
                let mut named = named(value)?;
                let hash = match named.of(SEQUENCE) {
                    Some(kind) => Hash::named(kind.inside().of(OID)?.content)?,
                    None => Hash::Sha256,
                };
                (hash, named.of(OCTETS)?.content)
            }
            None => (Hash::Sha1, named(attribute(signed, SIGNER)?)?.of(OCTETS)?.content),
        };
        // It is signed as the set that it is, and written with another tag.
        let attributes = der::write(SET, signed.content);
        Some(Self { hash, attributes, digest, signer, bytes })
    }
}

/// The value of an attribute that is there once and has one.
fn attribute<'a>(signed: Value<'a>, kind: &[u8]) -> Option<Values<'a>> {
    let mut found = signed.inside().filter_map(|attribute| {
        let mut parts = attribute.inside();
        parts.of(OID).filter(|own| own.content == kind)?;
        Some(parts.of(SET)?.inside())
    });
    let value = found.next()?;
    found.next().is_none().then_some(value)
}

/// The first certificate that an attribute of the signer names: the signer's own.
fn named(mut value: Values<'_>) -> Option<Values<'_>> {
    Some(value.of(SEQUENCE)?.inside().of(SEQUENCE)?.inside().of(SEQUENCE)?.inside())
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &[u8] = include_bytes!("../../../../../tests/fixtures/tsa/openssl.query");
    const TOKEN: &[u8] = include_bytes!("../../../../../tests/fixtures/tsa/openssl.token");

    #[test]
    fn a_request_is_the_one_that_openssl_makes() {
        let token = Token::read(TOKEN).unwrap();
        assert_eq!(token.imprint, Hash::Sha256.of(b"what was stamped"));
        assert_eq!(request(token.imprint, token.nonce.unwrap()), QUERY);
        assert_eq!(Ok(token.at), Timestamp::parse("2026-11-30T20:24:41Z"));
    }

    #[test]
    fn a_token_is_read_out_of_an_answer_and_a_no_is_said() {
        let status = |status: u8| der::write(SEQUENCE, &der::write(INTEGER, &[status]));
        let answer = |code: u8| der::write(SEQUENCE, &[&status(code), TOKEN].concat());
        assert_eq!(of_answer(&answer(0)), Ok(TOKEN));
        assert_eq!(of_answer(&answer(1)), Ok(TOKEN));
        assert!(of_answer(&answer(2)).unwrap_err().contains("status 2"));
        for other in [&b""[..], b"<html>", &der::write(SEQUENCE, &status(0)), TOKEN] {
            assert!(of_answer(other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn what_is_cut_off_anywhere_is_no_token() {
        for end in 0..TOKEN.len() {
            assert!(Token::read(&TOKEN[..end]).is_none(), "{end}");
        }
    }
}
