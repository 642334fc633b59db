//! The services with a few events each, by payloads of their own.

use serde_json::{Value, json};
use stanch_plugins_sdk::core::alert::AlertStatus::{self, Active, Resolved, Suppressed};
use stanch_plugins_sdk::core::severity::Severity::{
    self, Critical, High, Informational, Low, Medium,
};

use crate::reading::one;

fn event(source: &str, kind: &str, resources: &[&str], detail: Value) -> Value {
    json!({
        "version": "0", "id": "e1", "source": source, "detail-type": kind,
        "account": "111122223333", "region": "eu-west-1", "time": "2026-11-24T03:06:00Z",
        "resources": resources, "detail": detail,
    })
}

type About = Vec<(&'static str, &'static str)>;

/// A payload, and what is checked of its alert: source, type, label, status, resources.
type Row = (Value, &'static str, &'static str, Severity, AlertStatus, About);

fn check(rows: Vec<Row>) {
    for (payload, source, kind, severity, status, about) in rows {
        let alert = one(&payload);
        let found: Vec<_> = alert.resources.iter().map(|r| (&*r.kind, &*r.id)).collect();
        assert_eq!((&*alert.source, &*alert.kind), (source, kind), "{payload}");
        assert_eq!((alert.severity, alert.status), (severity, status), "{payload}");
        assert_eq!(found, about, "{payload}");
        assert_eq!(alert.account.as_deref(), Some("111122223333"), "{payload}");
        assert_eq!(alert.region.as_deref(), Some("eu-west-1"), "{payload}");
        let times = [alert.occurred_at, alert.detected_at, alert.updated_at];
        assert!(times.iter().any(Option::is_some), "{payload}");
    }
}

const ISSUE: &str = "AWS_EC2_DEGRADED";

fn health(category: &str, service: &str, code: &str, status: &str) -> Value {
    json!({"eventArn": "arn:aws:health:eu-west-1::event/1", "service": service, "statusCode": status,
        "eventTypeCode": code, "eventTypeCategory": category, "affectedAccount": "111122223333",
        "startTime": "Tue, 24 Nov 2026 03:05:12 GMT", "eventDescription": [
            {"language": "de_DE", "latestDescription": "x"}, {"language": "en_US", "latestDescription": "y"}],
        "affectedEntities": [{"entityValue": "i-0abcdef12", "tags": {"Name": "web"}}]})
}

fn instance() -> About {
    vec![("AwsEc2Instance", "i-0abcdef12")]
}

fn inspector(severity: &str, status: &str) -> Value {
    json!({"awsAccountId": "111122223333", "findingArn": "arn:aws:inspector2:eu-west-1:111122223333:finding/1",
        "type": "PACKAGE_VULNERABILITY", "severity": severity, "status": status, "inspectorScore": 9.8,
        "title": "CVE", "firstObservedAt": "Nov 24, 2026, 3:05:12 AM", "updatedAt": 1_795_489_512,
        "resources": [{"type": "AWS_EC2_INSTANCE", "id": "i-0abcdef12", "tags": {"Name": "web"}}]})
}

fn macie(score: u8, word: &str, archived: bool) -> Value {
    json!({"id": "m1", "accountId": "111122223333", "region": "eu-west-1", "archived": archived, "count": 2,
        "type": "SensitiveData:S3Object/Credentials", "severity": {"score": score, "description": word},
        "createdAt": "2026-11-24T03:00:00Z", "resourcesAffected": {
            "s3Bucket": {"name": "evidence", "arn": "arn:aws:s3:::evidence", "tags": [{"key": "k", "value": "v"}]},
            "s3Object": {"key": "a.txt", "path": "evidence/a.txt"}}})
}

fn objects() -> About {
    vec![("AwsS3Object", "evidence/a.txt"), ("AwsS3Bucket", "evidence")]
}

fn access(public: bool, status: &str) -> Value {
    json!({"id": "a1", "accountId": "111122223333", "region": "eu-west-1", "status": status,
        "resource": "arn:aws:s3:::evidence", "resourceType": "AWS::S3::Bucket", "isPublic": public,
        "principal": {"AWS": "999988887777"}, "action": ["s3:GetObject"],
        "createdAt": "2026-11-24T03:00:00Z", "updatedAt": "2026-11-24T03:01:00Z"})
}

fn bucket() -> About {
    vec![("AwsS3Bucket", "evidence")]
}

