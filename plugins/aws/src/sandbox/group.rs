//! EC2: security groups, their rules, and who is in them.

use serde_json::{Value, json};

use super::ec2::{Kept, set, set_groups};
use super::reply::Refusal;
use super::request::Asked;
use super::world::{Placed, World};

type Answered = Result<Value, Refusal>;

/// Answers for security groups.
pub(super) fn answer(world: &mut World, operation: &str, asked: &Asked) -> Option<Answered> {
    let (ingress, egress) = ("IpPermissions", "IpPermissionsEgress");
    Some(match operation {
        "CreateSecurityGroup" => create(world, asked),
        "DeleteSecurityGroup" => delete(world, asked),
        "AuthorizeSecurityGroupIngress" => authorize(world, asked, ingress),
        "AuthorizeSecurityGroupEgress" => authorize(world, asked, egress),
        "RevokeSecurityGroupIngress" => revoke(world, asked, ingress),
        "RevokeSecurityGroupEgress" => revoke(world, asked, egress),
        "ModifyInstanceAttribute" => modify_instance(world, asked),
        "ModifyNetworkInterfaceAttribute" => modify_interface(world, asked),
        _ => return None,
    })
}

fn create(world: &mut World, asked: &Asked) -> Answered {
    let name = asked.text("GroupName").unwrap_or_default();
    let vpc = asked.text("VpcId").map_or(Value::Null, Value::from);
    let is_same = |own: &Placed| {
        own.region == asked.region
            && own.value.get("GroupName").is_some_and(|own| own == name)
            && own.value.get("VpcId").cloned().unwrap_or_default() == vpc
    };
    if world.groups.iter().any(is_same) {
        let why = format!("The security group '{name}' already exists for VPC {vpc}");
        return Err(Refusal::new(400, "InvalidGroup.Duplicate", why));
    }
    let id = world.next_id("sg-");
    let value = json!({
        "GroupId": id,
        "GroupName": name,
        "Description": asked.text("Description"),
        "VpcId": vpc,
        "OwnerId": world.account,
        "IpPermissions": [],
        // A new group lets everything out.
        "IpPermissionsEgress": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
        "Tags": super::ec2::tags_for(asked, "security-group"),
    });
    let tags = value.get("Tags").cloned();
    world.groups.push(Placed { region: asked.region.clone(), value });
    Ok(json!({"GroupId": id, "Tags": tags}))
}

fn no_such(id: &str) -> Refusal {
    let why = format!("The security group '{id}' does not exist");
    Refusal::new(400, "InvalidGroup.NotFound", why)
}

fn find<'w>(world: &'w mut World, asked: &Asked) -> Result<&'w mut Value, Refusal> {
    let wanted = ["GroupId", "GroupName"].into_iter().find_map(|by| Some((by, asked.text(by)?)));
    let (by, id) = wanted.ok_or_else(|| {
        let why = "The request must contain the parameter GroupId";
        Refusal::new(400, "MissingParameter", why)
    })?;
    let is_it = |own: &&mut Placed| {
        own.region == asked.region && own.value.get(by).is_some_and(|own| own == id)
    };
    let found = world.groups.iter_mut().find(is_it);
    found.map(|own| &mut own.value).ok_or_else(|| no_such(id))
}

fn delete(world: &mut World, asked: &Asked) -> Answered {
    let id = find(world, asked)?.get("GroupId").cloned().unwrap_or_default();
    let holds = |own: &Placed, name: &str| {
        let groups = own.value.get(name).and_then(Value::as_array).into_iter().flatten();
        groups.into_iter().any(|group| group.get("GroupId") == Some(&id))
    };
    let in_use = world.instances.iter().any(|own| holds(own, "SecurityGroups"))
        || world.interfaces.iter().any(|own| holds(own, "Groups"));
    if in_use {
        let why = format!("resource {id} has a dependent object");
        return Err(Refusal::new(400, "DependencyViolation", why));
    }
    world.groups.retain(|own| own.value.get("GroupId") != Some(&id));
    Ok(json!({"Return": true, "GroupId": id}))
}

/// The rules of a call: each range of each permission by itself.
fn rules(asked: &Asked) -> Vec<Value> {
    let given = asked.params.get("IpPermissions").and_then(Value::as_array).cloned();
    let given = given.unwrap_or_else(|| {
        let flat = |name: &str| asked.params.get(name).cloned().unwrap_or_default();
        vec![json!({
            "IpProtocol": flat("IpProtocol"), "FromPort": flat("FromPort"), "ToPort": flat("ToPort"),
            "IpRanges": [{"CidrIp": flat("CidrIp")}],
        })]
    });
    let lists = ["IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"];
    given
        .iter()
        .flat_map(|permission| {
            lists.iter().flat_map(move |list| {
                let items = permission.get(*list).and_then(Value::as_array).into_iter().flatten();
                items.map(move |item| {
                    let mut rule = json!({"IpProtocol": permission.get("IpProtocol")});
                    for port in ["FromPort", "ToPort"] {
                        if let Some(number) = permission.get(port).filter(|p| !p.is_null()) {
                            set(&mut rule, port, number.clone());
                        }
                    }
                    set(&mut rule, list, json!([item]));
                    rule
                })
            })
        })
        .collect()
}

