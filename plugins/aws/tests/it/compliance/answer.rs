//! Whether what is read out of an answer is what is in it.

use aws_smithy_types::base64;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use stanch_plugins_sdk::Outcome;

use super::suite::{Case, Suite};
use super::value;
use crate::context::{anywhere, attempt, catalogue_with};
use crate::listener::record;

pub(super) async fn check(suite: &Suite, case: &Case) -> Vec<String> {
    let (url, _) = record(response(suite, case)).await;
    let models = suite.models(case);
    let aws = catalogue_with(&url, Some(models.path()));
    let params = required(suite, case);
    let outcome = attempt(&aws, &anywhere(), &suite.operation(case), params).await;
    let mut wrong = Vec::new();
    let mut same = |what: &str, expected: &Value, seen: &Value| {
        if expected != seen {
            wrong.push(format!("{what} is {seen} and not {expected}"));
        }
    };
    match (&case.result, outcome) {
        (Some(result), Ok(Outcome::Done(done))) => {
            if let Some(shape) = case.given["output"]["shape"].as_str() {
                let expected = value::expected(&suite.shapes, shape, result);
                same("the result", &expected, &value::seen(&suite.shapes, shape, &done.value));
            }
        }
        (Some(_), Ok(Outcome::Again { .. })) => wrong.push("it is not over at once".to_owned()),
        (Some(_), Err(error)) => wrong.push(error.to_string()),
        (None, Ok(_)) => wrong.push("it is no error".to_owned()),
        (None, Err(error)) => {
            same("the code", &json!(case.error_code), &json!(error.code));
            if let Some(message) = &case.error_message {
                same("the message", &json!(message), &json!(error.message));
            }
            let details = error.call.details.clone().unwrap_or_else(|| json!({}));
            let members = case.error.as_ref().and_then(Value::as_object).into_iter().flatten();
            for (name, expected) in members {
                same(name, expected, &details[name]);
            }
        }
    }
    wrong
}

fn response(suite: &Suite, case: &Case) -> http::Response<Bytes> {
    let answer = case.response.as_ref().unwrap();
    let mut response = http::Response::builder().status(answer.status_code);
    for (name, value) in answer.headers.iter().filter(|(n, _)| *n != "Content-Length") {
        response = response.header(name, value);
    }
    let body = match suite.protocol() {
        "smithy-rpc-v2-cbor" => base64::decode(&answer.body).unwrap(),
        _ => answer.body.clone().into_bytes(),
    };
    response.body(Bytes::from(body)).unwrap()
}

/// Something for each parameter that must be there.
fn required(suite: &Suite, case: &Case) -> Value {
    let Some(shape) = case.given["input"]["shape"].as_str() else { return json!({}) };
    let shape = &suite.shapes[shape];
    let names = shape["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let filled = names.map(|name| {
        let of = shape["members"][name]["shape"].as_str().unwrap();
        let value = match suite.shapes[of]["type"].as_str().unwrap() {
            "structure" | "map" => json!({}),
            "list" => json!([]),
            "boolean" => json!(true),
            "integer" | "long" | "float" | "double" | "timestamp" => json!(1),
            "blob" => json!("eA=="),
            _ => json!("x"),
        };
        (name.to_owned(), value)
    });
    Value::Object(filled.collect::<Map<_, _>>())
}
