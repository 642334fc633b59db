//! What is known of a service or an operation, for people and programs that write playbooks.

use serde_json::{Map, Value, json};
use stanch_plugins_sdk::core::effect::RetrySafety;

use crate::lookups::{Lookup, Mark};
use crate::model::{Kind, Member, Model, ModelStore, Named, Shape, Within};
use crate::reviewed;
use crate::{effect, iam, lookups, safety, undo};

/// How deep parameters are shown: shapes may contain themselves.
const DEPTH: usize = 4;

/// A service, with its operations, or one operation, with what it takes and answers.
///
/// # Errors
/// In words, with the nearest name that there is.
pub(crate) fn describe(models: &ModelStore, what: &str) -> Result<Value, String> {
    if what.contains(':') {
        let named = models.operation(what).map_err(|error| error.to_string())?;
        let mut described = operation(named);
        if let Some(members) = described.as_object_mut() {
            members.insert("waiters".to_owned(), json!(waiters(models, named)));
        }
        return Ok(described);
    }
    let (model, _) = models.service_and_rules(what).map_err(|error| error.to_string())?;
    let named = |name: &str| models.operation(&format!("{}:{name}", model.name));
    let operations = model.operations.keys().filter_map(|name| named(name).ok());
    let operations = operations.map(|named| {
        json!({
            "operation": named.to_string(), "effect": effect::of(named).as_str(),
            "iam_actions": iam::of(named).actions, "is_paged": named.paginator.is_some(),
            "after_an_unknown_outcome": safety::of(named), "has_undo": undo::of(named).is_some(),
        })
    });
    Ok(json!({
        "service": model.name, "full_name": model.metadata.service_full_name,
        "waiters": models.waiters(&model.name).unwrap_or_default(),
        "api_version": model.metadata.api_version, "protocol": model.protocol(),
        "operations": operations.collect::<Vec<_>>(),
    }))
}

/// The waiters that ask an operation, as `wait_for` names them.
fn waiters(models: &ModelStore, named: Named) -> Vec<String> {
    let service = &*named.model.name;
    let names = models.waiters(service).unwrap_or_default().into_iter();
    let full = names.map(|name| format!("{service}:{name}"));
    let asks = |name: &String| {
        models.waiter(name).is_ok_and(|(_, waiter)| *waiter.operation == *named.operation.name)
    };
    full.filter(asks).collect()
}

fn operation(named: Named) -> Value {
    let Named { model, operation, .. } = named;
    let pages = named.paginator.map(|paginator| {
        json!({"result_keys": paginator.result_key, "input_tokens": paginator.input_token})
    });
    let iam = iam::of(named);
    let members = |shape: Option<&Shape>| shape.map(|shape| members(model, shape, DEPTH));
    json!({
        "operation": named.to_string(), "effect": effect::of(named).as_str(),
        "after_an_unknown_outcome": safety::of(named), "repeat_rule": rule(named),
        "token_parameter": safety::token_member(named), "looked_up": looked_up(named),
        "already_done_codes": reviewed::of(named).map(|reviewed| reviewed.done().collect::<Vec<_>>()),
        "is_reviewed": reviewed::of(named).is_some(),
        "pages": pages, "parameters": members(model.input(operation)),
        "answer": members(model.output(operation)),
        "iam_actions": iam.actions, "iam_actions_are_assumed": iam.is_assumed,
        "undo": undo::of(named), "errors": operation.errors.iter().map(|error| code(model, error)).collect::<Vec<_>>(),
    })
}

/// The code by which a call tells of an error.
fn code<'m>(model: &'m Model, error: &'m Within) -> &'m str {
    let written = model.shape(&error.shape).and_then(|shape| shape.error.as_ref()?.code.as_deref());
    written.unwrap_or(&error.shape)
}

/// What is done when it is unknown whether a call took place, in words.
fn rule(named: Named) -> String {
    match safety::of(named) {
        RetrySafety::Natural => "it is repeated".to_owned(),
        RetrySafety::Token => {
            let member = safety::token_member(named).unwrap_or_default();
            format!("it is repeated with the same `{member}`")
        }
        RetrySafety::Lookup => match lookups::of(named) {
            Some(Lookup { read, mark: Some(mark), .. }) => {
                format!("`{read}` is asked for the token in `{}`", mark.member())
            }
            Some(Lookup { read, .. }) => format!("`{read}` is asked for the state"),
            None => "a person is asked".to_owned(),
        },
        RetrySafety::Never => "a person is asked".to_owned(),
    }
}

/// How it is looked up whether a call took place.
fn looked_up(named: Named) -> Value {
    lookups::of(named).map_or(Value::Null, |lookup| {
        json!({
            "read": lookup.read, "token_in": lookup.mark.as_ref().map(Mark::member),
            "happened_codes": lookup.gone, "did_not_codes": lookup.absent,
            "happened": lookup.happened, "did_not": lookup.did_not,
        })
    })
}