fn authorize(world: &mut World, asked: &Asked, list: &str) -> Answered {
    let rules = rules(asked);
    let group = find(world, asked)?;
    let mut own = flat(group, list);
    if let Some(double) = rules.iter().find(|rule| own.iter().any(|own| is_same(own, rule))) {
        let why = format!("the specified rule \"{double}\" already exists");
        return Err(Refusal::new(400, "InvalidPermission.Duplicate", why));
    }
    own.extend(rules);
    set(group, list, own.into());
    Ok(json!({"Return": true}))
}

fn revoke(world: &mut World, asked: &Asked, list: &str) -> Answered {
    let rules = rules(asked);
    let group = find(world, asked)?;
    let mut own = flat(group, list);
    if !rules.iter().all(|rule| own.iter().any(|own| is_same(own, rule))) {
        let why = "The specified rule does not exist in this security group.";
        return Err(Refusal::new(400, "InvalidPermission.NotFound", why));
    }
    own.retain(|own| !rules.iter().any(|rule| is_same(own, rule)));
    set(group, list, own.into());
    Ok(json!({"Return": true}))
}

/// The rules of a group, each range by itself.
fn flat(group: &Value, list: &str) -> Vec<Value> {
    let own = group.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
    let lists = ["IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"];
    let mut found = Vec::new();
    for permission in own {
        for list in lists {
            for item in permission.get(list).and_then(Value::as_array).into_iter().flatten() {
                let mut rule = permission.clone();
                if let Some(members) = rule.as_object_mut() {
                    members.retain(|name, _| !lists.contains(&name.as_str()));
                }
                set(&mut rule, list, json!([item]));
                found.push(rule);
            }
        }
    }
    found
}

/// Whether two rules say the same; what is said about them does not count.
fn is_same(one: &Value, other: &Value) -> bool {
    let bare = |rule: &Value| {
        let mut rule = rule.clone();
        for list in ["IpRanges", "Ipv6Ranges", "PrefixListIds", "UserIdGroupPairs"] {
            let items = rule.get_mut(list).and_then(Value::as_array_mut);
            for item in items.into_iter().flatten() {
                if let Some(members) = item.as_object_mut() {
                    members.remove("Description");
                }
            }
        }
        if let Some(members) = rule.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        rule
    };
    bare(one) == bare(other)
}

/// The groups of ids, in the form in which instances list them.
fn named(world: &World, asked: &Asked, ids: &[&str]) -> Result<Value, Refusal> {
    let found = ids.iter().map(|id| {
        let is_it = |own: &&Placed| {
            own.region == asked.region && own.value.get("GroupId").is_some_and(|own| own == id)
        };
        let own = world.groups.iter().find(is_it).ok_or_else(|| no_such(id))?;
        Ok(json!({"GroupId": id, "GroupName": own.value.get("GroupName")}))
    });
    found.collect()
}

fn modify_instance(world: &mut World, asked: &Asked) -> Answered {
    let id = asked.text("InstanceId").unwrap_or_default().to_owned();
    Kept::Instances.find(world, asked, &id)?;
    let groups = asked.texts("Groups");
    if !groups.is_empty() {
        let groups = named(world, asked, &groups)?;
        set_groups(world, &id, &groups);
    }
    for (name, place) in [
        ("DisableApiTermination", "DisableApiTermination"),
        ("DisableApiStop", "DisableApiStop"),
        ("SourceDestCheck", "SourceDestCheck"),
    ] {
        if let Some(to) = asked.params.get(name).and_then(|given| given.get("Value")).cloned() {
            set(Kept::Instances.find(world, asked, &id)?, place, to);
        }
    }
    Ok(Value::Null)
}

fn modify_interface(world: &mut World, asked: &Asked) -> Answered {
    let id = asked.text("NetworkInterfaceId").unwrap_or_default().to_owned();
    Kept::Interfaces.find(world, asked, &id)?;
    let groups = asked.texts("Groups");
    if groups.is_empty() {
        return Ok(Value::Null);
    }
    let groups = named(world, asked, &groups)?;
    let interface = Kept::Interfaces.find(world, asked, &id)?;
    set(interface, "Groups", groups.clone());
    let attachment = interface.pointer("/Attachment/InstanceId").and_then(Value::as_str);
    let first = interface.pointer("/Attachment/DeviceIndex").is_some_and(|index| index == 0);
    let instance = attachment.filter(|_| first).map(str::to_owned);
    if let Some(instance) = instance {
        set_groups(world, &instance, &groups);
    }
    Ok(Value::Null)
}
