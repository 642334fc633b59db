//! Resources by the names that AWS's APIs have for their members: `instanceId`, `bucketName`, ….

use serde_json::Value;
use stanch_plugins_sdk::core::alert::Resource;
use stanch_plugins_sdk::core::limits;

use stanch_plugins_sdk::payload::arn;

/// How close a member is to what a call is about. Only the closest that there are count: an
/// instance is started in a network, but the network is not what the call is about, and would
/// join everything in it into one incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tier {
    Subject,
    Setting,
    Network,
    AnyArn,
}

/// The resources that some values name, for a service such as `iam`; each once.
pub(super) fn all<'v>(values: impl IntoIterator<Item = &'v Value>, service: &str) -> Vec<Resource> {
    let mut found = Vec::new();
    for value in values {
        walk(value, service, 0, &mut found);
    }
    let closest = found.iter().map(|(tier, _)| *tier).min();
    found.into_iter().filter(|(tier, _)| Some(*tier) == closest).map(|(_, found)| found).collect()
}

/// Calls nest their parameters at most this deep; policies in them are deeper and are skipped.
const DEPTH: usize = 8;

fn walk(value: &Value, service: &str, depth: usize, found: &mut Vec<(Tier, Resource)>) {
    if depth > DEPTH || found.len() > limits::ALERT_RESOURCES {
        return;
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(item, service, depth + 1, found)),
        Value::Object(members) => {
            for (name, value) in members {
                let name = plain_name(name);
                if name.contains("policy") && !value.is_string() || name == "tags" {
                    continue;
                }
                let row = row(&name, service, depth);
                let before = found.len();
                if let Some((kind, tier)) = row {
                    take(value, kind, tier, found);
                }
                if found.len() == before {
                    walk(value, service, depth + 1, found);
                }
            }
        }
        _ => {}
    }
}

