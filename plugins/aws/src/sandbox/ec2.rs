//! EC2: instances, their volumes, groups and interfaces, and snapshots.

use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::reply::Refusal;
use super::request::Asked;
use super::world::{Placed, World};
use super::{group, machine};
use crate::client::value;

type Answered = Result<Value, Refusal>;

/// Answers for EC2.
pub(super) fn answer(
    world: &mut World,
    operation: &str,
    asked: &Asked,
    now: Timestamp,
) -> Option<Answered> {
    Some(match operation {
        "DescribeRegions" => Ok(regions(world)),
        "DescribeInstances" => describe(&world.instances, asked, &INSTANCES).map(reservations),
        "DescribeVolumes" => describe(&world.volumes, asked, &VOLUMES).map(listed("Volumes")),
        "DescribeSecurityGroups" => {
            describe(&world.groups, asked, &GROUPS).map(listed("SecurityGroups"))
        }
        "DescribeNetworkInterfaces" => {
            describe(&world.interfaces, asked, &INTERFACES).map(listed("NetworkInterfaces"))
        }
        "DescribeSnapshots" => {
            let seen = describe(&world.snapshots, asked, &SNAPSHOTS).map(listed("Snapshots"));
            world.snapshots.iter_mut().for_each(progress);
            seen
        }
        "CreateSnapshots" => create_snapshots(world, asked, now),
        "DeleteSnapshot" => delete_snapshot(world, asked),
        "GetConsoleOutput" => console(world, asked, now),
        "CreateTags" => create_tags(world, asked),
        _ => {
            let of_group = group::answer(world, operation, asked);
            return of_group.or_else(|| machine::answer(world, operation, asked, now));
        }
    })
}

fn regions(world: &World) -> Value {
    let region = |name: &String| {
        json!({
            "RegionName": name,
            "Endpoint": format!("ec2.{name}.amazonaws.com"),
            "OptInStatus": "opt-in-not-required",
        })
    };
    json!({"Regions": world.regions.iter().map(region).collect::<Vec<_>>()})
}

/// How things of a kind are found.
struct Finding {
    /// The parameter that lists ids, the member that is the id, and the code when there is none.
    ids: (&'static str, &'static str, &'static str),
    /// Filters, and the paths of the members that they look at; `*` stands for each item.
    filters: &'static [(&'static str, &'static str)],
}

const INSTANCES: Finding = Finding {
    ids: ("InstanceIds", "InstanceId", "InvalidInstanceID.NotFound"),
    filters: &[
        ("instance-id", "InstanceId"),
        ("vpc-id", "VpcId"),
        ("instance-state-name", "State.Name"),
        ("instance.group-id", "SecurityGroups.*.GroupId"),
        ("network-interface.network-interface-id", "NetworkInterfaces.*.NetworkInterfaceId"),
    ],
};
const VOLUMES: Finding = Finding {
    ids: ("VolumeIds", "VolumeId", "InvalidVolume.NotFound"),
    filters: &[("attachment.instance-id", "Attachments.*.InstanceId"), ("volume-id", "VolumeId")],
};
const GROUPS: Finding = Finding {
    ids: ("GroupIds", "GroupId", "InvalidGroup.NotFound"),
    filters: &[("group-id", "GroupId"), ("group-name", "GroupName"), ("vpc-id", "VpcId")],
};
const INTERFACES: Finding = Finding {
    ids: ("NetworkInterfaceIds", "NetworkInterfaceId", "InvalidNetworkInterfaceID.NotFound"),
    filters: &[
        ("attachment.instance-id", "Attachment.InstanceId"),
        ("network-interface-id", "NetworkInterfaceId"),
        ("group-id", "Groups.*.GroupId"),
        ("vpc-id", "VpcId"),
    ],
};
const SNAPSHOTS: Finding = Finding {
    ids: ("SnapshotIds", "SnapshotId", "InvalidSnapshot.NotFound"),
    filters: &[("snapshot-id", "SnapshotId"), ("volume-id", "VolumeId"), ("status", "State")],
};

fn describe(things: &[Placed], asked: &Asked, finding: &Finding) -> Result<Vec<Value>, Refusal> {
    let (parameter, id, code) = finding.ids;
    let here = || things.iter().filter(|thing| thing.region == asked.region);
    let wanted = asked.texts(parameter);
    let has = |thing: &Placed, wanted: &str| thing.value.get(id).is_some_and(|own| own == wanted);
    if let Some(missing) = wanted.iter().find(|wanted| !here().any(|thing| has(thing, wanted))) {
        return Err(Refusal::new(400, code, format!("The ID '{missing}' does not exist")));
    }
    let named = here().filter(|thing| wanted.is_empty() || wanted.iter().any(|id| has(thing, id)));
    let mut found: Vec<Value> = named.map(|thing| thing.value.clone()).collect();
    let filters = asked.params.get("Filters").and_then(Value::as_array);
    for filter in filters.into_iter().flatten() {
        let name = filter.get("Name").and_then(Value::as_str).unwrap_or_default();
        let values = filter.get("Values").and_then(Value::as_array);
        let values: Vec<&str> = values.into_iter().flatten().filter_map(Value::as_str).collect();
        let looked_at = look(name, finding).ok_or_else(|| {
            Refusal::new(400, "InvalidParameterValue", format!("The filter '{name}' is invalid"))
        })?;
        found.retain(|thing| looked_at(thing).iter().any(|own| values.contains(&own.as_str())));
    }
    Ok(found)
}

type Look<'f> = Box<dyn Fn(&Value) -> Vec<String> + 'f>;

/// What a filter looks at.
fn look<'f>(filter: &'f str, finding: &'f Finding) -> Option<Look<'f>> {
    if let Some(tag) = filter.strip_prefix("tag:") {
        return Some(Box::new(move |thing| {
            let tags = thing.get("Tags").and_then(Value::as_array).into_iter().flatten();
            let own = tags.filter(|own| own.get("Key").is_some_and(|key| key == tag));
            own.filter_map(|own| own.get("Value")?.as_str().map(str::to_owned)).collect()
        }));
    }
    let (_, path) = finding.filters.iter().find(|(name, _)| *name == filter)?;
    Some(Box::new(move |thing| texts(thing, path)))
}

pub(super) fn texts(value: &Value, path: &str) -> Vec<String> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    match (first, value) {
        ("", Value::String(text)) => vec![text.clone()],
        ("*", Value::Array(items)) => items.iter().flat_map(|item| texts(item, rest)).collect(),
        ("" | "*", _) => Vec::new(),
        (name, value) => value.get(name).map(|value| texts(value, rest)).unwrap_or_default(),
    }
}

