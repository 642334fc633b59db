//! ARNs and ids: what they say of the resource, its account and its region
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>).

use std::collections::BTreeMap;

use stanch_engine_core::alert::Resource;

/// An ARN, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    service: &'a str,
    region: &'a str,
    account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes a text apart; nothing when it is no ARN.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':').map(str::trim);
        let (head, partition) = (parts.next()?, parts.next()?);
        let (service, region) = (parts.next()?, parts.next()?);
        let (account, resource) = (parts.next()?, parts.next()?);
        let is_arn = head == "arn" && partition.starts_with("aws") && !service.is_empty();
        (is_arn && !resource.is_empty()).then_some(Self { service, region, account, resource })
    }

    /// The account, where it names one.
    pub fn account(&self) -> Option<String> {
        is_account(self.account).then(|| self.account.to_owned())
    }

    /// The region, where it names one.
    pub fn region(&self) -> Option<String> {
        is_region(self.region).then(|| self.region.to_owned())
    }

    /// The ASFF name of its type and the id within account and region.
    pub fn names(&self) -> (&'static str, &'a str) {
        if self.service == "s3" {
            let kind = if self.resource.contains('/') { "AwsS3Object" } else { "AwsS3Bucket" };
            return (kind, self.resource);
        }
        if (self.service, self.resource) == ("iam", "root") {
            return ("AwsAccount", self.account);
        }
        let mut split = self.resource.splitn(2, [':', '/']);
        let (word, rest) = (split.next().unwrap_or_default(), split.next());
        match (
            rest,
            KINDS.iter().find(|(service, first, ..)| (*service, *first) == (self.service, word)),
        ) {
            (Some(rest), Some((.., kind, take))) => (kind, take.of(rest)),
            (Some(rest), None) => ("Other", Take::Last.of(rest)),
            (None, _) => (bare(self.service), self.resource),
        }
    }
}

/// Services whose ARNs name a resource without its type.
fn bare(service: &str) -> &'static str {
    match service {
        "sns" => "AwsSnsTopic",
        "sqs" => "AwsSqsQueue",
        _ => "Other",
    }
}

/// Which part of an ARN's path is the id.
#[derive(Clone, Copy)]
enum Take {
    /// All of it.
    All,
    /// What stands before the next separator.
    First,
    /// What stands behind the last slash.
    Last,
    /// The name of a load balancer, which its kind and its hash stand around; the API that a stage
    /// is of.
    Second,
}

impl Take {
    fn of(self, rest: &str) -> &str {
        let taken = match self {
            Self::All => rest,
            Self::First => rest.split([':', '/']).next().unwrap_or(rest),
            Self::Last => rest.rsplit('/').next().unwrap_or(rest),
            Self::Second => rest.split('/').nth(1).unwrap_or(rest),
        };
        if taken.is_empty() { rest } else { taken }
    }
}

