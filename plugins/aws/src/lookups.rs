//! How it is found out whether a call took place: `catalogue/lookups.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};
use stanch_plugins_sdk::core::probe::{self, BadExpression};
use uuid::Uuid;

use crate::model::Named;

/// The tag that carries the token of the step that made something.
pub(crate) const TAG: &str = "stanch:token";

/// How it is found out whether a call took place.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lookup {
    /// Where the step's token goes, if anywhere.
    pub(crate) mark: Option<Mark>,
    /// The operation that is asked.
    pub(crate) read: Box<str>,
    /// Its parameters, as an expression.
    params: Option<Box<str>>,
    /// Codes of the read that say: it did not take place.
    #[serde(default)]
    pub(crate) absent: Vec<Box<str>>,
    /// Codes of the read that say: it took place.
    #[serde(default)]
    pub(crate) gone: Vec<Box<str>>,
    /// True when it took place.
    pub(crate) happened: Box<str>,
    /// True when it did not; without it, whenever `happened` is false.
    pub(crate) did_not: Option<Box<str>>,
    /// The answer that was lost, as far as the read tells.
    result: Option<Box<str>>,
}

/// Where the step's token goes.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Mark {
    /// Into a tag within `TagSpecifications`, for a type of resource.
    Specification {
        /// The type.
        specify: Box<str>,
    },
    /// Into a tag in a list of keys and values.
    Tags {
        /// The member that is the list.
        tags: Box<str>,
    },
    /// To the end of a text.
    Note {
        /// The member that is the text.
        note: Box<str>,
        /// The characters that it takes.
        most: usize,
    },
}

impl Mark {
    /// The member that carries the token.
    pub(crate) fn member(&self) -> &str {
        match self {
            Self::Specification { .. } => "TagSpecifications",
            Self::Tags { tags } => tags,
            Self::Note { note, .. } => note,
        }
    }
}

/// What the read shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// It took place.
    Happened,
    /// It did not.
    DidNot,
    /// Neither is certain.
    Nothing,
}

/// The call that is looked up.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// Its parameters.
    pub(crate) params: &'a Value,
    /// The token of its step.
    pub(crate) token: Uuid,
}

static TABLE: LazyLock<BTreeMap<String, Lookup>> = LazyLock::new(|| {
    // A test reads the same text; a broken one leaves what can't be looked up to people.
    toml::from_str(include_str!("../catalogue/lookups.toml")).unwrap_or_default()
});

/// How it is found out of an operation, if it can be.
pub(crate) fn of(named: Named) -> Option<&'static Lookup> {
    TABLE.get(&named.to_string())
}

impl Lookup {
    /// The parameters of the read.
    pub(crate) fn params(&self, asked: Asked) -> Result<Value, BadExpression> {
        let nothing = Value::Object(Map::new());
        match &self.params {
            Some(params) => probe::search(&filled(params, asked), &nothing),
            None => Ok(nothing),
        }
    }

    /// What an answer of the read shows.
    pub(crate) fn shows(&self, asked: Asked, answer: &Value) -> Shown {
        let is = |expression: &str| probe::search(&filled(expression, asked), answer).ok();
        match (is(&self.happened), self.did_not.as_deref().map(is)) {
            (Some(Value::Bool(true)), _) => Shown::Happened,
            (_, Some(Some(Value::Bool(true)))) | (Some(Value::Bool(false)), None) => Shown::DidNot,
            _ => Shown::Nothing,
        }
    }

    /// The answer that was lost, as far as an answer of the read tells.
    pub(crate) fn result(&self, asked: Asked, answer: &Value) -> Value {
        let result = self.result.as_deref();
        let found = result.and_then(|result| probe::search(&filled(result, asked), answer).ok());
        found.unwrap_or(Value::Null)
    }
}

