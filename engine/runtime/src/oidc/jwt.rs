//! JSON Web Tokens (RFC 7519) and the keys that sign them (RFC 7517): reading, and one signature.
//!
//! The algorithm is the key's as much as the token's: a key of one kind checks no signature of
//! another, and there is no algorithm that a public key could be the secret of.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Characters of a token, at most: providers cut long lists of groups at less.
const MOST_CHARS: usize = 16 * 1024;

/// How a token may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSA with SHA-256, of 2048 bits and more.
    #[serde(rename = "RS256")]
    Rs256,
    /// The curve P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// Its name (RFC 7518, RFC 8037).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A key that a provider publishes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    for_what: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    /// Whether it may have signed what names this key and this algorithm.
    pub(super) fn fits(&self, algorithm: Algorithm, key_id: Option<&str>) -> bool {
        let kind = (self.kty.as_str(), self.crv.as_deref());
        let is_kind = match algorithm {
            Algorithm::Rs256 => kind.0 == "RSA",
            Algorithm::Es256 => kind == ("EC", Some("P-256")),
            Algorithm::EdDsa => kind == ("OKP", Some("Ed25519")),
        };
        let may_sign = self.for_what.as_deref().is_none_or(|what| what == "sig");
        let is_said = self.alg.as_deref().is_none_or(|alg| alg == algorithm.as_str());
        let is_named = key_id.is_none_or(|id| self.kid.as_deref() == Some(id));
        is_kind && may_sign && is_said && is_named
    }

    fn part(&self, part: &Option<String>) -> Option<Vec<u8>> {
        BASE64.decode(part.as_ref()?.trim_end_matches('=')).ok()
    }

    fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> Option<()> {
        match algorithm {
            Algorithm::Rs256 => {
                let (n, e) = (self.part(&self.n)?, self.part(&self.e)?);
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).ok()
            }
            Algorithm::Es256 => {
                let (x, y) = (self.part(&self.x)?, self.part(&self.y)?);
                let point = [&[4], x.as_slice(), &y].concat();
                let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
                key.verify(signed, signature).ok()
            }
            Algorithm::EdDsa => {
                let key = UnparsedPublicKey::new(&ED25519, self.part(&self.x)?);
                key.verify(signed, signature).ok()
            }
        }
    }
}

/// A token that nobody has vouched for yet.
pub(super) struct Unsigned<'t> {
    signed: &'t str,
    signature: Vec<u8>,
    head: Value,
    claims: Value,
}

impl<'t> Unsigned<'t> {
    pub(super) fn read(token: &'t str) -> Result<Self, &'static str> {
        let not = "the token is no JWT";
        if token.len() > MOST_CHARS {
            return Err("the token is longer than any should be");
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(not)?;
        let (head, claims) = signed.split_once('.').ok_or(not)?;
        let json = |part: &str| {
            let bytes = BASE64.decode(part).map_err(|_| not)?;
            let value: Value = serde_json::from_slice(&bytes).map_err(|_| not)?;
            if value.is_object() { Ok(value) } else { Err(not) }
        };
        let (head, claims) = (json(head)?, json(claims)?);
        let signature = BASE64.decode(signature).map_err(|_| not)?;
        Ok(Self { signed, signature, head, claims })
    }

    /// The algorithm that it names, if it may be that one.
    pub(super) fn algorithm(&self, allowed: &[Algorithm]) -> Result<Algorithm, String> {
        // An extension that must be understood (RFC 7515 section 4.1.11), and is not.
        if self.head.get("crit").is_some() {
            return Err("the token's `crit` asks for what nobody here understands".to_owned());
        }
        let named = self.head.get("alg").and_then(Value::as_str).unwrap_or_default();
        let found = allowed.iter().find(|algorithm| algorithm.as_str() == named);
        found.copied().ok_or_else(|| {
            let allowed: Vec<_> = allowed.iter().map(|algorithm| algorithm.as_str()).collect();
            let named: String = named.chars().take(20).collect();
            format!("the token is signed with `{named}`, and may be with {}", allowed.join(", "))
        })
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.head.get("kid").and_then(Value::as_str)
    }

    pub(super) fn claims(&self) -> &Value {
        &self.claims
    }

    pub(super) fn is_signed_by(&self, key: &Jwk, algorithm: Algorithm) -> bool {
        key.verifies(algorithm, self.signed.as_bytes(), &self.signature).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// RFC 8037, appendix A.4: a signature with Ed25519.
    #[test]
    fn the_example_of_rfc_8037_is_right_and_nothing_near_it() {
        let key: Jwk = serde_json::from_value(json!({
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        }))
        .unwrap();
        let signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt\
                         9g7sVvpAr_MuM0KAg";
        let signature = BASE64.decode(signature).unwrap();
        assert!(key.verifies(Algorithm::EdDsa, signed, &signature).is_some());
        assert!(key.verifies(Algorithm::EdDsa, &signed[1..], &signature).is_none());
        assert!(key.verifies(Algorithm::Es256, signed, &signature).is_none());
        assert!(key.verifies(Algorithm::Rs256, signed, &signature).is_none());
    }

    /// RFC 7515, appendix A.3: a signature with P-256.
    #[test]
    fn the_example_of_rfc_7515_is_right() {
        let key: Jwk = serde_json::from_value(json!({
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }))
        .unwrap();
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6\
                     Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4Gawx\
                     aepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        let unsigned = Unsigned::read(token).unwrap();
        assert_eq!(unsigned.algorithm(&Algorithm::ALL), Ok(Algorithm::Es256));
        assert!(unsigned.is_signed_by(&key, Algorithm::Es256));
        assert!(unsigned.algorithm(&[Algorithm::Rs256]).is_err());
        let forged =
            Unsigned::read(&token[..token.len() - 2]).unwrap_or_else(|_| panic!("it reads"));
        assert!(!forged.is_signed_by(&key, Algorithm::Es256));
    }

    #[test]
    fn a_key_is_for_its_own_algorithm_alone() {
        let key = |value: Value| serde_json::from_value::<Jwk>(value).unwrap();
        let rsa = key(json!({"kty": "RSA", "kid": "a", "use": "sig", "n": "AQAB", "e": "AQAB"}));
        assert!(rsa.fits(Algorithm::Rs256, Some("a")) && rsa.fits(Algorithm::Rs256, None));
        assert!(!rsa.fits(Algorithm::Rs256, Some("b")) && !rsa.fits(Algorithm::Es256, Some("a")));
        assert!(!key(json!({"kty": "RSA", "use": "enc"})).fits(Algorithm::Rs256, None));
        assert!(!key(json!({"kty": "RSA", "alg": "RS512"})).fits(Algorithm::Rs256, None));
        assert!(!key(json!({"kty": "oct", "k": "x"})).fits(Algorithm::Rs256, None));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for text in ["", "a.b", "a.b.c", "e30.e30", "W10.W10.AA", "e30.e30.!"] {
            assert!(Unsigned::read(text).is_err(), "{text}");
        }
        assert!(Unsigned::read(&format!("e30.e30.{}", "A".repeat(MOST_CHARS))).is_err());
        let head = |head: Value| format!("{}.e30.AA", BASE64.encode(head.to_string()));
        for bad in [
            json!({"alg": "none"}),
            json!({"alg": "HS256"}),
            json!({"alg": "rs256"}),
            json!({}),
            json!({"alg": "RS256", "crit": ["b64"], "b64": false}),
        ] {
            let text = head(bad);
            assert!(Unsigned::read(&text).unwrap().algorithm(&Algorithm::ALL).is_err(), "{text}");
        }
    }
}
