//! What a finding is about, by the names of Security Hub's format
//! (<https://docs.aws.amazon.com/securityhub/latest/userguide/asff-resources-attributes.html>).
//!
//! A finding may describe more than it is about: an instance finding names the instance's role, and
//! a sample has blocks of every kind. `resourceType` says which of them count: that of the thing itself,
//! and what has a part in it whenever GuardDuty finds such a thing. Calls on a bucket have a caller, and a
//! container stands on an instance.

use std::collections::BTreeMap;

use serde_json::Value;
use stanch_plugins_sdk::core::alert::Resource;
use stanch_plugins_sdk::payload::{at, items, member, text};

use crate::sources::kind::of_upper_case;
use stanch_plugins_sdk::payload::arn::{self, own_part};

/// What a finding is about.
pub(super) fn all(finding: &Value) -> Vec<Resource> {
    let Some(resource) = member(finding, "resource") else { return Vec::new() };
    let kind = text(resource, &["resourceType"]);
    match kind.as_deref() {
        Some("AttackSequence") => {
            let path = ["service", "detection", "sequence", "resources"];
            items(finding, &path).iter().filter_map(of_sequence).collect()
        }
        Some(kind @ "S3Bucket") => {
            of_kind(kind, resource).into_iter().chain(caller(finding)).collect()
        }
        Some(kind @ "AccessKey") if is_of_buckets(finding) => {
            of_kind(kind, resource).into_iter().chain(buckets(resource, false)).collect()
        }
        Some(kind @ "Container") => {
            of_kind(kind, resource).into_iter().chain(instance(resource)).collect()
        }
        Some(kind) => of_kind(kind, resource),
        None => only_block(resource),
    }
}

/// The credentials that a bucket was called with, where they are of the finding's own account: what is
/// somebody else's is nothing that could be cut off.
fn caller(finding: &Value) -> Vec<Resource> {
    let own = text(finding, &["accountId"]);
    let path = ["service", "action", "awsApiCallAction", "remoteAccountDetails", "accountId"];
    let is_foreign = text(finding, &path).is_some_and(|caller| Some(caller) != own);
    let resource = member(finding, "resource").filter(|_| !is_foreign);
    resource.map(access_key).unwrap_or_default()
}

/// Whether it is about what somebody did to a bucket: `Policy:S3/BucketAnonymousAccessGranted` and its
/// like are of a key, and name the bucket.
fn is_of_buckets(finding: &Value) -> bool {
    text(finding, &["type"]).is_some_and(|kind| kind.contains(":S3/"))
}

/// The blocks of a finding's resource, and the resource types that they are of.
const BLOCKS: [(&str, &str); 8] = [
    ("accessKeyDetails", "AccessKey"),
    ("containerDetails", "Container"),
    ("ecsClusterDetails", "ECSCluster"),
    ("eksClusterDetails", "EKSCluster"),
    ("instanceDetails", "Instance"),
    ("lambdaDetails", "Lambda"),
    ("rdsDbInstanceDetails", "RDSDBInstance"),
    ("s3BucketDetails", "S3Bucket"),
];

/// What a finding without a resource type is about, when it can be only one thing.
fn only_block(resource: &Value) -> Vec<Resource> {
    let mut present = BLOCKS.iter().filter(|(block, _)| member(resource, block).is_some());
    match (present.next(), present.next()) {
        (Some((_, kind)), None) => of_kind(kind, resource),
        _ => Vec::new(),
    }
}

fn of_kind(kind: &str, resource: &Value) -> Vec<Resource> {
    let block = |name, kind, id: &str, arn: &str, named: &str| {
        let found = member(resource, name).and_then(|block| build(block, kind, id, arn, named));
        found.into_iter().collect()
    };
    match kind {
        "AccessKey" => access_key(resource),
        "Instance" => instance(resource),
        "S3Bucket" => buckets(resource, false),
        "S3Object" => buckets(resource, true),
        "EKSCluster" | "KubernetesCluster" => eks(resource),
        "ECSCluster" => ecs(resource),
        "Container" => block("containerDetails", "Container", "id", "", "name"),
        "RDSDBInstance" => block(
            "rdsDbInstanceDetails",
            "AwsRdsDbInstance",
            "dbInstanceIdentifier",
            "dbInstanceArn",
            "dbInstanceIdentifier",
        ),
        "RDSLimitlessDB" => block(
            "rdsLimitlessDbDetails",
            "AwsRdsDbCluster",
            "dbClusterIdentifier",
            "",
            "dbClusterIdentifier",
        ),
        "Lambda" => block(
            "lambdaDetails",
            "AwsLambdaFunction",
            "functionName",
            "functionArn",
            "functionName",
        ),
        _ => backup(resource),
    }
}

