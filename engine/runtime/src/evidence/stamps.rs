//! Time-stamps (RFC 3161): an authority signs when the end of a chain was there. Of what is stamped it
//! sees a hash.

mod der;
mod proof;
mod token;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::effect::Effect;
use stanch_engine_core::ledger::Signed;
use stanch_engine_core::span::Span;
use stanch_engine_store::ledger_stamps::{self, Unstamped};
use stanch_plugins_sdk::{ActionContext, Patience, Urgency};

use crate::shared::Shared;
pub use proof::{Authorities, StampError, proved};

/// Entries that are stamped at one look. Authorities are asked one after the other.
const BATCH: u32 = 100;

/// How long one answer may take to come.
const TIMEOUT: Span = Span::from_secs(20);

/// A line of `timestamps.jsonl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// The text of the entry, which is what was stamped.
    pub(crate) statement: String,
    /// The installation's signature on it.
    pub(crate) signature: String,
    /// The nonce of the request, in hexadecimal digits.
    pub(crate) nonce: String,
    /// The token, DER in base64.
    pub(crate) token: String,
}

impl Line {
    /// The entry.
    pub(crate) fn entry(&self) -> Signed {
        let (statement, signature) = (self.statement.clone(), self.signature.clone());
        Signed { statement, signature, anchored: None }
    }

    /// The nonce and the token, if they can be read.
    pub(crate) fn token(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        Some((hex::decode(&self.nonce).ok()?, STANDARD.decode(&self.token).ok()?))
    }
}

/// Has the newest ends of chains stamped that were not yet.
///
/// # Errors
/// In words, when the authority or the database says no. What was stamped before stays so.
pub(crate) async fn round(shared: &Arc<Shared>, url: &str) -> Result<(), String> {
    let waiting = shared.store.read(|conn| Box::pin(ledger_stamps::waiting(conn, BATCH))).await;
    for entry in &waiting.map_err(|error| error.to_string())? {
        stamp(shared, url, entry).await?;
    }
    Ok(())
}

async fn stamp(shared: &Arc<Shared>, url: &str, entry: &Unstamped) -> Result<(), String> {
    let text = entry.signed.statement.as_bytes();
    let nonce = nonce(shared.world.entropy.next());
    let request = token::request(Sha256::of(text).bytes(), &nonce);
    let answer = Box::pin(ask(shared, url, request.into())).await?;
    let token = token::of_answer(&answer)?;
    proof::fits(token, text, Some(&nonce)).map_err(|why| why.to_string())?;
    let (seq, at) = (entry.seq, shared.world.now());
    let kept = Arc::new((hex::encode(&nonce), STANDARD.encode(token)));
    let written = shared.store.write(move |tx| {
        let kept = kept.clone();
        Box::pin(async move { ledger_stamps::stamped(tx, seq, at, (&kept.0, &kept.1)).await })
    });
    written.await.map_err(|error| error.to_string())
}

/// A number that is positive and written with eight bytes, as DER has it.
fn nonce(chance: u128) -> Vec<u8> {
    let mut bytes = chance.to_be_bytes().into_iter().take(8).collect::<Vec<u8>>();
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    bytes
}

async fn ask(shared: &Shared, url: &str, request: Bytes) -> Result<Vec<u8>, String> {
    let action = shared.catalogue.action("http.request")?.clone();
    let context = ActionContext {
        incident: None,
        run: None,
        step: "time-stamp".to_owned(),
        token: uuid::Uuid::from_u128(shared.world.entropy.next()),
        attempt: 1,
        account: None,
        region: None,
        role: None,
        urgency: Urgency::Collection,
        patience: Patience::default(),
        granted: Effect::Notify,
        plan: Vec::new(),
        timeout: TIMEOUT,
        now: shared.world.now(),
        state: None,
    };
    let kind = json!({"content-type": "application/timestamp-query"});
    let input = json!({"method": "POST", "url": url, "headers": kind});
    let mut answer = Vec::new();
    let asked = action.carry(&context, &input, Some(request), &mut answer);
    match tokio::time::timeout(TIMEOUT.duration(), asked).await {
        Ok(Ok(_)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer came in {TIMEOUT}")),
    }
}
