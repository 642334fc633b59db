//! What expressions can do beyond JMESPath's own functions. `docs/jmespath.md` tells people.
//!
//! They look at their arguments and at nothing else, like the others.

use std::sync::LazyLock;

use jmespath::functions::{ArgumentType, CustomFunction, Signature};
use jmespath::{Context, ErrorReason, JmespathError, Rcvar, Runtime, Variable};
use serde_json::{Map, Value};

/// JMESPath with these functions.
pub(super) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    use ArgumentType::{Any, Array, Object, String};
    let mut runtime = Runtime::new();
    runtime.register_builtin_functions();
    add(&mut runtime, "includes", vec![Any, Any], |args| {
        Ok(two(args).is_some_and(|(whole, part)| shows(part) && includes(whole, part)).into())
    });
    add(&mut runtime, "parse_json", vec![String], |args| {
        let text = args.first().and_then(Value::as_str).unwrap_or_default();
        serde_json::from_str(text).map_err(|error| format!("parse_json: {error}"))
    });
    add(&mut runtime, "percent_decode", vec![String], |args| {
        percent_decode(args.first().and_then(Value::as_str).unwrap_or_default())
    });
    add(&mut runtime, "pick", vec![Any, Object], |args| {
        Ok(two(args).map_or(Value::Null, |(whole, like)| pick(whole, like)))
    });
    add(&mut runtime, "unwind", vec![Array, String], |args| {
        Ok(two(args).map_or(Value::Null, |(list, name)| unwind(list, name)))
    });
    runtime
});

fn add(
    runtime: &mut Runtime,
    name: &'static str,
    takes: Vec<ArgumentType>,
    does: fn(&[Value]) -> Result<Value, String>,
) {
    let invoked = move |args: &[Rcvar], context: &mut Context<'_>| {
        let wrong = |why: String| {
            JmespathError::new(context.expression, context.offset, ErrorReason::Parse(why))
        };
        let values: Result<Vec<Value>, _> =
            args.iter().map(|arg| serde_json::to_value(&**arg)).collect();
        let given = values.map_err(|error| wrong(error.to_string()))?;
        let value = does(&given).map_err(wrong)?;
        let variable = Variable::try_from(value)?;
        Ok(Rcvar::new(variable))
    };
    let function = CustomFunction::new(Signature::new(takes, None), Box::new(invoked));
    runtime.register_function(name, Box::new(function));
}

fn two(args: &[Value]) -> Option<(&Value, &Value)> {
    match args {
        [first, second] => Some((first, second)),
        _ => None,
    }
}

/// Whether a part asks for anything: one that asks for nothing would be found in everything.
fn shows(part: &Value) -> bool {
    match part {
        Value::Null => false,
        Value::Object(members) => members.values().any(|member| !member.is_null()),
        _ => true,
    }
}

/// Whether a value is what a part of it says: of an object, the members that the part names; of a
/// list, as many items, in any order.
fn includes(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            let mut asked = part.iter().filter(|(_, value)| !value.is_null());
            asked.all(|(name, part)| includes(whole.get(name).unwrap_or(&Value::Null), part))
        }
        (Value::Null, Value::Object(part)) => part.values().all(Value::is_null),
        (Value::Null, Value::Array(part)) => part.is_empty(),
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len()
                && part.iter().all(|part| whole.iter().any(|item| includes(item, part)))
                && (part.iter().any(Value::is_object) || whole.iter().all(|i| part.contains(i)))
        }
        (Value::Number(whole), Value::Number(part)) => whole.as_f64() == part.as_f64(),
        (whole, part) => whole == part,
    }
}

/// The members of an object that another one has, too; nothing of what is null in either.
fn pick(whole: &Value, like: &Value) -> Value {
    let Some(members) = whole.as_object() else { return Value::Null };
    let named = |name: &str| like.get(name).is_some_and(|value| !value.is_null());
    let picked = members.iter().filter(|(name, value)| !value.is_null() && named(name));
    Value::Object(picked.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>())
}

/// For every item of a list that one of its members holds, the object with that item in the place
/// of the list.
fn unwind(list: &Value, name: &Value) -> Value {
    let name = name.as_str().unwrap_or_default();
    let items = list.as_array().into_iter().flatten();
    let each = items.flat_map(|object| {
        let inner = object.get(name).and_then(Value::as_array).into_iter().flatten();
        inner.map(move |item| {
            let mut object = object.clone();
            if let Some(member) = object.get_mut(name) {
                *member = item.clone();
            }
            object
        })
    });
    Value::Array(each.collect())
}

/// Takes percent-encoding back. A plus sign stays one.
fn percent_decode(text: &str) -> Result<Value, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next()), digit(rest.next()));
        let decoded = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
        bytes.push(decoded.ok_or("percent_decode: a `%` is not followed by two digits")?);
    }
    let text = String::from_utf8(bytes).map_err(|error| format!("percent_decode: {error}"))?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::search;
    use super::*;

    fn found(expression: &str, over: &Value) -> Value {
        search(expression, over).unwrap()
    }

    #[test]
    fn a_part_is_found_in_what_says_more() {
        let whole =
            json!({"a": 1, "b": {"c": [1, 2], "d": null}, "e": [{"f": 1, "g": 2}], "h": ""});
        for (part, is_in) in [
            (json!({"a": 1}), true),
            (json!({"a": 1.0, "x": null}), true),
            (json!({"b": {"c": [2, 1]}}), true),
            (json!({"b": {"c": [1]}}), false),
            (json!({"b": {"c": [1, 1]}}), false),
            (json!({"b": {"d": []}}), true),
            (json!({"e": [{"f": 1}]}), true),
            (json!({"e": [{"f": 2}]}), false),
            (json!({"e": []}), false),
            (json!({"a": 2}), false),
            (json!({"x": 1}), false),
            // What asks for nothing shows nothing.
            (json!({}), false),
            (json!({"x": null}), false),
            (json!(null), false),
        ] {
            let both = json!({"whole": whole, "part": part});
            assert_eq!(found("includes(whole, part)", &both), json!(is_in), "{part}");
        }
        assert_eq!(found("includes(x, `{\"a\": 1}`)", &json!({})), json!(false));
    }

    #[test]
    fn documents_inside_of_documents_can_be_compared() {
        let answer = json!({"P": "%7B%22a%22%3A+%5B1%2C%202%5D%7D", "Q": "{\"a\":[1,2]}"});
        assert_eq!(found("percent_decode(P)", &answer), json!("{\"a\":+[1, 2]}"));
        assert_eq!(found("parse_json(Q) == `{\"a\": [1, 2]}`", &answer), json!(true));
        for wrong in ["parse_json(P)", "percent_decode('%4')", "percent_decode('%zz')"] {
            assert!(search(wrong, &answer).is_err(), "{wrong}");
        }
    }

    #[test]
    fn members_are_picked_as_another_object_names_them() {
        let both =
            json!({"a": {"x": 1, "y": null, "z": [2]}, "b": {"x": 0, "y": 1, "q": 3, "z": null}});
        assert_eq!(found("pick(a, b)", &both), json!({"x": 1}));
        assert_eq!(found("pick(nothing, b)", &both), json!(null));
    }

    #[test]
    fn a_list_inside_becomes_one_object_for_each_item() {
        let rules = json!({"p": [{"port": 22, "r": [{"c": "a"}, {"c": "b"}]}, {"port": 80}]});
        assert_eq!(
            found("unwind(p, 'r')[].join(' ', [to_string(port), r.c])", &rules),
            json!(["22 a", "22 b"])
        );
    }
}
