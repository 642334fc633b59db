//! A form as fields of text, for where people fill it in without knowing JSON: a page in a browser, a
//! message. What was filled in is read back by the same form.

use serde::Serialize;
use serde_json::{Map, Value};

use super::form::{Form, Kind, Schema};
use crate::incident::Verdict;

/// What stands between the names of members, where one is in another.
const BETWEEN: char = '.';

/// One field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    /// What it fills in: the name of a member, with those that it is in before it, as in `host.name`.
    pub path: String,
    /// What people call it.
    pub label: String,
    /// What people should know of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether a yes needs it.
    pub is_required: bool,
    /// What can be filled in.
    pub control: Control,
}

/// What can be filled in.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Control {
    /// A line of text.
    Text {
        /// Characters, at most.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_chars: Option<u32>,
    },
    /// A number.
    Number {
        /// Whether it has no fraction.
        is_whole: bool,
    },
    /// One of these.
    Choice {
        /// What is chosen from, as it is written.
        options: Vec<String>,
    },
    /// A list: a line for each item.
    Lines,
}

impl Form {
    /// Its fields; nothing when it holds what fields of text can't say, such as lists of objects.
    pub fn fields(&self) -> Option<Vec<Field>> {
        let schema = match self {
            Self::Verdict => {
                let options = Verdict::ALL.map(|verdict| verdict.as_str().to_owned()).to_vec();
                return Some(vec![Field {
                    path: "verdict".to_owned(),
                    label: "What it was".to_owned(),
                    hint: None,
                    is_required: true,
                    control: Control::Choice { options },
                }]);
            }
            Self::Members(schema) => schema,
        };
        let mut fields = Vec::new();
        gather(schema, "", true, &mut fields)?;
        Some(fields)
    }

    /// What was filled in, by path. An empty field is one that was left out; whether that may be is for
    /// [`Form::check`] to say.
    ///
    /// # Errors
    /// In words, when a field is none of the form's, or holds what can't be read.
    pub fn read(&self, filled_in: &[(String, String)]) -> Result<Value, String> {
        let mut form = Map::new();
        for (path, text) in filled_in.iter().filter(|(_, text)| !text.trim().is_empty()) {
            let value = match self {
                Self::Verdict if path == "verdict" => Value::String(text.clone()),
                Self::Verdict => return Err(format!("the form has no field `{path}`")),
                Self::Members(schema) => {
                    let member = path
                        .split(BETWEEN)
                        .try_fold(&**schema, |schema, name| schema.properties.get(name));
                    let member = member.ok_or_else(|| format!("the form has no field `{path}`"))?;
                    member.read(text).map_err(|what| format!("`form.{path}` must be {what}"))?
                }
            };
            place(&mut form, path, value);
        }
        Ok(if form.is_empty() { Value::Null } else { Value::Object(form) })
    }
}

/// Puts a value where its path says.
fn place(form: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once(BETWEEN) {
        None => drop(form.insert(path.to_owned(), value)),
        Some((name, rest)) => {
            let inner = form.entry(name).or_insert_with(|| Value::Object(Map::new()));
            if let Some(inner) = inner.as_object_mut() {
                place(inner, rest, value);
            }
        }
    }
}

/// The fields of an object's members, those that must be there first.
fn gather(schema: &Schema, above: &str, is_needed: bool, into: &mut Vec<Field>) -> Option<()> {
    let is_required = |name: &str| schema.required.iter().any(|one| one == name);
    let members = schema.properties.iter();
    let (first, rest): (Vec<_>, Vec<_>) = members.partition(|(name, _)| is_required(name));
    for (name, member) in first.into_iter().chain(rest) {
        if name.contains(BETWEEN) || name.is_empty() {
            return None;
        }
        let path = if above.is_empty() { name.clone() } else { format!("{above}{BETWEEN}{name}") };
        let is_needed = is_needed && is_required(name);
        if member.kind == Some(Kind::Object) || !member.properties.is_empty() {
            if member.properties.is_empty() {
                return None;
            }
            gather(member, &path, is_needed, into)?;
            continue;
        }
        into.push(Field {
            label: member.title.clone().unwrap_or_else(|| path.clone()),
            hint: member.description.clone(),
            is_required: is_needed,
            control: member.control()?,
            path,
        });
    }
    Some(())
}

