//! What `aws.call` is given.

use serde::Deserialize;
use serde_json::{Map, Value};
use stanch_plugins_sdk::ActionError;
use stanch_plugins_sdk::core::span::Span;

use super::{automation, command};
use crate::model::{ModelStore, Named};
use crate::params;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    operation: String,
    #[serde(default = "nothing")]
    params: Value,
    #[serde(default)]
    paginate: Value,
    #[serde(default)]
    document: Option<Value>,
    #[serde(default)]
    require: Option<Require>,
    #[serde(default)]
    timeout: Option<Span>,
}

/// How much of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paginate {
    /// The first page.
    No,
    /// Every page, and nobody asked for them by name.
    Auto,
    /// Every page.
    All,
    /// So many items.
    Items(usize),
}

impl Paginate {
    fn read(written: &Value, named: Named) -> Result<Self, String> {
        let paginate = match written {
            Value::Null | Value::Bool(false) => return Ok(Self::No),
            Value::String(word) if word == "auto" => {
                let has_pages = named.paginator.is_some();
                return Ok(if has_pages { Self::Auto } else { Self::No });
            }
            Value::Bool(true) => Self::All,
            Value::Number(number) => {
                let items = number.as_u64().filter(|items| *items > 0);
                let items = items.and_then(|items| usize::try_from(items).ok());
                Self::Items(items.ok_or("`paginate` takes a number of items from 1")?)
            }
            _ => return Err("`paginate` is true, false, \"auto\" or a number of items".to_owned()),
        };
        match named.paginator {
            Some(_) => Ok(paginate),
            None => Err(format!("{named} does not come in pages: leave `paginate` out")),
        }
    }

    /// The most items, where there is a most.
    pub(super) fn items(self) -> Option<usize> {
        match self {
            Self::Items(items) => Some(items),
            Self::No | Self::Auto | Self::All => None,
        }
    }

    /// Whether the answer says if it was cut off.
    pub(super) fn is_told(self) -> bool {
        matches!(self, Self::All | Self::Items(_))
    }
}

/// On how many of its instances a command has to succeed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Require {
    /// On every one.
    #[default]
    All,
    /// On one at least.
    Any,
    /// On none: the answer says how each ended.
    None,
}

fn nothing() -> Value {
    Value::Object(Map::new())
}

/// What `aws.call` is given, checked against the operation's model.
pub(super) struct Input {
    /// The operation.
    pub(super) named: Named,
    /// Its parameters.
    pub(super) params: Value,
    /// How much of a list is wanted.
    pub(super) paginate: Paginate,
    /// The document that it runs, as it was pinned.
    pub(super) document: Option<Value>,
    /// Of a command: on how many instances it has to succeed.
    pub(super) require: Require,
    /// Of what is followed to its end: how long that may take.
    pub(super) timeout: Option<Span>,
}

impl Input {
    /// Reads it.
    ///
    /// # Errors
    /// With every mistake, and what would be right.
    pub(super) fn read(models: &ModelStore, input: &Value) -> Result<Self, ActionError> {
        let written = Written::deserialize(input)
            .map_err(|error| ActionError::permanent("bad_input", format!("aws.call: {error}")))?;
        let Written { operation, params, paginate, document, require, timeout } = written;
        let named = models
            .operation(&operation)
            .map_err(|error| ActionError::permanent(error.code(), error.to_string()))?;
        let bad = |why: String| ActionError::permanent("bad_input", why);
        let paginate = Paginate::read(&paginate, named).map_err(bad)?;
        if require.is_some() && !command::is_one(named) {
            return Err(bad(format!("`require` is for ssm:SendCommand, and not for {named}")));
        }
        if timeout.is_some() && !command::is_one(named) && !automation::is_one(named) {
            return Err(bad(format!("{named} is not followed, so that `timeout` says nothing")));
        }
        if streams_events(named) {
            let why = format!("{named} answers with a stream of events, which is not read yet");
            return Err(ActionError::permanent("not_supported", why));
        }
        let mistakes = params::mistakes_of_call(named, &params);
        if mistakes.is_empty() {
            let require = require.unwrap_or_default();
            return Ok(Self { named, params, paginate, document, require, timeout });
        }
        Err(ActionError::permanent("bad_parameters", format!("{named}: {}", mistakes.join("; "))))
    }
}

fn streams_events(named: Named) -> bool {
    let Named { model, operation, .. } = named;
    let ends = [model.input(operation), model.output(operation)];
    let members = ends.into_iter().flatten().flat_map(|shape| shape.members.values());
    members.filter_map(|member| model.shape(&member.shape)).any(|shape| shape.eventstream)
}
