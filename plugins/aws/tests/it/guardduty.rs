//! GuardDuty's payloads, in each form in which they arrive.

use serde_json::{Value, json};
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus, Resource};
use stanch_plugins_sdk::core::severity::Severity;

use crate::reading::{all, auto, catalogue, one, refusal};

/// A finding about a key, with the blocks of other resources that samples have too.
fn finding() -> Value {
    json!({
        "schemaVersion": "2.0", "accountId": "111122223333", "region": "eu-west-1",
        "partition": "aws", "id": "f1", "arn": "arn:aws:guardduty:eu-west-1:111122223333:…",
        "type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom",
        "severity": 5.0, "title": "A key was used", "description": "from a listed address",
        "createdAt": "2026-11-24T02:58:31.012Z", "updatedAt": "2026-11-24T03:05:12.500Z",
        "resource": {
            "resourceType": "AccessKey",
            "accessKeyDetails": {
                "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "principalId": "AIDA1",
                "userName": "ci-deploy", "userType": "IAMUser",
            },
            "instanceDetails": {
                "instanceId": "i-0abc", "tags": [{"key": "Name", "value": "web"}],
            },
        },
        "service": {
            "serviceName": "guardduty", "detectorId": "d1", "archived": false, "count": 3,
            "eventFirstSeen": "2026-11-24T02:41:07Z", "eventLastSeen": "2026-11-24T03:01:55Z",
            "action": {
                "actionType": "AWS_API_CALL",
                "awsApiCallAction": {
                    "api": "ListBuckets", "serviceName": "s3.amazonaws.com",
                    "userAgent": "aws-cli/2.15.0",
                    "remoteIpDetails": {"ipAddressV4": "198.51.100.7"},
                },
            },
        },
    })
}

fn event(finding: Value) -> Value {
    json!({
        "version": "0", "id": "e1", "detail-type": "GuardDuty Finding",
        "source": "aws.guardduty", "account": "111122223333", "region": "eu-west-1",
        "time": "2026-11-24T03:06:00Z", "resources": [], "detail": finding,
    })
}

/// The finding as `GetFindings` spells it: AWS's names with a capital, people's as they are.
fn pascal(value: &Value) -> Value {
    let capital = |name: &String| name[..1].to_uppercase() + &name[1..];
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (capital(name), pascal(value))).collect()
        }
        Value::Array(items) => items.iter().map(pascal).collect(),
        other => other.clone(),
    }
}

fn resource(kind: &str, id: &str, name: Option<&str>) -> Resource {
    let name = name.map(str::to_owned);
    Resource { kind: kind.into(), id: id.into(), arn: None, name, tags: Default::default() }
}

#[test]
fn an_event_becomes_an_alert_with_all_that_it_says() {
    let payload = event(finding());
    let alert = one(&payload);
    let said = serde_json::to_value(&alert).unwrap();
    let expected = json!({
        "source": "guardduty", "id": "f1", "dedup_key": "guardduty:f1:111122223333:eu-west-1",
        "type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom",
        "title": "A key was used", "description": "from a listed address",
        "severity": "medium", "severity_score": 50,
        "account": "111122223333", "region": "eu-west-1",
        "resources": [
            {"type": "AwsIamAccessKey", "id": "AKIAIOSFODNN7EXAMPLE", "arn": null,
             "name": "ci-deploy", "tags": {}},
            {"type": "AwsIamUser", "id": "ci-deploy", "arn": null, "name": "ci-deploy", "tags": {}},
        ],
        "actor": {"ip": "198.51.100.7", "user": "ci-deploy", "user_agent": "aws-cli/2.15.0"},
        "occurred_at": "2026-11-24T02:41:07Z", "detected_at": "2026-11-24T02:58:31.012Z",
        "updated_at": "2026-11-24T03:05:12.5Z", "count": 3, "status": "active", "url": null,
        "raw": payload,
    });
    assert_eq!(said, expected);
}

