//! Each source of AWS, by payloads of its own: what stands in which field.

use serde_json::{Value, json};
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus};
use stanch_plugins_sdk::core::severity::Severity::{
    self, Critical, High, Informational, Low, Medium,
};

use crate::reading::{all, one, refusal};

/// What is checked of an alert: source, type, label, status, account and region, resources.
type Row<'a> =
    (&'a str, &'a str, Severity, AlertStatus, (&'a str, &'a str), Vec<(&'a str, &'a str)>);

use AlertStatus::{Active, Resolved, Suppressed};

fn check(payload: &Value, expected: Row<'_>) -> Alert {
    let alert = one(payload);
    let (source, kind, severity, status, (account, region), resources) = expected;
    let found: Vec<_> = alert.resources.iter().map(|r| (&*r.kind, &*r.id)).collect();
    assert_eq!((&*alert.source, &*alert.kind), (source, kind), "{payload}");
    assert_eq!((alert.severity, alert.status), (severity, status), "{payload}");
    let place = (alert.account.as_deref().unwrap_or(""), alert.region.as_deref().unwrap_or(""));
    assert_eq!(place, (account, region), "{payload}");
    assert_eq!(found, resources, "{payload}");
    assert_eq!(Severity::of_score(alert.severity_score), severity);
    alert
}

const HERE: (&str, &str) = ("111122223333", "eu-west-1");

fn event(source: &str, kind: &str, detail: Value) -> Value {
    json!({
        "version": "0", "id": "e1", "source": source, "detail-type": kind,
        "account": "111122223333", "region": "eu-west-1", "time": "2026-11-24T03:06:00Z",
        "resources": [], "detail": detail,
    })
}

fn asff() -> Value {
    json!({
        "SchemaVersion": "2018-10-08", "Id": "arn:aws:securityhub:eu-west-1:111122223333:finding/1",
        "ProductArn": "arn:aws:securityhub:eu-west-1::product/aws/guardduty", "GeneratorId": "g",
        "AwsAccountId": "111122223333", "Types": ["TTPs/Initial Access/UnauthorizedAccess"],
        "FirstObservedAt": "2026-11-24T02:00:00.123456789+0000",
        "CreatedAt": "2026-11-24T02:10:00Z", "UpdatedAt": "2026-11-24T03:00:00-0100",
        "Severity": {"Label": "HIGH", "Normalized": 80, "Product": 8},
        "Title": "A key was used", "Description": "from far away", "SourceUrl": "https://x.example/1",
        "Resources": [
            {"Type": "AwsIamAccessKey", "Id": "AWS::IAM::AccessKey:AKIAIOSFODNN7EXAMPLE",
             "Details": {"AwsIamAccessKey": {"PrincipalName": "ci-deploy"}}},
            {"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::evidence", "Tags": {"Owner": "team"}},
            {"Type": "AwsAccount", "Id": "AWS::::Account:111122223333"},
        ],
        "Action": {"AwsApiCallAction": {"RemoteIpDetails": {"IpAddressV4": "198.51.100.7"}}},
        "ProductFields": {"aws/guardduty/service/count": "7"},
        "Workflow": {"Status": "NEW"}, "RecordState": "ACTIVE",
    })
}

