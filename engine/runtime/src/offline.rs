//! The glass that is broken at the machine, and the kill switch that is thrown there: in the database
//! itself, without a server, a token or an identity provider, by whoever has the key that lies in a safe.
//! It is written down, told to everybody, and an answer is looked at by another person afterwards, as any
//! glass that is broken.

mod switch;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stanch_engine_core::approval::{Answer, ApprovalStatus, Decision};
use stanch_engine_core::audit::{Asked, Ended};
use stanch_engine_core::error_code::{self, ErrorCode};
use stanch_engine_core::id::{ApprovalId, NodeId};
use stanch_engine_core::limits;
use stanch_engine_core::time::Timestamp;
use stanch_engine_core::world::World;
use stanch_engine_store::approvals::{self as rows, Approval};
use stanch_engine_store::{Store, StoreError, Tx, audit, pages, people, settings};
use stanch_plugins_sdk::Catalogue;
pub use switch::Switch;

use crate::approvals::{DecideError, break_offline, everybody_by_topic};
use crate::evidence::{Items, KeyError, Keys, is_signed, key_pair, pem_of, read_public};
use crate::runtime::StartError;
use crate::seal::Seals;
use crate::settings::Settings;
use crate::shared::{Parts, Shared};

/// The setting with the key that is good.
const KEY: &str = "break_glass_key";

/// What stands before what is signed, so that no signature for anything else is one for this.
const CONTEXT: &[u8] = b"stanch break-glass 1\n";

/// Approvals that are listed.
const LISTED: u32 = 200;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// It is not the machine of a node.
    #[error("{} has no keys of a node: run it where a node runs, with its configuration", .0.display())]
    NotHere(PathBuf),
    /// A file of the node can't be read.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The key can't be read, or written.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is none.
    #[error("no offline key is good here: `stanch break-glass key` makes one while there is time")]
    NoKey,
    /// It is another one.
    #[error("the key is not the one that is good here: that was made at {0:.0}")]
    WrongKey(Timestamp),
    /// They are nobody who may.
    #[error("{0}")]
    Person(String),
    /// There is nothing to take back.
    #[error("the kill switch was not thrown")]
    NotThrown,
    /// The rules of the approval say no.
    #[error(transparent)]
    Refused(#[from] DecideError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OfflineError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoKey | Self::WrongKey(_) | Self::Person(_) => error_code::FORBIDDEN,
            Self::NotThrown => error_code::CONFLICT,
            Self::Refused(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::NotHere(_) | Self::Start(_) | Self::Key(_) => error_code::STORE,
        }
    }
}

/// The key that is good.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Known {
    public_key: String,
    made_at: Timestamp,
    made_by: String,
}

/// Who does it, and why.
#[derive(Clone, Debug)]
pub struct Spoken {
    /// Who: a name. That it is theirs, whoever has the key answers for.
    pub person: String,
    /// Why.
    pub reason: String,
    /// What the form asks for, by the path of each field.
    pub fields: Vec<(String, String)>,
}

/// An installation, without any of its loops.
pub struct Offline {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Offline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Offline")
    }
}

type Came<T> = Result<Result<T, OfflineError>, StoreError>;

impl Offline {
    /// Opens it, also beside nodes that are at work.
    ///
    /// # Errors
    /// [`OfflineError::NotHere`] where no node has its keys.
    pub fn open(
        world: World,
        settings: Settings,
        store: Store,
        catalogue: Catalogue,
    ) -> Result<Self, OfflineError> {
        let folder = settings.data_dir.join("keys");
        let keys = Self::keys(&folder)?;
        let items = Items::open(settings.data_dir.join("evidence"), world.entropy.next());
        let items = items.map_err(StartError::from)?;
        let seals = Seals::open(&folder, &world).map_err(StartError::from)?;
        let node = world.id(NodeId::new);
        let parts = Parts { node, world, settings, store, catalogue, items, keys, seals };
        Ok(Self { shared: Arc::new(Shared::new(parts)) })
    }

    /// Whether a node has its keys in this folder. What it would make is not made here: it would be of
    /// another installation.
    ///
    /// # Errors
    /// [`OfflineError::NotHere`] where none has.
    pub fn look(data_dir: &Path) -> Result<(), OfflineError> {
        Self::keys(&data_dir.join("keys")).map(drop)
    }

