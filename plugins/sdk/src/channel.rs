//! A channel: one way to reach people.

use serde::Serialize;
use serde_json::Value;
use stanch_engine_core::approval::Field;
use stanch_engine_core::id::{ApprovalId, IncidentId, RunId};
use stanch_engine_core::severity::Severity;
use stanch_engine_core::time::Timestamp;

use crate::{ActionContext, ActionError, BoxFuture};

/// One way to reach people, such as a channel of Slack or a mailbox.
pub trait Channel: Send + Sync + 'static {
    /// What it is, such as `slack`.
    fn kind(&self) -> &'static str;

    /// Sends a message, once. `thread` is the place of the first message that it took about the same
    /// incident. The engine owns retries and deadlines, and a message may come twice: what is one
    /// message has one [`Message::key`].
    fn send<'a>(
        &'a self,
        context: &'a ActionContext,
        message: &'a Message,
        thread: Option<&'a Value>,
    ) -> BoxFuture<'a, Result<Receipt, ActionError>>;

    /// Says of a message that was sent how it stands now. Only asked of a receipt that
    /// [`Receipt::is_followed`].
    fn follow<'a>(
        &'a self,
        context: &'a ActionContext,
        message: &'a Message,
        place: &'a Value,
    ) -> BoxFuture<'a, Result<(), ActionError>> {
        let (_, _, _) = (context, message, place);
        Box::pin(std::future::ready(Ok(())))
    }

    /// Tells one person something where they just did something, so that only they see it.
    fn answer<'a>(
        &'a self,
        context: &'a ActionContext,
        place: &'a Value,
        text: &'a str,
    ) -> BoxFuture<'a, Result<(), ActionError>> {
        let (_, _, _) = (context, place, text);
        let why = format!("{} can't answer one person", self.kind());
        Box::pin(std::future::ready(Err(ActionError::permanent("no_answers", why))))
    }
}

/// What a channel says of a message that it took.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Where the message is, as the channel wants to be told later.
    pub place: Value,
    /// Whether the channel wants to hear how the message stands later.
    pub is_followed: bool,
}

/// What people are told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// Equal for what is one message, however often it is sent: the id of the page.
    pub key: String,
    /// Which sending of it this is, from 1.
    pub turn: u32,
    /// Who is told, such as `role:responder`.
    pub to: String,
    /// The error code whose page says what to do, `approval`, or `page` when a playbook asked for it.
    pub code: String,
    /// What they are told.
    pub text: String,
    /// How bad the incident is.
    pub severity: Option<Severity>,
    /// The incident that it is about.
    pub incident_id: Option<IncidentId>,
    /// The run that it is about.
    pub run_id: Option<RunId>,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// The people whom that means, as far as they are known. Their links are secrets.
    #[serde(skip)]
    pub people: Vec<Recipient>,
    /// What is to be decided.
    pub ask: Option<Ask>,
    /// How it stands.
    pub standing: Standing,
}

/// A person whom a message means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipient {
    /// Their name.
    pub name: String,
    /// Their id in Slack.
    pub slack: Option<String>,
    /// Their address.
    pub email: Option<String>,
    /// Where they alone may decide, once.
    pub link: Option<String>,
}

/// What is to be decided.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ask {
    /// The approval.
    pub approval_id: ApprovalId,
    /// The question.
    pub title: String,
    /// Who may decide.
    pub approvers: Vec<String>,
    /// How many must say yes.
    pub quorum: u32,
    /// From when on it is a no.
    pub expires_at: Timestamp,
    /// What would be done, a line each.
    pub changes: Vec<String>,
    /// What is filled in with a yes.
    pub fields: Vec<Field>,
    /// Whether only those who have signed in decide it: something would be destroyed, or more is asked
    /// for than fields of text can say.
    pub wants_sign_in: bool,
}

/// How a message stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Standing {
    /// Nobody has taken it.
    Open,
    /// Somebody looks after it.
    Taken {
        /// Who.
        by: String,
    },
    /// It is over.
    Over {
        /// How it came to its end.
        how: String,
    },
}

/// Who is on duty, as something outside knows it.
pub trait Roster: Send + Sync + 'static {
    /// Those who are on duty now.
    fn on_duty<'a>(
        &'a self,
        context: &'a ActionContext,
    ) -> BoxFuture<'a, Result<Vec<OnDuty>, ActionError>>;
}

/// Somebody who is on duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDuty {
    /// Their id there.
    pub id: String,
    /// Their name there.
    pub name: String,
    /// Their address there.
    pub email: Option<String>,
}
