//! Users and their keys, and who calls.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::reply::{Dialect, Refusal};
use super::request::Asked;
use super::users;
use super::world::World;

/// A user, its parts in the form in which IAM describes them.
#[derive(Clone, Debug)]
pub(super) struct User {
    /// The user itself.
    pub(super) user: Value,
    /// The keys, as `ListAccessKeys` lists them.
    pub(super) keys: Vec<Value>,
    /// When each key was last used, by its id.
    pub(super) last_used: BTreeMap<String, Value>,
    /// The documents of inline policies by name.
    pub(super) policies: BTreeMap<String, String>,
    /// The policies that are attached.
    pub(super) attached: Vec<Value>,
    /// The groups.
    pub(super) groups: Vec<Value>,
    /// The devices for a second factor.
    pub(super) devices: Vec<Value>,
}

type Answered = Result<Value, Refusal>;

/// Answers for IAM.
pub(super) fn answer(
    world: &mut World,
    operation: &str,
    asked: &Asked,
    now: Timestamp,
) -> Option<Answered> {
    Some(match operation {
        "GetUser" => user(world, asked).map(|user| json!({"User": user.user})),
        "GetAccessKeyLastUsed" => last_used(world, asked),
        "ListAccessKeys" => list(world, asked, "AccessKeyMetadata", |user| user.keys.clone()),
        "UpdateAccessKey" => update_key(world, asked),
        "ListUserPolicies" => list(world, asked, "PolicyNames", |user| {
            user.policies.keys().map(|name| name.clone().into()).collect()
        }),
        "GetUserPolicy" => get_policy(world, asked),
        "PutUserPolicy" => put_policy(world, asked),
        "DeleteUserPolicy" => delete_policy(world, asked),
        "ListAttachedUserPolicies" => {
            list(world, asked, "AttachedPolicies", |user| user.attached.clone())
        }
        "ListGroupsForUser" => list(world, asked, "Groups", |user| user.groups.clone()),
        "ListMFADevices" => list(world, asked, "MFADevices", |user| user.devices.clone()),
        "ListUserTags" => list(world, asked, "Tags", |user| {
            user.user.get("Tags").and_then(Value::as_array).cloned().unwrap_or_default()
        }),
        _ => return users::answer(world, operation, asked, now),
    })
}

/// Who calls, without a session of a role.
pub(super) fn caller(world: &World, asked: &Asked) -> Value {
    let account = &world.account;
    let owner = world.users.values().find(|user| key(user, &asked.access_key_id).is_some());
    match owner {
        Some(owner) => json!({
            "Account": account,
            "Arn": owner.user.get("Arn"),
            "UserId": owner.user.get("UserId"),
        }),
        None => json!({
            "Account": account,
            "Arn": format!("arn:aws:sts::{account}:assumed-role/stanch-runner/stanch"),
            "UserId": "AROAEXAMPLESTANCHRUNR:stanch",
        }),
    }
}

fn key<'u>(user: &'u User, id: &str) -> Option<&'u Value> {
    user.keys.iter().find(|key| key.get("AccessKeyId").is_some_and(|own| own == id))
}

/// Refuses a call with a key that was made inactive.
pub(super) fn key_is_active(world: &World, asked: &Asked) -> Result<(), Refusal> {
    let own = world.users.values().find_map(|user| key(user, &asked.access_key_id));
    match own.and_then(|key| key.get("Status")?.as_str()) {
        Some("Inactive") => {
            let why = "The security token included in the request is invalid.";
            let code = match asked.dialect() {
                Dialect::Ec2 => "AuthFailure",
                Dialect::RestXml => "InvalidAccessKeyId",
                Dialect::Query => "InvalidClientTokenId",
                _ => "UnrecognizedClientException",
            };
            Err(Refusal::new(403, code, why))
        }
        _ => Ok(()),
    }
}