#[test]
fn security_hub() {
    let about = vec![
        ("AwsIamAccessKey", "AKIAIOSFODNN7EXAMPLE"),
        ("AwsS3Bucket", "evidence"),
        ("AwsAccount", "111122223333"),
    ];
    let row = |severity, status| {
        let kind = "TTPs/Initial Access/UnauthorizedAccess";
        ("security_hub", kind, severity, status, HERE, about.clone())
    };
    let imported = |finding| {
        event("aws.securityhub", "Security Hub Findings - Imported", json!({"findings": [finding]}))
    };
    let bare = check(&asff(), row(High, Active));
    let alert = check(&imported(asff()), row(High, Active));
    assert_eq!(alert.dedup_key, bare.dedup_key);
    assert_eq!((alert.severity_score, alert.count), (80, Some(7)));
    assert_eq!(alert.occurred_at.unwrap().to_string(), "2026-11-24T02:00:00.123456Z");
    assert_eq!(alert.updated_at.unwrap().to_string(), "2026-11-24T04:00:00Z");
    assert_eq!(alert.url.as_deref(), Some("https://x.example/1"));
    assert_eq!(alert.resources[0].name.as_deref(), Some("ci-deploy"));
    assert_eq!(alert.resources[1].arn.as_deref(), Some("arn:aws:s3:::evidence"));
    assert_eq!(alert.resources[1].tags["Owner"], "team");
    let actor = alert.actor.unwrap();
    assert_eq!(
        (actor.ip.as_deref(), actor.user.as_deref()),
        (Some("198.51.100.7"), Some("ci-deploy"))
    );
    for (path, value, severity, status) in [
        ("/Workflow/Status", json!("SUPPRESSED"), High, Suppressed),
        ("/Workflow/Status", json!("RESOLVED"), High, Resolved),
        ("/RecordState", json!("ARCHIVED"), High, Resolved),
        ("/Severity", json!({"Normalized": 95}), Critical, Active),
        ("/Severity", json!({"Label": "LOW", "Normalized": 80}), Low, Active),
    ] {
        let mut finding = asff();
        *finding.pointer_mut(path).unwrap() = value;
        check(&imported(finding), row(severity, status));
    }
    let mut second = asff();
    second["Id"] = json!("2");
    let action = json!({"actionName": "isolate", "findings": [asff(), second]});
    let action = event("aws.securityhub", "Security Hub Findings - Custom Action", action);
    let alerts = all(&action);
    assert_eq!(alerts.len(), 2);
    let raw = alerts[1].raw.value();
    assert_eq!(raw["detail"]["actionName"], "isolate");
    assert_eq!(raw["detail"]["findings"], json!([action["detail"]["findings"][1]]));
    let mut broken = asff();
    broken.as_object_mut().unwrap().remove("Severity");
    assert!(refusal(&imported(broken)).contains("`detail.findings[0].Severity.Label`"));
    let insight = json!({
        "actionName": "a", "insightArn": "arn:aws:securityhub:::insight/1", "insightName": "By user",
        "resultType": "ResourceId", "insightResults": [{"arn:aws:s3:::evidence": 5}, {"mia": 6}],
    });
    let insight = event("aws.securityhub", "Security Hub Insight Results", insight);
    let kind = "Security Hub Insight Results";
    let row =
        ("security_hub", kind, Informational, Active, HERE, vec![("AwsS3Bucket", "evidence")]);
    assert_eq!(check(&insight, row).count, Some(11));
}

#[test]
fn ocsf() {
    let finding = |product: &str| {
        json!({
            "class_uid": 2004, "class_name": "Detection Finding", "category_uid": 2,
            "activity_id": 1, "time": 1_795_489_512_500_i64, "severity_id": 5, "severity": "Critical",
            "status_id": 1, "count": 3, "metadata": {"uid": "m1", "product": {"uid": product}},
            "finding_info": {"uid": "f1", "title": "t", "desc": "d", "types": ["Backdoor"],
                             "first_seen_time_dt": "2026-11-24T02:00:00Z",
                             "created_time": 1_795_489_000_000_i64},
            "cloud": {"provider": "AWS", "region": "eu-west-1", "account": {"uid": "111122223333"}},
            "resources": [{"uid": "arn:aws:ec2:eu-west-1:111122223333:instance/i-0abc",
                           "type": "AwsEc2Instance", "tags": [{"name": "Name", "value": "web"}]}],
            "evidences": [{"src_endpoint": {"ip": "198.51.100.7"}, "actor": {"user": {"name": "mia"}}}],
        })
    };
    let about = vec![("AwsEc2Instance", "i-0abc")];
    let row = |source, status| (source, "Backdoor", Critical, status, HERE, about.clone());
    let alert = check(&finding("arn:x"), row("ocsf", Active));
    assert_eq!(alert.occurred_at.unwrap().to_string(), "2026-11-24T02:00:00Z");
    assert_eq!(alert.resources[0].name.as_deref(), Some("web"));
    assert_eq!(alert.actor.unwrap().user.as_deref(), Some("mia"));
    let hub = finding("arn:aws:securityhub:eu-west-1::productv2/aws/guardduty");
    let bare = check(&hub, row("security_hub", Active));
    let wrapped = event("aws.securityhub", "Findings Imported V2", json!({"findings": [hub]}));
    assert_eq!(check(&wrapped, row("security_hub", Active)).dedup_key, bare.dedup_key);
    for (id, status) in [(3, Suppressed), (4, Resolved), (5, Resolved), (2, Active)] {
        let mut finding = finding("p");
        finding["status_id"] = json!(id);
        check(&finding, row("ocsf", status));
    }
    let mut compliance = finding("p");
    compliance["class_uid"] = json!(2003);
    compliance["compliance"] = json!({"status": "Pass"});
    check(&compliance, row("ocsf", Resolved));
}

