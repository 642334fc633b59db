//! What findings are wrapped in on their way: each form gives the same alert under the same key.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use stanch_plugins_sdk::core::alert::Alert;
use stanch_plugins_sdk::core::limits;

use crate::reading::{all, auto, catalogue, one, refusal};

fn event() -> Value {
    json!({
        "version": "0", "id": "e1", "detail-type": "GuardDuty Finding", "source": "aws.guardduty",
        "account": "111122223333", "region": "eu-west-1", "time": "2026-11-24T03:06:00Z",
        "detail": {
            "accountId": "111122223333", "region": "eu-west-1", "id": "f1", "severity": 8,
            "type": "Backdoor:EC2/C&CActivity.B!DNS", "service": {"serviceName": "guardduty"},
            "resource": {"resourceType": "Instance", "instanceDetails": {"instanceId": "i-0abc"}},
        },
    })
}

fn notification(message: Value) -> Value {
    json!({
        "Type": "Notification", "MessageId": "m1", "Message": message,
        "TopicArn": "arn:aws:sns:eu-west-1:999988887777:alerts",
        "Timestamp": "2026-11-24T03:06:01Z", "SignatureVersion": "2",
    })
}

fn queued(body: &str) -> Value {
    json!({"Records": [{
        "messageId": "q1", "receiptHandle": "h", "body": body, "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:999988887777:alerts",
    }]})
}

fn packed(text: &str) -> String {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(text.as_bytes()).unwrap();
    BASE64.encode(packer.finish().unwrap())
}

#[test]
fn whatever_a_finding_comes_in_it_is_the_same_alert() {
    let plain = one(&event());
    let text = event().to_string();
    let logs = json!({
        "messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "g", "logStream": "s",
        "logEvents": [{"id": "1", "timestamp": 1_795_489_512_500_i64, "message": text}],
    });
    for form in [
        json!(text),
        json!([event()]),
        notification(json!(text)),
        notification(event()),
        json!({"Records": [{"EventSource": "aws:sns", "Sns": notification(json!(text))}]}),
        queued(&text),
        queued(&notification(json!(text)).to_string()),
        json!({"Messages": [{"MessageId": "q", "ReceiptHandle": "h", "Body": text}]}),
        json!({"MessageId": "q", "ReceiptHandle": "h", "Body": notification(json!(text)).to_string()}),
        json!({"Records": [{"kinesis": {"data": BASE64.encode(&text)}}]}),
        json!({"records": [{"data": packed(&text)}]}),
        json!({"awslogs": {"data": packed(&logs.to_string())}}),
        logs.clone(),
    ] {
        let alert = one(&form);
        assert_eq!(alert, plain, "{form}");
        assert_eq!(alert.dedup_key, "guardduty:f1:111122223333:eu-west-1");
    }
    // Another account's bus and a bare finding give the same key too.
    let mut administrators = event();
    administrators["account"] = json!("999988887777");
    for form in [administrators, event()["detail"].clone()] {
        let alert = one(&form);
        assert_eq!(Alert { raw: plain.raw.clone(), ..alert }, plain);
    }
}

#[test]
fn several_in_one_envelope_are_several_alerts_and_what_is_unknown_is_named_by_its_place() {
    let reading = auto(&json!({"Records": [
        {"Sns": notification(json!(event().to_string()))},
        {"receiptHandle": "h", "body": "hello"},
        {"receiptHandle": "h", "body": event().to_string()},
    ]}));
    assert_eq!(reading.alerts.len(), 2);
    let [refusal] = &reading.refused[..] else { panic!("{:?}", reading.refused) };
    assert_eq!(refusal.at, "Records[1].body");
    assert!(refusal.reason.contains("a text that is no JSON"), "{refusal}");
}

#[test]
fn what_nobody_knows_is_refused_with_what_was_looked_for_and_what_is_there() {
    let reason = refusal(&json!({"color": "red", "size": 3}));
    assert!(reason.contains("an object of color, size"), "{reason}");
    assert!(reason.contains("guardduty"), "{reason}");
    assert!(refusal(&json!([])).contains("empty"));
    assert!(refusal(&json!({"Findings": []})).contains("empty"));
    let unknown = catalogue().read("gaurdduty", &json!({})).unwrap_err();
    assert!(unknown.contains("guardduty"), "{unknown}");
}

#[test]
fn a_confirmation_is_no_alert() {
    let mut asks = notification(json!("You have chosen to subscribe"));
    asks["Type"] = json!("SubscriptionConfirmation");
    asks["SubscribeURL"] = json!("http://127.0.0.1:9/");
    assert!(refusal(&asks).contains("SubscriptionConfirmation"));
}

#[test]
fn who_names_a_source_is_told_what_it_misses() {
    let reading = catalogue().read("guardduty", &notification(json!("{\"id\": 1}"))).unwrap();
    let [refusal] = &reading.refused[..] else { panic!("{reading:?}") };
    assert!(refusal.to_string().starts_with("Message: guardduty: `id`"), "{refusal}");
}

#[test]
fn the_depth_is_limited_and_so_is_the_number() {
    let mut deep = event();
    for _ in 0..limits::ENVELOPES_DEEP + 1 {
        deep = json!([deep]);
    }
    assert!(refusal(&deep).contains("envelopes"), "{}", refusal(&deep));
    let many = Value::Array(vec![event(); limits::ALERTS_PER_PAYLOAD + 5]);
    let reading = auto(&many);
    assert_eq!(reading.alerts.len(), limits::ALERTS_PER_PAYLOAD);
    assert_eq!(reading.refused.len(), 1);
    assert!(all(&Value::Array(vec![event(); 3])).len() == 3);
}