/// Service, first word of the resource, ASFF's name for it, and where the id stands
/// (<https://docs.aws.amazon.com/securityhub/latest/userguide/asff-resources.html>).
const KINDS: &[(&str, &str, &str, Take)] = &[
    ("access-analyzer", "analyzer", "AwsAccessAnalyzerAnalyzer", Take::First),
    ("acm", "certificate", "AwsCertificateManagerCertificate", Take::Last),
    ("apigateway", "", "AwsApiGatewayRestApi", Take::Second),
    ("autoscaling", "autoScalingGroup", "AwsAutoScalingAutoScalingGroup", Take::Last),
    ("cloudformation", "stack", "AwsCloudFormationStack", Take::First),
    ("cloudfront", "distribution", "AwsCloudFrontDistribution", Take::Last),
    ("cloudtrail", "trail", "AwsCloudTrailTrail", Take::Last),
    ("cloudwatch", "alarm", "AwsCloudWatchAlarm", Take::All),
    ("codebuild", "project", "AwsCodeBuildProject", Take::Last),
    ("config", "config-rule", "AwsConfigConfigRule", Take::Last),
    ("dynamodb", "table", "AwsDynamoDbTable", Take::First),
    ("ec2", "image", "AwsEc2Image", Take::Last),
    ("ec2", "instance", "AwsEc2Instance", Take::Last),
    ("ec2", "launch-template", "AwsEc2LaunchTemplate", Take::Last),
    ("ec2", "network-acl", "AwsEc2NetworkAcl", Take::Last),
    ("ec2", "network-interface", "AwsEc2NetworkInterface", Take::Last),
    ("ec2", "route-table", "AwsEc2RouteTable", Take::Last),
    ("ec2", "security-group", "AwsEc2SecurityGroup", Take::Last),
    ("ec2", "snapshot", "AwsEc2Snapshot", Take::Last),
    ("ec2", "subnet", "AwsEc2Subnet", Take::Last),
    ("ec2", "transit-gateway", "AwsEc2TransitGateway", Take::Last),
    ("ec2", "volume", "AwsEc2Volume", Take::Last),
    ("ec2", "vpc", "AwsEc2Vpc", Take::Last),
    ("ecr", "repository", "AwsEcrRepository", Take::All),
    ("ecs", "cluster", "AwsEcsCluster", Take::Last),
    ("ecs", "container-instance", "AwsEcsContainerInstance", Take::Last),
    ("ecs", "service", "AwsEcsService", Take::Last),
    ("ecs", "task", "AwsEcsTask", Take::Last),
    ("ecs", "task-definition", "AwsEcsTaskDefinition", Take::Last),
    ("eks", "cluster", "AwsEksCluster", Take::First),
    ("elasticfilesystem", "file-system", "AwsEfsFileSystem", Take::Last),
    ("elasticloadbalancing", "loadbalancer", "AwsElbv2LoadBalancer", Take::Second),
    ("es", "domain", "AwsElasticsearchDomain", Take::Last),
    ("events", "event-bus", "AwsEventsEventbus", Take::Last),
    ("events", "rule", "AwsEventsRule", Take::Last),
    ("firehose", "deliverystream", "AwsKinesisFirehoseDeliveryStream", Take::Last),
    ("glue", "job", "AwsGlueJob", Take::Last),
    ("guardduty", "detector", "AwsGuardDutyDetector", Take::First),
    ("guardduty", "malware-protection-plan", "AwsGuardDutyMalwareProtectionPlan", Take::Last),
    ("iam", "group", "AwsIamGroup", Take::Last),
    ("iam", "instance-profile", "AwsIamInstanceProfile", Take::Last),
    ("iam", "policy", "AwsIamPolicy", Take::Last),
    ("iam", "role", "AwsIamRole", Take::Last),
    ("iam", "user", "AwsIamUser", Take::Last),
    ("kinesis", "stream", "AwsKinesisStream", Take::Last),
    ("kms", "alias", "AwsKmsAlias", Take::All),
    ("kms", "key", "AwsKmsKey", Take::Last),
    ("lambda", "function", "AwsLambdaFunction", Take::First),
    ("lambda", "layer", "AwsLambdaLayerVersion", Take::First),
    ("logs", "log-group", "AwsLogsLogGroup", Take::All),
    ("rds", "cluster", "AwsRdsDbCluster", Take::All),
    ("rds", "cluster-snapshot", "AwsRdsDbClusterSnapshot", Take::All),
    ("rds", "db", "AwsRdsDbInstance", Take::All),
    ("rds", "snapshot", "AwsRdsDbSnapshot", Take::All),
    ("redshift", "cluster", "AwsRedshiftCluster", Take::All),
    ("route53", "hostedzone", "AwsRoute53HostedZone", Take::Last),
    ("sagemaker", "notebook-instance", "AwsSageMakerNotebookInstance", Take::Last),
    ("secretsmanager", "secret", "AwsSecretsManagerSecret", Take::All),
    ("ssm", "document", "AwsSsmDocument", Take::Last),
    ("ssm", "managed-instance", "AwsSsmManagedInstance", Take::Last),
    ("ssm", "parameter", "AwsSsmParameter", Take::All),
    ("states", "stateMachine", "AwsStepFunctionStateMachine", Take::All),
    ("sts", "assumed-role", "AwsIamRole", Take::First),
    ("sts", "federated-user", "AwsIamUser", Take::All),
    ("wafv2", "regional", "AwsWafv2WebAcl", Take::Last),
];

/// What ids begin with that say what they are of.
const PREFIXES: &[(&str, &str)] = &[
    ("AKIA", "AwsIamAccessKey"),
    ("ASIA", "AwsIamAccessKey"),
    ("ami-", "AwsEc2Image"),
    ("eni-", "AwsEc2NetworkInterface"),
    ("fs-", "AwsEfsFileSystem"),
    ("i-", "AwsEc2Instance"),
    ("mi-", "AwsSsmManagedInstance"),
    ("sg-", "AwsEc2SecurityGroup"),
    ("snap-", "AwsEc2Snapshot"),
    ("subnet-", "AwsEc2Subnet"),
    ("vol-", "AwsEc2Volume"),
    ("vpc-", "AwsEc2Vpc"),
];

/// The resource that an ARN, or an id that says what it is of, names.
pub fn resource(text: &str) -> Option<Resource> {
    if let Some(arn) = Arn::parse(text) {
        let (kind, id) = arn.names();
        return Some(plain(kind, id, Some(text)));
    }
    let (_, kind) = PREFIXES.iter().find(|(prefix, _)| is_of(text, prefix))?;
    Some(plain(kind, text, None))
}