#[test]
fn every_form_of_a_finding_is_one_alert() {
    let bare = one(&finding());
    let forms = [
        event(finding()),
        event(pascal(&finding())),
        pascal(&finding()),
        json!({"Findings": [pascal(&finding())]}),
        json!([event(finding())]),
        json!({"detail-type": "GuardDuty Finding", "detail": finding()}),
    ];
    for form in forms {
        let alert = one(&form);
        assert_eq!(Alert { raw: bare.raw.clone(), ..alert }, bare, "{form}");
    }
}

#[test]
fn one_payload_can_hold_several_findings() {
    let mut second = finding();
    second["id"] = json!("f2");
    for payload in [
        json!([finding(), event(second.clone())]),
        json!({"Findings": [finding(), second.clone()]}),
    ] {
        let ids: Vec<_> = all(&payload).into_iter().map(|alert| alert.id).collect();
        assert_eq!(ids, ["f1", "f2"]);
    }
}

#[test]
fn tags_keep_their_case() {
    let mut finding = finding();
    finding["resource"]["resourceType"] = json!("Instance");
    let tags = json!([{"key": "costCenter", "value": "A"}, {"key": "CostCenter", "value": "b"}]);
    finding["resource"]["instanceDetails"]["tags"] = tags;
    for payload in [finding.clone(), pascal(&finding)] {
        let alert = one(&payload);
        let [instance] = &alert.resources[..] else { panic!("{:?}", alert.resources) };
        assert_eq!((&*instance.kind, &*instance.id), ("AwsEc2Instance", "i-0abc"));
        assert_eq!(instance.tags["costCenter"], "A");
        assert_eq!(instance.tags["CostCenter"], "b");
        assert_eq!(instance.name, None);
        // The block of the key in it is a sample's, and nobody's.
        assert_eq!(alert.actor.unwrap().user, None);
    }
}

#[test]
fn a_finding_is_about_what_its_resource_type_says() {
    for (kind, block, details, expected) in [
        (
            "EKSCluster",
            "eksClusterDetails",
            json!({"name": "c", "tags": []}),
            resource("AwsEksCluster", "c", Some("c")),
        ),
        (
            "Lambda",
            "lambdaDetails",
            json!({"functionName": "f"}),
            resource("AwsLambdaFunction", "f", Some("f")),
        ),
        (
            "RDSDBInstance",
            "rdsDbInstanceDetails",
            json!({"dbInstanceIdentifier": "db"}),
            resource("AwsRdsDbInstance", "db", Some("db")),
        ),
        (
            "ECSCluster",
            "ecsClusterDetails",
            json!({"name": "e"}),
            resource("AwsEcsCluster", "e", Some("e")),
        ),
    ] {
        let mut finding = finding();
        finding["resource"]["resourceType"] = json!(kind);
        finding["resource"][block] = details;
        assert_eq!(one(&finding).resources, [expected], "{kind}");
    }
}

/// The kinds and ids of what a finding is about.
fn about(finding: &Value) -> Vec<(String, String)> {
    one(finding).resources.into_iter().map(|found| (found.kind, found.id)).collect()
}

fn pairs<const N: usize>(of: [(&str, &str); N]) -> Vec<(String, String)> {
    of.map(|(kind, id)| (kind.to_owned(), id.to_owned())).to_vec()
}

#[test]
fn calls_on_a_bucket_are_about_the_credentials_too() {
    let bucket = ("AwsS3Bucket", "b");
    let key = ("AwsIamAccessKey", "AKIAIOSFODNN7EXAMPLE");
    let user = ("AwsIamUser", "ci-deploy");
    let mut finding = finding();
    finding["type"] = json!("Exfiltration:S3/AnomalousBehavior");
    finding["resource"]["resourceType"] = json!("S3Bucket");
    finding["resource"]["s3BucketDetails"] =
        json!([{"name": "b", "arn": "arn:aws:s3:::b", "tags": []}]);
    assert_eq!(about(&finding), pairs([bucket, key, user]));
    assert_eq!(about(&pascal(&finding)), pairs([bucket, key, user]));
    // Another account's credentials are not ours to cut off.
    let call = &mut finding["service"]["action"]["awsApiCallAction"];
    call["remoteAccountDetails"] = json!({"accountId": "111122223333", "affiliated": true});
    assert_eq!(about(&finding), pairs([bucket, key, user]));
    let call = &mut finding["service"]["action"]["awsApiCallAction"];
    call["remoteAccountDetails"] = json!({"accountId": "999988887777", "affiliated": false});
    assert_eq!(about(&finding), pairs([bucket]));
    // Nobody's key, where anybody may call.
    finding["resource"]["accessKeyDetails"] =
        json!({"accessKeyId": "", "principalId": "", "userName": "", "userType": "Anonymous"});
    finding["service"].as_object_mut().unwrap().remove("action");
    assert_eq!(about(&finding), pairs([bucket]));
}

