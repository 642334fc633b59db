//! People who are away, and who stands in meanwhile.

use std::sync::Arc;

use stanch_engine_core::id::AbsenceId;
use stanch_engine_core::limits;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::absences::{self, Absence};
use stanch_engine_store::{StoreError, people as rows};

use crate::everybody;
use crate::people::{Caller, Role};
use crate::runtime::Runtime;

/// Why an absence was not written down.
#[derive(Debug, thiserror::Error)]
pub enum AbsenceError {
    /// It can't be so.
    #[error("{0}")]
    BadRequest(String),
    /// It is somebody else's.
    #[error("{0} says for themselves when they are away, or an admin does")]
    NotTheirs(String),
    /// They are not away.
    #[error("{0} is not away")]
    NotAway(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a person says who is going away.
#[derive(Clone, Debug)]
pub struct Leave {
    /// Who.
    pub person: String,
    /// Who stands in.
    pub delegate: String,
    /// Until when.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

/// From now on somebody stands in for a person, who may say so themselves, or an admin may. Another
/// one of theirs ends.
///
/// # Errors
/// [`AbsenceError`] says why not.
pub async fn leave(
    runtime: &Runtime,
    leave: Leave,
    caller: &Caller,
) -> Result<Absence, AbsenceError> {
    let now = runtime.world().now();
    own(caller, &leave.person)?;
    let wrong = |why: String| Err(AbsenceError::BadRequest(why));
    if leave.reason.trim().is_empty() {
        return wrong("it needs a reason".to_owned());
    }
    if leave.person == leave.delegate {
        return wrong("nobody stands in for themselves".to_owned());
    }
    if leave.until <= now || leave.until > now.plus_ms(limits::ABSENCE_MS) {
        return wrong(format!("`until`: {} has passed, or is more than a year away", leave.until));
    }
    let absence = Absence {
        id: runtime.world().id(AbsenceId::new),
        person: leave.person,
        delegate: leave.delegate,
        starts_at: now,
        until: leave.until,
        reason: leave.reason,
        set_by: caller.name.clone(),
    };
    let parts = Arc::new((absence.clone(), runtime.shared.clone()));
    let missing = runtime.store().write(move |tx| {
        let parts = parts.clone();
        Box::pin(async move {
            let (absence, shared) = &*parts;
            let people = everybody::named(tx, &shared.settings, now).await?;
            for who in [&absence.person, &absence.delegate] {
                if !people.contains_key(who) || rows::is_disabled(tx, who).await? {
                    return Ok(Some(who.clone()));
                }
            }
            absences::insert(tx, absence).await?;
            Ok(None)
        })
    });
    match missing.await? {
        None => Ok(absence),
        Some(who) => wrong(everybody::nobody(&who)),
    }
}

/// A person is back.
///
/// # Errors
/// [`AbsenceError`] when they are not away, or it is not the caller's to say.
pub async fn come_back(
    runtime: &Runtime,
    person: &str,
    caller: &Caller,
) -> Result<(), AbsenceError> {
    own(caller, person)?;
    let (who, now) = (person.to_owned(), runtime.world().now());
    let ended = runtime.store().write(move |tx| {
        let who = who.clone();
        Box::pin(async move { absences::end(tx, &who, now).await })
    });
    match ended.await? {
        true => Ok(()),
        false => Err(AbsenceError::NotAway(person.to_owned())),
    }
}

fn own(caller: &Caller, person: &str) -> Result<(), AbsenceError> {
    match caller.name == person || caller.is(Role::Admin) {
        true => Ok(()),
        false => Err(AbsenceError::NotTheirs(person.to_owned())),
    }
}