fn unused() -> Value {
    json!({"findingId": "u1", "findingType": "UnusedIAMRole", "accountId": "111122223333",
    "resource": "arn:aws:iam::111122223333:role/old", "resourceType": "AWS::IAM::Role", "status": "ACTIVE"})
}

fn exposed() -> Value {
    json!({"check-name": "Exposed Access Keys", "status": "ERROR", "uuid": "t1",
    "resource_id": "", "check-item-detail": {"Access Key ID": "AKIAIOSFODNN7EXAMPLE",
    "User Name (IAM or Root)": "ci-deploy", "Location": "github.com/x"}})
}

fn green() -> Value {
    json!({"check-name": "Ports", "status": "OK", "uuid": "t2",
    "resource_id": "arn:aws:ec2:eu-west-1:111122223333:security-group/sg-0abcdef1"})
}

fn scan(counts: Value) -> Value {
    json!({"scan-status": "COMPLETE", "repository-name": "web", "image-digest": "sha256:1",
        "image-tags": ["latest"], "finding-severity-counts": counts})
}

fn image() -> About {
    vec![("AwsEcrContainerImage", "sha256:1"), ("AwsEcrRepository", "web")]
}

fn investigation() -> Value {
    json!({"InvestigationId": "d1", "EntityType": "IAM_ROLE", "Severity": "HIGH",
    "GraphArn": "arn:aws:detective:eu-west-1:111122223333:graph:1", "State": "ACTIVE",
    "EntityArn": "arn:aws:iam::111122223333:role/x", "CreatedTime": "2026-11-24T03:00:00Z"})
}

#[test]
fn health_says_what_it_is_how_bad_and_about_what() {
    check(vec![
        (
            event("aws.health", "AWS Health Event", &[], health("issue", "EC2", ISSUE, "open")),
            "health",
            ISSUE,
            Medium,
            Active,
            instance(),
        ),
        (
            event("aws.health", "AWS Health Event", &[], health("issue", "EC2", ISSUE, "closed")),
            "health",
            ISSUE,
            Medium,
            Resolved,
            instance(),
        ),
        (
            event(
                "aws.health",
                "AWS Health Abuse Event",
                &[],
                health("issue", "ABUSE", ISSUE, "open"),
            ),
            "health",
            ISSUE,
            High,
            Active,
            instance(),
        ),
        (
            event(
                "aws.health",
                "AWS Health Event",
                &[],
                health("scheduledChange", "EC2", ISSUE, "open"),
            ),
            "health",
            ISSUE,
            Low,
            Active,
            instance(),
        ),
    ]);
}

#[test]
fn inspector_says_what_it_is_how_bad_and_about_what() {
    check(vec![
        (
            event("aws.inspector2", "Inspector2 Finding", &[], inspector("CRITICAL", "ACTIVE")),
            "inspector",
            "PACKAGE_VULNERABILITY",
            Critical,
            Active,
            instance(),
        ),
        (
            json!({"findings": [inspector("HIGH", "CLOSED")]}),
            "inspector",
            "PACKAGE_VULNERABILITY",
            High,
            Resolved,
            instance(),
        ),
        (
            event(
                "aws.inspector2",
                "Inspector2 Finding",
                &[],
                inspector("UNTRIAGED", "SUPPRESSED"),
            ),
            "inspector",
            "PACKAGE_VULNERABILITY",
            Informational,
            Suppressed,
            instance(),
        ),
    ]);
}

#[test]
fn macie_says_what_it_is_how_bad_and_about_what() {
    check(vec![
        (
            event("aws.macie", "Macie Finding", &[], macie(3, "High", false)),
            "macie",
            "SensitiveData:S3Object/Credentials",
            High,
            Active,
            objects(),
        ),
        (
            macie(1, "Low", true),
            "macie",
            "SensitiveData:S3Object/Credentials",
            Low,
            Suppressed,
            objects(),
        ),
    ]);
}

#[test]
fn access_analyzer_says_what_it_is_how_bad_and_about_what() {
    check(vec![
        (
            event("aws.access-analyzer", "Access Analyzer Finding", &[], access(true, "ACTIVE")),
            "access_analyzer",
            "Access Analyzer Finding",
            High,
            Active,
            bucket(),
        ),
        (
            event("aws.access-analyzer", "Access Analyzer Finding", &[], access(false, "RESOLVED")),
            "access_analyzer",
            "Access Analyzer Finding",
            Medium,
            Resolved,
            bucket(),
        ),
        (
            event("aws.access-analyzer", "Access Analyzer Finding", &[], access(false, "ARCHIVED")),
            "access_analyzer",
            "Access Analyzer Finding",
            Medium,
            Suppressed,
            bucket(),
        ),
        (
            event("aws.access-analyzer", "Unused Access Finding for IAM entities", &[], unused()),
            "access_analyzer",
            "UnusedIAMRole",
            Low,
            Active,
            vec![("AwsIamRole", "old")],
        ),
    ]);
}

