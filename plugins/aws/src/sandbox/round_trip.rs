//! The client's requests as the sandbox reads them, and the sandbox's answers as the client reads
//! them: for every operation of the services that responders use most, with every member given.

use bytes::Bytes;
use http::Request;
use serde_json::{Map, Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::reply::{Answer, Reply};
use super::request;
use super::route::TWINS;
use crate::client::{read_answer, write_request};
use crate::model::{Kind, Model, ModelStore, Named};

const SERVICES: [&str; 33] = [
    "athena",
    "autoscaling",
    "cloudtrail",
    "cloudwatch",
    "config",
    "detective",
    "ec2",
    "elbv2",
    "events",
    "guardduty",
    "iam",
    "kms",
    "logs",
    "organizations",
    "rds",
    "secretsmanager",
    "securityhub",
    "sns",
    "ssm",
    "sts",
    "support",
    "accessanalyzer",
    "backup",
    "cloudfront",
    "eks",
    "eventbridgev2",
    "inspector2",
    "lambda",
    "macie2",
    "route53",
    "s3",
    "s3control",
    "sqs",
];

/// A value of a shape, with every member and two items of each list; nothing where a shape would
/// contain itself.
fn sample(model: &Model, name: &str, above: &[&str]) -> Option<Value> {
    let shape = model.shape(name).unwrap();
    if above.contains(&name) || above.len() > 8 {
        return None;
    }
    let above = &[above, &[name]].concat()[..];
    let inner = |name: &str| sample(model, name, above);
    Some(match shape.kind {
        Kind::Structure if shape.document => json!({"any": [1, "x"]}),
        Kind::Structure if shape.eventstream => return None,
        Kind::Structure => {
            let members = shape.members.iter().take(if shape.union { 1 } else { usize::MAX });
            let given = members.filter_map(|(name, m)| Some((name.to_string(), inner(&m.shape)?)));
            let given: Map<String, Value> = given.collect();
            if given.is_empty() && above.len() > 1 {
                return None;
            }
            given.into()
        }
        Kind::List => json!(vec![inner(&shape.member.as_ref()?.shape)?; items(shape.min)]),
        Kind::Map => {
            let value = inner(&shape.value.as_ref()?.shape)?;
            let keys = &model.shape(&shape.key.as_ref()?.shape)?.values;
            let key = |at: usize| keys.get(at).map_or(format!("key-{at}"), |key| key.to_string());
            (0..items(shape.min)).map(|at| (key(at), value.clone())).collect::<Map<_, _>>().into()
        }
        Kind::String => match shape.values.first() {
            Some(value) => json!(value),
            None => json!("a <&> \"ü\"".to_owned() + &"x".repeat(items(shape.min))),
        },
        Kind::Boolean => json!(true),
        Kind::Integer | Kind::Long => json!(items(shape.min).max(3)),
        Kind::Float | Kind::Double => json!(shape.min.unwrap_or(0.0) + 1.5),
        Kind::Blob => json!("AAH/"),
        Kind::Timestamp => json!("2026-11-24T03:00:00Z"),
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounds are small")]
fn items(min: Option<f64>) -> usize {
    (min.unwrap_or(0.0) as usize).max(2)
}

fn each_operation(mut look: impl FnMut(Named)) {
    let models = ModelStore::open(None).unwrap();
    for service in SERVICES {
        let operations = models.service(service).unwrap().operations.keys();
        for operation in operations.filter(|name| !TWINS.contains(&&***name)) {
            look(models.operation(&format!("{service}:{operation}")).unwrap());
        }
    }
}

#[test]
fn every_request_of_the_client_is_read_as_it_was_meant() {
    let models = ModelStore::open(None).unwrap();
    let mut read = 0;
    each_operation(|named| {
        let input = named.operation.input.as_ref();
        let Some(params) = input.and_then(|input| sample(named.model, &input.shape, &[])) else {
            return;
        };
        let written = write_request(named, &params, None).unwrap();
        let service = named.model.metadata.signing_name();
        let scope = format!("AWS4-HMAC-SHA256 Credential=AKIA1/20261124/us-east-1/{service}/aws4");
        let mut request = Request::builder()
            .method(written.method())
            .uri(written.uri())
            .header("authorization", scope);
        for (name, value) in written.headers() {
            request = request.header(name, value);
        }
        let body = Bytes::copy_from_slice(written.body().bytes().unwrap());
        let asked = request::read(&models, &request.body(body).unwrap());
        let asked = asked.unwrap_or_else(|refused| panic!("{named}: {refused:?}"));
        assert_eq!((asked.operation(), &asked.params), (named.to_string(), &params));
        assert_eq!((&*asked.access_key_id, &*asked.region), ("AKIA1", "us-east-1"));
        read += 1;
    });
    assert!(read > 2_000, "{read}");
}

#[test]
fn every_answer_of_the_sandbox_is_read_as_it_was_meant() {
    let mut read = 0;
    each_operation(|named| {
        let output = named.operation.output.as_ref();
        let Some(mut value) = output.and_then(|output| sample(named.model, &output.shape, &[]))
        else {
            return;
        };
        let members = named.model.output(named.operation).into_iter().flat_map(|s| &s.members);
        for (name, _) in members.filter(|(_, m)| m.location.as_deref() == Some("statusCode")) {
            value[&**name] = json!(202);
        }
        // The length is the body's own.
        value.as_object_mut().unwrap().remove("ContentLength");
        let asked = request::Asked {
            named,
            params: Value::Null,
            dialect: request::dialect(named.model),
            access_key_id: String::new(),
            region: String::new(),
            damage: None,
        };
        let now = Timestamp::default();
        let reply = Reply { dialect: asked.dialect(), id: "r1".to_owned(), now };
        let Answer::Response(response) = reply.give(&asked, Ok(value.clone())) else { panic!() };
        let mut got =
            read_answer(named, response).unwrap_or_else(|error| panic!("{named}: {error}"));
        if let Some(members) = got.as_object_mut() {
            members.remove("ContentLength");
        }
        assert_eq!(without_nulls(&got), value, "{named}");
        read += 1;
    });
    assert!(read > 2_000, "{read}");
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let there = members.iter().filter(|(_, value)| !value.is_null());
            there.map(|(name, value)| (name.clone(), without_nulls(value))).collect()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}
