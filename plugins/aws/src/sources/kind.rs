//! Names of resource types: CloudFormation's, which Config, CloudTrail and Access Analyzer use,
//! and the upper-case ones of Inspector and of GuardDuty's sequences, by the names of ASFF.

/// ASFF's name of a CloudFormation type: `AwsEc2SecurityGroup` for `AWS::EC2::SecurityGroup`.
pub(super) fn of_cloudformation(kind: &str) -> String {
    if let Some((_, name)) = EXCEPTIONS.iter().find(|(known, _)| *known == kind) {
        return (*name).to_owned();
    }
    let mut parts = kind.split("::");
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some("AWS"), Some(service), Some(resource), None) if !resource.is_empty() => {
            format!("Aws{}{}", words(service), words(resource))
        }
        _ => "Other".to_owned(),
    }
}

/// Where ASFF's names do not follow from CloudFormation's.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("AWS::::Account", "AwsAccount"),
    ("AWS::ACM::Certificate", "AwsCertificateManagerCertificate"),
    ("AWS::Account", "AwsAccount"),
    ("AWS::ElasticLoadBalancing::LoadBalancer", "AwsElbLoadBalancer"),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer", "AwsElbv2LoadBalancer"),
    ("AWS::OpenSearch::Domain", "AwsOpenSearchServiceDomain"),
    ("AWS::StepFunctions::StateMachine", "AwsStepFunctionStateMachine"),
    ("AWS::WAFv2::RuleGroup", "AwsWafv2RuleGroup"),
    ("AWS::WAFv2::WebACL", "AwsWafv2WebAcl"),
];

/// A name in camel case with its runs of capitals lowered: `DBInstance` is `DbInstance`. The last
/// capital of a run begins the next word where a small letter follows.
fn words(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let upper = |at: usize| letters.get(at).is_some_and(char::is_ascii_uppercase);
    let lower = |at: usize| letters.get(at).is_some_and(char::is_ascii_lowercase);
    let within = |at: usize| at > 0 && upper(at) && upper(at - 1) && !lower(at + 1);
    letters
        .iter()
        .enumerate()
        .map(|(at, letter)| if within(at) { letter.to_ascii_lowercase() } else { *letter })
        .collect()
}

/// ASFF's name of an upper-case type: `AWS_EC2_INSTANCE`, `EC2_INSTANCE`, `AwsEc2Instance`.
pub(super) fn of_upper_case(kind: &str) -> String {
    if let Some((_, name)) = UPPER_CASE.iter().find(|(known, _)| *known == kind) {
        return (*name).to_owned();
    }
    if kind.starts_with("Aws") {
        return kind.to_owned();
    }
    if kind.starts_with("AWS::") {
        return of_cloudformation(kind);
    }
    "Other".to_owned()
}

const UPPER_CASE: &[(&str, &str)] = &[
    ("ACCESS_KEY", "AwsIamAccessKey"),
    ("AUTOSCALING_AUTO_SCALING_GROUP", "AwsAutoScalingAutoScalingGroup"),
    ("AWS_EC2_INSTANCE", "AwsEc2Instance"),
    ("AWS_ECR_CONTAINER_IMAGE", "AwsEcrContainerImage"),
    ("AWS_ECR_REPOSITORY", "AwsEcrRepository"),
    ("AWS_LAMBDA_FUNCTION", "AwsLambdaFunction"),
    ("CLOUDFORMATION_STACK", "AwsCloudFormationStack"),
    ("CODE_REPOSITORY", "CodeRepository"),
    ("CONTAINER", "Container"),
    ("EC2_INSTANCE", "AwsEc2Instance"),
    ("EC2_LAUNCH_TEMPLATE", "AwsEc2LaunchTemplate"),
    ("EC2_NETWORK_INTERFACE", "AwsEc2NetworkInterface"),
    ("EC2_VPC", "AwsEc2Vpc"),
    ("ECS_CLUSTER", "AwsEcsCluster"),
    ("ECS_TASK", "AwsEcsTask"),
    ("EKS_CLUSTER", "AwsEksCluster"),
    ("IAM_INSTANCE_PROFILE", "AwsIamInstanceProfile"),
    ("KUBERNETES_WORKLOAD", "KubernetesWorkload"),
    ("LAMBDA_FUNCTION", "AwsLambdaFunction"),
    ("S3_BUCKET", "AwsS3Bucket"),
    ("S3_OBJECT", "AwsS3Object"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cloudformations_names_become_those_of_asff() {
        for (kind, name) in [
            ("AWS::EC2::Instance", "AwsEc2Instance"),
            ("AWS::EC2::VOLUME", "AwsEc2Volume"),
            ("AWS::EC2::VPCPeeringConnection", "AwsEc2VpcPeeringConnection"),
            ("AWS::EC2::EIP", "AwsEc2Eip"),
            ("AWS::S3::Bucket", "AwsS3Bucket"),
            ("AWS::IAM::AccessKey", "AwsIamAccessKey"),
            ("AWS::RDS::DBInstance", "AwsRdsDbInstance"),
            ("AWS::RDS::DBClusterSnapshot", "AwsRdsDbClusterSnapshot"),
            ("AWS::DynamoDB::Table", "AwsDynamoDbTable"),
            ("AWS::SQS::Queue", "AwsSqsQueue"),
            ("AWS::SecretsManager::Secret", "AwsSecretsManagerSecret"),
            ("AWS::WAFv2::WebACL", "AwsWafv2WebAcl"),
            ("AWS::ElasticLoadBalancingV2::LoadBalancer", "AwsElbv2LoadBalancer"),
            ("AWS::::Account", "AwsAccount"),
            ("AWS::RESOURCE::TYPE", "AwsResourceType"),
            ("AWS::EC2", "Other"),
            ("something", "Other"),
            ("", "Other"),
        ] {
            assert_eq!(of_cloudformation(kind), name, "{kind}");
        }
        assert_eq!(of_upper_case("AWS_ECR_CONTAINER_IMAGE"), "AwsEcrContainerImage");
        assert_eq!(of_upper_case("AwsS3Bucket"), "AwsS3Bucket");
    }
}
