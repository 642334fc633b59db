//! What AWS answered, written down: a line of JSON for each look.

use std::collections::{HashMap, VecDeque};
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::json::Json;
use stanch_engine_core::sealed::SHOWN;
use stanch_engine_core::span::Span;
use stanch_engine_core::step::ErrorKind;
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::secret_file;
use stanch_plugins_sdk::{ActionContext, ActionError, CallRecord, Done, Outcome};

/// A call that wants an answer.
pub(super) struct Wish<'a> {
    pub(super) action: &'a str,
    pub(super) context: &'a ActionContext,
    pub(super) input: &'a Value,
}

impl Wish<'_> {
    /// What it is known by: the digest of all that is asked, so that no secret of it is written
    /// down. Times are left out: they are others each time.
    fn key(&self) -> Sha256 {
        let ActionContext { account, region, role, .. } = self.context;
        let mut input = self.input.clone();
        leave_times_out(&mut input);
        let key = json!([self.action, account, region, role, input]);
        Sha256::of(Json::canonical(&key).as_str())
    }
}

fn leave_times_out(value: &mut Value) {
    match value {
        Value::String(text) if Timestamp::parse(text).is_ok() => "a time".clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(leave_times_out),
        Value::Object(members) => members.values_mut().for_each(leave_times_out),
        _ => {}
    }
}

/// A line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// For whoever reads it.
    call: String,
    key: Sha256,
    answer: Answer,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done {
        value: Value,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        secrets: Vec<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
    },
    Again {
        state: Value,
        after: Span,
    },
    Failed {
        kind: ErrorKind,
        code: String,
        message: String,
    },
}

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    recorded_at: Timestamp,
}

/// The answers, in their order.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) recorded_at: Timestamp,
    lines: Vec<Line>,
    waiting: HashMap<Sha256, VecDeque<Answer>>,
}

impl Recording {
    pub(super) fn begin(recorded_at: Timestamp) -> Self {
        Self { recorded_at, lines: Vec::new(), waiting: HashMap::new() }
    }

    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let shown = file.display();
        let text = std::fs::read_to_string(file).with_context(|| format!("{shown}"))?;
        let mut lines = text.lines().zip(1..);
        let what = "it is no record of `stanch simulate --live --record`";
        let head: Head = match lines.next() {
            Some((head, _)) => {
                serde_json::from_str(head).with_context(|| format!("{shown}: {what}"))?
            }
            None => anyhow::bail!("{shown}: {what}: it is empty"),
        };
        let mut recording = Self::begin(head.recorded_at);
        for (line, number) in lines {
            let line: Line =
                serde_json::from_str(line).with_context(|| format!("{shown}:{number}: {what}"))?;
            recording.waiting.entry(line.key).or_default().push_back(line.answer);
        }
        Ok(recording)
    }

    pub(super) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let mut text = json!(Head { recorded_at: self.recorded_at }).to_string() + "\n";
        for line in &self.lines {
            text.push_str(&json!(line).to_string());
            text.push('\n');
        }
        secret_file::write(file, text.as_bytes()).with_context(|| format!("{}", file.display()))
    }

    /// Adds an answer, without its secrets.
    pub(super) fn add(&mut self, wish: Wish<'_>, outcome: &Result<Outcome, ActionError>) {
        let answer = match outcome {
            Ok(Outcome::Done(Done { value, secrets, call })) => {
                let mut value = value.clone();
                for place in secrets {
                    if let Some(secret) = value.pointer_mut(place) {
                        *secret = SHOWN.into();
                    }
                }
                Answer::Done { value, secrets: secrets.clone(), account: call.account.clone() }
            }
            Ok(Outcome::Again { state, after }) => {
                Answer::Again { state: state.clone(), after: *after }
            }
            Err(ActionError { kind, code, message, .. }) => {
                Answer::Failed { kind: *kind, code: code.clone(), message: message.clone() }
            }
        };
        let operation = wish.input.get("operation").and_then(Value::as_str);
        let call = operation.unwrap_or(wish.action).to_owned();
        self.lines.push(Line { call, key: wish.key(), answer });
    }

    /// The next answer to a call. The last one is given again and again.
    pub(super) fn take(&mut self, wish: &Wish<'_>) -> Option<Result<Outcome, ActionError>> {
        let waiting = self.waiting.get_mut(&wish.key())?;
        let answer = match waiting.len() {
            1 => waiting.front().cloned(),
            _ => waiting.pop_front(),
        }?;
        Some(match answer {
            Answer::Done { value, secrets, account } => {
                let caveats = vec!["it was recorded earlier".to_owned()];
                let call = CallRecord { account, caveats, ..CallRecord::default() };
                Ok(Outcome::Done(Done { value, secrets, call }))
            }
            Answer::Again { state, after } => Ok(Outcome::Again { state, after }),
            Answer::Failed { kind, code, message } => Err(ActionError::new(kind, code, message)),
        })
    }
}
