//! Records as tables have them
//! (<https://docs.aws.amazon.com/athena/latest/ug/create-cloudtrail-table.html>): exports of Athena and of
//! lakes write the names of members in lower case, and what a call was given and gave as text.

use serde_json::{Map, Value};

/// Members that sources read, as CloudTrail spells them.
const NAMES: &[&str] = &[
    "accessKeyId",
    "accountId",
    "additionalEventData",
    "awsRegion",
    "creationDate",
    "errorCode",
    "errorMessage",
    "eventCategory",
    "eventID",
    "eventName",
    "eventSource",
    "eventTime",
    "eventType",
    "eventVersion",
    "insightContext",
    "insightDetails",
    "insightType",
    "invokedBy",
    "mfaAuthenticated",
    "principalId",
    "readOnly",
    "recipientAccountId",
    "requestID",
    "requestParameters",
    "responseElements",
    "serviceEventDetails",
    "sessionContext",
    "sessionIssuer",
    "sharedEventID",
    "sourceIPAddress",
    "userAgent",
    "userIdentity",
    "userName",
    "vpcEndpointId",
];

/// Columns that hold members. What is in the first is CloudTrail's, and is spelled anew; what is in the
/// others is the called service's, and stays.
const OWN: &[&str] = &["insightDetails", "resources", "userIdentity"];
const OTHERS: &[&str] =
    &["additionalEventData", "requestParameters", "responseElements", "serviceEventDetails"];

/// The text of a column that is read, at most: what CloudTrail says of a record's size.
const COLUMN_BYTES: usize = 256 * 1024;

/// Whether a record has the names of columns and no other.
pub(super) fn is_one(record: &Value) -> bool {
    let has = |name: &str| record.get(name).is_some();
    (has("eventname") && !has("eventName")) || (has("insightdetails") && !has("insightDetails"))
}

/// The record as CloudTrail wrote it, as far as it is read.
pub(super) fn restored(record: &Value) -> Value {
    let Value::Object(members) = record else { return record.clone() };
    let restore = |(name, value): (&String, &Value)| {
        let name = spelled(name);
        let inner = opened(value);
        let value = match inner.as_ref().unwrap_or(value) {
            inner if OWN.contains(&name) => respelled(inner),
            inner if OTHERS.contains(&name) => inner.clone(),
            _ => value.clone(),
        };
        (name.to_owned(), value)
    };
    Value::Object(members.iter().map(restore).collect())
}

fn spelled(name: &str) -> &str {
    NAMES.iter().find(|known| known.eq_ignore_ascii_case(name)).copied().unwrap_or(name)
}

/// What a text holds that is an object or a list.
fn opened(value: &Value) -> Option<Value> {
    let text = value.as_str().filter(|text| text.len() <= COLUMN_BYTES)?;
    let is_one = text.trim_start().starts_with(['{', '[']);
    serde_json::from_str(text).ok().filter(|_| is_one)
}

fn respelled(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let member =
                |(name, value): (&String, &Value)| (spelled(name).to_owned(), respelled(value));
            Value::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(respelled).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_spelled_as_cloudtrail_does_and_what_services_said_stays() {
        let columns = json!({
            "eventname": "RunInstances", "useridentity": {"username": "lea",
                "sessioncontext": {"sessionissuer": {"username": "deploy"}}},
            "requestparameters": "{\"instancetype\": \"t3.nano\"}", "responseelements": "no {json",
            "resources": "[{\"accountid\": \"1\", \"arn\": \"a\"}]", "errormessage": "{\"a\": 1}",
            "p_parse_time": "x",
        });
        assert!(is_one(&columns));
        let expected = json!({
            "eventName": "RunInstances", "userIdentity": {"userName": "lea",
                "sessionContext": {"sessionIssuer": {"userName": "deploy"}}},
            "requestParameters": {"instancetype": "t3.nano"}, "responseElements": "no {json",
            "resources": [{"accountId": "1", "arn": "a"}], "errorMessage": "{\"a\": 1}",
            "p_parse_time": "x",
        });
        let restored = restored(&columns);
        assert_eq!(restored, expected);
        assert!(!is_one(&restored));
    }
}
