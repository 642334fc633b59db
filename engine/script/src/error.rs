//! Errors of playbooks, as their authors read them.

use rhai::{Dynamic, EvalAltResult, Map, Position as At};
use stanch_engine_core::command::Position;
use stanch_engine_core::journal::RunError;
use stanch_engine_core::step::{StepError, StepKey};

use crate::codec;

/// One thing that is wrong with a playbook's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file: empty for the playbook itself, else the path in the `import` statement.
    pub file: String,
    /// Where.
    pub position: Position,
    /// Whether it must be mended before the playbook can run.
    pub severity: DiagnosticSeverity,
    /// What, and what would be right.
    pub message: String,
}

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiagnosticSeverity {
    /// It can run, and may not do what was meant.
    Warning,
    /// It can't run.
    Error,
}

impl Diagnostic {
    pub(crate) fn error(position: Position, message: impl Into<String>) -> Self {
        Self {
            file: String::new(),
            position,
            severity: DiagnosticSeverity::Error,
            message: message.into(),
        }
    }

    pub(crate) fn warning(position: Position, message: impl Into<String>) -> Self {
        Self { severity: DiagnosticSeverity::Warning, ..Self::error(position, message) }
    }

    pub(crate) fn in_file(self, file: &str) -> Self {
        Self { file: file.to_owned(), ..self }
    }
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = match self.severity {
            DiagnosticSeverity::Warning => "warning",
            DiagnosticSeverity::Error => "error",
        };
        if !self.file.is_empty() {
            write!(f, "{}:", self.file)?;
        }
        write!(f, "{}: {word}: {}", self.position, self.message)
    }
}

/// Why a playbook can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct PlaybookError(pub Vec<Diagnostic>);

impl From<Diagnostic> for PlaybookError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

/// A place in a text, as the engine's own type.
pub(crate) fn position(at: At) -> Position {
    let bounded = |n: Option<usize>| n.and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
    Position { line: bounded(at.line()), column: bounded(at.position()) }
}

/// Throws a step's error into the playbook, as a map with `kind`, `code`, `message`,
/// `request_id` and `step`.
pub(crate) fn thrown(error: &StepError, key: &StepKey, at: At) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(error_map(error, key).into(), at).into()
}

/// A step's error as a playbook sees it.
pub(crate) fn error_map(error: &StepError, key: &StepKey) -> Map {
    let kind = stanch_engine_core::json::Json::of(&error.kind);
    let kind = kind.as_str().trim_matches('"');
    let details = error.details.as_ref().map(ToString::to_string);
    let details = details.and_then(|text| codec::decode(&text).ok()).unwrap_or(Dynamic::UNIT);
    Map::from([
        ("kind".into(), kind.into()),
        ("code".into(), error.code.clone().into()),
        ("message".into(), error.message.clone().into()),
        ("request_id".into(), error.request_id.clone().map_or(Dynamic::UNIT, Dynamic::from)),
        ("details".into(), details),
        ("step".into(), key.to_string().into()),
    ])
}

/// A mistake of the author, thrown where it was made.
pub(crate) fn mistake(message: impl Into<String>, at: At) -> Box<EvalAltResult> {
    let error = StepError::permanent("playbook", message);
    let map = plain_map(error.code, error.message);
    EvalAltResult::ErrorRuntime(map.into(), at).into()
}

/// An error of no step, in the shape of those of steps.
fn plain_map(code: String, message: String) -> Map {
    Map::from([
        ("kind".into(), "permanent".into()),
        ("code".into(), code.into()),
        ("message".into(), message.into()),
        ("step".into(), Dynamic::UNIT),
    ])
}

/// What was thrown, always as a map with `kind`, `code`, `message` and `step`.
pub(crate) fn thrown_value(error: &EvalAltResult) -> Dynamic {
    if let EvalAltResult::ErrorRuntime(value, _) = innermost(error)
        && value
            .as_map_ref()
            .is_ok_and(|map| map.contains_key("code") && map.contains_key("message"))
    {
        return value.clone();
    }
    let RunError { code, message, .. } = uncaught(error);
    plain_map(code, message).into()
}

/// What a run fails with when nothing caught `error`.
pub(crate) fn uncaught(error: &EvalAltResult) -> RunError {
    let at = position(innermost_position(error));
    let root = innermost(error);
    let (code, message) = match root {
        EvalAltResult::ErrorRuntime(value, _) => thrown_parts(value),
        EvalAltResult::ErrorTerminated(..) => {
            ("stopped".to_owned(), "the script was stopped".to_owned())
        }
        other => {
            let mut bare = without_position(other);
            bare.truncate(bare.char_indices().nth(2_000).map_or(bare.len(), |(at, _)| at));
            ("script_error".to_owned(), bare)
        }
    };
    RunError { code, message, position: at }
}

fn without_position(error: &EvalAltResult) -> String {
    let text = error.to_string();
    match text.rfind(" (line ") {
        Some(at) if text.ends_with(')') => text.get(..at).unwrap_or(&text).to_owned(),
        _ => text,
    }
}

fn thrown_parts(value: &Dynamic) -> (String, String) {
    match value.as_map_ref() {
        Ok(map) => {
            let text = |name| map.get(name).map(ToString::to_string);
            let code = text("code").unwrap_or_else(|| "thrown".to_owned());
            (code, text("message").unwrap_or_else(|| value.to_string()))
        }
        Err(_) => ("thrown".to_owned(), value.to_string()),
    }
}

fn innermost(error: &EvalAltResult) -> &EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => innermost(inner),
        other => other,
    }
}

fn innermost_position(error: &EvalAltResult) -> At {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, at)
        | EvalAltResult::ErrorInModule(_, inner, at) => match innermost_position(inner) {
            At::NONE => *at,
            inner => inner,
        },
        other => other.position(),
    }
}
