//! Anchors: the ends of chains, signed, laid down in a bucket that nobody can take them out of again.
//!
//! Each lies under the incident and its number of records, and is never written over: a database that
//! was restored and goes on in another way finds ends there that it does not know, and is found out.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use stanch_engine_core::effect::Effect;
use stanch_engine_core::error_code;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::ledger::{Entry, Signed, What};
use stanch_engine_core::span::Span;
use stanch_engine_store::ledger::{self, Kept};
use stanch_engine_store::pages;
use stanch_plugins_sdk::ActionError;
use tokio::sync::watch;

use super::{rotation, stamps};
use crate::own_call::OwnCall;
use crate::settings::AnchorSettings;
use crate::shared::Shared;

/// Ends that are signed in one transaction, and laid down before the next look.
const BATCH: u32 = 100;

/// How long one call may take.
const PATIENCE: Span = Span::from_secs(20);

/// What S3 says to whoever would write over what is there.
const TAKEN: &str = "PreconditionFailed";

/// Lays down what is new, until it is told to stop.
pub(crate) async fn work(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let Some(anchor) = shared.settings.anchor.clone() else { return };
    let mut is_failing = false;
    while !*stop.borrow() {
        let now = shared.world.now();
        let done = tokio::select! {
            done = look(&shared, &anchor) => done,
            _ = stop.changed() => break,
        };
        match done {
            Ok(()) => is_failing = false,
            // Once, and not at every try.
            Err(why) if !std::mem::replace(&mut is_failing, true) => {
                tracing::error!(bucket = anchor.bucket, %why, "checkpoints can't be laid down");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = shared.world.clock.sleep_until(now.plus_ms(anchor.every.ms)) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Lays down what is new, and has it stamped. Neither waits for the other to succeed.
async fn look(shared: &Arc<Shared>, anchor: &AnchorSettings) -> Result<(), String> {
    let laid = round(shared, anchor).await.map(drop);
    let stamped = match &anchor.tsa_url {
        Some(url) => Box::pin(stamps::round(shared, url)).await,
        None => Ok(()),
    };
    laid.and(stamped.map_err(|why| format!("the authority for time-stamps: {why}")))
}

/// Signs the ends of what has changed, and lays down whatever is not yet; gives how many.
pub(crate) async fn round(shared: &Arc<Shared>, anchor: &AnchorSettings) -> Result<u32, String> {
    while sign(shared).await? == BATCH as usize {}
    let mut laid = 0;
    loop {
        let waiting = shared.store.read(|conn| Box::pin(ledger::waiting(conn, BATCH))).await;
        let waiting = waiting.map_err(|error| error.to_string())?;
        for kept in &waiting {
            lay(shared, anchor, kept).await?;
            laid += 1;
        }
        if waiting.len() < BATCH as usize {
            return Ok(laid);
        }
    }
}

/// Signs the ends of chains that have grown, and gives how many; as many as there may be when it is
/// to look again.
async fn sign(shared: &Arc<Shared>) -> Result<usize, String> {
    let read = shared.store.read(|conn| {
        Box::pin(async move {
            // In this order: what the ledger signed since is not signed twice.
            let head = ledger::head(conn).await?;
            Ok((head, ledger::changed(conn, BATCH).await?))
        })
    });
    let (before, changed) = read.await.map_err(|error| error.to_string())?;
    let found = changed.len();
    if found == 0 {
        return Ok(0);
    }
    let keys = rotation::current(shared).await.map_err(|error| error.to_string())?;
    let (now, mut head, mut entries) = (shared.world.now(), before, Vec::new());
    for end in &changed {
        let what = What::Checkpoint(end.clone());
        let entry = Entry::after(head, now, keys.fingerprint(), what);
        let signed = rotation::signed(&keys, &entry).await.map_err(|error| error.to_string())?;
        head = entry.head();
        entries.push((entry, signed));
    }
    let parts = Arc::new((changed, entries));
    let written = shared.store.write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (changed, entries) = &*parts;
            if !ledger::append(tx, before, entries).await? {
                return Ok(false);
            }
            for end in changed {
                ledger::checkpointed(tx, end).await?;
            }
            Ok(true)
        })
    });
    // Another node signed meanwhile: what is left is signed after that.
    let is_done = written.await.map_err(|error| error.to_string())?;
    Ok(if is_done { found } else { BATCH as usize })
}

/// The line that is laid down, and that a verifier brings.
fn line(signed: &Signed) -> String {
    let bare = Signed { anchored: None, ..signed.clone() };
    serde_json::to_string(&bare).unwrap_or_default() + "\n"
}

