//! IAM: users that come and go, their keys, policies, groups and tags.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::iam::{User, no_such, user_mut};
use super::keys::{Key, secret_of};
use super::reply::Refusal;
use super::request::Asked;
use super::trail;
use super::world::World;

type Answered = Result<Value, Refusal>;

/// Keys that a user may have.
const KEYS: usize = 2;

/// Answers for users.
pub(super) fn answer(
    world: &mut World,
    operation: &str,
    asked: &Asked,
    now: Timestamp,
) -> Option<Answered> {
    Some(match operation {
        "ListUsers" => {
            let users: Vec<_> = world.users.values().map(|user| user.user.clone()).collect();
            Ok(json!({"Users": users, "IsTruncated": false}))
        }
        "CreateUser" => create(world, asked, now),
        "DeleteUser" => delete(world, asked),
        "CreateAccessKey" => create_key(world, asked, now),
        "DeleteAccessKey" => delete_key(world, asked),
        "AttachUserPolicy" => attach(world, asked),
        "DetachUserPolicy" => detach(world, asked),
        "AddUserToGroup" => join(world, asked, now),
        "RemoveUserFromGroup" => leave(world, asked),
        "TagUser" => tag(world, asked),
        "UntagUser" => untag(world, asked),
        "GetLoginProfile" => profile(world, asked),
        "CreateLoginProfile" => create_profile(world, asked, now),
        "DeleteLoginProfile" => delete_profile(world, asked),
        _ => return None,
    })
}

fn exists(what: &str, name: &str) -> Refusal {
    let why = format!("{what} with name {name} already exists.");
    Refusal::new(409, "EntityAlreadyExists", why)
}

/// A user with that name and nothing else.
pub(super) fn plain(account: &str, name: &str, path: &str, now: Timestamp, tags: Value) -> User {
    let digits = super::keys::secret_of(name).to_uppercase();
    let id: String = digits.chars().filter(char::is_ascii_alphanumeric).take(17).collect();
    User {
        user: json!({
            "Path": path,
            "UserName": name,
            "UserId": format!("AIDA{id}"),
            "Arn": format!("arn:aws:iam::{account}:user{path}{name}"),
            "CreateDate": trail::seconds(now),
            "Tags": tags,
        }),
        keys: Vec::new(),
        last_used: BTreeMap::new(),
        policies: BTreeMap::new(),
        attached: Vec::new(),
        groups: Vec::new(),
        devices: Vec::new(),
    }
}

fn create(world: &mut World, asked: &Asked, now: Timestamp) -> Answered {
    let name = asked.text("UserName").unwrap_or_default();
    if world.users.contains_key(name) {
        return Err(exists("User", name));
    }
    let tags = asked.params.get("Tags").cloned().unwrap_or_else(|| json!([]));
    let user = plain(&world.account, name, asked.text("Path").unwrap_or("/"), now, tags);
    let answer = json!({"User": user.user});
    world.users.insert(name.to_owned(), user);
    Ok(answer)
}

fn delete(world: &mut World, asked: &Asked) -> Answered {
    let user = user_mut(world, asked)?;
    let holds = [
        ("access keys", !user.keys.is_empty()),
        ("policies", !user.policies.is_empty() || !user.attached.is_empty()),
        ("group memberships", !user.groups.is_empty()),
        ("MFA devices", !user.devices.is_empty()),
        ("login profile", user.user.get("sandbox:profile").is_some()),
    ];
    if let Some((what, _)) = holds.iter().find(|(_, holds)| *holds) {
        let why = format!("Cannot delete entity, must delete {what} first.");
        return Err(Refusal::new(409, "DeleteConflict", why));
    }
    world.users.remove(asked.text("UserName").unwrap_or_default());
    Ok(Value::Null)
}

fn create_key(world: &mut World, asked: &Asked, now: Timestamp) -> Answered {
    let id = format!("AKIA{:0>16}", world.next_id("").to_uppercase());
    let user = user_mut(world, asked)?;
    if user.keys.len() >= KEYS {
        let why = format!("Cannot exceed quota for AccessKeysPerUser: {KEYS}");
        return Err(Refusal::new(409, "LimitExceeded", why));
    }
    let mut key = json!({
        "UserName": user.user.get("UserName"), "AccessKeyId": id, "Status": "Active",
        "CreateDate": trail::seconds(now),
    });
    user.keys.push(key.clone());
    let secret = secret_of(&id);
    super::ec2::set(&mut key, "SecretAccessKey", secret.clone().into());
    world.keys.add(id, Key { secret, session_token: None, expires_at: None });
    Ok(json!({"AccessKey": key}))
}

