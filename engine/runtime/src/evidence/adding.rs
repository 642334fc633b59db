//! Evidence that a person adds: a file that is hashed and written while it comes, of any size.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::limits;
use stanch_engine_store::custody::{self, NewRecord};
use stanch_engine_store::evidence::{self, Item};
use stanch_engine_store::{StoreError, incidents};

use super::captured::Captured;
use super::incoming::Incoming;
use super::items::{ItemError, Kept};
use crate::first_act;
use crate::runtime::Runtime;

/// Why nothing was kept.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// There is no such incident.
    #[error("there is no incident {0}")]
    NotFound(IncidentId),
    /// It can't be asked for.
    #[error("{0}")]
    BadRequest(String),
    /// It is larger than an item may be.
    #[error("an item has {} bytes at most", limits::EVIDENCE_BYTES)]
    TooLarge,
    /// Other bytes came than were sent.
    #[error("{came} came, and {sent} was said to be sent: send it again")]
    Other {
        /// The hash of what came.
        came: Sha256,
        /// The hash that was said.
        sent: Sha256,
    },
    /// The disk.
    #[error(transparent)]
    Disk(#[from] ItemError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is said of an item.
#[derive(Clone, Debug)]
pub struct Said {
    /// Who adds it.
    pub person: String,
    /// What people call it.
    pub label: String,
    /// What its bytes are.
    pub media_type: String,
    /// Why it is evidence, and where it comes from.
    pub reason: String,
    /// The hash that its bytes must have.
    pub sha256: Option<Sha256>,
}

/// An item on its way in. Whoever drops it before it is kept leaves nothing.
pub struct Adding {
    runtime: Runtime,
    incident: IncidentId,
    said: Said,
    incoming: Incoming,
    bytes: u64,
}

impl std::fmt::Debug for Adding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Adding").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Begins to take an item in.
///
/// # Errors
/// [`AddError`] says why not, before any of its bytes come.
pub async fn begin(
    runtime: &Runtime,
    incident: IncidentId,
    said: Said,
) -> Result<Adding, AddError> {
    for (name, text, most) in [
        ("label", &said.label, limits::EVIDENCE_LABEL_CHARS),
        ("reason", &said.reason, limits::REASON_CHARS),
    ] {
        if text.chars().count() > most {
            return Err(AddError::BadRequest(format!("`{name}` has more than {most} characters")));
        }
        if text.contains('\0') {
            return Err(AddError::BadRequest(format!("`{name}` has a NUL in it: leave it out")));
        }
    }
    if said.label.trim().is_empty() {
        return Err(AddError::BadRequest("`label` is empty: say what it is".to_owned()));
    }
    let found = runtime.store().read(|conn| Box::pin(incidents::get(conn, incident))).await?;
    found.ok_or(AddError::NotFound(incident))?;
    let incoming = Incoming::begin(runtime.shared.items.clone());
    Ok(Adding { runtime: runtime.clone(), incident, said, incoming, bytes: 0 })
}

impl Adding {
    /// Takes in more bytes.
    ///
    /// # Errors
    /// When they are too many, or the disk says no.
    pub async fn take(&mut self, piece: Bytes) -> Result<(), AddError> {
        self.bytes += piece.len() as u64;
        if self.bytes > limits::EVIDENCE_BYTES {
            return Err(AddError::TooLarge);
        }
        Ok(self.incoming.add(piece).await?)
    }

    /// Keeps what came: the item and its custody record are there in one commit, after its bytes.
    ///
    /// # Errors
    /// When other bytes came than were said, and when the disk or the database says no. Bytes that
    /// no row names do no harm.
    pub async fn keep(self) -> Result<Item, AddError> {
        let Self { runtime, incident, said, incoming, .. } = self;
        let kept = incoming.keep().await?;
        if let Some(sent) = said.sha256.filter(|sent| *sent != kept.sha256) {
            return Err(AddError::Other { came: kept.sha256, sent });
        }
        let rows = Arc::new(rows(&runtime, incident, &said, kept));
        let stored = rows.clone();
        let written = runtime.store().write(move |tx| {
            let rows = stored.clone();
            Box::pin(async move {
                let (item, record) = &*rows;
                evidence::insert(tx, item).await?;
                first_act::mark(tx, record.incident, &record.actor, record.at).await?;
                custody::append(tx, record).await.map(drop)
            })
        });
        written.await?;
        Ok(rows.0.clone())
    }
}

fn rows(runtime: &Runtime, incident: IncidentId, said: &Said, kept: Kept) -> (Item, NewRecord) {
    let captured = Captured {
        incident,
        run: None,
        step: None,
        label: &said.label,
        sha256: kept.sha256,
        bytes: kept.bytes,
        media_type: &said.media_type,
        by: said.person.clone(),
        how: &json!({"by": "a person", "reason": said.reason}),
    };
    captured.rows(runtime.world())
}