/// `DBInstanceIdentifier`, `db-instance-identifier` and `dBInstanceIdentifier` are one name.
fn plain_name(name: &str) -> String {
    let letters = name.chars().take(64).filter(char::is_ascii_alphanumeric);
    letters.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// A service's own names are common words, which mean it only on top.
fn row(name: &str, service: &str, depth: usize) -> Option<(&'static str, Tier)> {
    let on_top = || depth <= 1 || name.len() > 6;
    let mut of_service = OF_SERVICES.iter();
    let of_service =
        of_service.find(|(at, named, ..)| (*at, *named) == (service, name) && on_top());
    of_service.map(|(_, _, kind, tier)| (*kind, *tier)).or_else(|| {
        let of_any = NAMES.iter().find(|(named, ..)| *named == name);
        of_any
            .map(|(_, kind, tier)| (*kind, *tier))
            .or_else(|| name.ends_with("arn").then_some(("Other", Tier::AnyArn)))
    })
}

fn take(value: &Value, kind: &str, tier: Tier, found: &mut Vec<(Tier, Resource)>) {
    match value {
        Value::String(text) => found.extend(named(text, kind).map(|resource| (tier, resource))),
        Value::Array(items) => {
            items.iter().for_each(|item| {
                if item.is_string() {
                    take(item, kind, tier, found);
                }
            });
        }
        // How CloudTrail writes what EC2 takes as XML.
        Value::Object(members) => {
            if let Some(content) = members.get("content").filter(|content| content.is_string()) {
                take(content, kind, tier, found);
            }
        }
        _ => {}
    }
}

fn named(text: &str, kind: &str) -> Option<Resource> {
    if let Some(by_arn) = arn::resource(text).filter(|found| found.arn.is_some()) {
        let kind = if by_arn.kind == "Other" { kind.to_owned() } else { by_arn.kind };
        return Some(Resource { kind, ..by_arn });
    }
    let is_id = !text.is_empty()
        && text.len() <= limits::ALERT_NAME_BYTES
        && !text.chars().any(|letter| letter.is_whitespace() || letter == '*')
        && text != "HIDDEN_DUE_TO_SECURITY_REASONS";
    let wants_arn = kind == "Other";
    let id = text.rsplit('/').next().filter(|_| text.starts_with("https://")).unwrap_or(text);
    (is_id && !wants_arn).then(|| arn::plain(kind, id, None))
}

use Tier::{Network, Setting, Subject};

/// Names that mean the same with every service.
const NAMES: &[(&str, &str, Tier)] = &[
    ("accesskeyid", "AwsIamAccessKey", Subject),
    ("autoscalinggroupname", "AwsAutoScalingAutoScalingGroup", Subject),
    ("bucketname", "AwsS3Bucket", Subject),
    ("certificatearn", "AwsCertificateManagerCertificate", Subject),
    ("clusterarn", "AwsEcsCluster", Subject),
    ("configrulename", "AwsConfigConfigRule", Subject),
    ("containerinstancearn", "AwsEcsContainerInstance", Subject),
    ("dbclusteridentifier", "AwsRdsDbCluster", Subject),
    ("dbclustersnapshotidentifier", "AwsRdsDbClusterSnapshot", Subject),
    ("dbinstanceidentifier", "AwsRdsDbInstance", Subject),
    ("dbsecuritygroupname", "AwsRdsDbSecurityGroup", Setting),
    ("dbsnapshotidentifier", "AwsRdsDbSnapshot", Subject),
    ("detectorid", "AwsGuardDutyDetector", Subject),
    ("distributionid", "AwsCloudFrontDistribution", Subject),
    ("documentname", "AwsSsmDocument", Setting),
    ("ec2instanceid", "AwsEc2Instance", Subject),
    ("filesystemid", "AwsEfsFileSystem", Subject),
    ("flowlogid", "AwsEc2FlowLog", Subject),
    ("flowlogids", "AwsEc2FlowLog", Subject),
    ("functionarn", "AwsLambdaFunction", Subject),
    ("functionname", "AwsLambdaFunction", Subject),
    ("groupid", "AwsEc2SecurityGroup", Setting),
    ("imageid", "AwsEc2Image", Setting),
    ("instanceid", "AwsEc2Instance", Subject),
    ("instanceids", "AwsEc2Instance", Subject),
    ("instanceprofilename", "AwsIamInstanceProfile", Subject),
    ("internetgatewayid", "AwsEc2InternetGateway", Network),
    ("keyid", "AwsKmsKey", Subject),
    ("layername", "AwsLambdaLayerVersion", Setting),
    ("loadbalancerarn", "AwsElbv2LoadBalancer", Subject),
    ("loadbalancername", "AwsElbLoadBalancer", Subject),
    ("loggroupname", "AwsLogsLogGroup", Subject),
    ("natgatewayid", "AwsEc2NatGateway", Network),
    ("networkaclid", "AwsEc2NetworkAcl", Network),
    ("networkinterfaceid", "AwsEc2NetworkInterface", Network),
    ("policyarn", "AwsIamPolicy", Setting),
    ("queueurl", "AwsSqsQueue", Subject),
    ("queuename", "AwsSqsQueue", Subject),
    ("repositoryname", "AwsEcrRepository", Subject),
    ("resource", "Other", Subject),
    ("resourcearn", "Other", Subject),
    ("resourcearns", "Other", Subject),
    ("restapiid", "AwsApiGatewayRestApi", Subject),
    ("rolearn", "AwsIamRole", Setting),
    ("rolename", "AwsIamRole", Subject),
    ("routetableid", "AwsEc2RouteTable", Network),
    ("secretid", "AwsSecretsManagerSecret", Subject),
    ("securitygroupid", "AwsEc2SecurityGroup", Subject),
    ("snapshotid", "AwsEc2Snapshot", Subject),
    ("sourcedbsnapshotidentifier", "AwsRdsDbSnapshot", Subject),
    ("stackid", "AwsCloudFormationStack", Subject),
    ("stackname", "AwsCloudFormationStack", Subject),
    ("streamname", "AwsKinesisStream", Subject),
    ("subnetid", "AwsEc2Subnet", Network),
    ("tablename", "AwsDynamoDbTable", Subject),
    ("taskarn", "AwsEcsTask", Subject),
    ("topicarn", "AwsSnsTopic", Subject),
    ("trailarn", "AwsCloudTrailTrail", Subject),
    ("trailname", "AwsCloudTrailTrail", Subject),
    ("transitgatewayattachmentid", "AwsEc2TransitGatewayAttachment", Subject),
    ("transitgatewayid", "AwsEc2TransitGateway", Network),
    ("username", "AwsIamUser", Subject),
    ("volumeid", "AwsEc2Volume", Subject),
    ("vpcid", "AwsEc2Vpc", Network),
];

/// Names that mean something of their own with one service.
const OF_SERVICES: &[(&str, &str, &str, Tier)] = &[
    ("cloudfront", "id", "AwsCloudFrontDistribution", Subject),
    ("cloudtrail", "name", "AwsCloudTrailTrail", Subject),
    ("cloudtrail", "s3bucketname", "AwsS3Bucket", Setting),
    ("ecs", "cluster", "AwsEcsCluster", Subject),
    ("ecs", "clustername", "AwsEcsCluster", Subject),
    ("eks", "clustername", "AwsEksCluster", Subject),
    ("eks", "name", "AwsEksCluster", Subject),
    ("glue", "jobname", "AwsGlueJob", Subject),
    ("glue", "tablename", "AwsGlueTable", Subject),
    ("iam", "groupname", "AwsIamGroup", Subject),
    ("iam", "serialnumber", "Other", Setting),
    ("redshift", "clusteridentifier", "AwsRedshiftCluster", Subject),
    // With others it is that of an endpoint: AWS's own, and the same for all of a region.
    ("route53", "hostedzoneid", "AwsRoute53HostedZone", Subject),
    ("ssm", "name", "AwsSsmParameter", Subject),
    ("ssm", "names", "AwsSsmParameter", Subject),
    ("ssm", "target", "AwsEc2Instance", Subject),
    ("sts", "rolearn", "AwsIamRole", Subject),
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(value: Value, service: &str) -> Vec<(String, String)> {
        all([&value], service).into_iter().map(|found| (found.kind, found.id)).collect()
    }

    #[test]
    fn the_closest_that_are_named_are_what_a_call_is_about() {
        let started = json!({"instancesSet": {"items": [
            {"instanceId": "i-1", "imageId": "ami-1", "vpcId": "vpc-1",
             "groupSet": {"items": [{"groupId": "sg-1"}]}},
            {"instanceId": "i-2"},
        ]}});
        let pair = |kind: &str, id: &str| (kind.to_owned(), id.to_owned());
        let instances = [pair("AwsEc2Instance", "i-1"), pair("AwsEc2Instance", "i-2")];
        assert_eq!(found(started, "ec2"), instances);
        let opened = json!({"groupId": "sg-1", "ipPermissions": {"items": [{"vpcId": "vpc-1"}]}});
        assert_eq!(found(opened, "ec2"), [pair("AwsEc2SecurityGroup", "sg-1")]);
        let flow = json!({"DeleteFlowLogsRequest": {"FlowLogId": {"tag": 1, "content": "fl-1"}}});
        assert_eq!(found(flow, "ec2"), [pair("AwsEc2FlowLog", "fl-1")]);
        let group = json!({"dBSecurityGroupName": "g", "cIDRIP": "203.0.113.0/24"});
        assert_eq!(found(group, "rds"), [pair("AwsRdsDbSecurityGroup", "g")]);
        let changed = json!({"dBInstanceIdentifier": "db",
            "dBSecurityGroups": [{"dBSecurityGroupName": "g"}]});
        assert_eq!(found(changed, "rds"), [pair("AwsRdsDbInstance", "db")]);
        let source = "arn:aws:rds:us-east-1:111122223333:snapshot:a";
        let copied = json!({"sourceDBSnapshotIdentifier": source,
            "targetDBSnapshotIdentifier": "b", "dBSnapshotIdentifier": "b"});
        let snapshots = [pair("AwsRdsDbSnapshot", "b"), pair("AwsRdsDbSnapshot", "a")];
        assert_eq!(found(copied, "rds"), snapshots);
        let mesh = json!({"mesh": {"metadata": {"arn": "arn:aws:appmesh:eu-west-1:1:mesh/m"}}});
        assert_eq!(found(mesh, "appmesh"), [pair("Other", "m")]);
    }

    #[test]
    fn policies_placeholders_and_other_services_names_are_left_out() {
        for (value, service) in [
            (json!({"bucketPolicy": {"Statement": [{"userName": "mia"}]}}), "s3"),
            (json!({"userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}), "signin"),
            (json!({"userName": ""}), "iam"),
            (json!({"name": "x"}), "lambda"),
            (json!({"userName": 7, "instanceId": null, "bucketName": {}}), "iam"),
            (json!("text"), "iam"),
        ] {
            assert_eq!(found(value.clone(), service), [], "{value}");
        }
        assert_eq!(found(json!({"name": "t"}), "cloudtrail").len(), 1);
        let endpoint = json!({"dBInstanceIdentifier": "db", "endpoint": {"hostedZoneId": "Z1"}});
        let database = [("AwsRdsDbInstance".to_owned(), "db".to_owned())];
        assert_eq!(found(endpoint, "rds"), database);
        assert_eq!(found(json!({"hostedZoneId": "Z1"}), "route53").len(), 1);
    }
}
