//! Decisions that come by other ways than a token: from Slack, and by links. Whoever decides so is
//! bound to a person by the configuration, which says their roles, too.

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::approval::{Answer, ApprovalStatus};
use stanch_engine_core::audit::Asked;
use stanch_engine_core::error_code::{self, ErrorCode};
use stanch_engine_core::id::ApprovalId;
use stanch_engine_core::limits;
use stanch_engine_core::scope::{Grant, grants, reaching};
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

/// What somebody says who knows no JSON.
#[derive(Clone, Debug)]
pub struct Said {
    /// Yes or no.
    pub answer: Answer,
    /// Why.
    pub reason: String,
    /// What was filled in, by the path of each field.
    pub fields: Vec<(String, String)>,
}

/// Why a decision was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ElsewhereError {
    /// The configuration binds a user of Slack to nobody.
    #[error(
        "the user {0} of Slack is bound to nobody. An administrator binds you by `slack = \"{0}\"` under [people.NAME]"
    )]
    Nobody(String),
    /// They have not said why.
    #[error("say why, and press the button again")]
    NoReason,
    /// They were disabled.
    #[error("{0} was disabled and decides nothing")]
    Disabled(String),
    /// It is for those who have signed in.
    #[error(
        "{0} destroys something, or asks for more than there are fields for: sign in, and decide it with `stanch approve {0}` or by the API"
    )]
    WantsSignIn(ApprovalId),
    /// The rules of the approval say no.
    #[error(transparent)]
    Refused(#[from] DecideError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ElsewhereError {
    /// The page that says what to do.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Nobody(_) | Self::Disabled(_) | Self::WantsSignIn(_) => error_code::FORBIDDEN,
            Self::NoReason => error_code::BAD_REQUEST,
            Self::Refused(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }
}

/// What the audit log says of a decision that comes by another way than a token. Whoever is nobody
/// writes nothing of their own into it.
pub(crate) fn asked(
    runtime: &Runtime,
    actor: Option<String>,
    from: &str,
    (id, said): (ApprovalId, &Said),
) -> Asked {
    let is_known = actor.is_some();
    let reason = said.reason.chars().take(limits::REASON_CHARS).collect();
    Asked {
        at: runtime.world().now(),
        token: None,
        verb: "approvals.decisions".to_owned(),
        object: is_known.then(|| id.to_string()),
        from: from.to_owned(),
        reason: is_known.then_some(reason),
        detail: if is_known { json!({"decision": said.answer}) } else { json!({}) },
        actor,
    }
}

/// The person who is this user of Slack, if the configuration binds one.
pub(crate) fn person_of_slack(runtime: &Runtime, user: &str) -> Option<String> {
    let people = &runtime.settings().notify.people;
    let bound = people.iter().find(|(_, person)| person.slack.as_deref() == Some(user));
    bound.map(|(name, _)| name.clone())
}

/// What a person may do by other ways than a token, and how far that reaches.
pub(crate) fn granted(settings: &Settings, person: &str) -> Vec<Grant> {
    let known = settings.notify.people.get(person);
    known.map(|known| grants(&settings.roles, &known.roles, &known.scope)).unwrap_or_default()
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
pub(crate) async fn decide(
    runtime: &Runtime,
    id: ApprovalId,
    person: &str,
    from: String,
    said: Said,
) -> Result<ApprovalStatus, ElsewhereError> {
    if is_disabled(runtime, person).await? {
        return Err(ElsewhereError::Disabled(person.to_owned()));
    }
    let approval = find(runtime, id).await?.ok_or(DecideError::NotFound(id))?;
    if wants_sign_in(&approval) {
        return Err(ElsewhereError::WantsSignIn(id));
    }
    let say = say(&approval, said)?;
    let subject = runtime.store().read(move |conn| Box::pin(scopes::of_approval_id(conn, id)));
    let roles = reaching(&granted(runtime.settings(), person), &subject.await?);
    let caller = Caller { name: person.to_owned(), roles, from };
    Ok(approvals::decide(runtime, id, &caller, say).await?)
}

/// What was said, with the form as the API would be sent it. A no may leave it out.
fn say(approval: &Approval, said: Said) -> Result<Say, DecideError> {
    let Said { answer, reason, fields } = said;
    let read = approval.form.as_ref().map_or(Ok(Value::Null), |form| form.read(&fields));
    let form = match answer {
        Answer::Approve => read.map_err(DecideError::BadRequest)?,
        Answer::Reject => read.unwrap_or_default(),
    };
    Ok(Say { answer, reason, form })
}

/// Tells one person something by a channel of this kind, at the runtime's own pace. It is not written
/// down: what was decided is, and the message says it, too.
pub(crate) fn answer(runtime: &Runtime, kind: &'static str, place: Value, text: String) {
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
