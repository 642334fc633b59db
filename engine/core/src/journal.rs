//! The journal of a run: what happened, in order. It is the only memory that a run has.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::command::{Position, Verb};
use crate::digest::Sha256;
pub use crate::generation::GenerationStarted;
use crate::json::Json;
use crate::run::{ParkReason, RunStatus};
use crate::step::{StepError, StepKey};
use crate::time::Timestamp;

/// One row of a journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its place, from 0 and without gaps.
    pub seq: u32,
    /// When it was written.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The run began. Always the first entry, and only the first.
    Started(Started),
    /// People are asked whether a step may begin.
    StepGated(StepGated),
    /// A step's intent: from here on it may have taken place.
    StepScheduled(StepScheduled),
    /// A step is under way and has said how far it is.
    StepProgressed(StepProgressed),
    /// An attempt failed and another follows.
    StepRetried(StepRetried),
    /// The intent of a further attempt: from here on it may have taken place.
    StepAttempted(StepAttempted),
    /// Nobody knows whether a step took place.
    StepDoubted(StepDoubted),
    /// A person decided that a step in doubt is tried again.
    StepRepeated(ByPerson),
    /// A step has a result.
    StepSucceeded(StepSucceeded),
    /// A step has an error.
    StepFailed(StepFailed),
    /// A fact from outside reached the run.
    Signalled(Signalled),
    /// A person stopped the run for a while.
    Paused(ByPerson),
    /// A person let it go on.
    Resumed(ByPerson),
    /// It can't go on by itself.
    Parked(Parked),
    /// A person let it try again.
    Unparked(ByPerson),
    /// A person, or the run that waits for it, wants it to end.
    CancelRequested(ByPerson),
    /// It took longer than it may.
    TimedOut(TimedOut),
    /// It is over.
    Ended(Ended),
    /// It begins again.
    GenerationStarted(Box<GenerationStarted>),
}

/// How a run began: all that its playbook may read of the world, pinned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// The playbook's name.
    pub playbook: String,
    /// The digest of its text and imports.
    pub digest: Sha256,
    /// The language that it is read in, see [`crate::playbook::LANGUAGE`].
    pub language: u32,
    /// Which generation of the run this is: it is part of every idempotency token.
    pub generation: u32,
    /// Who or what asked for it.
    pub requester: String,
    /// The variables `alert`, `incident`, `inputs` and `config`.
    pub scope: Json,
    /// When it must be over.
    pub deadline_at: Timestamp,
}

/// What a step was asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// What kind of thing.
    #[serde(with = "verb_word")]
    pub verb: Verb,
    /// Its arguments.
    pub args: Json,
    /// Where in the text it was asked for.
    pub position: Position,
}

/// Of a step that waits for people's leave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepGated {
    /// The step.
    pub key: StepKey,
    /// What it was asked to do.
    pub head: Head,
    /// The approval that it waits for.
    pub approval: String,
    /// When the approval expires.
    pub wake_at: Timestamp,
}

/// Of a step that may take place from here on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepScheduled {
    /// The step.
    pub key: StepKey,
    /// What it was asked to do; absent when the step had been gated before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// Its idempotency token, when it acts on something outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Uuid>,
    /// What it waits for: an approval, a child run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// When it is looked at again, if nothing else happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<Timestamp>,
}

/// Of a step that is under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepProgressed {
    /// The step.
    pub key: StepKey,
    /// What the action wants to be told when it is looked at again.
    pub state: Json,
    /// When it is looked at again.
    pub wake_at: Timestamp,
}

/// Of an attempt that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRetried {
    /// The step.
    pub key: StepKey,
    /// What it was asked to do; absent when an earlier entry says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// The number of the attempt that failed, from 1.
    pub attempt: u32,
    /// Why it failed.
    pub error: StepError,
    /// When the next begins.
    pub wake_at: Timestamp,
}

/// Of an attempt that is about to be made after others have failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepAttempted {
    /// The step.
    pub key: StepKey,
    /// The number of the attempt, from 2.
    pub attempt: u32,
}

/// Of a step whose outcome is unknown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepDoubted {
    /// The step.
    pub key: StepKey,
    /// Why nobody knows.
    pub error: StepError,
}

/// Of something that a person did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ByPerson {
    /// The step that it is about, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<StepKey>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Of a step that has a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepSucceeded {
    /// The step.
    pub key: StepKey,
    /// What it was asked to do; absent when an earlier entry says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// The result.
    pub result: Json,
    /// How the call went: AWS's request id, the attempts, who says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Json>,
}

/// Of a step that has an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepFailed {
    /// The step.
    pub key: StepKey,
    /// What it was asked to do; absent when an earlier entry says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// The error.
    pub error: StepError,
    /// How the call went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Json>,
}

/// Of a fact from outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signalled {
    /// Its name.
    pub name: String,
    /// Its content.
    pub payload: Json,
    /// Who sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// Of a run that can't go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parked {
    /// Why.
    pub reason: ParkReason,
    /// In words, for the person who has to look at it.
    pub detail: String,
}