/// An expression with literals for what stands in `${…}`.
pub(crate) fn filled(expression: &str, asked: Asked) -> String {
    let mut parts = expression.split("${");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or((part, ""));
        let value = match name.strip_prefix("call.") {
            Some(path) => {
                let at = asked.params.pointer(&format!("/{}", path.replace('.', "/")));
                at.cloned().unwrap_or(Value::Null)
            }
            None => asked.token.to_string().into(),
        };
        // Within a literal, nothing but the backtick ends it.
        out.push_str(&format!("`{}`{rest}", value.to_string().replace('`', "\\`")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Model, ModelStore};
    use crate::{effect, reviewed};
    use serde_json::json;
    use stanch_plugins_sdk::core::effect::{Effect, RetrySafety};

    fn asked(params: &Value) -> Asked<'_> {
        Asked { params, token: Uuid::from_u128(7) }
    }

    fn each(mut look: impl FnMut(Named, &Lookup)) {
        let table: BTreeMap<String, Lookup> =
            toml::from_str(include_str!("../catalogue/lookups.toml")).unwrap();
        let models = ModelStore::open(None).unwrap();
        for (operation, lookup) in &table {
            look(models.operation(operation).unwrap(), lookup);
        }
        assert!(table.len() > 30);
    }

    #[test]
    fn what_is_looked_up_says_how_and_the_other_way_round() {
        each(|named, _| {
            let safety = reviewed::of(named).map(|reviewed| reviewed.safety);
            assert_eq!(safety, Some(RetrySafety::Lookup), "{named}");
        });
        let models = ModelStore::open(None).unwrap();
        for operation in reviewed::operations() {
            let named = models.operation(operation).unwrap();
            let is_looked_up = reviewed::of(named).unwrap().safety == RetrySafety::Lookup;
            assert_eq!(is_looked_up, of(named).is_some(), "{named}");
        }
    }

    #[test]
    fn whoever_is_asked_only_reads_and_knows_what_is_asked() {
        let models = ModelStore::open(None).unwrap();
        each(|named, lookup| {
            let read = models.operation(&lookup.read).unwrap();
            assert_eq!(effect::of(read), Effect::Read, "{named}");
            let call = json!({});
            let params = lookup.params(asked(&call)).unwrap_or_else(|error| panic!("{error}"));
            let known = read.model.input(read.operation).map(|shape| &shape.members);
            for (name, _) in params.as_object().unwrap() {
                assert!(known.unwrap().contains_key(name.as_str()), "{named}: {name}");
            }
        });
    }

    /// Whether a dotted path of members leads through a shape.
    fn leads(model: &Model, shape: &str, path: &str) -> bool {
        let (first, rest) = path.split_once('.').unwrap_or((path, ""));
        let member = model.shape(shape).and_then(|shape| shape.members.get(first));
        member.is_some_and(|member| rest.is_empty() || leads(model, &member.shape, rest))
    }

    #[test]
    fn marks_and_places_name_members_of_the_call() {
        each(|named, lookup| {
            let input = &named.operation.input.as_ref().unwrap().shape;
            if let Some(mark) = &lookup.mark {
                assert!(leads(named.model, input, mark.member()), "{named}");
            }
            let parts = [Some(&lookup.happened), lookup.did_not.as_ref(), lookup.result.as_ref()];
            let parts = parts.into_iter().chain([lookup.params.as_ref()]).flatten();
            let mut marks = 0;
            for text in parts {
                for place in text.split("${").skip(1).map(|part| part.split_once('}').unwrap().0) {
                    match place.strip_prefix("call.") {
                        Some(path) => assert!(leads(named.model, input, path), "{named}: {path}"),
                        None => {
                            assert_eq!(place, "token", "{named}");
                            marks += 1;
                        }
                    }
                }
            }
            assert_eq!(lookup.mark.is_some(), marks > 0, "{named} marks what it looks for");
        });
    }

    #[test]
    fn nothing_is_taken_for_an_answer() {
        each(|named, lookup| {
            let members = named.model.input(named.operation).unwrap().members.keys();
            let call = members.map(|name| (name.to_string(), json!(["given"]))).collect();
            let call = Value::Object(call);
            for nothing in [json!(null), json!({}), json!({"Unheard": 1})] {
                let shown = lookup.shows(asked(&call), &nothing);
                assert_ne!(shown, Shown::Happened, "{named}: {nothing}");
            }
        });
    }

    #[test]
    fn a_parameter_is_a_literal_whatever_is_in_it() {
        for name in ["a`b", "a' || `true` || 'b", "${token}", "\\", "\"", "ü"] {
            let call = json!({"Name": name});
            let expression = filled("Name == ${call.Name}", asked(&call));
            assert_eq!(probe::search(&expression, &call), Ok(json!(true)), "{expression}");
            let expression = filled("[${call.Name}, ${call.None}, ${token}]", asked(&call));
            let token = Uuid::from_u128(7).to_string();
            assert_eq!(probe::search(&expression, &json!({})), Ok(json!([name, null, token])));
        }
    }
}
