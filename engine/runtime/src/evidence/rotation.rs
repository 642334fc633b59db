//! The key that signs, and its handing over to another: the old key signs the new one into the
//! ledger, so that whoever trusts the old one can trust the new one.

use std::sync::Arc;

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::ledger::{Entry, Handover, Signed, What};
use stanch_engine_core::limits;
use stanch_engine_store::{StoreError, Tx, ledger, nodes, settings};

use super::keys::{KeyError, Keys};
use crate::runs::Person;
use crate::runtime::Runtime;
use crate::shared::Shared;

/// The setting that says which key signs, by its fingerprint.
const KEY: &str = "evidence_key";

/// The setting that says where in KMS it lies; empty when it lies in a file.
const PLACE: &str = "evidence_key_place";

/// How often it is tried to append to a ledger that others append to.
const TRIES: u32 = 10;

/// The setting that those who rotate at once wait for.
const ROTATING: &str = "evidence_key_rotating";

/// Why the key stays.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// It can't be asked for.
    #[error("{0}")]
    BadRequest(String),
    /// Another node was first.
    #[error(
        "the key was rotated in the same moment: look at `keys/evidence.pub` before you do it again"
    )]
    Meanwhile,
    /// The files of the keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sees, when a node starts, that it signs with the key that was handed over to last. Where it has
/// another one, and can still sign with the one before, that hands over.
///
/// # Errors
/// [`RotateError`] of the files or the database, or when others live that sign with another key.
pub(crate) async fn begin(shared: &Arc<Shared>) -> Result<(), RotateError> {
    let known = known(shared).await?;
    if let Some(known) = known {
        if shared.keys.adopt(known)? {
            return Ok(shared.keys.write_public()?);
        }
        if let Some(before) = before(shared, known).await? {
            tracing::info!("another evidence key signs from now on");
            let to = Next::of(&shared.keys);
            let person = Person {
                name: "stanch serve".to_owned(),
                reason: "the configuration names another key".to_owned(),
            };
            hand_over(shared, &before, to, person).await?;
            return Ok(shared.keys.took_over(&before)?);
        }
    }
    if !take(shared).await? {
        return Err(KeyError::NotHere.into());
    }
    if known.is_some() {
        tracing::warn!(
            "the evidence key is not the one that signed before, and nothing vouches for it: whoever \
             proves bundles needs `keys/evidence.pub` anew"
        );
    }
    Ok(shared.keys.write_public()?)
}

/// The key that signed before, where this node can sign with it.
async fn before(shared: &Arc<Shared>, known: Sha256) -> Result<Option<Keys>, RotateError> {
    let place = shared.store.read(|conn| Box::pin(settings::get(conn, PLACE))).await?;
    let Some(arn) = place.filter(|place| !place.is_empty()) else {
        return Ok(match shared.keys.arn() {
            Some(_) => shared.keys.before_in_file(known)?,
            None => None,
        });
    };
    let found = shared.keys.before_in_kms(&arn, (&shared.world, &shared.catalogue)).await;
    match found {
        Ok(found) => Ok(Some(found).filter(|found| found.fingerprint() == known)),
        Err(error) => {
            tracing::warn!(%error, "the evidence key of before can't hand over");
            Ok(None)
        }
    }
}

/// The key that is to sign.
struct Next {
    pem: String,
    fingerprint: Sha256,
    /// Where in KMS it lies; empty when it lies in a file.
    place: String,
}

impl Next {
    fn of(keys: &Keys) -> Self {
        let place = keys.arn().unwrap_or_default();
        Self { pem: keys.public_pem(), fingerprint: keys.fingerprint(), place }
    }
}

async fn set_key(tx: &mut Tx<'_>, fingerprint: &str, place: &str) -> Result<(), StoreError> {
    settings::set(tx, KEY, fingerprint).await?;
    settings::set(tx, PLACE, place).await
}

/// Has this node's key be the one that signs; false where others live that sign with another.
async fn take(shared: &Arc<Shared>) -> Result<bool, StoreError> {
    let own = Next::of(&shared.keys);
    let own = Arc::new((own.fingerprint.to_string(), own.place));
    let (node, now, lease) = (shared.node, shared.world.now(), shared.settings.lease);
    let taken = shared.store.write(move |tx| {
        let own = own.clone();
        Box::pin(async move {
            let (own, place) = &*own;
            // Another that starts at once waits here, and then sees what became of it.
            settings::set(tx, ROTATING, own).await?;
            let is_other = settings::get(tx, KEY).await?.is_some_and(|known| known != *own);
            if is_other && let Some(lease) = lease {
                let since = nodes::clock(tx, now).await?.plus_ms(-lease.ms);
                if nodes::others(tx, node, since).await? > 0 {
                    return Ok(false);
                }
            }
            set_key(tx, own, place).await.map(|()| true)
        })
    });
    taken.await
}