#[test]
fn a_key_that_opened_a_bucket_names_the_bucket_and_one_that_did_not_does_not() {
    let mut finding = finding();
    finding["resource"]["s3BucketDetails"] = json!([{"name": "b", "arn": "arn:aws:s3:::b"}]);
    let key = ("AwsIamAccessKey", "AKIAIOSFODNN7EXAMPLE");
    let user = ("AwsIamUser", "ci-deploy");
    assert_eq!(about(&finding), pairs([key, user]));
    finding["type"] = json!("Policy:S3/BucketAnonymousAccessGranted");
    assert_eq!(about(&finding), pairs([key, user, ("AwsS3Bucket", "b")]));
}

#[test]
fn a_container_is_about_the_instance_on_which_it_stands() {
    let mut finding = finding();
    finding["type"] = json!("Execution:Container/MaliciousFile");
    finding["resource"]["resourceType"] = json!("Container");
    finding["resource"]["containerDetails"] = json!({"id": "c1", "name": "web"});
    let (container, instance) = (("Container", "c1"), ("AwsEc2Instance", "i-0abc"));
    assert_eq!(about(&finding), pairs([container, instance]));
    let volume = "arn:aws:ec2:eu-west-1:111122223333:volume/vol-0abcdef12";
    finding["resource"]["ebsVolumeDetails"] =
        json!({"scannedVolumeDetails": [{"volumeArn": volume}]});
    let volume = ("AwsEc2Volume", "vol-0abcdef12");
    assert_eq!(about(&finding), pairs([container, instance, volume]));
    finding["resource"].as_object_mut().unwrap().remove("instanceDetails");
    assert_eq!(about(&finding), pairs([container, volume]));
}

#[test]
fn an_attack_sequence_names_its_own_resources() {
    let mut finding = finding();
    finding["type"] = json!("AttackSequence:IAM/CompromisedCredentials");
    finding["severity"] = json!(9.1);
    finding["resource"] = json!({"resourceType": "AttackSequence"});
    finding["service"]["detection"] = json!({"sequence": {
        "uid": "s1",
        "actors": [{"id": "a1", "user": {"name": "ci-deploy", "type": "IAMUser"}}],
        "endpoints": [{"id": "e1", "ip": "203.0.113.9"}],
        "resources": [
            {"uid": "AKIAIOSFODNN7EXAMPLE", "resourceType": "ACCESS_KEY",
             "data": {"accessKey": {"userName": "ci-deploy"}}},
            {"uid": "arn:aws:s3:::evidence", "name": "evidence", "resourceType": "S3_BUCKET"},
            {"uid": "x", "resourceType": "SOMETHING_NEW"},
        ],
    }});
    let action = finding["service"].as_object_mut().unwrap();
    action.remove("action");
    let alert = one(&event(finding));
    assert_eq!((alert.severity, alert.severity_score), (Severity::Critical, 91));
    let kinds: Vec<_> = alert.resources.iter().map(|r| (&*r.kind, &*r.id)).collect();
    let expected =
        [("AwsIamAccessKey", "AKIAIOSFODNN7EXAMPLE"), ("AwsS3Bucket", "evidence"), ("Other", "x")];
    assert_eq!(kinds, expected);
    let actor = alert.actor.unwrap();
    assert_eq!(
        (actor.user.as_deref(), actor.ip.as_deref()),
        (Some("ci-deploy"), Some("203.0.113.9"))
    );
}

