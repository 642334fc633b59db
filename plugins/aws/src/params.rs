//! Whether parameters fit an operation: checked against its model before anything is sent, every
//! mistake at once.

use serde_json::{Map, Value};
use stanch_plugins_sdk::core::sealed;
use stanch_plugins_sdk::core::suggest;
use uuid::Uuid;

use crate::client::value;
use crate::model::{Kind, Model, Named, Shape};
use crate::safety;

/// Mistakes that are told at once. Whoever makes more has another operation in mind.
const MISTAKES: usize = 20;

/// How deep parameters may nest. AWS's deepest real ones have about ten levels.
const DEPTH: usize = 64;

/// Every mistake in the parameters of an operation, each with the path of the value.
pub(crate) fn mistakes(named: Named, params: &Value) -> Vec<String> {
    let mut check = Check { model: named.model, found: Vec::new(), is_answer: false };
    match (params, named.model.input(named.operation)) {
        (Value::Object(members), Some(shape)) => check.members("", shape, members, 0),
        (Value::Object(members), None) => {
            if !members.is_empty() {
                check.say(format!("{named} takes no parameters"));
            }
        }
        _ => check.say("the parameters are not an object".to_owned()),
    }
    check.found
}

/// Mistakes in what is to be an answer of the shape `target`: names and types. AWS may leave out
/// of an answer what it likes, and has values that no model knows.
pub(crate) fn mistakes_in_answer(
    model: &'static Model,
    target: &str,
    answer: &Value,
) -> Vec<String> {
    let mut check = Check { model, found: Vec::new(), is_answer: true };
    match (answer, model.shape(target)) {
        (Value::Object(members), Some(shape)) => check.members("", shape, members, 0),
        _ => check.say("the answer is not an object".to_owned()),
    }
    check.found
}

/// The same of a call that is yet to be given the step's idempotency token.
pub(crate) fn mistakes_of_call(named: Named, params: &Value) -> Vec<String> {
    let mut params = params.clone();
    if let (Some(token), Value::Object(members)) = (safety::token_member(named), &mut params) {
        let given = members.entry(token).or_insert(Value::Null);
        if given.is_null() {
            *given = Uuid::nil().to_string().into();
        }
    }
    mistakes(named, &params)
}

struct Check {
    model: &'static Model,
    found: Vec<String>,
    is_answer: bool,
}

impl Check {
    fn say(&mut self, mistake: String) {
        if self.found.len() < MISTAKES {
            self.found.push(mistake);
        }
    }

    fn members(&mut self, path: &str, shape: &Shape, given: &Map<String, Value>, depth: usize) {
        for name in &shape.required {
            if !self.is_answer && given.get(&**name).is_none_or(Value::is_null) {
                self.say(format!("`{}` is missing", within(path, name)));
            }
        }
        let known = || shape.members.keys().map(|name| &**name);
        for (name, value) in given {
            match shape.members.get(&**name) {
                None => {
                    let hint = suggest::hint(name, known());
                    self.say(format!("`{}` is no parameter{hint}", within(path, name)));
                }
                Some(_) if value.is_null() => {}
                Some(member) => self.value(&within(path, name), &member.shape, value, depth),
            }
        }
        let set = given.values().filter(|value| !value.is_null()).count();
        if shape.union && set != 1 {
            let names: Vec<_> = known().collect();
            self.say(format!("`{path}` takes exactly one of {}", names.join(", ")));
        }
    }

