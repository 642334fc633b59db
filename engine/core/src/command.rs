//! What a playbook asks for.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::Json;
use crate::plan::{Change, Plan, Probe};
use crate::retry::Retry;
use crate::span::Span;
use crate::step::StepKey;
pub use crate::summary::summary;

/// One thing that a playbook asked for, at a place that a replay finds again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its place.
    pub key: StepKey,
    /// What kind of thing.
    pub verb: Verb,
    /// Its arguments, in canonical JSON; each verb's type below reads them.
    pub args: Json,
    /// Where in the text it was asked for.
    pub position: Position,
}

/// A place in a playbook's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// The line, from 1; 0 when it is unknown.
    pub line: u16,
    /// The column, from 1; 0 when it is unknown.
    pub column: u16,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $kind:ident;)*) => {
        /// The kinds of steps. A *fact* has its answer at once and is only written down; a
        /// *call* waits for its answer; a *side* call goes on beside the run.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Verb { $($(#[$doc])* $name,)* }

        impl Verb {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word in the journal.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// Whether its answer is known at once.
            pub const fn is_fact(self) -> bool {
                matches!(self.waits(), Waits::fact)
            }

            /// Whether the run goes on beside it.
            pub const fn is_side(self) -> bool {
                matches!(self.waits(), Waits::side)
            }

            const fn waits(self) -> Waits {
                match self { $(Self::$name => Waits::$kind),* }
            }
        }
    };
}

#[expect(non_camel_case_types, reason = "they are the words of the table below")]
enum Waits {
    fact,
    call,
    side,
}

verbs! {
    /// A new phase of the response began.
    Phase = "phase", fact;
    /// A line for the timeline.
    Log = "log", fact;
    /// A milestone was reached.
    Milestone = "milestone", fact;
    /// True or false positive was decided.
    Verdict = "verdict", fact;
    /// The incident's severity was set.
    Severity = "severity", fact;
    /// The time was read.
    Now = "now", fact;
    /// An `each` came to its end, and some of its items had not succeeded.
    Each = "each", fact;
    /// The run is about to end, and what it deferred is done.
    Closing = "closing", fact;
    /// An action of a plugin.
    Action = "action", call;
    /// Evidence that is collected beside the run.
    Collect = "collect", side;
    /// A value is kept as evidence.
    Evidence = "evidence", call;
    /// Time passes.
    Sleep = "sleep", call;
    /// People are asked.
    Approval = "approval", call;
    /// A plan is about to be carried out: the guard rails are asked.
    Execute = "execute", call;
    /// One change of a plan.
    Change = "change", call;
    /// One look at whether a change is effective.
    Probe = "probe", call;
    /// A plan was carried out and probed: what came of it.
    Verify = "verify", call;
    /// Another playbook runs.
    RunPlaybook = "run_playbook", call;
    /// A person is told.
    Notify = "notify", call;
    /// A person is paged, until somebody takes it.
    Page = "page", call;
    /// A fact from outside is waited for.
    WaitSignal = "wait_signal", call;
    /// A new alert is taken in.
    RaiseAlert = "raise_alert", call;
    /// The changes of another run are turned into the plan that undoes them.
    UndoPlan = "undo_plan", call;
    /// The tags of what a plan touches are read: they name whom an approval asks.
    Owners = "owners", call;
}

impl std::str::FromStr for Verb {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|v| v.as_str() == text).ok_or_else(|| text.to_owned())
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What any action may be told, beside its input.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepOptions {
    /// The account to act in; else the alert's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The region to act in; else the alert's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The role to act in, by ARN or by name; else the one that the account is read or changed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How long one attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// How many attempts there may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// What is tried again, how often and when; it holds over `attempts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// `"return"` gives the error back as a value instead of throwing it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_error: Option<OnError>,
}

/// What a failed step does to the playbook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// It throws, as if it were not said.
    Throw,
    /// Its error is its result.
    Return,
}

/// Arguments of [`Verb::Action`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionArgs {
    /// The action's name in the catalogue, such as `aws.call`.
    pub action: String,
    /// What the action reads.
    pub input: Value,
    /// What the engine reads.
    #[serde(default)]
    pub options: StepOptions,
}

/// Arguments of [`Verb::Collect`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CollectArgs {
    /// What people call the item.
    pub label: String,
    /// The AWS operation that collects it.
    pub operation: String,
    /// Its parameters.
    pub params: Value,
    /// Where and how far back.
    #[serde(default)]
    pub options: CollectOptions,
}