pub(super) fn no_such(what: &str, name: &str) -> Refusal {
    Refusal::new(404, "NoSuchEntity", format!("The {what} with name {name} cannot be found."))
}

/// The name of the user that is meant: the one that is named, else the owner of a key that is,
/// else the caller.
fn name_of(world: &World, asked: &Asked) -> Result<String, Refusal> {
    if let Some(name) = asked.text("UserName") {
        return Ok(name.to_owned());
    }
    let id = asked.text("AccessKeyId").unwrap_or(&asked.access_key_id);
    let owner = world.users.iter().find(|(_, user)| key(user, id).is_some());
    let no_user = || {
        let why = "Must specify userName when calling with non-User credentials";
        Refusal::new(400, "ValidationError", why)
    };
    owner.map(|(name, _)| name.clone()).ok_or_else(no_user)
}

fn user<'w>(world: &'w World, asked: &Asked) -> Result<&'w User, Refusal> {
    let name = name_of(world, asked)?;
    world.users.get(&name).ok_or_else(|| no_such("user", &name))
}

pub(super) fn user_mut<'w>(world: &'w mut World, asked: &Asked) -> Result<&'w mut User, Refusal> {
    let name = name_of(world, asked)?;
    world.users.get_mut(&name).ok_or_else(|| no_such("user", &name))
}

fn list(
    world: &World,
    asked: &Asked,
    name: &str,
    items: impl FnOnce(&User) -> Vec<Value>,
) -> Answered {
    let items = items(user(world, asked)?);
    Ok(json!({name: items, "IsTruncated": false}))
}

fn last_used(world: &World, asked: &Asked) -> Answered {
    let id = asked.text("AccessKeyId").unwrap_or_default();
    let owner = world.users.iter().find(|(_, user)| key(user, id).is_some());
    let (name, owner) = owner.ok_or_else(|| no_such("access key", id))?;
    let never = json!({"ServiceName": "N/A", "Region": "N/A"});
    let used = owner.last_used.get(id).cloned().unwrap_or(never);
    Ok(json!({"UserName": name, "AccessKeyLastUsed": used}))
}

fn update_key(world: &mut World, asked: &Asked) -> Answered {
    let id = asked.text("AccessKeyId").unwrap_or_default();
    let user = user_mut(world, asked)?;
    let own = |key: &&mut Value| key.get("AccessKeyId").is_some_and(|own| own == id);
    let key = user.keys.iter_mut().find(own).ok_or_else(|| no_such("access key", id))?;
    if let Some(members) = key.as_object_mut() {
        members.insert("Status".to_owned(), asked.text("Status").into());
    }
    Ok(Value::Null)
}

fn get_policy(world: &World, asked: &Asked) -> Answered {
    let name = asked.text("PolicyName").unwrap_or_default();
    let user = user(world, asked)?;
    let document = user.policies.get(name).ok_or_else(|| no_such("user policy", name))?;
    Ok(json!({
        "UserName": user.user.get("UserName"),
        "PolicyName": name,
        "PolicyDocument": percent_encoded(document),
    }))
}

/// IAM percent-encodes the documents that it answers
/// (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUserPolicy.html>).
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

fn put_policy(world: &mut World, asked: &Asked) -> Answered {
    let text = |name| asked.text(name).unwrap_or_default().to_owned();
    let document = text("PolicyDocument");
    if serde_json::from_str::<Value>(&document).is_err() {
        let why = "Syntax errors in policy.";
        return Err(Refusal::new(400, "MalformedPolicyDocument", why));
    }
    user_mut(world, asked)?.policies.insert(text("PolicyName"), document);
    Ok(Value::Null)
}

fn delete_policy(world: &mut World, asked: &Asked) -> Answered {
    let name = asked.text("PolicyName").unwrap_or_default();
    let removed = user_mut(world, asked)?.policies.remove(name);
    removed.map(|_| Value::Null).ok_or_else(|| no_such("user policy", name))
}