fn members(model: &Model, shape: &Shape, depth: usize) -> Value {
    let described = shape.members.iter().map(|(name, of)| {
        let mut value = member(model, of, depth);
        if let Some(value) = value.as_object_mut().filter(|_| shape.required.contains(name)) {
            value.insert("required".to_owned(), true.into());
        }
        (name.to_string(), value)
    });
    Value::Object(described.collect::<Map<_, _>>())
}

fn member(model: &Model, member: &Member, depth: usize) -> Value {
    let Some(shape) = model.shape(&member.shape) else { return Value::Null };
    let within = |inner: &Option<Box<Member>>| {
        let inner = inner.as_ref().filter(|_| depth > 0);
        inner.map(|inner| self::member(model, inner, depth - 1))
    };
    let mut out = Map::new();
    let kind = match shape.kind {
        Kind::Structure if shape.document => "document",
        Kind::Structure => "structure",
        Kind::List => "list",
        Kind::Map => "map",
        Kind::String => "string",
        Kind::Boolean => "boolean",
        Kind::Integer => "integer",
        Kind::Long => "long",
        Kind::Float => "float",
        Kind::Double => "double",
        Kind::Blob => "blob",
        Kind::Timestamp => "timestamp",
    };
    out.insert("type".to_owned(), kind.into());
    match shape.kind {
        Kind::Structure if depth > 0 => {
            out.insert("members".to_owned(), members(model, shape, depth - 1));
        }
        Kind::List => drop(out.insert("of".to_owned(), within(&shape.member).into())),
        Kind::Map => drop(out.insert("of".to_owned(), within(&shape.value).into())),
        _ => {}
    }
    if !shape.values.is_empty() {
        out.insert("one_of".to_owned(), json!(shape.values));
    }
    for (name, bound) in [("min", shape.min), ("max", shape.max)] {
        if let Some(bound) = bound {
            out.insert(name.to_owned(), bound.into());
        }
    }
    if let Some(pattern) = &shape.pattern {
        out.insert("pattern".to_owned(), pattern.to_string().into());
    }
    if shape.sensitive {
        out.insert("is_secret".to_owned(), true.into());
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_says_what_it_takes_and_does() {
        let models = ModelStore::open(None).unwrap();
        let found = describe(&models, "iam:UpdateAccessKey").unwrap();
        assert_eq!(found["effect"], "change");
        assert_eq!(found["after_an_unknown_outcome"], "natural");
        let status = &found["parameters"]["Status"];
        assert_eq!((&status["type"], &status["required"]), (&json!("string"), &json!(true)));
        assert!(status["one_of"].to_string().contains("Inactive"));
        assert_eq!(found["undo"]["read"], "iam:ListAccessKeys");
        assert_eq!(found["undo"]["inverse"][0]["call"], "iam:UpdateAccessKey");
        let gone = describe(&models, "iam:DeleteAccessKey").unwrap();
        assert!(gone["undo"]["final"].as_str().unwrap().contains("inactive"));
        let listed = describe(&models, "ec2:DescribeInstances").unwrap();
        assert_eq!(listed["undo"], Value::Null);
        assert_eq!(listed["pages"]["result_keys"], json!(["Reservations"]));
        let token = describe(&models, "ssm:StartAutomationExecution").unwrap();
        assert_eq!(token["token_parameter"], "ClientToken");
        assert_eq!(token["repeat_rule"], "it is repeated with the same `ClientToken`");
    }

    #[test]
    fn an_operation_says_how_it_is_looked_up() {
        let models = ModelStore::open(None).unwrap();
        let command = describe(&models, "ssm:SendCommand").unwrap();
        assert_eq!(command["after_an_unknown_outcome"], "lookup");
        assert_eq!(
            command["repeat_rule"],
            "`ssm:ListCommands` is asked for the token in `Comment`"
        );
        assert_eq!(command["looked_up"]["token_in"], "Comment");
        let detached = describe(&models, "iam:DetachUserPolicy").unwrap();
        assert_eq!(detached["already_done_codes"], json!(["NoSuchEntity"]));
        assert_eq!(detached["looked_up"], Value::Null);
        let unheard = describe(&models, "sqs:SendMessage").unwrap();
        assert_eq!(unheard["is_reviewed"], false);
        assert_eq!(unheard["repeat_rule"], "a person is asked");
    }

    #[test]
    fn a_service_lists_its_operations_and_a_slip_gets_the_nearest_name() {
        let models = ModelStore::open(None).unwrap();
        let iam = describe(&models, "iam").unwrap();
        assert!(iam["operations"].as_array().unwrap().len() > 150);
        assert!(describe(&models, "iam:GetUsr").unwrap_err().contains("GetUser"));
        assert!(describe(&models, "iamm").is_err());
    }
}
