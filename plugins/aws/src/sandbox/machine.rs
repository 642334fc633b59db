//! EC2: instances that are stopped, started and ended, and snapshots of single volumes.

use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::ec2::{Kept, set, tags_for};
use super::reply::Refusal;
use super::request::Asked;
use super::world::{Placed, World};

type Answered = Result<Value, Refusal>;

/// Answers for instances and snapshots.
pub(super) fn answer(
    world: &mut World,
    operation: &str,
    asked: &Asked,
    now: Timestamp,
) -> Option<Answered> {
    Some(match operation {
        "StopInstances" => turn(world, asked, "StoppingInstances", (80, "stopped")),
        "StartInstances" => turn(world, asked, "StartingInstances", (16, "running")),
        "TerminateInstances" => turn(world, asked, "TerminatingInstances", (48, "terminated")),
        "CreateSnapshot" => snapshot(world, asked, now),
        "ModifySnapshotAttribute" => share(world, asked),
        "DescribeSnapshotAttribute" => shared(world, asked),
        "DeleteTags" => delete_tags(world, asked),
        _ => return None,
    })
}

fn turn(world: &mut World, asked: &Asked, list: &str, (code, name): (u8, &str)) -> Answered {
    let mut turned = Vec::new();
    for id in asked.texts("InstanceIds") {
        let instance = Kept::Instances.find(world, asked, id)?;
        let protected = instance.get("DisableApiTermination").is_some_and(|own| own == true);
        if name == "terminated" && protected {
            let why = format!("The instance '{id}' may not be terminated.");
            return Err(Refusal::new(400, "OperationNotPermitted", why));
        }
        let before = instance.get("State").cloned().unwrap_or_default();
        if before.get("Name").is_some_and(|own| own == "terminated") && name != "terminated" {
            let why = format!("The instance '{id}' is not in a state from which it can be {name}.");
            return Err(Refusal::new(400, "IncorrectInstanceState", why));
        }
        let state = json!({"Code": code, "Name": name});
        set(instance, "State", state.clone());
        turned.push(json!({"InstanceId": id, "CurrentState": state, "PreviousState": before}));
    }
    Ok(json!({list: turned}))
}

fn snapshot(world: &mut World, asked: &Asked, now: Timestamp) -> Answered {
    let id = asked.text("VolumeId").unwrap_or_default();
    let volume = Kept::Volumes.find(world, asked, id)?.clone();
    let snapshot = json!({
        "SnapshotId": world.next_id("snap-"),
        "VolumeId": id,
        "VolumeSize": volume.get("Size"),
        "Encrypted": volume.get("Encrypted"),
        "Description": asked.text("Description").unwrap_or_default(),
        "OwnerId": world.account,
        "Progress": "0%",
        "State": "pending",
        "StartTime": now,
        "Tags": tags_for(asked, "snapshot"),
    });
    world.snapshots.push(Placed { region: asked.region.clone(), value: snapshot.clone() });
    Ok(snapshot)
}

const PERMISSIONS: &str = "CreateVolumePermissions";

fn share(world: &mut World, asked: &Asked) -> Answered {
    let id = asked.text("SnapshotId").unwrap_or_default();
    let snapshot = Kept::Snapshots.find(world, asked, id)?;
    let own = snapshot.get(PERMISSIONS).and_then(Value::as_array).cloned();
    let mut own = own.unwrap_or_default();
    let part = |name: &str| {
        let given = asked.params.pointer(&format!("/CreateVolumePermission/{name}"));
        given.and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let operation = asked.text("OperationType").unwrap_or_default();
    let users = asked.texts("UserIds").into_iter().map(|id| json!({"UserId": id}));
    let groups = asked.texts("GroupNames").into_iter().map(|group| json!({"Group": group}));
    let named: Vec<Value> = users.chain(groups).collect();
    let (mut add, mut remove) = (part("Add"), part("Remove"));
    if operation == "add" { &mut add } else { &mut remove }.extend(named);
    own.retain(|permission| !remove.contains(permission));
    for permission in add {
        if !own.contains(&permission) {
            own.push(permission);
        }
    }
    set(snapshot, PERMISSIONS, own.into());
    Ok(Value::Null)
}

fn shared(world: &mut World, asked: &Asked) -> Answered {
    let id = asked.text("SnapshotId").unwrap_or_default();
    let snapshot = Kept::Snapshots.find(world, asked, id)?;
    let own = snapshot.get(PERMISSIONS).cloned().unwrap_or_else(|| json!([]));
    Ok(json!({"SnapshotId": id, PERMISSIONS: own, "ProductCodes": []}))
}

fn delete_tags(world: &mut World, asked: &Asked) -> Answered {
    let tags = asked.params.get("Tags").and_then(Value::as_array).cloned();
    for id in asked.texts("Resources") {
        let Some(thing) = super::ec2::thing_mut(world, id) else { continue };
        let mut own = thing.get("Tags").and_then(Value::as_array).cloned().unwrap_or_default();
        own.retain(|own| {
            let goes = |tag: &Value| {
                let value = tag.get("Value").filter(|value| !value.is_null());
                tag.get("Key") == own.get("Key")
                    && value.is_none_or(|value| Some(value) == own.get("Value"))
            };
            tags.as_ref().is_some_and(|tags| !tags.iter().any(goes))
        });
        set(thing, "Tags", own.into());
    }
    Ok(Value::Null)
}
