//! The demo's findings, as GuardDuty tells of them.

use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::demo::{
    ACCOUNT, ATTACKER, DETECTOR, GROUP, INSTANCE, INTERFACE, KEY, REGION, SUBNET, USER, VPC,
};
use super::ec2::set;
use super::trail;

/// The event that EventBridge makes of a finding.
pub(super) fn event(finding: Value, now: Timestamp) -> Value {
    json!({
        "version": "0",
        "id": "d1f0e6a2-6c0b-4b67-9c1e-7f2f5a0c3b11",
        "detail-type": "GuardDuty Finding",
        "source": "aws.guardduty",
        "account": ACCOUNT,
        "time": trail::seconds(now),
        "region": REGION,
        "resources": [],
        "detail": finding,
    })
}

/// The finding as `GetFindings` answers it: its names begin with a capital, its tags' do not.
pub(super) fn as_answered(finding: &Value) -> Value {
    let capital = |name: &str| {
        let mut letters = name.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    match finding {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (capital(name), as_answered(value))).collect()
        }
        Value::Array(items) => items.iter().map(as_answered).collect(),
        other => other.clone(),
    }
}

/// The finding about the key.
pub(super) fn of_key(now: Timestamp) -> Value {
    let id = "8ac1f2d3e4b5a6978899aabbccddeeff";
    let mut finding = frame(now, id, "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom", 5.0);
    let title = format!(
        "The API ListBuckets was invoked from an IP address on a custom threat list: {ATTACKER}."
    );
    set(&mut finding, "title", title.into());
    set(
        &mut finding,
        "description",
        format!(
            "APIs were invoked with the access key {KEY} of the user {USER} from the IP address \
             {ATTACKER}, which is on a custom threat list."
        )
        .into(),
    );
    set(
        &mut finding,
        "resource",
        json!({
            "resourceType": "AccessKey",
            "accessKeyDetails": {
                "accessKeyId": KEY,
                "principalId": "AIDAEXAMPLECIDEPLOY00",
                "userName": USER,
                "userType": "IAMUser",
            },
        }),
    );
    let action = json!({
        "actionType": "AWS_API_CALL",
        "awsApiCallAction": {
            "api": "ListBuckets",
            "serviceName": "s3.amazonaws.com",
            "callerType": "Remote IP",
            "userAgent": "aws-cli/2.15.30 Python/3.11.8 Linux/6.1.0",
            "remoteIpDetails": remote(),
            "affectedResources": {},
        },
    });
    with_action(finding, action, "customThreatList")
}

/// The finding about the instance.
pub(super) fn of_instance(now: Timestamp) -> Value {
    let id = "1bd4c7e8f90a4b5c8d6e7f8091a2b3c4";
    let mut finding = frame(now, id, "Backdoor:EC2/C&CActivity.B", 8.0);
    let title =
        format!("The EC2 instance {INSTANCE} is querying a command and control server {ATTACKER}.");
    set(&mut finding, "title", title.into());
    set(
        &mut finding,
        "description",
        format!("The EC2 instance {INSTANCE} talks to {ATTACKER}, a known server of a botnet.")
            .into(),
    );
    set(
        &mut finding,
        "resource",
        json!({
            "resourceType": "Instance",
            "instanceDetails": {
                "instanceId": INSTANCE,
                "instanceType": "t3.medium",
                "instanceState": "running",
                "availabilityZone": format!("{REGION}a"),
                "imageId": "ami-0abcdef1234567890",
                "launchTime": now.plus_ms(-30 * 24 * 3_600 * 1_000),
                "networkInterfaces": [{
                    "networkInterfaceId": INTERFACE,
                    "privateIpAddress": "10.0.1.23",
                    "publicIp": "203.0.113.23",
                    "subnetId": SUBNET,
                    "vpcId": VPC,
                    "securityGroups": [{"groupId": GROUP, "groupName": "web"}],
                }],
                "tags": [{"key": "Name", "value": "web-1"}, {"key": "env", "value": "prod"}],
            },
        }),
    );
    let action = json!({
        "actionType": "NETWORK_CONNECTION",
        "networkConnectionAction": {
            "connectionDirection": "OUTBOUND",
            "protocol": "TCP",
            "blocked": false,
            "localPortDetails": {"port": 39677, "portName": "Unknown"},
            "remotePortDetails": {"port": 443, "portName": "HTTPS"},
            "localIpDetails": {"ipAddressV4": "10.0.1.23"},
            "remoteIpDetails": remote(),
        },
    });
    with_action(finding, action, "default")
}

/// What every finding has.
fn frame(now: Timestamp, id: &str, kind: &str, severity: f64) -> Value {
    json!({
        "schemaVersion": "2.0",
        "accountId": ACCOUNT,
        "region": REGION,
        "partition": "aws",
        "id": id,
        "arn": format!("arn:aws:guardduty:{REGION}:{ACCOUNT}:detector/{DETECTOR}/finding/{id}"),
        "type": kind,
        "severity": severity,
        "createdAt": now.plus_ms(-90_000),
        "updatedAt": now.plus_ms(-90_000),
    })
}

fn with_action(mut finding: Value, action: Value, info: &str) -> Value {
    let created = finding.get("createdAt").and_then(Value::as_str).map(Timestamp::parse);
    let created = created.and_then(Result::ok).unwrap_or_default();
    let service = json!({
        "serviceName": "guardduty",
        "detectorId": DETECTOR,
        "action": action,
        "resourceRole": "TARGET",
        "additionalInfo": {"value": "{}", "type": info},
        "eventFirstSeen": trail::seconds(created.plus_ms(-15 * 60 * 1_000)),
        "eventLastSeen": trail::seconds(created.plus_ms(-2 * 60 * 1_000)),
        "archived": false,
        "count": 4,
    });
    set(&mut finding, "service", service);
    finding
}

fn remote() -> Value {
    json!({
        "ipAddressV4": ATTACKER,
        "country": {"countryName": "Exampleland"},
        "city": {"cityName": "Exampleton"},
        "geoLocation": {"lat": 0.0, "lon": 0.0},
        "organization": {"asn": "64496", "asnOrg": "Example", "isp": "Example", "org": "Example"},
    })
}
