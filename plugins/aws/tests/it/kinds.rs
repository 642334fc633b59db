//! Payloads that look like others and say something else.

use serde_json::{Value, json};
use stanch_plugins_sdk::core::alert::AlertStatus::{self, Active, Resolved, Suppressed};

use crate::reading::one;

#[test]
fn an_alarm_that_was_deleted_is_none_that_is_all_right() {
    let arn = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:root-login";
    let alert = one(&json!({
        "id": "e1", "source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm Configuration Change",
        "account": "111122223333", "region": "eu-west-1", "time": "2026-11-24T03:06:00Z",
        "resources": [arn], "detail": {"alarmName": "root-login", "operation": "delete",
            "state": {"value": "OK", "timestamp": "2026-11-24T03:05:12.500+0000"}},
    }));
    assert_eq!((&*alert.source, &*alert.id), ("eventbridge", "e1"));
    assert_eq!(alert.kind, "CloudWatch Alarm Configuration Change");
    assert_eq!(alert.status, Active, "it resolves no alarm");
    assert_eq!(alert.resources[0].id, "root-login");
}

#[test]
fn each_class_of_ocsf_has_its_own_word_for_what_is_over() {
    let finding = |class: u64, member: &str, value: u64| {
        let mut finding = json!({
            "class_uid": class, "class_name": "Finding", "severity_id": 4, "metadata": {"uid": "m"},
            "finding_info": {"uid": "f1", "title": "t"},
        });
        finding[member] = json!(value);
        finding
    };
    let rows: [(Value, AlertStatus); 8] = [
        (finding(2001, "state_id", 3), Suppressed),
        (finding(2001, "state_id", 4), Resolved),
        (finding(2001, "status_id", 4), Active),
        (finding(2004, "status_id", 3), Suppressed),
        (finding(2004, "status_id", 6), Resolved),
        (finding(2005, "status_id", 3), Active),
        (finding(2005, "status_id", 5), Resolved),
        (finding(2004, "state_id", 4), Active),
    ];
    for (finding, status) in rows {
        assert_eq!(one(&finding).status, status, "{finding}");
    }
    for (id, status) in [(1, Resolved), (3, Active)] {
        let mut finding = finding(2003, "status_id", 1);
        finding["compliance"] = json!({"status_id": id});
        assert_eq!(one(&finding).status, status, "{finding}");
    }
}

#[test]
fn what_a_service_did_by_itself_is_about_what_its_details_name() {
    let record = |identity: Value, service: &str, name: &str, details: Value| {
        json!({
            "eventVersion": "1.11", "eventID": "r1", "eventTime": "2026-11-24T03:05:12Z",
            "eventSource": service, "eventName": name, "awsRegion": "eu-west-1",
            "recipientAccountId": "111122223333", "eventType": "AwsServiceEvent",
            "userIdentity": identity, "serviceEventDetails": details,
        })
    };
    let service = json!({"accountId": "111122223333", "invokedBy": "AWS Internal"});
    let details = json!({"keyId": "1234abcd-12ab-34cd-56ef-1234567890ab"});
    let alert = one(&record(service, "kms.amazonaws.com", "DeleteKey", details.clone()));
    assert_eq!(alert.resources[0].kind, "AwsKmsKey");
    assert_eq!(json!(alert.resources[0].id), details["keyId"]);
    let person = json!({"type": "IdentityCenterUser", "accountId": "111122223333",
        "onBehalfOf": {"userId": "544894e8", "identityStoreArn": "arn:aws:identitystore::1:x/d"}});
    let alert = one(&record(person, "sso.amazonaws.com", "Authenticate", Value::Null));
    assert_eq!(alert.actor.unwrap().user.as_deref(), Some("544894e8"));
}