/// Letters and digits behind a prefix, and enough of them.
fn is_of(text: &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    let is_key = prefix.len() == 4 && prefix.starts_with('A');
    rest.len() >= if is_key { 12 } else { 7 } && rest.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// A resource without name and tags.
pub fn plain(kind: &str, id: &str, arn: Option<&str>) -> Resource {
    let (kind, id, arn) = (kind.to_owned(), id.to_owned(), arn.map(str::to_owned));
    Resource { kind, id, arn, name: None, tags: BTreeMap::new() }
}

/// What an ARN says of the resource alone: `i-1` of `arn:aws:ec2:…:instance/i-1`, and all of what
/// S3 has. What is no ARN stays as it is.
pub fn own_part(id: &str) -> &str {
    Arn::parse(id).map_or(id, |arn| arn.names().1)
}

/// Whether a text is an account's number. Anonymised payloads have a digit too many or too few:
/// they are still what the payload says.
pub fn is_account(text: &str) -> bool {
    !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is a region's code, such as `us-east-1`, `us-gov-west-1` or `us-isob-east-1`.
pub fn is_region(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    match parts.as_slice() {
        [first, middle @ .., last] => {
            !middle.is_empty()
                && middle.len() <= 3
                && is_word(first)
                && middle.iter().all(is_word)
                && last.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
                && last.len() <= 3
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_gives_way_to_what_it_names() {
        for (id, own) in [
            ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
            ("arn:aws:ec2:us-east-1:111122223333:instance/i-1", "i-1"),
            ("arn:aws:s3:::bucket", "bucket"),
            ("arn:aws:s3:::bucket/a/b", "bucket/a/b"),
            ("arn:aws:ecs:us-east-1:111122223333:task/cluster/t1", "t1"),
            ("logs/2026/11", "logs/2026/11"),
        ] {
            assert_eq!(own_part(id), own);
        }
    }

    #[test]
    fn arns_and_ids_say_what_they_are_of() {
        for (text, kind, id) in [
            ("arn:aws:iam::111122223333:user/team/mia", "AwsIamUser", "mia"),
            ("arn:aws:iam::111122223333:root", "AwsAccount", "111122223333"),
            ("arn:aws:sts::111122223333:assumed-role/admin/mia", "AwsIamRole", "admin"),
            ("arn:aws-us-gov:s3:::logs", "AwsS3Bucket", "logs"),
            ("arn:aws:lambda:eu-west-1:111122223333:function:pay:3", "AwsLambdaFunction", "pay"),
            ("arn:aws:rds:eu-west-1:111122223333:db:orders", "AwsRdsDbInstance", "orders"),
            ("arn:aws:sns:eu-west-1:111122223333:alarms", "AwsSnsTopic", "alarms"),
            ("arn:aws:cloudwatch:eu-west-1:111122223333:alarm:a:b", "AwsCloudWatchAlarm", "a:b"),
            (
                "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/web/50dc",
                "AwsElbv2LoadBalancer",
                "web",
            ),
            (
                "arn:aws:apigateway:us-east-1::/restapis/abcdef74gh/stages/test",
                "AwsApiGatewayRestApi",
                "abcdef74gh",
            ),
            (
                "arn:aws:apigateway:us-east-1::/restapis/abcdef74gh",
                "AwsApiGatewayRestApi",
                "abcdef74gh",
            ),
            ("arn:aws:unheardof:eu-west-1:111122223333:thing/x", "Other", "x"),
            ("i-0abcdef12", "AwsEc2Instance", "i-0abcdef12"),
            ("AKIAIOSFODNN7EXAMPLE", "AwsIamAccessKey", "AKIAIOSFODNN7EXAMPLE"),
        ] {
            let found = resource(text).unwrap();
            assert_eq!((found.kind.as_str(), found.id.as_str()), (kind, id), "{text}");
        }
        for text in ["", "instance", "i-", "i-have a dream", "arn:aws:ec2", "arn:other:s3:::b"] {
            assert_eq!(resource(text), None, "{text}");
        }
    }

    #[test]
    fn accounts_and_regions_are_told_from_placeholders() {
        let arn = Arn::parse("arn:aws:cloudwatch:REGION:ACCOUNT_NUMBER:alarm:EXAMPLE").unwrap();
        assert_eq!((arn.account(), arn.region()), (None, None));
        let arn = Arn::parse("arn:aws:cloudwatch:us-east-1: 111122223333:alarm:a").unwrap();
        assert_eq!(arn.account().as_deref(), Some("111122223333"));
        for region in ["us-east-1", "us-gov-west-1", "ap-isob-east-1r", "eu-isoe-west-1"] {
            assert!(is_region(region), "{region}");
        }
        for other in ["", "EXAMPLE", "us-east", "EU (Ireland)", "global", "aws-global", "1-2"] {
            assert!(!is_region(other), "{other}");
        }
    }
}