fn listed(name: &'static str) -> impl FnOnce(Vec<Value>) -> Value {
    move |items| json!({name: items})
}

fn reservations(instances: Vec<Value>) -> Value {
    let reservation = |instance: Value| {
        let id = instance.get("InstanceId").and_then(Value::as_str).unwrap_or_default();
        json!({"ReservationId": id.replacen("i-", "r-", 1), "Instances": [instance]})
    };
    json!({"Reservations": instances.into_iter().map(reservation).collect::<Vec<_>>()})
}

/// How long a snapshot takes when nobody looks.
const TAKES_MS: i64 = 60_000;

/// Lets snapshots go on until then.
pub(super) fn go_on(world: &mut World, now: Timestamp) {
    for snapshot in &mut world.snapshots {
        let since = snapshot.value.get("StartTime").and_then(value::timestamp);
        let since = since.and_then(|since| since.to_millis().ok()).unwrap_or(now.millis());
        if now.millis() - since >= TAKES_MS {
            set(&mut snapshot.value, "State", "completed".into());
            set(&mut snapshot.value, "Progress", "100%".into());
        }
    }
}

/// Takes a snapshot one look further on its way.
fn progress(snapshot: &mut Placed) {
    let done = snapshot.value.get("Progress").and_then(Value::as_str) != Some("0%");
    let (state, progress) = if done { ("completed", "100%") } else { ("pending", "50%") };
    set(&mut snapshot.value, "State", state.into());
    set(&mut snapshot.value, "Progress", progress.into());
}

/// Sets a member of an object.
pub(super) fn set(value: &mut Value, name: &str, to: Value) {
    if let Some(members) = value.as_object_mut() {
        members.insert(name.to_owned(), to);
    }
}

fn create_snapshots(world: &mut World, asked: &Asked, now: Timestamp) -> Answered {
    let instance = asked.params.pointer("/InstanceSpecification/InstanceId").cloned();
    let instance = instance.unwrap_or_default();
    let of_instance = |volume: &&Placed| {
        volume.region == asked.region
            && texts(&volume.value, "Attachments.*.InstanceId").iter().any(|id| instance == **id)
    };
    let volumes: Vec<Value> =
        world.volumes.iter().filter(of_instance).map(|volume| volume.value.clone()).collect();
    if volumes.is_empty() {
        let why = format!("The instance ID {instance} does not exist");
        return Err(Refusal::new(400, "InvalidInstanceID.NotFound", why));
    }
    let mut made = Vec::new();
    for volume in volumes {
        let snapshot = json!({
            "SnapshotId": world.next_id("snap-"),
            "VolumeId": volume.get("VolumeId"),
            "VolumeSize": volume.get("Size"),
            "Encrypted": volume.get("Encrypted"),
            "Description": asked.text("Description").unwrap_or_default(),
            "OwnerId": world.account,
            "Progress": "0%",
            "State": "pending",
            "StartTime": now,
            "Tags": tags_for(asked, "snapshot"),
        });
        let region = asked.region.clone();
        world.snapshots.push(Placed { region, value: snapshot.clone() });
        made.push(snapshot);
    }
    Ok(json!({"Snapshots": made}))
}