    fn value(&mut self, path: &str, target: &str, value: &Value, depth: usize) {
        let Some(shape) = self.model.shape(target) else { return };
        // What is sealed is looked at when it is sent.
        if !self.is_answer && value == sealed::SHOWN {
            return;
        }
        if depth > DEPTH {
            self.say(format!("`{path}` is nested more than {DEPTH} deep"));
            return;
        }
        match (shape.kind, value) {
            (Kind::Structure, _) if shape.document => {}
            (Kind::Structure, Value::Object(given)) => self.members(path, shape, given, depth + 1),
            (Kind::List, Value::Array(items)) => {
                self.bound(path, "items", shape, items.len());
                let member = shape.member.as_ref().map(|member| &*member.shape);
                for (at, item) in items.iter().enumerate() {
                    self.value(&format!("{path}[{at}]"), member.unwrap_or(""), item, depth + 1);
                }
            }
            (Kind::Map, Value::Object(given)) => {
                self.bound(path, "members", shape, given.len());
                let member = shape.value.as_ref().map(|member| &*member.shape);
                for (name, value) in given {
                    self.value(&within(path, name), member.unwrap_or(""), value, depth + 1);
                }
            }
            (Kind::String, Value::String(_)) if self.is_answer => {}
            (Kind::String, Value::String(text)) => self.string(path, shape, text),
            (kind, value) => match wanted(kind, value) {
                Some(wanted) => self.say(format!("`{path}` is {}, not {wanted}", what(value))),
                None => self.range(path, shape, value),
            },
        }
    }

    fn string(&mut self, path: &str, shape: &Shape, text: &str) {
        if !shape.values.is_empty() && !shape.values.iter().any(|known| **known == *text) {
            let known: Vec<&str> = shape.values.iter().map(|known| &**known).collect();
            let hint = suggest::hint(text, known.iter().copied());
            let known = if known.len() <= 12 { known.join(", ") } else { String::new() };
            let one_of = if known.is_empty() { "AWS's values" } else { &known };
            self.say(format!("`{path}` is not one of {one_of}{hint}"));
            return;
        }
        self.bound(path, "characters", shape, text.chars().count());
        let pattern = shape.pattern.as_ref();
        if let Some(pattern) = pattern.filter(|pattern| pattern.matches(text) == Some(false)) {
            self.say(format!("`{path}` does not look like {pattern}"));
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "no length comes near 2^53")]
    fn bound(&mut self, path: &str, of: &str, shape: &Shape, length: usize) {
        if let Some(bound) = self.broken_bound(shape, length as f64) {
            self.say(format!("`{path}` has {length} {of}, and takes {bound}"));
        }
    }

    fn range(&mut self, path: &str, shape: &Shape, value: &Value) {
        let Some(number) = value.as_f64().filter(|_| shape.kind != Kind::Timestamp) else { return };
        if let Some(bound) = self.broken_bound(shape, number) {
            self.say(format!("`{path}` takes {bound}"));
        }
    }

    /// The bound that a number, a length or a count does not keep.
    fn broken_bound(&self, shape: &Shape, number: f64) -> Option<String> {
        if self.is_answer {
            return None;
        }
        let min = shape.min.filter(|min| number < *min).map(|min| format!("at least {min}"));
        min.or_else(|| shape.max.filter(|max| number > *max).map(|max| format!("at most {max}")))
    }
}

fn within(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// What a value ought to be, when it is not.
fn wanted(kind: Kind, value: &Value) -> Option<&'static str> {
    let (fits, name) = match kind {
        Kind::Structure | Kind::Map => (value.is_object(), "an object"),
        Kind::List => (value.is_array(), "a list"),
        Kind::String => (value.is_string(), "a string"),
        Kind::Boolean => (value.is_boolean(), "a boolean"),
        Kind::Integer => {
            let fits = value.as_i64().is_some_and(|number| i32::try_from(number).is_ok());
            (fits, "an integer of 32 bits")
        }
        Kind::Long => (value.as_i64().is_some(), "an integer of 64 bits"),
        Kind::Float | Kind::Double => (value::float(value).is_some(), "a number"),
        Kind::Blob => (value::blob(value).is_some(), "base64"),
        Kind::Timestamp => {
            (value::timestamp(value).is_some(), "an ISO 8601 time or a number of seconds")
        }
    };
    (!fits).then_some(name)
}

