//! The demo's story: who is who, and what happened before the finding.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::ec2::set;
use super::iam::User;
use super::world::{Placed, World};
use super::{finding, trail};

/// Names that the story is told with. The key, the addresses and the account are those that AWS's
/// documentation and RFC 5737 keep for examples.
pub(super) const ACCOUNT: &str = "111122223333";
pub(super) const REGION: &str = "us-east-1";
pub(super) const USER: &str = "ci-deploy";
pub(super) const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub(super) const ATTACKER: &str = "198.51.100.77";
pub(super) const DETECTOR: &str = "12abc34d567e8fa901bc2d34e56789f0";
pub(super) const INSTANCE: &str = "i-0abc1234def567890";
pub(super) const INTERFACE: &str = "eni-0abc1234def567890";
pub(super) const GROUP: &str = "sg-0aaaabbbbcccc1111";
pub(super) const VPC: &str = "vpc-0a1b2c3d4e5f60718";
pub(super) const SUBNET: &str = "subnet-0a1b2c3d4e5f60718";

/// Where the user's pipeline runs.
const OFFICE: &str = "203.0.113.10";
const MINUTE_MS: i64 = 60 * 1_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// The account at the time of the finding.
pub(super) fn world(now: Timestamp) -> World {
    let mut world = World::new(ACCOUNT);
    world.users.insert(USER.to_owned(), user(now));
    instance(&mut world, now);
    world.trail = Arc::new(events(now));
    world.findings = [finding::of_key(now), finding::of_instance(now)]
        .iter()
        .map(finding::as_answered)
        .collect();
    world
}

fn user(now: Timestamp) -> User {
    let used = json!({
        "LastUsedDate": trail::seconds(now.plus_ms(-2 * MINUTE_MS)),
        "ServiceName": "s3",
        "Region": REGION,
    });
    User {
        user: json!({
            "Path": "/",
            "UserName": USER,
            "UserId": "AIDAEXAMPLECIDEPLOY00",
            "Arn": format!("arn:aws:iam::{ACCOUNT}:user/{USER}"),
            "CreateDate": trail::seconds(now.plus_ms(-400 * DAY_MS)),
            "Tags": [{"Key": "owner", "Value": "platform-team"}],
        }),
        keys: vec![json!({
            "UserName": USER,
            "AccessKeyId": KEY,
            "Status": "Active",
            "CreateDate": trail::seconds(now.plus_ms(-200 * DAY_MS)),
        })],
        last_used: BTreeMap::from([(KEY.to_owned(), used)]),
        policies: BTreeMap::from([(
            "deploy".to_owned(),
            json!({
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": ["s3:*", "ecs:*"], "Resource": "*"}],
            })
            .to_string(),
        )]),
        attached: vec![json!({
            "PolicyName": "ReadOnlyAccess",
            "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess",
        })],
        groups: vec![json!({
            "Path": "/",
            "GroupName": "pipelines",
            "GroupId": "AGPAEXAMPLEPIPELINES0",
            "Arn": format!("arn:aws:iam::{ACCOUNT}:group/pipelines"),
            "CreateDate": trail::seconds(now.plus_ms(-400 * DAY_MS)),
        })],
        devices: Vec::new(),
    }
}

