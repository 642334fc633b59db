//! The audit log: what was asked for is noted before it is done, goes into the chain when it has
//! ended, is exported with a signature, and proved offline.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;
use stanch_engine_core::audit::{Asked, Ended, Record};
use stanch_engine_core::chain::{ChainFault, Head, walk};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::error_code::ErrorCode;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::audit as rows;
use stanch_engine_store::{StoreError, settings};
use tokio::sync::watch;

use crate::evidence::{KeyError, is_signed, read_public};
use crate::runtime::Runtime;
use crate::shared::Shared;

/// What was begun so long ago, in milliseconds, and has not ended, died with its node: no call is
/// answered later.
const LEFT_MS: i64 = 15 * 60 * 1_000;

/// How often it is looked for, in milliseconds.
const LOOK_MS: i64 = 60 * 1_000;

/// Records that an export reads at a time.
pub const EXPORT_ROWS: u32 = 1_000;

/// The setting that says what the installation was configured with last.
const CONFIGURED: &str = "configuration_sha256";

/// Something that was asked for and has not ended.
#[derive(Clone, Debug)]
pub struct Pending {
    id: String,
    asked: Arc<Asked>,
}

impl Pending {
    /// It is written down by [`Pending::begin`].
    pub fn new(runtime: &Runtime, asked: Asked) -> Self {
        let id = format!("{:032x}", runtime.world().entropy.next());
        Self { id, asked: Arc::new(asked) }
    }

    /// Notes it. The writer takes one thing after the other: what is written after the first poll
    /// of this is not committed before it.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn begin(&self, runtime: &Runtime) -> Result<(), StoreError> {
        let parts = self.clone();
        let noted = runtime.store().write(move |tx| {
            let parts = parts.clone();
            Box::pin(async move { rows::begin(tx, &parts.id, &parts.asked).await })
        });
        noted.await
    }

    /// Puts it into the chain.
    ///
    /// # Errors
    /// [`StoreError`] of the database; it is then put there later, as something of which nobody
    /// knows how it ended.
    pub async fn end(self, runtime: &Runtime, ended: Ended) -> Result<(), StoreError> {
        let parts = Arc::new((self, ended));
        let written = runtime.store().write(move |tx| {
            let parts = parts.clone();
            Box::pin(async move {
                let (Self { id, asked }, ended) = &*parts;
                rows::end(tx, id, asked, ended).await
            })
        });
        written.await
    }
}

/// Carries out what leaves a record, whether or not whoever asked waits for the end of it. `code` names
/// an error's page.
///
/// # Errors
/// What it ended with.
pub(crate) async fn carry_out<T, E>(
    runtime: &Runtime,
    asked: Asked,
    doing: impl Future<Output = Result<T, E>> + Send + 'static,
    code: fn(&E) -> ErrorCode,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (runtime, pending) = (runtime.clone(), Pending::new(runtime, asked));
    let carried = tokio::task::spawn(async move {
        let (begun, done) = tokio::join!(pending.begin(&runtime), doing);
        let ended = done.as_ref().map_or_else(|error| Ended::by(code(error)), |_| Ended::DONE);
        if let Err(error) = begun.and(pending.end(&runtime, ended).await) {
            tracing::error!(%error, "what somebody did is not in the audit log yet");
        }
        done
    });
    carried.await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string()).into()))
}

/// Writes down what was not asked for by a call, such as a playbook of a folder that was published.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn record(runtime: &Runtime, asked: Asked, ended: Ended) -> Result<(), StoreError> {
    let parts = Arc::new((asked, ended));
    let written = runtime.store().write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move { rows::append(tx, &parts.0, &parts.1).await.map(drop) })
    });
    written.await
}

/// What this node itself did.
pub fn own(runtime: &Runtime, verb: &str, object: Option<String>) -> Asked {
    Asked {
        at: runtime.world().now(),
        actor: Some("stanch serve".to_owned()),
        token: None,
        verb: verb.to_owned(),
        object,
        from: "this machine".to_owned(),
        reason: None,
        detail: json!({"node": runtime.node(), "version": env!("CARGO_PKG_VERSION")}),
    }
}

