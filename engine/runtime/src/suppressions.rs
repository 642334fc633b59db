//! What people want to hear nothing of for a while.

use std::sync::Arc;

use stanch_engine_core::alert_filter::AlertFilter;
use stanch_engine_core::id::SuppressionId;
use stanch_engine_core::limits;
use stanch_engine_core::suppression::{Suppression, SuppressionKind};
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::{StoreError, suppressions};

use crate::runtime::Runtime;

/// What a person wants kept quiet.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Why in a word.
    pub kind: SuppressionKind,
    /// Which alerts.
    pub filter: AlertFilter,
    /// Why.
    pub reason: String,
    /// From when on; now unless it is said.
    pub starts_at: Option<Timestamp>,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum SuppressionError {
    /// It can't be.
    #[error("{0}")]
    BadRequest(String),
    /// There is no such suppression.
    #[error("there is no suppression {0}")]
    NotFound(SuppressionId),
    /// It is over already.
    #[error("{0} is over already")]
    Over(SuppressionId),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps alerts quiet, in a person's name.
///
/// # Errors
/// [`SuppressionError::BadRequest`] says what is missing or wrong.
pub async fn create(
    runtime: &Runtime,
    wanted: Wanted,
    by: &str,
) -> Result<Suppression, SuppressionError> {
    let now = runtime.world().now();
    let Wanted { kind, filter, reason, starts_at, expires_at } = wanted;
    let made = Suppression {
        id: runtime.world().id(SuppressionId::new),
        kind,
        filter,
        reason,
        created_by: by.to_owned(),
        created_at: now,
        starts_at: starts_at.unwrap_or(now),
        expires_at,
        ended: None,
        count: 0,
        last_at: None,
    };
    made.check().map_err(SuppressionError::BadRequest)?;
    if made.reason.chars().count() > limits::REASON_CHARS {
        let most = limits::REASON_CHARS;
        let why = format!("`reason` is longer than {most} characters");
        return Err(SuppressionError::BadRequest(why));
    }
    let kept = Arc::new(made.clone());
    let is_kept = runtime.store().write(move |tx| {
        let made = kept.clone();
        Box::pin(async move {
            let most = limits::SUPPRESSIONS;
            let open = suppressions::open(tx, now, most).await?;
            let has_room = u32::try_from(open.len()).is_ok_and(|count| count < most);
            if has_room {
                suppressions::insert(tx, &made).await?;
            }
            Ok(has_room)
        })
    });
    if !is_kept.await? {
        let most = limits::SUPPRESSIONS;
        let why = format!("there are {most} suppressions already, the most: end some first");
        return Err(SuppressionError::BadRequest(why));
    }
    tracing::info!(suppression = %made.id, %by, reason = %made.reason, "alerts are suppressed");
    Ok(made)
}

/// Ends one before its time.
///
/// # Errors
/// [`SuppressionError`] when there is none, or it is over.
pub async fn end(
    runtime: &Runtime,
    id: SuppressionId,
    by: &str,
) -> Result<Suppression, SuppressionError> {
    let (now, ender) = (runtime.world().now(), by.to_owned());
    let ended = runtime.store().write(move |tx| {
        let by = ender.clone();
        Box::pin(async move { suppressions::end(tx, id, &by, now).await })
    });
    let ended = ended.await?;
    let found = get(runtime, id).await?;
    if !ended {
        return Err(SuppressionError::Over(id));
    }
    tracing::info!(suppression = %id, %by, "a suppression was ended");
    Ok(found)
}

/// One of them.
///
/// # Errors
/// [`SuppressionError::NotFound`] when there is none.
pub async fn get(runtime: &Runtime, id: SuppressionId) -> Result<Suppression, SuppressionError> {
    let found = runtime.store().read(|conn| Box::pin(suppressions::get(conn, id))).await?;
    found.ok_or(SuppressionError::NotFound(id))
}