/// An instance, and the volumes that were scanned for malware.
fn instance(resource: &Value) -> Vec<Resource> {
    let instance = member(resource, "instanceDetails")
        .and_then(|block| build(block, "AwsEc2Instance", "instanceId", "", ""));
    let scanned = items(resource, &["ebsVolumeDetails", "scannedVolumeDetails"]);
    let volumes = scanned.iter().filter_map(|volume| arn::resource(&text(volume, &["volumeArn"])?));
    instance.into_iter().chain(volumes).collect()
}

/// A cluster, and the containers of the workload in it.
fn eks(resource: &Value) -> Vec<Resource> {
    let cluster = member(resource, "eksClusterDetails")
        .and_then(|block| build(block, "AwsEksCluster", "name", "arn", "name"));
    let path = ["kubernetesDetails", "kubernetesWorkloadDetails", "containers"];
    let containers = items(resource, &path).iter();
    let containers = containers.filter_map(|c| build(c, "Container", "id", "", "name"));
    cluster.into_iter().chain(containers).collect()
}

/// What was scanned in a backup, and whatever else is named by an ARN alone.
fn backup(resource: &Value) -> Vec<Resource> {
    [
        ("ebsSnapshotDetails", "snapshotArn"),
        ("ec2ImageDetails", "imageArn"),
        ("recoveryPointDetails", "recoveryPointArn"),
    ]
    .iter()
    .filter_map(|(block, name)| arn::resource(&text(resource, &[block, name])?))
    .collect()
}

fn access_key(resource: &Value) -> Vec<Resource> {
    let Some(details) = member(resource, "accessKeyDetails") else { return Vec::new() };
    let key = build(details, "AwsIamAccessKey", "accessKeyId", "", "userName");
    let kind = text(details, &["userType"]);
    let owner = match kind.as_deref() {
        Some("IAMUser") => build(details, "AwsIamUser", "userName", "", "userName"),
        Some("AssumedRole" | "Role") => build(details, "AwsIamRole", "userName", "", "userName"),
        _ => None,
    };
    key.into_iter().chain(owner).collect()
}

fn buckets(resource: &Value, objects: bool) -> Vec<Resource> {
    let of_bucket = |bucket: &Value| {
        let found = build(bucket, "AwsS3Bucket", "name", "arn", "name");
        let within = items(bucket, &["s3ObjectDetails"]).iter().filter(|_| objects);
        let within =
            within.filter_map(|object| build(object, "AwsS3Object", "key", "objectArn", ""));
        within.chain(found).collect::<Vec<_>>()
    };
    items(resource, &["s3BucketDetails"]).iter().flat_map(of_bucket).collect()
}

fn ecs(resource: &Value) -> Vec<Resource> {
    let Some(details) = member(resource, "ecsClusterDetails") else { return Vec::new() };
    let cluster = build(details, "AwsEcsCluster", "name", "arn", "name");
    let task = member(details, "taskDetails");
    let containers = task.map(|task| items(task, &["containers"])).unwrap_or_default();
    let containers = containers.iter().filter_map(|c| build(c, "Container", "id", "", "name"));
    let task = task.and_then(|task| build(task, "AwsEcsTask", "arn", "arn", ""));
    cluster.into_iter().chain(task).chain(containers).collect()
}

fn of_sequence(resource: &Value) -> Option<Resource> {
    let kind = of_upper_case(&text(resource, &["resourceType"])?);
    let mut found = build(resource, &kind, "uid", "uid", "name")?;
    if found.name.is_none() {
        found.name = text(resource, &["data", "accessKey", "userName"]);
    }
    Some(found)
}

/// A resource whose id, ARN and name are members of those names; nothing without an id. The name
/// that people gave is the tag `Name` where AWS has no other.
fn build(block: &Value, kind: &str, id: &str, arn: &str, name: &str) -> Option<Resource> {
    let id = text(block, &[id])?;
    let tags = tags(block);
    Some(Resource {
        kind: kind.to_owned(),
        id: own_part(&id).to_owned(),
        arn: text(block, &[arn]).filter(|arn| arn.starts_with("arn:")),
        name: text(block, &[name]).or_else(|| tags.get("Name").cloned()),
        tags,
    })
}

fn tags(block: &Value) -> BTreeMap<String, String> {
    let tag = |tag: &Value| Some((text(tag, &["key"])?, at(tag, &["value"])?.as_str()?.to_owned()));
    items(block, &["tags"]).iter().filter_map(tag).collect()
}