    fn keys(folder: &Path) -> Result<Keys, OfflineError> {
        Keys::there(folder)?.ok_or_else(|| OfflineError::NotHere(folder.to_owned()))
    }

    /// What waits for people, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn waiting(&self) -> Result<Vec<Approval>, StoreError> {
        let pending = Some(ApprovalStatus::Pending);
        self.shared.store.read(|conn| Box::pin(rows::list(conn, None, pending, LISTED))).await
    }

    /// Makes a key, in a file that was not there before. The one before is no good any more.
    ///
    /// # Errors
    /// [`OfflineError`] says why not.
    pub async fn make_key(&self, file: &Path, by: Spoken) -> Result<(), OfflineError> {
        let key = key_pair(file, &self.shared.world)?;
        let public_key = pem_of(&key.verifying_key());
        let made_at = self.shared.world.now();
        let known = Known { public_key, made_at, made_by: by.person.clone() };
        let said = "An offline key for breaking the glass was made";
        let done = self.change(Some(known), by, ("break-glass.key", said)).await;
        if done.is_err() {
            // A key that is good for nothing is not left lying about.
            let _ = std::fs::remove_file(file);
        }
        done
    }

    /// No key is good any more.
    ///
    /// # Errors
    /// [`OfflineError`] says why not.
    pub async fn revoke_key(&self, by: Spoken) -> Result<(), OfflineError> {
        let said = "The offline key for breaking the glass is no good any more";
        self.change(None, by, ("break-glass.key.revoke", said)).await
    }

    async fn change(
        &self,
        known: Option<Known>,
        by: Spoken,
        (verb, said): (&'static str, &'static str),
    ) -> Result<(), OfflineError> {
        let now = self.shared.world.now();
        let parts = Arc::new((self.shared.clone(), known, by));
        let done = self.shared.store.write(move |tx| {
            let parts = parts.clone();
            Box::pin(async move {
                let (shared, known, by) = &*parts;
                if let Err(error) = may_speak(tx, by).await? {
                    return Ok(Err(error));
                }
                match known {
                    Some(known) => settings::set(tx, KEY, &json!(known).to_string()).await?,
                    None if !settings::clear(tx, KEY).await? => {
                        return Ok(Err(OfflineError::NoKey));
                    }
                    None => {}
                }
                tell(tx, shared, by, (verb, said), now).await?;
                audit::append(tx, &asked(by, verb, None, now), &Ended::DONE).await?;
                Ok(Ok(()))
            })
        });
        done.await?
    }

    /// Answers an approval for everybody.
    ///
    /// # Errors
    /// [`OfflineError`] says why not; nothing is changed then but the audit log.
    pub async fn break_glass(
        &self,
        key: &OfflineKey,
        id: ApprovalId,
        by: Spoken,
    ) -> Result<ApprovalStatus, OfflineError> {
        let now = self.shared.world.now();
        let parts = Arc::new((self.shared.clone(), key.0.clone(), by));
        let done = self.shared.store.write(move |tx| {
            let parts = parts.clone();
            Box::pin(async move {
                let (shared, key, by) = &*parts;
                let mut told = asked(by, "break-glass.offline", Some(id), now);
                let done = answer(tx, shared, (key, id), by, &mut told).await?;
                let ended = done.as_ref().map_or_else(|e| Ended::by(e.code()), |_| Ended::DONE);
                audit::append(tx, &told, &ended).await?;
                Ok(done)
            })
        });
        done.await?
    }
}

/// The private half of a key.
pub struct OfflineKey(SigningKey);

impl std::fmt::Debug for OfflineKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OfflineKey")
    }
}

impl OfflineKey {
    /// Reads one.
    ///
    /// # Errors
    /// [`KeyError`] when the file is none.
    pub fn read(file: &Path) -> Result<Self, KeyError> {
        crate::evidence::read_secret(file)?
            .map(Self)
            .ok_or_else(|| KeyError::Disk(file.to_owned(), std::io::ErrorKind::NotFound.into()))
    }
}