fn instance(world: &mut World, now: Timestamp) {
    let groups = json!([{"GroupId": GROUP, "GroupName": "web"}]);
    let tags = json!([{"Key": "Name", "Value": "web-1"}, {"Key": "env", "Value": "prod"}]);
    let launched = trail::seconds(now.plus_ms(-30 * DAY_MS));
    let interface = json!({
        "NetworkInterfaceId": INTERFACE,
        "VpcId": VPC,
        "SubnetId": SUBNET,
        "PrivateIpAddress": "10.0.1.23",
        "Status": "in-use",
        "Groups": groups,
        "Attachment": {"InstanceId": INSTANCE, "DeviceIndex": 0, "Status": "attached"},
    });
    let placed = |value| vec![Placed { region: REGION.to_owned(), value }];
    world.instances = placed(json!({
        "InstanceId": INSTANCE,
        "ImageId": "ami-0abcdef1234567890",
        "InstanceType": "t3.medium",
        "State": {"Code": 16, "Name": "running"},
        "LaunchTime": launched,
        "Placement": {"AvailabilityZone": format!("{REGION}a"), "Tenancy": "default"},
        "VpcId": VPC,
        "SubnetId": SUBNET,
        "PrivateIpAddress": "10.0.1.23",
        "PublicIpAddress": "203.0.113.23",
        "IamInstanceProfile": {"Arn": format!("arn:aws:iam::{ACCOUNT}:instance-profile/web")},
        "SecurityGroups": groups,
        "NetworkInterfaces": [interface],
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": "vol-0aaa1111bbb22222c"}},
            {"DeviceName": "/dev/xvdb", "Ebs": {"VolumeId": "vol-0ddd3333eee44444f"}},
        ],
        "Tags": tags,
    }));
    world.interfaces = placed(interface);
    world.volumes =
        [("vol-0aaa1111bbb22222c", "/dev/xvda", 20), ("vol-0ddd3333eee44444f", "/dev/xvdb", 100)]
            .into_iter()
            .flat_map(|(id, device, size)| placed(volume(id, device, size, &launched)))
            .collect();
    let https = json!([{
        "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
        "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
    }]);
    world.groups = placed(json!({
        "GroupId": GROUP,
        "GroupName": "web",
        "Description": "web servers",
        "VpcId": VPC,
        "OwnerId": ACCOUNT,
        "IpPermissions": https,
        "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    }));
    let console = "[    0.000000] Linux version 6.1.0\nweb-1 login: \n\
        kworkerds[4711]: connected to 198.51.100.77:443\n";
    world.consoles = BTreeMap::from([(INSTANCE.to_owned(), console.to_owned())]);
}

fn volume(id: &str, device: &str, size: u32, since: &str) -> Value {
    json!({
        "VolumeId": id,
        "Size": size,
        "Encrypted": true,
        "KmsKeyId": format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-4333-8444-555555555555"),
        "VolumeType": "gp3",
        "State": "in-use",
        "AvailabilityZone": format!("{REGION}a"),
        "CreateTime": since,
        "Attachments": [{
            "InstanceId": INSTANCE, "VolumeId": id, "Device": device, "State": "attached",
            "AttachTime": since, "DeleteOnTermination": false,
        }],
    })
}

/// One call of the story: minutes before the finding, service, name, from where, error, what.
type Call = (i64, &'static str, &'static str, &'static str, Option<&'static str>, Value);

fn events(now: Timestamp) -> Vec<Value> {
    let role = json!({"roleName": "admin-temp"});
    let calls: [Call; 12] = [
        (2, "s3", "ListBuckets", ATTACKER, None, Value::Null),
        (3, "secretsmanager", "ListSecrets", ATTACKER, Some("AccessDenied"), Value::Null),
        (
            4,
            "iam",
            "AttachUserPolicy",
            ATTACKER,
            Some("AccessDenied"),
            json!({"userName": USER, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        ),
        (5, "iam", "CreateAccessKey", ATTACKER, Some("AccessDenied"), json!({"userName": USER})),
        (6, "iam", "CreateRole", ATTACKER, Some("AccessDenied"), role),
        (7, "iam", "ListUsers", ATTACKER, None, Value::Null),
        (8, "ec2", "DescribeInstances", ATTACKER, None, Value::Null),
        (9, "iam", "ListAttachedUserPolicies", ATTACKER, None, json!({"userName": USER})),
        (10, "s3", "ListBuckets", ATTACKER, None, Value::Null),
        (16, "sts", "GetCallerIdentity", ATTACKER, None, Value::Null),
        (95, "ecs", "UpdateService", OFFICE, None, json!({"cluster": "web", "service": "shop"})),
        (96, "s3", "ListBuckets", OFFICE, None, Value::Null),
    ];
    let each = calls.into_iter().enumerate();
    each.map(|(number, call)| trail::event(&record(now, number, &call), &resources(&call)))
        .collect()
}

fn record(now: Timestamp, number: usize, call: &Call) -> Value {
    let (minutes, service, name, from, error, parameters) = call;
    let program = if *from == OFFICE { "terraform/1.9.0" } else { "aws-cli/2.15.30 Python/3.11.8" };
    let looks = ["List", "Describe", "Get"].iter().any(|word| name.starts_with(word));
    let mut record = json!({
        "eventVersion": "1.10",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLECIDEPLOY00",
            "arn": format!("arn:aws:iam::{ACCOUNT}:user/{USER}"),
            "accountId": ACCOUNT,
            "accessKeyId": KEY,
            "userName": USER,
        },
        "eventTime": trail::seconds(now.plus_ms(-minutes * MINUTE_MS)),
        "eventSource": format!("{service}.amazonaws.com"),
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": from,
        "userAgent": program,
        "requestParameters": parameters,
        "responseElements": null,
        "eventID": format!("00000000-0000-4000-8000-{number:012x}"),
        "readOnly": looks,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    });
    if let Some(code) = error {
        set(&mut record, "errorCode", (*code).into());
        set(
            &mut record,
            "errorMessage",
            format!("User: {USER} is not authorized to perform: {service}:{name}").into(),
        );
    }
    record
}

fn resources(call: &Call) -> Value {
    let (.., parameters) = call;
    match parameters.get("userName") {
        Some(name) => json!([{"ResourceType": "AWS::IAM::User", "ResourceName": name}]),
        None => json!([]),
    }
}
