//! What `aws.call` is given.

use serde::Deserialize;
use serde_json::{Map, Value};
use stanch_plugins_sdk::ActionError;

use crate::model::{ModelStore, Named};
use crate::params;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    operation: String,
    #[serde(default = "nothing")]
    params: Value,
    #[serde(default)]
    paginate: Paginate,
    #[serde(default)]
    document: Option<Value>,
}

/// Whether all pages are wanted: `true`, `false`, or `"auto"` for those of any operation that has
/// some.
#[derive(Deserialize)]
#[serde(untagged)]
enum Paginate {
    Told(bool),
    Word(Word),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Auto,
}

impl Default for Paginate {
    fn default() -> Self {
        Self::Told(false)
    }
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
    /// Whether all pages are wanted.
    pub(super) paginate: bool,
    /// The document that it runs, as it was pinned.
    pub(super) document: Option<Value>,
}

impl Input {
    /// Reads it.
    ///
    /// # Errors
    /// With every mistake, and what would be right.
    pub(super) fn read(models: &ModelStore, input: &Value) -> Result<Self, ActionError> {
        let written = Written::deserialize(input)
            .map_err(|error| ActionError::permanent("bad_input", format!("aws.call: {error}")))?;
        let Written { operation, params, paginate, document } = written;
        let named = models
            .operation(&operation)
            .map_err(|error| ActionError::permanent("unknown_operation", error.to_string()))?;
        let paginate = match (paginate, named.paginator.is_some()) {
            (Paginate::Word(Word::Auto), has_pages) => has_pages,
            (Paginate::Told(true), false) => {
                let why = format!("{named} does not come in pages: leave `paginate` out");
                return Err(ActionError::permanent("bad_input", why));
            }
            (Paginate::Told(wanted), _) => wanted,
        };
        if streams_events(named) {
            let why = format!("{named} answers with a stream of events, which is not read yet");
            return Err(ActionError::permanent("not_supported", why));
        }
        let mistakes = params::mistakes_of_call(named, &params);
        if mistakes.is_empty() {
            return Ok(Self { named, params, paginate, document });
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