async fn lay(shared: &Arc<Shared>, anchor: &AnchorSettings, kept: &Kept) -> Result<(), String> {
    let key = match (kept.incident, kept.count) {
        (Some(incident), Some(count)) => key_of(anchor, incident, count),
        _ => format!("{}keys/{:08}.json", anchor.prefix, kept.seq),
    };
    if let Some(incident) = kept.incident
        && let Some(other) = later(shared, anchor, incident, &key).await?
    {
        return found_out(shared, kept, &format!("s3://{}/{other}", anchor.bucket), other).await;
    }
    let place = format!("s3://{}/{key}", anchor.bucket);
    let until = shared.world.now().plus_ms(anchor.days.saturating_mul(86_400_000));
    let params = json!({
        "Bucket": anchor.bucket, "Key": key, "Body": STANDARD.encode(line(&kept.signed)),
        "ContentType": "application/json", "ChecksumAlgorithm": "SHA256", "IfNoneMatch": "*",
        "ObjectLockMode": anchor.mode.as_str(), "ObjectLockRetainUntilDate": until.to_string(),
    });
    match call(shared, anchor, "s3:PutObject", params).await {
        Ok(_) => {}
        Err(error) if error.code == TAKEN => {
            if let Some(other) = other(shared, anchor, &key, kept).await? {
                return found_out(shared, kept, &place, other).await;
            }
        }
        Err(error) => return Err(error.to_string()),
    }
    let (seq, at) = (kept.seq, shared.world.now());
    let noted = shared.store.write(move |tx| {
        let place = place.clone();
        Box::pin(async move { ledger::anchored(tx, seq, at, &place).await })
    });
    noted.await.map_err(|error| error.to_string())
}

fn key_of(anchor: &AnchorSettings, incident: IncidentId, count: u64) -> String {
    format!("{}{incident}/{count:08}.json", anchor.prefix)
}

/// The first end of an incident's chain in the bucket that is later than all that this database knows
/// to lie there, and is not at `own`: another database has laid it down, or this one has forgotten it.
async fn later(
    shared: &Arc<Shared>,
    anchor: &AnchorSettings,
    incident: IncidentId,
    own: &str,
) -> Result<Option<String>, String> {
    let last = shared.store.read(|conn| Box::pin(ledger::last(conn, incident))).await;
    let last = last.map_err(|error| error.to_string())?;
    let params = json!({
        "Bucket": anchor.bucket, "Prefix": format!("{}{incident}/", anchor.prefix),
        "StartAfter": key_of(anchor, incident, last), "MaxKeys": 2,
    });
    let found = call(shared, anchor, "s3:ListObjectsV2", params).await;
    let found = found.map_err(|error| error.to_string())?;
    let objects = found.get("Contents").and_then(Value::as_array).into_iter().flatten();
    let mut keys = objects.filter_map(|object| object.get("Key")?.as_str());
    Ok(keys.find(|key| *key != own).map(str::to_owned))
}

/// What was laid down in an entry's place before, if it says something else of the chain. The same
/// said once more, as after a crash, is no other.
async fn other(
    shared: &Arc<Shared>,
    anchor: &AnchorSettings,
    key: &str,
    kept: &Kept,
) -> Result<Option<String>, String> {
    let params = json!({"Bucket": anchor.bucket, "Key": key});
    let found = call(shared, anchor, "s3:GetObject", params).await;
    let found = found.map_err(|error| error.to_string())?;
    let body = found.get("Body").and_then(Value::as_str).unwrap_or_default();
    let text = STANDARD.decode(body).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.unwrap_or_default();
    let said = |signed: &Signed| serde_json::from_str::<Entry>(&signed.statement).ok();
    let before = serde_json::from_str::<Signed>(&text).ok().as_ref().and_then(said);
    let ours = said(&kept.signed);
    let is_same = before.zip(ours).is_some_and(|(before, ours)| {
        (before.checkpoint, before.handover) == (ours.checkpoint, ours.handover)
    });
    Ok((!is_same).then_some(text))
}

/// The chain is not the one that it was: people are told, and the bundle says that nothing vouches
/// for it.
async fn found_out(
    shared: &Arc<Shared>,
    kept: &Kept,
    place: &str,
    other: String,
) -> Result<(), String> {
    let code = error_code::FORKED;
    let what = kept.incident.map_or_else(|| "the ledger".to_owned(), |id| id.to_string());
    let message = format!(
        "{}: {}: {what} is not the chain that {place} vouches for. The database was restored, or changed \
         past Stanch",
        code.code, code.title
    );
    tracing::error!(%place, incident = what, "a chain is not the one that was anchored");
    let mut page = shared.page(format!("forked:{what}"), Vec::new(), code.code, message);
    page.incident = kept.incident;
    let parts = Arc::new((page, other));
    let seq = kept.seq;
    let told = shared.store.write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            ledger::refused(tx, seq, &parts.1).await?;
            pages::raise(tx, &parts.0).await.map(drop)
        })
    });
    told.await.map_err(|error| error.to_string())?;
    shared.paging.notify_one();
    Ok(())
}

async fn call(
    shared: &Arc<Shared>,
    anchor: &AnchorSettings,
    operation: &str,
    params: Value,
) -> Result<Value, ActionError> {
    let call = OwnCall {
        world: shared.world.clone(),
        catalogue: shared.catalogue.clone(),
        purpose: "anchor",
        account: None,
        region: anchor.region.clone(),
        granted: Effect::Destroy,
        patience: PATIENCE,
    };
    call.once(operation, params).await
}