#[test]
fn cloudwatch() {
    let arn = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:root-login";
    let about = vec![("AwsEc2Instance", "i-0abc"), ("AwsCloudWatchAlarm", "root-login")];
    let kind = "CloudWatch Alarm State Change/root-login";
    let row = |severity, status| ("cloudwatch", kind, severity, status, HERE, about.clone());
    let data = |state: &str| {
        json!({
            "alarmName": "root-login",
            "state": {"value": state, "reason": "r", "timestamp": "2026-11-24T03:05:12.500+0000"},
            "configuration": {"description": "d", "metrics": [{"id": "m1", "metricStat": {"metric":
                {"namespace": "AWS/EC2", "name": "CPU", "dimensions": {"InstanceId": "i-0abc"}}}}]},
        })
    };
    let message = |state: &str, region: &str| {
        json!({
            "AlarmName": "root-login", "AlarmDescription": "d", "AWSAccountId": "111122223333",
            "NewStateValue": state, "NewStateReason": "r", "Region": region,
            "StateChangeTime": "2026-11-24T03:05:12.500+0000", "OldStateValue": "OK",
            "Trigger": {"MetricName": "CPU", "Namespace": "AWS/EC2",
                        "Dimensions": [{"name": "InstanceId", "value": "i-0abc"}]},
        })
    };
    let mut bridged = event("aws.cloudwatch", "CloudWatch Alarm State Change", data("ALARM"));
    bridged["resources"] = json!([arn]);
    let called = json!({"source": "aws.cloudwatch", "alarmArn": arn, "accountId": "111122223333",
        "time": "2026-11-24T03:05:12.500+0000", "region": "eu-west-1", "alarmData": data("ALARM")});
    let described = json!({"MetricAlarms": [{"AlarmName": "root-login", "AlarmArn": arn,
        "StateValue": "ALARM", "StateReason": "r", "StateUpdatedTimestamp": 1_795_489_512.5,
        "Namespace": "AWS/EC2", "Dimensions": [{"Name": "InstanceId", "Value": "i-0abc"}]}]});
    let mut keys = std::collections::BTreeSet::new();
    for form in [
        bridged,
        called,
        described,
        message("ALARM", "EU (Ireland)"),
        message("ALARM", "eu-west-1"),
    ] {
        let alert = check(&form, row(Medium, Active));
        assert_eq!(alert.updated_at.unwrap().to_string(), "2026-11-24T03:05:12.5Z", "{form}");
        keys.insert(alert.dedup_key);
    }
    assert_eq!(keys.len(), 1, "{keys:?}");
    check(&message("OK", "EU (Ireland)"), row(Informational, Resolved));
    check(&message("INSUFFICIENT_DATA", "EU (Ireland)"), row(Low, Active));
    assert!(refusal(&message("PERHAPS", "eu-west-1")).contains("`NewStateValue`"));
    let composite = json!({"AlarmName": "all", "AlarmRule": "ALARM(a)", "AWSAccountId": "111122223333",
        "NewStateValue": "ALARM", "StateChangeTime": "2026-11-24T03:05:12.500+0000",
        "AlarmArn": "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:all"});
    let kind = "CloudWatch Alarm State Change/all";
    check(
        &composite,
        ("cloudwatch", kind, Medium, Active, HERE, vec![("AwsCloudWatchAlarm", "all")]),
    );
}