#[test]
fn an_archived_finding_is_suppressed_and_an_unknown_type_is_read() {
    let mut finding = finding();
    finding["service"]["archived"] = json!(true);
    finding["type"] = json!("Recon:EC2 PortProbeUnprotectedPort");
    let alert = one(&finding);
    assert_eq!(alert.status, AlertStatus::Suppressed);
    assert_eq!(alert.kind, "Recon:EC2 PortProbeUnprotectedPort");
}

#[test]
fn what_is_not_said_is_null() {
    let alert = one(&json!({
        "id": "f1", "type": "T", "severity": 2, "service": {"serviceName": "guardduty"},
    }));
    assert_eq!(alert.title, "T");
    assert_eq!(
        (alert.description, alert.account, alert.region, alert.actor),
        (None, None, None, None)
    );
    assert_eq!((alert.occurred_at, alert.detected_at, alert.count), (None, None, None));
    assert!(alert.resources.is_empty());
}

#[test]
fn what_an_alert_cannot_be_without_is_named_with_its_path() {
    for (name, form, parent, expected) in [
        ("id", event(finding()), "/detail", "guardduty: `detail.id`"),
        ("severity", event(finding()), "/detail", "guardduty: `detail.severity`"),
        ("id", json!({"Findings": [finding()]}), "/Findings/0", "Findings[0]: guardduty: `id`"),
        ("id", json!([event(finding())]), "/0/detail", "[0]: guardduty: `detail.id`"),
    ] {
        let mut form = form;
        form.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
        assert!(refusal(&form).starts_with(expected), "{}", refusal(&form));
    }
}

#[test]
fn one_that_cannot_be_read_takes_no_other_with_it() {
    let mut broken = finding();
    broken.as_object_mut().unwrap().remove("severity");
    let reading = auto(&json!({"Findings": [finding(), broken]}));
    assert_eq!(reading.alerts.len(), 1);
    assert!(reading.refused[0].to_string().starts_with("Findings[1]: guardduty: `severity`"));
}

#[test]
fn a_scan_for_malware_says_what_it_found_where() {
    let scan = |status: &str| {
        json!({
            "version": "0", "id": "e1", "source": "aws.guardduty", "account": "111122223333",
            "detail-type": "GuardDuty Malware Protection Object Scan Result",
            "time": "2026-11-24T03:06:00Z", "region": "eu-west-1",
            "resources": ["arn:aws:guardduty:eu-west-1:111122223333:malware-protection-plan/p1"],
            "detail": {
                "schemaVersion": "1.0", "scanStatus": "COMPLETED", "resourceType": "S3_OBJECT",
                "s3ObjectDetails": {"bucketName": "inbox", "objectKey": "a/b.zip", "versionId": "v1"},
                "scanResultDetails": {"scanResultStatus": status, "threats": [{"name": "EICAR"}]},
            },
        })
    };
    let found = one(&scan("THREATS_FOUND"));
    assert_eq!((found.severity, found.status), (Severity::High, AlertStatus::Active));
    assert_eq!(found.description.as_deref(), Some("EICAR"));
    let about: Vec<_> = found.resources.iter().map(|r| (&*r.kind, &*r.id)).collect();
    assert_eq!(about, [("AwsS3Object", "inbox/a/b.zip"), ("AwsS3Bucket", "inbox")]);
    let clean = one(&scan("NO_THREATS_FOUND"));
    assert_eq!((clean.severity, clean.status), (Severity::Informational, AlertStatus::Resolved));
    assert_eq!(clean.dedup_key, found.dedup_key);
    assert_eq!(one(&scan("ACCESS_DENIED")).severity, Severity::Low);
}

#[test]
fn what_others_send_is_not_recognised() {
    let source = catalogue().source("guardduty").unwrap();
    for payload in [
        json!({"source": "aws.securityhub", "detail-type": "x", "detail": {"findings": []}}),
        json!({"source": "aws.guardduty", "detail-type": "GuardDuty Runtime Protection Unhealthy",
               "detail": {"type": "T"}}),
        json!({"Findings": [{"Id": "1", "ProductArn": "arn:aws:…", "Type": "T", "Severity": {}}]}),
        json!({"alerts": []}),
        json!([]),
        json!("text"),
        json!(null),
    ] {
        assert!(!source.recognises(&payload), "{payload}");
    }
}
