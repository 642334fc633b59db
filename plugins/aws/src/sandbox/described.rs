//! The account as an alert describes it: the things that it names are there, and as they were
//! before anybody did anything about them. Of what it does not name nobody knows whether it is there.

use serde_json::{Value, json};
use stanch_plugins_sdk::core::alert::{Alert, Resource};
use stanch_plugins_sdk::core::time::Timestamp;

use super::world::{Placed, World};
use super::{trail, users};

/// The account that an alert is about.
pub(super) fn world(alert: &Alert, account: &str, now: Timestamp) -> World {
    let mut world = World::new(account);
    let region = alert.region.as_deref().unwrap_or("us-east-1");
    if !world.regions.iter().any(|known| known == region) {
        world.regions.push(region.to_owned());
    }
    for resource in &alert.resources {
        match resource.kind.as_str() {
            "AwsIamAccessKey" => key(&mut world, alert, resource, now),
            "AwsIamUser" => user(&mut world, name_of(resource), now),
            "AwsEc2Instance" => instance(&mut world, resource, region, now),
            _ => {}
        }
    }
    world
}

fn name_of(resource: &Resource) -> &str {
    resource.name.as_deref().unwrap_or_else(|| last(&resource.id))
}

/// What stands last in an ARN or a path.
fn last(text: &str) -> &str {
    text.rsplit(['/', ':']).next().unwrap_or(text)
}

fn user(world: &mut World, name: &str, now: Timestamp) {
    if !world.users.contains_key(name) {
        let plain = users::plain(&world.account, name, "/", now, json!([]));
        world.users.insert(name.to_owned(), plain);
    }
}

/// A key that lasts, and its user. The keys of sessions are in nobody's list.
fn key(world: &mut World, alert: &Alert, resource: &Resource, now: Timestamp) {
    if resource.id.starts_with("ASIA") {
        return;
    }
    let of_alert = || {
        let users = alert.resources.iter().find(|other| other.kind == "AwsIamUser").map(name_of);
        users.or_else(|| alert.actor.as_ref().and_then(|actor| actor.user.as_deref()).map(last))
    };
    let owner = resource.name.as_deref().or_else(of_alert).unwrap_or("user-of-the-alert");
    user(world, owner, now);
    let at = trail::seconds(now);
    let Some(user) = world.users.get_mut(owner) else { return };
    user.keys.push(json!({
        "UserName": owner, "AccessKeyId": resource.id, "Status": "Active", "CreateDate": at,
    }));
    let used = json!({"LastUsedDate": at, "ServiceName": "s3", "Region": "us-east-1"});
    user.last_used.insert(resource.id.clone(), used);
}

fn instance(world: &mut World, resource: &Resource, region: &str, now: Timestamp) {
    let digits: String = resource.id.chars().filter(char::is_ascii_hexdigit).collect();
    let own = |prefix: &str| format!("{prefix}-{digits:0>17.17}");
    let (group, interface, volume) = (own("sg"), own("eni"), own("vol"));
    let (vpc, subnet, at) = (own("vpc"), own("subnet"), trail::seconds(now));
    let zone = format!("{region}a");
    let groups = json!([{"GroupId": group, "GroupName": "default"}]);
    let tags: Vec<Value> =
        resource.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    let attached = json!({
        "NetworkInterfaceId": interface, "VpcId": vpc, "SubnetId": subnet, "Status": "in-use",
        "PrivateIpAddress": "10.0.0.10", "Groups": groups,
        "Attachment": {"InstanceId": resource.id, "DeviceIndex": 0, "Status": "attached"},
    });
    let mut place = |things: fn(&mut World) -> &mut Vec<Placed>, value: Value| {
        things(world).push(Placed { region: region.to_owned(), value });
    };
    place(
        |world| &mut world.instances,
        json!({
            "InstanceId": resource.id, "ImageId": "ami-00000000000000000",
            "InstanceType": "t3.medium", "State": {"Code": 16, "Name": "running"},
            "LaunchTime": at, "Placement": {"AvailabilityZone": zone, "Tenancy": "default"},
            "VpcId": vpc, "SubnetId": subnet, "PrivateIpAddress": "10.0.0.10",
            "SecurityGroups": groups, "NetworkInterfaces": [attached], "Tags": tags,
            "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": volume}}],
        }),
    );
    place(|world| &mut world.interfaces, attached);
    place(
        |world| &mut world.volumes,
        json!({
            "VolumeId": volume, "Size": 20, "Encrypted": true, "VolumeType": "gp3",
            "State": "in-use", "AvailabilityZone": zone, "CreateTime": at,
            "Attachments": [{
                "InstanceId": resource.id, "VolumeId": volume, "Device": "/dev/xvda",
                "State": "attached", "AttachTime": at, "DeleteOnTermination": false,
            }],
        }),
    );
    let owner = world.account.clone();
    world.consoles.insert(resource.id.clone(), "Linux version 6.1.0\n".to_owned());
    world.groups.push(Placed {
        region: region.to_owned(),
        value: json!({
            "GroupId": group, "GroupName": "default", "Description": "default", "VpcId": vpc,
            "OwnerId": owner, "IpPermissions": [],
            "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
        }),
    });
}

/// Whether a call names something that is in the account: what is said of it then is true.
pub(super) fn names_a_thing(world: &World, params: &Value) -> bool {
    match params {
        Value::String(text) => is_there(world, text),
        Value::Array(items) => items.iter().any(|item| names_a_thing(world, item)),
        Value::Object(members) => members.values().any(|value| names_a_thing(world, value)),
        _ => false,
    }
}

fn is_there(world: &World, name: &str) -> bool {
    let is_it = |value: &Value, member: &str| value.get(member).is_some_and(|id| id == name);
    let of_users = || world.users.values().flat_map(|user| &user.keys);
    let placed = [
        (&world.instances, "InstanceId"),
        (&world.volumes, "VolumeId"),
        (&world.groups, "GroupId"),
        (&world.interfaces, "NetworkInterfaceId"),
        (&world.snapshots, "SnapshotId"),
    ];
    world.users.contains_key(name)
        || of_users().any(|key| is_it(key, "AccessKeyId"))
        || placed
            .iter()
            .any(|(things, member)| things.iter().any(|thing| is_it(&thing.value, member)))
}