/// What a value is, without the value: it may be a secret.
fn what(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelStore;
    use serde_json::json;

    fn of(operation: &str, params: Value) -> Vec<String> {
        let named = ModelStore::open(None).unwrap().operation(operation).unwrap();
        mistakes(named, &params)
    }

    #[test]
    fn right_parameters_have_no_mistakes() {
        let right =
            json!({"UserName": "u", "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "Status": "Inactive"});
        assert!(of("iam:UpdateAccessKey", right).is_empty());
        assert!(of("sts:GetCallerIdentity", json!({})).is_empty());
        let times = json!({"StartTime": "2026-11-24T03:00:00Z", "EndTime": 1_795_489_200});
        assert!(of("cloudtrail:LookupEvents", times).is_empty());
    }

    #[test]
    fn a_token_that_must_be_there_is_the_engines_to_give() {
        let named = ModelStore::open(None).unwrap().operation("eks:CreateAccessEntry").unwrap();
        let call = json!({"clusterName": "c", "principalArn": "arn:aws:iam::111122223333:role/r"});
        assert!(mistakes_of_call(named, &call).is_empty());
        let list = "route53resolver:CreateFirewallDomainList";
        let named = ModelStore::open(None).unwrap().operation(list).unwrap();
        assert!(mistakes_of_call(named, &json!({"Name": "n"})).is_empty());
        assert_eq!(mistakes_of_call(named, &json!({})), ["`Name` is missing"]);
        assert_eq!(mistakes(named, &json!({"Name": "n"})), ["`CreatorRequestId` is missing"]);
    }

    #[test]
    fn every_mistake_is_told_at_once_with_its_path() {
        let mistakes = of(
            "ec2:DescribeInstances",
            json!({"Filter": [], "Filters": [{"Name": 1, "Value": []}], "MaxResults": "5"}),
        );
        assert_eq!(
            mistakes,
            [
                "`Filter` is no parameter (did you mean `Filters`?)",
                "`Filters[0].Name` is a number, not a string",
                "`Filters[0].Value` is no parameter (did you mean `Values`?)",
                "`MaxResults` is a string, not an integer of 32 bits",
            ]
        );
    }

    #[test]
    fn what_is_missing_and_what_is_no_value_is_told() {
        let mistakes = of("iam:UpdateAccessKey", json!({"Status": "inactive"}));
        assert_eq!(
            mistakes,
            [
                "`AccessKeyId` is missing",
                "`Status` is not one of Active, Inactive, Expired (did you mean `Inactive`?)",
            ]
        );
    }

    #[test]
    fn bounds_are_kept_at_both_ends() {
        let mistakes = of("cloudtrail:LookupEvents", json!({"MaxResults": 51}));
        assert_eq!(mistakes, ["`MaxResults` takes at most 50"]);
        assert_eq!(
            of("cloudtrail:LookupEvents", json!({"MaxResults": 0})),
            ["`MaxResults` takes at least 1"]
        );
        let long = json!({"UserName": "u".repeat(129)});
        assert_eq!(
            of("iam:GetUser", long),
            ["`UserName` has 129 characters, and takes at most 128"]
        );
    }

    #[test]
    fn a_pattern_is_named_where_it_does_not_fit() {
        let mistakes = of("iam:GetUser", json!({"UserName": "no/path here"}));
        assert_eq!(mistakes, ["`UserName` does not look like [\\w+=,.@-]+"]);
        let mistakes = of(
            "sts:AssumeRole",
            json!({"RoleArn": "arn:aws:iam::1:role/r", "RoleSessionName": "two words"}),
        );
        assert_eq!(mistakes, ["`RoleSessionName` does not look like [\\w+=,.@-]*",]);
    }

    #[test]
    fn a_mistake_never_repeats_the_value() {
        let secret = "hunter2hunter2";
        for params in [json!({"SecretId": [secret]}), json!({"SecretId": {"x": secret}})] {
            let told = of("secretsmanager:GetSecretValue", params).join("; ");
            assert!(!told.is_empty() && !told.contains(secret), "{told}");
        }
    }
}