/// What `collect` may be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectOptions {
    /// The account; else the alert's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// One region, a list of them, or `"enabled"` for all that the account has enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions: Option<Regions>,
    /// The role to read in, by ARN or by name; else the account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// From how long ago; it becomes `StartTime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Span>,
    /// Whether the item is the content of the answer, as bytes, and not the answer: an object of S3, the
    /// code of a function.
    #[serde(default, skip_serializing_if = "is_no")]
    pub content: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_no(value: &bool) -> bool {
    !value
}

/// The regions of a `collect`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Regions {
    /// `"enabled"`, or the name of one region.
    Word(String),
    /// The names of several.
    List(Vec<String>),
}

/// Arguments of [`Verb::Each`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EachArgs {
    /// The numbers of the items that failed, from 0.
    pub failed: Vec<usize>,
    /// How many items had not begun when too many had failed.
    pub not_started: usize,
    /// How many items there are.
    pub total: usize,
}

/// Arguments of [`Verb::Evidence`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceArgs {
    /// What people call the item.
    pub label: String,
    /// The item.
    pub value: Value,
    /// What it lacks, as the playbook says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<String>,
}

/// What `evidence` may be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceOptions {
    /// What the item lacks: that it is a sample, that it was cut off.
    #[serde(default)]
    pub caveats: Vec<String>,
}

/// Arguments of [`Verb::Sleep`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SleepArgs {
    /// For how long.
    pub span: Span,
}

/// Arguments of [`Verb::Execute`] and [`Verb::Verify`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExecuteArgs {
    /// The plan.
    pub plan: Plan,
    /// Of `verify`: what came of each change. Empty for `execute`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<ItemOutcome>,
}

/// What came of one change of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemOutcome {
    /// Its probe passed.
    Effective,
    /// AWS took it, and its probe did not pass in time.
    NotEffective,
    /// AWS took it, and it has no probe.
    Unverified,
    /// It was only recorded.
    WouldCall,
    /// AWS refused it.
    Failed,
    /// An earlier one failed, and it was left alone.
    NotAttempted,
}

/// Arguments of [`Verb::Change`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeArgs {
    /// The digest of the plan that it belongs to.
    pub plan: crate::digest::Sha256,
    /// Its place in the plan, from 0.
    pub item: usize,
    /// The change.
    pub change: Change,
}

/// Arguments of [`Verb::Probe`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeArgs {
    /// The probe.
    pub probe: Probe,
}

/// Arguments of [`Verb::Approval`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovalArgs {
    /// What is asked.
    pub title: String,
    /// How it is asked.
    #[serde(default)]
    pub options: crate::approval::ApprovalOptions,
}

/// Arguments of [`Verb::Owners`]. The answer is a list of [`crate::approval::Owned`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnersArgs {
    /// What is touched.
    pub plan: Plan,
    /// The keys of the tags that are wanted.
    pub tags: Vec<String>,
}

/// Arguments of [`Verb::RunPlaybook`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunPlaybookArgs {
    /// The other playbook's name.
    pub playbook: String,
    /// Its inputs.
    pub inputs: BTreeMap<String, Value>,
    /// How long it may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

/// Arguments of [`Verb::WaitSignal`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitSignalArgs {
    /// The names of the signals, of which any one will do.
    pub names: Vec<String>,
    /// How long it is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
}

/// Arguments of [`Verb::Notify`] and [`Verb::Page`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageArgs {
    /// Whom: a role or a name.
    pub to: String,
    /// What they are told.
    pub message: String,
}

/// Arguments of [`Verb::UndoPlan`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoPlanArgs {
    /// The run whose changes are undone.
    pub run: crate::id::RunId,
    /// The change, or the `execute` of a plan, that alone is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<crate::step::StepKey>,
}

impl Command {
    /// The command in a few words, for timelines: `aws iam:ListAccessKeys`.
    pub fn summary(&self) -> String {
        summary(self.verb, &self.args.value())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_verb_has_a_word_of_its_own() {
        for verb in Verb::ALL {
            assert_eq!(verb.as_str().parse::<Verb>(), Ok(*verb));
        }
    }

    #[test]
    fn a_misspelt_option_is_an_error() {
        let error = serde_json::from_value::<StepOptions>(json!({"regoin": "x"})).unwrap_err();
        assert!(error.to_string().contains("regoin"), "{error}");
    }

    #[test]
    fn summaries_name_the_operation() {
        let args = json!({"action": "aws.call", "input": {"operation": "iam:ListUsers"}});
        assert_eq!(summary(Verb::Action, &args), "aws iam:ListUsers");
    }
}