#[test]
fn config() {
    let change = |now: &str| {
        json!({
            "messageType": "ComplianceChangeNotification", "configRuleName": "no-public-read",
            "resourceType": "AWS::S3::Bucket", "resourceId": "evidence", "awsRegion": "eu-west-1",
            "awsAccountId": "111122223333", "notificationCreationTime": "2026-11-24T03:00:01Z",
            "newEvaluationResult": {"complianceType": now, "annotation": "why",
                                    "resultRecordedTime": "2026-11-24T03:00:00Z"},
        })
    };
    let kind = "Config Rules Compliance Change/no-public-read";
    let row = |severity, status| {
        ("config", kind, severity, status, HERE, vec![("AwsS3Bucket", "evidence")])
    };
    let bad = check(&change("NON_COMPLIANT"), row(Medium, Active));
    assert_eq!(bad.description.as_deref(), Some("why"));
    let bridged = event("aws.config", "Config Rules Compliance Change", change("COMPLIANT"));
    let good = check(&bridged, row(Informational, Resolved));
    assert_eq!(good.dedup_key, bad.dedup_key);
    check(&change("NOT_APPLICABLE"), row(Informational, Resolved));
    let item = json!({
        "messageType": "ConfigurationItemChangeNotification",
        "configurationItemDiff": {"changeType": "UPDATE", "changedProperties": {"Tags.0": {}}},
        "configurationItem": {
            "resourceType": "AWS::EC2::SecurityGroup", "resourceId": "sg-0abcdef1", "resourceName": "web",
            "awsAccountId": "111122223333", "awsRegion": "eu-west-1", "configurationStateId": 17,
            "ARN": "arn:aws:ec2:eu-west-1:111122223333:security-group/sg-0abcdef1",
            "configurationItemCaptureTime": "2026-11-24T03:00:00Z", "tags": {"Owner": "team"},
        },
    });
    let kind = "Config Configuration Item Change/AWS::EC2::SecurityGroup";
    let about = vec![("AwsEc2SecurityGroup", "sg-0abcdef1")];
    let row = ("config", kind, Informational, Active, HERE, about);
    let alert = check(&item, row.clone());
    assert_eq!(alert.resources[0].tags["Owner"], "team");
    assert_eq!(alert.resources[0].name.as_deref(), Some("web"));
    let called = json!({"invokingEvent": item.to_string(), "configRuleName": "r", "accountId": "111122223333",
        "configRuleArn": "arn:aws:config:eu-west-1:111122223333:config-rule/r"});
    assert_eq!(check(&called, row).dedup_key, alert.dedup_key);
    for kind in ["ScheduledNotification", "ConfigurationSnapshotDeliveryCompleted"] {
        let did = json!({"messageType": kind, "configSnapshotId": "s1"});
        assert!(refusal(&did).contains(kind));
    }
    let lost = json!({"messageType": "ConfigurationHistoryDeliveryFailed", "s3ObjectKey": "k",
        "awsAccountId": "111122223333", "awsRegion": "eu-west-1"});
    check(&lost, ("config", "ConfigurationHistoryDeliveryFailed", Low, Active, HERE, vec![]));
}

fn record(source: &str, name: &str, request: Value, response: Value) -> Value {
    json!({
        "eventVersion": "1.08", "eventID": "r1", "eventTime": "2026-11-24T03:05:12Z",
        "eventSource": source, "eventName": name, "awsRegion": "eu-west-1",
        "sourceIPAddress": "198.51.100.7", "userAgent": "aws-cli", "recipientAccountId": "111122223333",
        "userIdentity": {"type": "AssumedRole", "accountId": "999988887777",
            "arn": "arn:aws:sts::111122223333:assumed-role/admin/mia", "accessKeyId": "ASIAX"},
        "requestParameters": request, "responseElements": response,
    })
}

#[test]
fn cloudtrail() {
    for (source, name, request, response, kind, about) in [
        (
            "iam.amazonaws.com",
            "CreateAccessKey",
            json!({"userName": "ci"}),
            json!({"accessKey": {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "userName": "ci"}}),
            "iam:CreateAccessKey",
            vec![("AwsIamUser", "ci"), ("AwsIamAccessKey", "AKIAIOSFODNN7EXAMPLE")],
        ),
        (
            "cloudtrail.amazonaws.com",
            "StopLogging",
            json!({"name": "main"}),
            Value::Null,
            "cloudtrail:StopLogging",
            vec![("AwsCloudTrailTrail", "main")],
        ),
        (
            "s3.amazonaws.com",
            "PutBucketPolicy",
            json!({"bucketName": "evidence",
         "bucketPolicy": {"Statement": [{"Principal": {"AWS": "arn:aws:iam::1:user/x"}}]}}),
            Value::Null,
            "s3:PutBucketPolicy",
            vec![("AwsS3Bucket", "evidence")],
        ),
        (
            "sts.amazonaws.com",
            "GetCallerIdentity",
            Value::Null,
            Value::Null,
            "sts:GetCallerIdentity",
            vec![("AwsIamRole", "admin")],
        ),
    ] {
        let record = record(source, name, request, response);
        let row = ("cloudtrail", kind, Informational, Active, HERE, about);
        let bare = check(&record, row.clone());
        assert_eq!(bare.occurred_at.unwrap().to_string(), "2026-11-24T03:05:12Z");
        let actor = bare.actor.unwrap();
        assert_eq!(
            (actor.ip.as_deref(), actor.user.as_deref()),
            (Some("198.51.100.7"), Some("admin/mia"))
        );
        let looked_up =
            json!({"Events": [{"EventId": "r1", "CloudTrailEvent": record.to_string()}]});
        for form in [
            event("aws.iam", "AWS API Call via CloudTrail", record.clone()),
            json!({"Records": [record]}),
            looked_up,
        ] {
            assert_eq!(check(&form, row.clone()).dedup_key, bare.dedup_key);
        }
    }
}

