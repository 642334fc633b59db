//! Decisions that come by other ways than a token: from Slack, and by links. Whoever decides so is
//! bound to a person by the configuration, which says their roles, too.

use std::sync::Arc;

use stanch_engine_core::approval::ApprovalStatus;
use stanch_engine_core::id::ApprovalId;
use stanch_engine_core::scope::{Grant, Scope, grants, reaching};
use stanch_engine_core::span::Span;
use stanch_engine_store::approvals::{self as rows, Approval};
use stanch_engine_store::{StoreError, people};
use stanch_plugins_sdk::Channel;
use uuid::Uuid;

use crate::approvals::{self, DecideError, Say};
use crate::notify;
use crate::pager;
use crate::people::Caller;
use crate::runtime::Runtime;
use crate::scopes;
use crate::settings::Settings;

/// How long a channel may take to tell one person something.
const PATIENCE: Span = Span::from_secs(10);

/// Why a decision was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ElsewhereError {
    /// They were disabled.
    #[error("{0} was disabled and decides nothing")]
    Disabled(String),
    /// It is for those who have signed in.
    #[error(
        "{0} destroys something, or asks for more than a verdict: sign in, and decide it with `stanch approve {0}` or by the API"
    )]
    WantsSignIn(ApprovalId),
    /// The rules of the approval say no.
    #[error(transparent)]
    Refused(#[from] DecideError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The person who is this user of Slack, if the configuration binds one.
pub fn person_of_slack(runtime: &Runtime, user: &str) -> Option<String> {
    let people = &runtime.settings().notify.people;
    let bound = people.iter().find(|(_, person)| person.slack.as_deref() == Some(user));
    bound.map(|(name, _)| name.clone())
}

/// What a person may do by other ways than a token, and how far that reaches.
pub(crate) fn granted(settings: &Settings, person: &str) -> Vec<Grant> {
    let known = settings.notify.people.get(person);
    let roles = known.map(|known| known.roles.as_slice()).unwrap_or_default();
    grants(&settings.roles, roles, &Scope::default())
}

/// One approval.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn find(runtime: &Runtime, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
    runtime.store().read(move |conn| Box::pin(rows::get(conn, id))).await
}

/// Whether an approval is only for those who have signed in.
pub fn wants_sign_in(approval: &Approval) -> bool {
    pager::wants_sign_in(approval)
}

/// Whether a person was disabled.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn is_disabled(runtime: &Runtime, person: &str) -> Result<bool, StoreError> {
    let person = person.to_owned();
    let found = runtime
        .store()
        .read(move |conn| Box::pin(async move { people::is_disabled(conn, &person).await }));
    found.await
}

/// Takes a decision of a person of the configuration. `from` says by which way it came.
///
/// # Errors
/// [`ElsewhereError`] says why it was not taken; nothing is changed then.
pub async fn decide(
    runtime: &Runtime,
    id: ApprovalId,
    person: &str,
    from: String,
    say: Say,
) -> Result<ApprovalStatus, ElsewhereError> {
    if is_disabled(runtime, person).await? {
        return Err(ElsewhereError::Disabled(person.to_owned()));
    }
    let approval = find(runtime, id).await?.ok_or(DecideError::NotFound(id))?;
    if wants_sign_in(&approval) {
        return Err(ElsewhereError::WantsSignIn(id));
    }
    let subject = runtime.store().read(move |conn| Box::pin(scopes::of_approval_id(conn, id)));
    let roles = reaching(&granted(runtime.settings(), person), &subject.await?);
    let caller = Caller { name: person.to_owned(), roles, from };
    Ok(approvals::decide(runtime, id, &caller, say).await?)
}

/// Tells one person something by a channel of this kind, at the runtime's own pace. It is not written
/// down: what was decided is, and the message says it, too.
pub fn answer(runtime: &Runtime, kind: &'static str, place: serde_json::Value, text: String) {
    let channels = runtime.catalogue().channels();
    let channels: Vec<Arc<dyn Channel>> =
        channels.filter(|channel| channel.kind() == kind).cloned().collect();
    let token = Uuid::from_u128(runtime.world().entropy.next());
    let context = notify::context(&runtime.shared, (None, None), (token, 1), PATIENCE);
    tokio::task::spawn(async move {
        for channel in channels {
            let told = channel.answer(&context, &place, &text);
            match tokio::time::timeout(PATIENCE.duration(), told).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => tracing::warn!(kind, %error, "a person was not answered"),
                Err(_) => tracing::warn!(kind, "a person was not answered in time"),
            }
        }
    });
}