/// Writes down that a node started with another configuration than the last one, of which only the
/// hash is told.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn configured(runtime: &Runtime, digest: Sha256) -> Result<(), StoreError> {
    let asked = Arc::new(own(runtime, "configuration.change", Some(digest.to_string())));
    let written = runtime.store().write(move |tx| {
        let asked = asked.clone();
        Box::pin(async move {
            let digest = digest.to_string();
            if settings::get(tx, CONFIGURED).await?.as_ref() == Some(&digest) {
                return Ok(());
            }
            settings::set(tx, CONFIGURED, &digest).await?;
            rows::append(tx, &asked, &Ended::DONE).await.map(drop)
        })
    });
    written.await
}

/// Puts into the chain what a node died over, until it is told to stop.
pub(crate) async fn work(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let now = shared.world.now();
        let before = now.plus_ms(-LEFT_MS);
        let ended = shared.store.write(move |tx| Box::pin(rows::end_left(tx, before)));
        match ended.await {
            Ok(0) => {}
            Ok(count) => tracing::warn!(count, "calls died with their node: see the audit log"),
            Err(error) => tracing::error!(%error, "calls that died are not in the audit log yet"),
        }
        tokio::select! {
            () = shared.world.clock.sleep_until(now.plus_ms(LOOK_MS)) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Records from a place in the chain on, as they were sealed, up to an end.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn lines(runtime: &Runtime, from: u64, end: Head) -> Result<Vec<String>, StoreError> {
    let limit = u64::from(EXPORT_ROWS).min(end.count.saturating_sub(from));
    let limit = u32::try_from(limit).unwrap_or(EXPORT_ROWS);
    runtime.store().read(move |conn| Box::pin(rows::bodies(conn, from, limit))).await
}

/// The last line of an export.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checkpoint {
    /// The text that is signed, a [`Statement`] in JSON.
    statement: String,
    /// The Ed25519 signature over the text's bytes, in hexadecimal digits.
    signature: String,
}

/// What is signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    /// What it is of: `stanch audit 1`.
    format: String,
    at: Timestamp,
    chain: Head,
}

const FORMAT: &str = "stanch audit 1";

/// The last line of an export of the chain up to `chain`.
///
/// # Errors
/// [`KeyError`] when nothing can be signed.
pub async fn checkpoint(runtime: &Runtime, chain: Head) -> Result<String, KeyError> {
    let statement = Statement { format: FORMAT.to_owned(), at: runtime.world().now(), chain };
    let statement = serde_json::to_string(&statement).unwrap_or_default();
    let signature = runtime.shared.keys.sign(statement.as_bytes()).await?;
    Ok(serde_json::to_string(&Checkpoint { statement, signature }).unwrap_or_default())
}

/// An exported log that is whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// When it was exported.
    pub exported_at: Timestamp,
    /// Records.
    pub records: usize,
    /// Whether the signature was checked against a key that the verifier brought.
    pub is_authenticated: bool,
}

/// The first thing that is wrong with an exported log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The last line is no checkpoint.
    #[error("the last line is no checkpoint of an audit log: the end is missing, or was changed")]
    NoCheckpoint,
    /// The key is no key.
    #[error("the key can't be used: {0}")]
    Key(String),
    /// It was signed by somebody else, or the signed statement was changed.
    #[error("the checkpoint is not signed by this key, or was changed")]
    Signature,
    /// The chain.
    #[error(transparent)]
    Chain(#[from] ChainFault),
}

/// Proves an exported log. Without a key only its consistency is proved, not who made it.
///
/// # Errors
/// [`Fault`] names the first record that was changed, removed, added or reordered.
pub fn verify(text: &str, public_key_pem: Option<&str>) -> Result<Verified, Fault> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let (records, last) = text.rsplit_once('\n').unwrap_or(("", text));
    let checkpoint: Checkpoint = serde_json::from_str(last).map_err(|_| Fault::NoCheckpoint)?;
    if let Some(pem) = public_key_pem {
        let key = read_public(pem).map_err(Fault::Key)?;
        if !is_signed(&key, checkpoint.statement.as_bytes(), &checkpoint.signature) {
            return Err(Fault::Signature);
        }
    }
    let statement: Statement =
        serde_json::from_str(&checkpoint.statement).map_err(|_| Fault::NoCheckpoint)?;
    if statement.format != FORMAT {
        return Err(Fault::NoCheckpoint);
    }
    let records = walk(records.lines(), statement.chain, |_: &Record| Ok(()))?;
    Ok(Verified {
        exported_at: statement.at,
        records: records.len(),
        is_authenticated: public_key_pem.is_some(),
    })
}