fn asked(by: &Spoken, verb: &str, object: Option<ApprovalId>, at: Timestamp) -> Asked {
    Asked {
        at,
        actor: Some(by.person.clone()),
        token: None,
        verb: verb.to_owned(),
        object: object.map(|id| id.to_string()),
        from: "offline, on the machine of a node".to_owned(),
        reason: Some(by.reason.chars().take(limits::REASON_CHARS).collect()),
        detail: json!({}),
    }
}

/// Whether somebody of this name may do anything at all.
async fn may_speak(tx: &mut Tx<'_>, by: &Spoken) -> Came<()> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    let name = &by.person;
    let wrong = |why: String| Ok(Err(OfflineError::Person(why)));
    if name.is_empty() || name.len() > 64 || !name.chars().all(legal) {
        return wrong(format!("`{name}` can't be a name: use letters, digits and `-_.@`"));
    }
    if by.reason.trim().is_empty() || by.reason.chars().count() > limits::REASON_CHARS {
        return wrong(format!("it needs a reason, of {} characters at most", limits::REASON_CHARS));
    }
    if people::is_disabled(tx, name).await? {
        return wrong(format!("{name} was disabled and decides nothing"));
    }
    Ok(Ok(()))
}

/// Tells everybody that there is a channel of their own for.
async fn tell(
    tx: &mut Tx<'_>,
    shared: &Shared,
    by: &Spoken,
    (verb, said): (&str, &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    let message = format!("{said}, by {}: {}.", by.person, by.reason);
    for to in everybody_by_topic(shared, &[]) {
        let key = format!("{verb}/{now}/{}", to.join(","));
        pages::raise(tx, &shared.page(key, to, "break_glass", message.clone())).await?;
    }
    Ok(())
}

/// Signs a statement with the key, if it is the one that is good. What was signed goes into the audit log
/// with its signature: that the key was there is shown by it, also to whoever does not trust the database.
async fn prove(tx: &mut Tx<'_>, key: &SigningKey, statement: Value, told: &mut Asked) -> Came<()> {
    let known = settings::get(tx, KEY).await?;
    let Some(known) = known.and_then(|text| serde_json::from_str::<Known>(&text).ok()) else {
        return Ok(Err(OfflineError::NoKey));
    };
    let statement = statement.to_string();
    let signed = [CONTEXT, statement.as_bytes()].concat();
    let signature = key.sign(&signed).to_string().to_lowercase();
    let is_good = read_public(&known.public_key).is_ok_and(|k| is_signed(&k, &signed, &signature));
    if !is_good {
        return Ok(Err(OfflineError::WrongKey(known.made_at)));
    }
    told.detail = json!({"statement": statement, "signature": signature});
    Ok(Ok(()))
}

/// Takes the decision.
async fn answer(
    tx: &mut Tx<'_>,
    shared: &Shared,
    (key, id): (&SigningKey, ApprovalId),
    by: &Spoken,
    told: &mut Asked,
) -> Came<ApprovalStatus> {
    let approval = rows::get(tx, id).await?;
    let plan = approval.as_ref().and_then(|approval| approval.plan_digest);
    let statement = json!({
        "approval": id, "plan": plan, "person": by.person, "reason": by.reason, "at": told.at,
    });
    if let Err(error) = prove(tx, key, statement, told).await? {
        return Ok(Err(error));
    }
    if let Err(error) = may_speak(tx, by).await? {
        return Ok(Err(error));
    }
    let Some(approval) = approval else {
        return Ok(Err(DecideError::NotFound(id).into()));
    };
    let read = approval.form.as_ref().map_or(Ok(Value::Null), |form| form.read(&by.fields));
    let form = match read {
        Ok(form) => form,
        Err(why) => return Ok(Err(DecideError::BadRequest(why).into())),
    };
    let decision = Decision {
        person: by.person.clone(),
        answer: Answer::Approve,
        reason: by.reason.clone(),
        form,
        at: told.at,
        from: told.from.clone(),
        counts_as: None,
        on_behalf: BTreeSet::new(),
        is_break_glass: true,
    };
    Ok(break_offline(tx, shared, id, &decision).await?.map_err(OfflineError::from))
}