#[test]
fn advice_and_scans_says_what_it_is_how_bad_and_about_what() {
    check(vec![
        (
            event(
                "aws.trustedadvisor",
                "Trusted Advisor Check Item Refresh Notification",
                &[],
                exposed(),
            ),
            "trusted_advisor",
            "Exposed Access Keys",
            High,
            Active,
            vec![("AwsIamAccessKey", "AKIAIOSFODNN7EXAMPLE"), ("AwsIamUser", "ci-deploy")],
        ),
        (
            event(
                "aws.trustedadvisor",
                "Trusted Advisor Check Item Refresh Notification",
                &[],
                green(),
            ),
            "trusted_advisor",
            "Ports",
            Informational,
            Resolved,
            vec![("AwsEc2SecurityGroup", "sg-0abcdef1")],
        ),
        (
            event("aws.ecr", "ECR Image Scan", &[], scan(json!({"HIGH": 2, "CRITICAL": 0}))),
            "ecr",
            "ECR Image Scan",
            High,
            Active,
            image(),
        ),
        (
            event("aws.ecr", "ECR Image Scan", &[], scan(json!({}))),
            "ecr",
            "ECR Image Scan",
            Informational,
            Resolved,
            image(),
        ),
    ]);
}

#[test]
fn investigations_and_other_events_says_what_it_is_how_bad_and_about_what() {
    check(vec![
        (
            json!({"InvestigationDetails": [investigation()]}),
            "detective",
            "Investigation/IAM_ROLE",
            High,
            Active,
            vec![("AwsIamRole", "x")],
        ),
        (
            event(
                "aws.s3",
                "Object Deleted",
                &[],
                json!({"bucket": {"name": "evidence"}, "object": {"key": "a.txt"}}),
            ),
            "s3",
            "Object Deleted",
            Informational,
            Active,
            vec![("AwsS3Object", "evidence/a.txt"), ("AwsS3Bucket", "evidence")],
        ),
        (
            event(
                "aws.ec2",
                "EC2 Instance State-change Notification",
                &[],
                json!({"instance-id": "i-0abcdef12", "state": "stopped"}),
            ),
            "eventbridge",
            "EC2 Instance State-change Notification",
            Informational,
            Active,
            instance(),
        ),
        (
            event("my.app", "Fraud", &["arn:aws:s3:::evidence"], json!({"severity": "CRITICAL"})),
            "eventbridge",
            "Fraud",
            Critical,
            Active,
            bucket(),
        ),
    ]);
}

#[test]
fn a_text_by_sns_is_an_alert_of_its_topic() {
    let alert = one(&json!({"Type": "Notification", "MessageId": "m1", "Subject": "Backup failed",
        "TopicArn": "arn:aws:sns:eu-west-1:111122223333:backup", "Timestamp": "2026-11-24T03:06:01Z",
        "Message": "Resource ARN : arn:aws:ec2:eu-west-1:111122223333:volume/vol-0abcdef1. It failed.",
        "MessageAttributes": {"EventType": {"Type": "String", "Value": "BACKUP_JOB"}}}));
    assert_eq!(
        (&*alert.source, &*alert.kind, &*alert.title),
        ("sns", "BACKUP_JOB", "Backup failed")
    );
    assert_eq!(alert.account.as_deref(), Some("111122223333"));
    assert_eq!(alert.resources[0].id, "vol-0abcdef1");
    assert_eq!(alert.detected_at.unwrap().to_string(), "2026-11-24T03:06:01Z");
}

#[test]
fn a_zone_that_trusted_advisor_names_is_in_its_region() {
    for (place, region) in [("eu-west-1a", "eu-west-1"), ("us-gov-west-1", "us-gov-west-1")] {
        let mut detail = exposed();
        detail["check-item-detail"]["Region/AZ"] = json!(place);
        let kind = "Trusted Advisor Check Item Refresh Notification";
        let alert = one(&event("aws.trustedadvisor", kind, &[], detail));
        assert_eq!(alert.region.as_deref(), Some(region));
    }
}
