//! Who may send to a source: the proofs that the configuration asks of its senders, and how much
//! they may send.
//!
//! A source without proofs of its own takes the webhook's token. One with proofs takes any one of
//! them and nothing else. Secrets are compared by their hashes and in constant time.

mod network;
mod rate;
mod secret;
mod signature;

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use stanch_engine_core::error_code;
use stanch_engine_core::limits;
use stanch_engine_core::time::Timestamp;
use stanch_plugins_sdk::{Denied, Verified, Verifier};

use crate::problem::{Handled, Refusal};

pub use network::Network;
pub use rate::Rate;
pub use secret::Secrets;
pub use signature::{Encoding, Signature, SignedTime};

/// What is asked of the senders of one source.
pub struct SourcePolicy {
    /// The addresses that they connect from; any when there are none.
    pub from: Vec<Network>,
    /// How they prove who they are; one of these is enough.
    pub proofs: Vec<Proof>,
    /// Bytes of a body.
    pub most_bytes: usize,
    /// How often they may send.
    pub rate: Option<Rate>,
}

impl Default for SourcePolicy {
    fn default() -> Self {
        let most_bytes = limits::REQUEST_BYTES;
        Self { from: Vec::new(), proofs: Vec::new(), most_bytes, rate: None }
    }
}

/// How a sender proves who it is.
pub enum Proof {
    /// `Authorization: Bearer …`.
    Bearer(Secrets),
    /// `Authorization: Basic …`, by the whole text `user:password`.
    Basic(Secrets),
    /// A header with a secret, as EventBridge's API destinations send one.
    Header(HeaderName, Secrets),
    /// An HMAC of the body.
    Signature(Signature),
    /// What the body says of itself.
    Body(Arc<dyn Verifier>),
}

impl std::fmt::Debug for SourcePolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourcePolicy").field("from", &self.from).finish_non_exhaustive()
    }
}

fn unproven(detail: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, error_code::UNPROVEN, detail)
}

impl SourcePolicy {
    /// Whether the address may send at all.
    pub(crate) fn check_address(&self, address: Option<IpAddr>) -> Handled<()> {
        let is_in = |address: IpAddr| self.from.iter().any(|network| network.contains(address));
        if self.from.is_empty() || address.is_some_and(is_in) {
            return Ok(());
        }
        let detail = "this source takes nothing from your address: see `from` under [sources]";
        Err(Refusal::new(StatusCode::FORBIDDEN, error_code::UNPROVEN, detail))
    }

    /// Whether the head of the request proves its sender; whether it may still be proven by its
    /// body, when it does not.
    pub(crate) fn check_head(&self, headers: &HeaderMap) -> Handled<bool> {
        if self.proofs.iter().any(|proof| proof.is_in_head(headers)) {
            return Ok(true);
        }
        let is_of_body = |proof: &Proof| matches!(proof, Proof::Signature(_) | Proof::Body(_));
        if self.proofs.iter().any(is_of_body) {
            return Ok(false);
        }
        let wanted: Vec<_> = self.proofs.iter().map(Proof::name).collect();
        Err(unproven(format!(
            "this source wants {}, and it is missing or wrong",
            wanted.join(" or ")
        )))
    }

    /// Whether the body proves its sender, and what it is.
    pub(crate) async fn check_body(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Handled<Verified> {
        let mut why = Vec::new();
        for proof in &self.proofs {
            match proof {
                Proof::Signature(signature) => match signature.check(headers, body, now) {
                    Ok(()) => return Ok(Verified::Payload),
                    Err(error) => why.push(error),
                },
                Proof::Body(verifier) => match verifier.verify(body, now).await {
                    Ok(verified) => return Ok(verified),
                    Err(Denied::Forged(error)) => why.push(error),
                    Err(Denied::Unavailable(error)) => {
                        let (status, code) =
                            (StatusCode::SERVICE_UNAVAILABLE, error_code::UNCHECKED);
                        return Err(Refusal::new(status, code, error));
                    }
                },
                Proof::Bearer(_) | Proof::Basic(_) | Proof::Header(..) => {}
            }
        }
        Err(unproven(why.join("; ")))
    }

    /// Counts a request, and turns away what is too much.
    pub(crate) fn check_rate(&self, now: Timestamp) -> Handled<()> {
        let Some(rate) = &self.rate else { return Ok(()) };
        rate.take(now).map_err(|wait_ms| {
            let seconds = u32::try_from(wait_ms.div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
            let detail = "the source sends more than its `rate`; send it again";
            Refusal::too_many(detail, seconds)
        })
    }
}

impl Proof {
    fn is_in_head(&self, headers: &HeaderMap) -> bool {
        let authorization = |scheme: &str| {
            let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
            let (name, rest) = text.split_once(' ')?;
            name.eq_ignore_ascii_case(scheme).then(|| rest.trim().to_owned())
        };
        match self {
            Self::Bearer(secrets) => {
                authorization("bearer").is_some_and(|token| secrets.hold(token))
            }
            Self::Basic(secrets) => authorization("basic")
                .and_then(|text| BASE64.decode(text).ok())
                .is_some_and(|pair| secrets.hold(pair)),
            Self::Header(name, secrets) => {
                headers.get(name).is_some_and(|value| secrets.hold(value.as_bytes()))
            }
            Self::Signature(_) | Self::Body(_) => false,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Bearer(_) => "`Authorization: Bearer`".to_owned(),
            Self::Basic(_) => "`Authorization: Basic`".to_owned(),
            Self::Header(name, _) => format!("a secret in `{name}`"),
            Self::Signature(_) | Self::Body(_) => "a signature".to_owned(),
        }
    }
}