/// The tags that are asked for of what is created.
pub(super) fn tags_for(asked: &Asked, kind: &str) -> Vec<Value> {
    let specifications = asked.params.get("TagSpecifications").and_then(Value::as_array);
    let of_kind = specifications.into_iter().flatten();
    let of_kind = of_kind.filter(|s| s.get("ResourceType").is_some_and(|own| own == kind));
    of_kind.filter_map(|s| s.get("Tags")?.as_array().cloned()).flatten().collect()
}

fn delete_snapshot(world: &mut World, asked: &Asked) -> Answered {
    let id = asked.text("SnapshotId").unwrap_or_default();
    let before = world.snapshots.len();
    let is_it = |snapshot: &Placed| snapshot.value.get("SnapshotId").is_some_and(|own| own == id);
    world.snapshots.retain(|snapshot| snapshot.region != asked.region || !is_it(snapshot));
    if world.snapshots.len() == before {
        let why = format!("The snapshot '{id}' does not exist.");
        return Err(Refusal::new(400, "InvalidSnapshot.NotFound", why));
    }
    Ok(Value::Null)
}

fn console(world: &World, asked: &Asked, now: Timestamp) -> Answered {
    let id = asked.text("InstanceId").unwrap_or_default();
    let output = world.consoles.get(id).ok_or_else(|| {
        let why = format!("The instance ID '{id}' does not exist");
        Refusal::new(400, "InvalidInstanceID.NotFound", why)
    })?;
    Ok(json!({"InstanceId": id, "Output": value::of_blob(output), "Timestamp": now}))
}

fn create_tags(world: &mut World, asked: &Asked) -> Answered {
    let tags = asked.params.get("Tags").and_then(Value::as_array).cloned().unwrap_or_default();
    for id in asked.texts("Resources") {
        let thing = thing_mut(world, id)
            .ok_or_else(|| Refusal::new(400, "InvalidID", format!("The ID '{id}' is not valid")))?;
        let mut own = thing.get("Tags").and_then(Value::as_array).cloned().unwrap_or_default();
        own.retain(|old| !tags.iter().any(|new| new.get("Key") == old.get("Key")));
        own.extend(tags.iter().cloned());
        set(thing, "Tags", own.into());
    }
    Ok(Value::Null)
}

/// The thing with an id, whatever it is.
pub(super) fn thing_mut<'w>(world: &'w mut World, id: &str) -> Option<&'w mut Value> {
    let things = world
        .instances
        .iter_mut()
        .chain(&mut world.volumes)
        .chain(&mut world.groups)
        .chain(&mut world.snapshots)
        .chain(&mut world.interfaces);
    let names = ["InstanceId", "VolumeId", "GroupId", "SnapshotId", "NetworkInterfaceId"];
    let is_it =
        |thing: &&mut Placed| names.iter().any(|n| thing.value.get(n).is_some_and(|own| own == id));
    let mut things = things;
    things.find(is_it).map(|thing| &mut thing.value)
}

/// A kind of thing that has ids.
#[derive(Clone, Copy)]
pub(super) enum Kept {
    Instances,
    Interfaces,
    Snapshots,
    Volumes,
}

impl Kept {
    /// The thing with an id, in the region of the call.
    pub(super) fn find<'w>(
        self,
        world: &'w mut World,
        asked: &Asked,
        id: &str,
    ) -> Result<&'w mut Value, Refusal> {
        let (things, finding) = match self {
            Self::Instances => (&mut world.instances, &INSTANCES),
            Self::Interfaces => (&mut world.interfaces, &INTERFACES),
            Self::Snapshots => (&mut world.snapshots, &SNAPSHOTS),
            Self::Volumes => (&mut world.volumes, &VOLUMES),
        };
        let (_, name, code) = finding.ids;
        let is_it = |own: &&mut Placed| {
            own.region == asked.region && own.value.get(name).is_some_and(|own| own == id)
        };
        let found = things.iter_mut().find(is_it).map(|own| &mut own.value);
        found.ok_or_else(|| Refusal::new(400, code, format!("The ID '{id}' does not exist")))
    }
}

/// Puts an instance, and the interface that is its first, into security groups.
pub(super) fn set_groups(world: &mut World, instance: &str, groups: &Value) {
    let of = |value: &Value, path: &str| value.pointer(path).is_some_and(|own| own == instance);
    for placed in &mut world.instances {
        if of(&placed.value, "/InstanceId") {
            set(&mut placed.value, "SecurityGroups", groups.clone());
            let interfaces = placed.value.get_mut("NetworkInterfaces");
            for interface in interfaces.and_then(Value::as_array_mut).into_iter().flatten() {
                set(interface, "Groups", groups.clone());
            }
        }
    }
    for placed in &mut world.interfaces {
        if of(&placed.value, "/Attachment/InstanceId") {
            set(&mut placed.value, "Groups", groups.clone());
        }
    }
}