fn delete_key(world: &mut World, asked: &Asked) -> Answered {
    let id = asked.text("AccessKeyId").unwrap_or_default().to_owned();
    let user = user_mut(world, asked)?;
    let before = user.keys.len();
    user.keys.retain(|key| key.get("AccessKeyId").is_none_or(|own| *own != id));
    if user.keys.len() == before {
        return Err(no_such("Access Key", &id));
    }
    world.keys.remove(&id);
    Ok(Value::Null)
}

fn attach(world: &mut World, asked: &Asked) -> Answered {
    let arn = asked.text("PolicyArn").unwrap_or_default();
    let name = arn.rsplit('/').next().unwrap_or(arn);
    let user = user_mut(world, asked)?;
    if !user.attached.iter().any(|own| own.get("PolicyArn").is_some_and(|own| own == arn)) {
        user.attached.push(json!({"PolicyName": name, "PolicyArn": arn}));
    }
    Ok(Value::Null)
}

fn detach(world: &mut World, asked: &Asked) -> Answered {
    let arn = asked.text("PolicyArn").unwrap_or_default();
    let user = user_mut(world, asked)?;
    let before = user.attached.len();
    user.attached.retain(|own| own.get("PolicyArn").is_none_or(|own| own != arn));
    if user.attached.len() == before {
        let why = format!("Policy {arn} was not found.");
        return Err(Refusal::new(404, "NoSuchEntity", why));
    }
    Ok(Value::Null)
}

fn join(world: &mut World, asked: &Asked, now: Timestamp) -> Answered {
    let name = asked.text("GroupName").unwrap_or_default();
    let arn = format!("arn:aws:iam::{}:group/{name}", world.account);
    let user = user_mut(world, asked)?;
    if !user.groups.iter().any(|own| own.get("GroupName").is_some_and(|own| own == name)) {
        user.groups.push(json!({
            "Path": "/", "GroupName": name, "GroupId": "AGPAEXAMPLEOFAGROUP00", "Arn": arn,
            "CreateDate": trail::seconds(now),
        }));
    }
    Ok(Value::Null)
}

fn leave(world: &mut World, asked: &Asked) -> Answered {
    let name = asked.text("GroupName").unwrap_or_default();
    let user = user_mut(world, asked)?;
    let before = user.groups.len();
    user.groups.retain(|own| own.get("GroupName").is_none_or(|own| own != name));
    if user.groups.len() == before { Err(no_such("group", name)) } else { Ok(Value::Null) }
}

fn tag(world: &mut World, asked: &Asked) -> Answered {
    let tags = asked.params.get("Tags").and_then(Value::as_array).cloned().unwrap_or_default();
    let user = &mut user_mut(world, asked)?.user;
    let mut own = user.get("Tags").and_then(Value::as_array).cloned().unwrap_or_default();
    own.retain(|old| !tags.iter().any(|new| new.get("Key") == old.get("Key")));
    own.extend(tags);
    super::ec2::set(user, "Tags", own.into());
    Ok(Value::Null)
}

fn untag(world: &mut World, asked: &Asked) -> Answered {
    let keys = asked.texts("TagKeys");
    let user = &mut user_mut(world, asked)?.user;
    let mut own = user.get("Tags").and_then(Value::as_array).cloned().unwrap_or_default();
    own.retain(|tag| tag.get("Key").and_then(Value::as_str).is_none_or(|key| !keys.contains(&key)));
    super::ec2::set(user, "Tags", own.into());
    Ok(Value::Null)
}

/// Where a user's password is kept: beside what `GetUser` answers, which has no such member.
const PROFILE: &str = "sandbox:profile";

fn profile(world: &mut World, asked: &Asked) -> Answered {
    let name = asked.text("UserName").unwrap_or_default().to_owned();
    let profile = user_mut(world, asked)?.user.get(PROFILE).cloned();
    profile.map(|p| json!({"LoginProfile": p})).ok_or_else(|| no_such("Login Profile", &name))
}

fn create_profile(world: &mut World, asked: &Asked, now: Timestamp) -> Answered {
    let name = asked.text("UserName").unwrap_or_default().to_owned();
    let user = &mut user_mut(world, asked)?.user;
    if user.get(PROFILE).is_some() {
        return Err(exists("Login Profile", &name));
    }
    let profile = json!({
        "UserName": name, "CreateDate": trail::seconds(now),
        "PasswordResetRequired": asked.params.get("PasswordResetRequired"),
    });
    super::ec2::set(user, PROFILE, profile.clone());
    Ok(json!({"LoginProfile": profile}))
}

fn delete_profile(world: &mut World, asked: &Asked) -> Answered {
    let name = asked.text("UserName").unwrap_or_default().to_owned();
    let user = user_mut(world, asked)?.user.as_object_mut();
    let gone = user.and_then(|user| user.remove(PROFILE));
    gone.map(|_| Value::Null).ok_or_else(|| no_such("Login Profile", &name))
}