/// Of a run that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// How: one of the final statuses.
    pub status: RunStatus,
    /// What its playbook returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Json>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
}

/// Of a run that took longer than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimedOut {}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct RunError {
    /// A short name of the cause.
    pub code: String,
    /// In words.
    pub message: String,
    /// Where in the text.
    #[serde(default)]
    pub position: Position,
}

mod verb_word {
    //! A verb as its word.
    use crate::command::Verb;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: Serializer>(verb: &Verb, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(verb.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Verb, D::Error> {
        let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        word.parse().map_err(|word| D::Error::custom(format!("`{word}` is no verb")))
    }
}

/// A row that can't be read as an event.
#[derive(Debug, thiserror::Error)]
#[error("a journal row of kind `{kind}` can't be read: {why}")]
pub struct UnreadableEvent {
    /// The kind that the row names.
    pub kind: String,
    /// What is wrong.
    pub why: String,
}

macro_rules! events {
    ($($variant:ident = $kind:literal,)*) => {
        impl Event {
            /// The word that names its kind in the database and in JSON.
            pub const fn kind(&self) -> &'static str {
                match self { $(Self::$variant(_) => $kind),* }
            }

            /// The rest of it, as JSON text.
            pub fn body(&self) -> String {
                let text = match self { $(Self::$variant(body) => serde_json::to_string(body)),* };
                text.unwrap_or_default()
            }

            /// Reads a row.
            ///
            /// # Errors
            /// When the kind is unknown or the body is not one of that kind.
            pub fn read(kind: &str, body: &str) -> Result<Self, UnreadableEvent> {
                let unreadable = |why: String| UnreadableEvent { kind: kind.to_owned(), why };
                match kind {
                    $($kind => serde_json::from_str(body)
                        .map(Self::$variant)
                        .map_err(|error| unreadable(error.to_string())),)*
                    _ => Err(unreadable("no such kind".to_owned())),
                }
            }
        }
    };
}

events! {
    Started = "started",
    StepGated = "step_gated",
    StepScheduled = "step_scheduled",
    StepProgressed = "step_progressed",
    StepRetried = "step_retried",
    StepAttempted = "step_attempted",
    StepDoubted = "step_doubted",
    StepRepeated = "step_repeated",
    StepSucceeded = "step_succeeded",
    StepFailed = "step_failed",
    Signalled = "signalled",
    Paused = "paused",
    Resumed = "resumed",
    Parked = "parked",
    Unparked = "unparked",
    CancelRequested = "cancel_requested",
    TimedOut = "timed_out",
    Ended = "ended",
    GenerationStarted = "generation_started",
}

impl Event {
    /// The step that it is about.
    pub fn step(&self) -> Option<&StepKey> {
        match self {
            Self::StepGated(e) => Some(&e.key),
            Self::StepScheduled(e) => Some(&e.key),
            Self::StepProgressed(e) => Some(&e.key),
            Self::StepRetried(e) => Some(&e.key),
            Self::StepAttempted(e) => Some(&e.key),
            Self::StepDoubted(e) => Some(&e.key),
            Self::StepRepeated(e) => e.key.as_ref(),
            Self::StepSucceeded(e) => Some(&e.key),
            Self::StepFailed(e) => Some(&e.key),
            _ => None,
        }
    }

    /// What the step was asked to do, if this event says so.
    pub fn head(&self) -> Option<&Head> {
        match self {
            Self::StepGated(e) => Some(&e.head),
            Self::StepScheduled(e) => e.head.as_ref(),
            Self::StepRetried(e) => e.head.as_ref(),
            Self::StepSucceeded(e) => e.head.as_ref(),
            Self::StepFailed(e) => e.head.as_ref(),
            _ => None,
        }
    }
}

impl Serialize for Entry {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let body = Json::parse(self.event.body()).unwrap_or_else(|_| Json::null());
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("seq", &self.seq)?;
        map.serialize_entry("at", &self.at)?;
        map.serialize_entry("kind", self.event.kind())?;
        map.serialize_entry("body", &body)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_survives_its_row() {
        let event = Event::StepSucceeded(StepSucceeded {
            key: "5.1.2".into(),
            head: Some(Head {
                verb: Verb::Action,
                args: Json::of(&json!({"action": "bench.noop"})),
                position: Position { line: 3, column: 9 },
            }),
            result: Json::of(&json!({"i": 1})),
            call: None,
        });
        let body = event.body();
        assert_eq!(Event::read(event.kind(), &body).unwrap(), event);
        assert!(body.contains(r#""args":{"action":"bench.noop"}"#), "{body}");
    }

    #[test]
    fn an_unknown_kind_is_an_error_and_not_a_guess() {
        assert!(Event::read("step_vanished", "{}").is_err());
        assert!(Event::read("step_succeeded", "{}").is_err());
    }
}