async fn known(shared: &Shared) -> Result<Option<Sha256>, StoreError> {
    let known = shared.store.read(|conn| Box::pin(settings::get(conn, KEY))).await?;
    Ok(known.and_then(|text| text.parse().ok()))
}

/// The key that signs now, for one thing to be signed, also where another node has rotated it.
///
/// # Errors
/// [`KeyError::NotHere`] when this node has not got it.
pub(crate) async fn current(shared: &Shared) -> Result<Keys, RotateError> {
    if let Some(known) = known(shared).await?
        && !shared.keys.adopt(known)?
    {
        return Err(KeyError::NotHere.into());
    }
    Ok(shared.keys.snapshot())
}

/// Hands over to a new key, and gives it in PEM. Bundles that were made before are proved with the
/// key of before; those that come are proved with either.
///
/// # Errors
/// [`RotateError`] says why the key stays.
pub async fn rotate(runtime: &Runtime, person: Person) -> Result<String, RotateError> {
    if person.reason.chars().count() > limits::REASON_CHARS {
        let why = format!("what is said has more than {} characters", limits::REASON_CHARS);
        return Err(RotateError::BadRequest(why));
    }
    let keys = current(&runtime.shared).await?;
    if let Some(arn) = keys.arn() {
        let why = format!(
            "{arn} lies in KMS: name the key that takes over as `key` of [evidence] on all nodes, and \
             start them anew; the first of them hands over"
        );
        return Err(RotateError::BadRequest(why));
    }
    let (pem, fingerprint) = runtime.shared.keys.prepare(runtime.world())?;
    let next = Next { pem: pem.clone(), fingerprint, place: String::new() };
    hand_over(&runtime.shared, &keys, next, person).await?;
    // A crash before this is made good when the node starts: the ledger says which key it is.
    runtime.shared.keys.adopt(fingerprint)?;
    Ok(pem)
}

/// How a handing over went.
enum Handed {
    Done,
    /// The ledger has grown meanwhile: once more.
    Again,
    /// Another key signs already.
    Meanwhile,
}

/// Signs an entry of the ledger.
///
/// # Errors
/// [`KeyError::Kms`] when KMS says no.
pub(crate) async fn signed(keys: &Keys, entry: &Entry) -> Result<Signed, KeyError> {
    let statement = entry.statement();
    let signature = keys.sign(statement.as_bytes()).await?;
    Ok(Signed { statement, signature, anchored: None })
}

/// Has a key sign another one into the ledger, which signs from then on.
async fn hand_over(
    shared: &Arc<Shared>,
    from: &Keys,
    next: Next,
    person: Person,
) -> Result<(), RotateError> {
    let Next { pem, fingerprint, place } = next;
    let handover = Handover { to: pem, by: person.name, reason: person.reason };
    for _ in 0..TRIES {
        let before = shared.store.read(|conn| Box::pin(ledger::head(conn))).await?;
        let (own, now) = (from.fingerprint(), shared.world.now());
        let entry = Entry::after(before, now, own, What::Handover(handover.clone()));
        let signed = signed(from, &entry).await?;
        let parts = Arc::new((vec![(entry, signed)], place.clone()));
        let handed = shared.store.write(move |tx| {
            let parts = parts.clone();
            Box::pin(async move {
                let (entries, place) = &*parts;
                // Another that rotates waits here, and then sees what became of it.
                settings::set(tx, ROTATING, &own.to_string()).await?;
                if settings::get(tx, KEY).await? != Some(own.to_string()) {
                    return Ok(Handed::Meanwhile);
                }
                if !ledger::append(tx, before, entries).await? {
                    return Ok(Handed::Again);
                }
                set_key(tx, &fingerprint.to_string(), place).await.map(|()| Handed::Done)
            })
        });
        match handed.await? {
            Handed::Done => return Ok(()),
            Handed::Again => {}
            Handed::Meanwhile => return Err(RotateError::Meanwhile),
        }
    }
    Err(RotateError::Meanwhile)
}
