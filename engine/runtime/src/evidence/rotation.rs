//! The key that signs, and its handing over to another: the old key signs the new one into the
//! ledger, so that whoever trusts the old one can trust the new one.

use std::sync::Arc;

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::ledger::Handover;
use stanch_engine_core::limits;
use stanch_engine_store::ledger::{self, What};
use stanch_engine_store::{StoreError, settings};

use super::keys::{KeyError, Keys};
use crate::runs::Person;
use crate::runtime::Runtime;
use crate::shared::Shared;

/// The setting that says which key signs, by its fingerprint.
const KEY: &str = "evidence_key";

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

/// Sees, when a node starts, that it signs with the key that was handed over to last.
///
/// # Errors
/// [`RotateError`] of the files or the database.
pub(crate) async fn begin(shared: &Arc<Shared>) -> Result<(), RotateError> {
    let known = known(shared).await?;
    let is_ours = match known {
        Some(known) => shared.keys.adopt(known)?,
        None => false,
    };
    if is_ours {
        return Ok(());
    }
    if known.is_some() {
        tracing::warn!(
            "the evidence key is not the one that signed before, and nothing vouches for it: whoever \
             proves bundles needs `keys/evidence.pub` anew"
        );
    }
    let own = shared.keys.fingerprint().to_string();
    let set = shared.store.write(move |tx| {
        let own = own.clone();
        Box::pin(async move { settings::set(tx, KEY, &own).await })
    });
    Ok(set.await?)
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
    let (own, now) = (keys.fingerprint(), runtime.world().now());
    let (pem, next) = runtime.shared.keys.prepare(runtime.world())?;
    let handover = Handover { to: pem.clone(), by: person.name, reason: person.reason };
    let parts = Arc::new((handover, keys));
    let handed = runtime.store().write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (handover, keys) = &*parts;
            // Another that rotates waits here, and then sees what became of it.
            settings::set(tx, ROTATING, &own.to_string()).await?;
            let known = settings::get(tx, KEY).await?;
            if known != Some(own.to_string()) {
                return Ok(false);
            }
            settings::set(tx, KEY, &next.to_string()).await?;
            let sign = |text: &str| keys.sign(text.as_bytes());
            ledger::append(tx, now, own, What::Handover(handover.clone()), &sign).await?;
            Ok(true)
        })
    });
    if !handed.await? {
        return Err(RotateError::Meanwhile);
    }
    // A crash before this is made good when the node starts: the ledger says which key it is.
    runtime.shared.keys.adopt(next)?;
    Ok(pem)
}