/// A record as a table of Athena has it: names in lower case, parameters as text.
fn as_columns(record: &Value) -> Value {
    let lower = |value: &Value| -> Value {
        let members = value.as_object().unwrap().iter();
        members.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
    };
    let column = |(name, value): (&String, &Value)| {
        let column = match name.as_str() {
            "requestParameters" | "responseElements" if !value.is_null() => {
                json!(value.to_string())
            }
            "userIdentity" => lower(value),
            _ => value.clone(),
        };
        (name.to_ascii_lowercase(), column)
    };
    record.as_object().unwrap().iter().map(column).collect()
}

#[test]
fn a_record_of_columns_is_the_same_alert_as_the_record() {
    let record = record(
        "ec2.amazonaws.com",
        "ModifyInstanceAttribute",
        json!({"instanceId": "i-0abc", "instanceType": {"value": "t3.nano"}}),
        json!({"_return": true}),
    );
    let (sent, exported) = (one(&record), one(&as_columns(&record)));
    assert_ne!(exported.raw, sent.raw, "it is kept as it came");
    assert_eq!(Alert { raw: sent.raw.clone(), ..exported }, sent);
    assert_eq!(sent.resources[0].id, "i-0abc");
    // In a file beside others, and with a time as Athena casts it.
    let mut other = as_columns(&record);
    other["eventid"] = json!("r2");
    let file = json!({"Records": [other, record]});
    assert_eq!(all(&file).iter().map(|it| &*it.id).collect::<Vec<_>>(), ["r2", "r1"]);
    let mut cast = as_columns(&record);
    cast["eventtime"] = json!("2026-11-24 03:05:00");
    assert!(one(&cast).occurred_at.is_some());
}

#[test]
fn cloudtrail_knows_how_a_sign_in_went_and_when_an_insight_ends() {
    let mut login = record(
        "signin.amazonaws.com",
        "ConsoleLogin",
        Value::Null,
        json!({"ConsoleLogin": "Failure"}),
    );
    login["userIdentity"] = json!({"type": "Root", "arn": "arn:aws:iam::111122223333:root"});
    login["additionalEventData"] = json!({"MFAUsed": "No"});
    let row = (
        "cloudtrail",
        "signin:ConsoleLogin",
        Informational,
        Active,
        HERE,
        vec![("AwsAccount", "111122223333")],
    );
    let alert = check(&event("aws.signin", "AWS Console Sign In via CloudTrail", login), row);
    assert_eq!(alert.description.as_deref(), Some("ConsoleLogin: Failure; MFAUsed: No"));
    assert_eq!(alert.actor.unwrap().user.as_deref(), Some("root"));
    let insight = |state: &str| {
        json!({"eventTime": "2026-11-24T03:05:12Z", "awsRegion": "eu-west-1", "eventID": state,
            "eventType": "AwsCloudTrailInsight", "recipientAccountId": "111122223333", "sharedEventID": "s1",
            "insightDetails": {"state": state, "eventSource": "ec2.amazonaws.com", "eventName": "RunInstances",
                "insightType": "ApiCallRateInsight", "insightContext": {"attributions": [
                    {"attribute": "userIdentityArn", "insight": [{"value": "arn:aws:iam::111122223333:role/x"}]}]}}})
    };
    let kind = "ApiCallRateInsight/ec2:RunInstances";
    let row =
        |severity, status| ("cloudtrail", kind, severity, status, HERE, vec![("AwsIamRole", "x")]);
    let start = check(&insight("Start"), row(Medium, Active));
    let end = check(
        &event("aws.cloudtrail", "AWS Insight via CloudTrail", insight("End")),
        row(Informational, Resolved),
    );
    assert_eq!(start.dedup_key, end.dedup_key);
}
