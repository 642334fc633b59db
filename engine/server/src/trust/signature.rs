//! HMAC-SHA256 over the bytes of a body as they came, as PagerDuty, Grafana, Sentry and most others
//! sign.

use axum::http::{HeaderMap, HeaderName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use stanch_engine_core::time::Timestamp;

/// Signatures that one request may show: a sender that rotates shows two.
const SHOWN: usize = 8;

/// How a sender signs.
pub struct Signature {
    /// The header that the signature stands in; several may stand there with commas between.
    pub header: HeaderName,
    /// What stands before each, such as `v1=`.
    pub prefix: String,
    /// How it is written.
    pub encoding: Encoding,
    /// The secrets: several while they are rotated.
    pub secrets: Vec<Vec<u8>>,
    /// The time that is signed too, where one is.
    pub time: Option<SignedTime>,
    /// What is signed before the body, and after it; `{timestamp}` in it is the time as it was
    /// sent.
    pub around: (String, String),
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal.
    Hex,
    /// Base64.
    Base64,
}

/// A time that is signed.
#[derive(Clone, Debug)]
pub struct SignedTime {
    /// The header with it, in seconds or milliseconds since 1970.
    pub header: HeaderName,
    /// How far it may be from now, in milliseconds.
    pub window_ms: i64,
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signature").field("header", &self.header).finish_non_exhaustive()
    }
}

impl Signature {
    /// Whether one of the signatures of a request is right.
    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), String> {
        let name = &self.header;
        let text = headers.get(name).and_then(|value| value.to_str().ok());
        let text =
            text.ok_or_else(|| format!("the header `{name}` with a signature is missing"))?;
        let sent_at = match &self.time {
            Some(time) => time.check(headers, now)?,
            None => "",
        };
        let (before, after) = &self.around;
        let fill = |text: &str| text.replace("{timestamp}", sent_at);
        let (before, after) = (fill(before), fill(after));
        let shown = text.split(',').take(SHOWN).filter_map(|one| self.read(one.trim()));
        for shown in shown {
            // All secrets are tried, so that the time says nothing of which one was right.
            let mut is_right = false;
            for secret in &self.secrets {
                let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { continue };
                mac.update(before.as_bytes());
                mac.update(body);
                mac.update(after.as_bytes());
                is_right |= mac.verify_slice(&shown).is_ok();
            }
            if is_right {
                return Ok(());
            }
        }
        Err(format!("the signature in `{name}` is wrong"))
    }

    fn read(&self, text: &str) -> Option<Vec<u8>> {
        let text = text.strip_prefix(&self.prefix)?;
        match self.encoding {
            Encoding::Hex => hex::decode(text).ok(),
            Encoding::Base64 => BASE64.decode(text).ok(),
        }
    }
}

impl SignedTime {
    fn check<'h>(&self, headers: &'h HeaderMap, now: Timestamp) -> Result<&'h str, String> {
        let name = &self.header;
        let text = headers.get(name).and_then(|value| value.to_str().ok());
        let sent: Option<i64> = text.and_then(|text| text.parse().ok());
        let (Some(text), Some(sent)) = (text, sent) else {
            return Err(format!("the header `{name}` with the time is missing or no number"));
        };
        // Whatever is this large is milliseconds: in seconds it would be the year 5138.
        let sent_ms = if sent.unsigned_abs() >= 100_000_000_000 { sent } else { sent * 1_000 };
        if now.millis().abs_diff(sent_ms) > self.window_ms.unsigned_abs() {
            return Err(format!("the time in `{name}` is too far from now"));
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex_of(secret: &str, signed: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }

    fn plain() -> Signature {
        Signature {
            header: HeaderName::from_static("x-signature"),
            prefix: "v1=".to_owned(),
            encoding: Encoding::Hex,
            secrets: vec![b"the new one".to_vec(), b"the old one".to_vec()],
            time: None,
            around: (String::new(), String::new()),
        }
    }

    fn check(signature: &Signature, headers: &[(&'static str, &str)], body: &str) -> bool {
        let pairs = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), value.parse::<axum::http::HeaderValue>().unwrap())
        });
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        signature.check(&pairs.collect(), body.as_bytes(), now).is_ok()
    }

    /// RFC 4231, test case 2.
    #[test]
    fn it_is_the_hmac_of_the_standard() {
        let right = "v1=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let jefe = Signature { secrets: vec![b"Jefe".to_vec()], ..plain() };
        assert!(check(&jefe, &[("x-signature", right)], "what do ya want for nothing?"));
    }

    #[test]
    fn any_secret_of_a_rotation_is_right_and_nothing_else() {
        let sign = |secret: &str, body: &str| format!("v1={}", hex_of(secret, body));
        for secret in ["the new one", "the old one"] {
            assert!(check(&plain(), &[("x-signature", &sign(secret, "body"))], "body"));
        }
        let two = format!("{}, {}", sign("a third one", "body"), sign("the old one", "body"));
        assert!(check(&plain(), &[("x-signature", &two)], "body"));
        let right = sign("the new one", "body");
        for (shown, body) in [
            (right.as_str(), "body "),
            (right.as_str(), ""),
            (right.trim_start_matches("v1="), "body"),
            (right.get(..right.len() - 2).unwrap(), "body"),
            ("v1=", "body"),
            ("", "body"),
            (&sign("a third one", "body"), "body"),
            (&sign("", "body"), "body"),
        ] {
            assert!(!check(&plain(), &[("x-signature", shown)], body), "{shown} {body:?}");
        }
        assert!(!check(&plain(), &[], "body"));
        // The right one behind many wrong ones is not looked for.
        let many = format!("{}{right}", "v1=00,".repeat(100));
        assert!(!check(&plain(), &[("x-signature", &many)], "body"));
    }

    #[test]
    fn a_time_that_is_signed_can_neither_be_changed_nor_grow_old() {
        let timed = Signature {
            prefix: String::new(),
            time: Some(SignedTime {
                header: HeaderName::from_static("x-time"),
                window_ms: 300_000,
            }),
            around: ("{timestamp}:".to_owned(), String::new()),
            ..plain()
        };
        let at = |time: &str, signed: &str| {
            let shown = hex_of("the new one", &format!("{signed}:body"));
            check(&timed, &[("x-signature", &shown), ("x-time", time)], "body")
        };
        assert!(at("1700000000", "1700000000"));
        assert!(at("1700000299", "1700000299"));
        assert!(at("1699999701000", "1699999701000"));
        assert!(!at("1700000301", "1700000301"), "it comes from the future");
        assert!(!at("1699999600", "1699999600"), "it is old");
        assert!(!at("1700000000", "1699999600"), "the time was changed");
        assert!(!at("now", "now"));
        assert!(!at("-9223372036854775808", "-9223372036854775808"));
    }
}