/// A value as people write it.
fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Schema {
    fn control(&self) -> Option<Control> {
        if let Some(values) = &self.one_of {
            let mut options: Vec<String> = values.iter().map(written).collect();
            let count = options.len();
            options.sort_unstable();
            options.dedup();
            // Two values that are written alike, such as 1 and "1", can't be told apart.
            let is_clear = options.len() == count && values.iter().all(|value| !value.is_object());
            let options = values.iter().map(written).collect();
            return is_clear.then_some(Control::Choice { options });
        }
        Some(match self.kind {
            None | Some(Kind::String) => Control::Text { max_chars: self.max_length },
            Some(Kind::Integer) => Control::Number { is_whole: true },
            Some(Kind::Number) => Control::Number { is_whole: false },
            Some(Kind::Boolean) => {
                Control::Choice { options: vec!["true".to_owned(), "false".to_owned()] }
            }
            Some(Kind::Array) => {
                let is_plain = |items: &Schema| {
                    !matches!(items.kind, Some(Kind::Array | Kind::Object))
                        && items.properties.is_empty()
                        && items.control().is_some()
                };
                let is_plain = self.items.as_deref().is_none_or(is_plain);
                return is_plain.then_some(Control::Lines);
            }
            Some(Kind::Object) => return None,
        })
    }

    /// A value of what was written; else what it must be.
    fn read(&self, text: &str) -> Result<Value, String> {
        if let Some(values) = &self.one_of {
            let known: Vec<_> = values.iter().map(written).collect();
            let found = values.iter().find(|value| written(value) == text.trim());
            return found.cloned().ok_or_else(|| format!("one of {}", known.join(", ")));
        }
        let parsed = |what: &str, kind: Kind| {
            let value: Option<Value> = serde_json::from_str(text.trim()).ok();
            value.filter(|value| kind.fits(value)).ok_or_else(|| what.to_owned())
        };
        match self.kind {
            _ if !self.properties.is_empty() => Err("filled in by its members".to_owned()),
            None | Some(Kind::String) => Ok(Value::String(text.to_owned())),
            Some(Kind::Integer) => parsed("a whole number", Kind::Integer),
            Some(Kind::Number) => parsed("a number", Kind::Number),
            Some(Kind::Boolean) => parsed("true or false", Kind::Boolean),
            Some(Kind::Array) => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                let item = |line: &str| match &self.items {
                    Some(items) => items.read(line),
                    None => Ok(Value::String(line.to_owned())),
                };
                lines.map(item).collect::<Result<_, _>>().map(Value::Array)
            }
            Some(Kind::Object) => Err("filled in by its members".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn form(value: Value) -> Form {
        serde_json::from_value(value).unwrap()
    }

    fn filled_in(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    fn all() -> Form {
        form(json!({"required": ["ticket", "host"], "properties": {
            "ticket": {"type": "string", "title": "Ticket", "description": "of the queue",
                "maxLength": 12},
            "blast": {"type": "integer", "minimum": 1},
            "share": {"type": "number"},
            "place": {"enum": ["prod", "test", 7]},
            "sure": {"type": "boolean"},
            "hosts": {"type": "array", "items": {"type": "string"}},
            "ports": {"type": "array", "items": {"type": "integer"}},
            "host": {"required": ["name"], "properties": {"name": {}, "zone": {}}},
        }}))
    }

    #[test]
    fn a_form_is_fields_with_those_first_that_must_be_filled_in() {
        let fields = all().fields().unwrap();
        let paths: Vec<_> = fields.iter().map(|field| field.path.as_str()).collect();
        let expected = "host.name host.zone ticket blast hosts place ports share sure";
        assert_eq!(paths.join(" "), expected);
        let needed: Vec<_> = fields.iter().filter(|f| f.is_required).map(|f| &f.path).collect();
        assert_eq!(needed, ["host.name", "ticket"]);
        assert_eq!(fields[2].label, "Ticket");
        assert_eq!(fields[2].control, Control::Text { max_chars: Some(12) });
        let options = vec!["prod".to_owned(), "test".to_owned(), "7".to_owned()];
        assert_eq!(fields[5].control, Control::Choice { options });
        let verdict = form(json!("verdict")).fields().unwrap();
        assert_eq!((verdict[0].path.as_str(), verdict[0].is_required), ("verdict", true));
    }

    #[test]
    fn what_is_filled_in_is_what_the_api_would_be_sent() {
        let fields = filled_in(&[
            ("ticket", "INC-7"),
            ("blast", " 3 "),
            ("share", "0.5"),
            ("place", "7"),
            ("sure", "true"),
            ("hosts", "a\r\n\r\n b \r\n"),
            ("ports", "22\n443"),
            ("host.name", "web"),
            ("host.zone", "  "),
        ]);
        let expected = json!({"ticket": "INC-7", "blast": 3, "share": 0.5, "place": 7, "sure": true,
            "hosts": ["a", "b"], "ports": [22, 443], "host": {"name": "web"}});
        let read = all().read(&fields).unwrap();
        assert_eq!(read, expected);
        assert_eq!(all().check(&read), Ok(()));
        assert_eq!(all().read(&filled_in(&[("ticket", "")])), Ok(Value::Null));
        let verdict = form(json!("verdict"));
        let read = verdict.read(&filled_in(&[("verdict", "true_positive")]));
        assert_eq!(read, Ok(json!({"verdict": "true_positive"})));
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        for (path, text, says) in [
            ("blast", "many", "`form.blast` must be a whole number"),
            ("blast", "1.5", "a whole number"),
            ("sure", "yes", "true or false"),
            ("place", "moon", "one of prod, test, 7"),
            ("ports", "22\nssh", "a whole number"),
            ("person", "lea", "no field `person`"),
            ("ticket.x", "y", "no field `ticket.x`"),
            ("host", "x", "filled in by its members"),
        ] {
            let error = all().read(&filled_in(&[(path, text)])).unwrap_err();
            assert!(error.contains(says), "{path}: {error}");
        }
        let error = form(json!("verdict")).read(&filled_in(&[("x", "y")])).unwrap_err();
        assert!(error.contains("no field `x`"), "{error}");
    }

    #[test]
    fn what_fields_of_text_can_not_say_has_none() {
        for member in [
            json!({"type": "object"}),
            json!({"type": "array", "items": {"type": "object"}}),
            json!({"type": "array", "items": {"type": "array"}}),
            json!({"enum": [1, "1"]}),
            json!({"enum": [{"a": 1}]}),
        ] {
            assert_eq!(form(json!({"properties": {"a": member}})).fields(), None, "{member}");
        }
        assert_eq!(form(json!({"properties": {"a.b": {}}})).fields(), None);
    }
}
