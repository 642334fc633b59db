//! The user of a drill: made, looked at, and taken away.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use stanch_engine_core::drill::{TAG, USER_PREFIX};
use stanch_engine_core::world::World;

use super::super::by_hand::{Caller, items, text, told};

/// A user that is thrown away.
pub(super) struct User {
    pub(super) name: String,
}

impl User {
    /// A name that nobody has.
    pub(super) fn name(world: &World) -> Self {
        Self { name: format!("{USER_PREFIX}{:012x}", world.entropy.next() >> 80) }
    }

    /// Makes it, with a key that may do nothing: the key's id.
    pub(super) async fn make(&self, aws: &Caller, account: &str) -> anyhow::Result<String> {
        let tags = json!([
            {"Key": TAG, "Value": account},
            {"Key": "stanch:purpose", "Value": "made by stanch drill: to be thrown away"},
        ]);
        call(aws, "iam:CreateUser", json!({"UserName": self.name, "Tags": tags})).await?;
        let made = call(aws, "iam:CreateAccessKey", json!({"UserName": self.name})).await?;
        let key = text(&made, "/AccessKey/AccessKeyId").to_owned();
        if key.is_empty() {
            bail!("AWS made no key");
        }
        Ok(key)
    }

    /// Whether its key works: what AWS says, and not what Stanch says.
    pub(super) async fn key_status(&self, aws: &Caller) -> anyhow::Result<String> {
        let keys = call(aws, "iam:ListAccessKeys", json!({"UserName": self.name})).await?;
        Ok(text(&keys, "/AccessKeyMetadata/0/Status").to_owned())
    }

    /// Takes it away, with all that hangs on it. One that is not there is taken away.
    pub(super) async fn take_away(&self, aws: &Caller) -> anyhow::Result<()> {
        take_away(aws, &self.name).await
    }
}

async fn take_away(aws: &Caller, name: &str) -> anyhow::Result<()> {
    let of_user = json!({"UserName": name});
    let Some(keys) = found(aws, "iam:ListAccessKeys", &of_user).await? else { return Ok(()) };
    for key in items(&keys, "/AccessKeyMetadata") {
        let params = json!({"UserName": name, "AccessKeyId": key["AccessKeyId"]});
        found(aws, "iam:DeleteAccessKey", &params).await?;
    }
    let policies = found(aws, "iam:ListUserPolicies", &of_user).await?.unwrap_or_default();
    for policy in items(&policies, "/PolicyNames") {
        let params = json!({"UserName": name, "PolicyName": policy});
        found(aws, "iam:DeleteUserPolicy", &params).await?;
    }
    let attached = found(aws, "iam:ListAttachedUserPolicies", &of_user).await?.unwrap_or_default();
    for policy in items(&attached, "/AttachedPolicies") {
        let params = json!({"UserName": name, "PolicyArn": policy["PolicyArn"]});
        found(aws, "iam:DetachUserPolicy", &params).await?;
    }
    found(aws, "iam:DeleteUser", &of_user).await?;
    Ok(())
}

/// Takes away every user that bears the name and the tag of a drill.
pub(super) async fn clean(aws: &Caller) -> anyhow::Result<Vec<String>> {
    let users = call(aws, "iam:ListUsers", json!({})).await?;
    let mut gone = Vec::new();
    for user in items(&users, "/Users") {
        let name = text(user, "/UserName");
        if !name.starts_with(USER_PREFIX) {
            continue;
        }
        let Some(tags) = found(aws, "iam:ListUserTags", &json!({"UserName": name})).await? else {
            continue;
        };
        if items(&tags, "/Tags").iter().any(|tag| text(tag, "/Key") == TAG) {
            take_away(aws, name).await.with_context(|| name.to_owned())?;
            gone.push(name.to_owned());
        }
    }
    Ok(gone)
}

async fn call(aws: &Caller, operation: &str, params: Value) -> anyhow::Result<Value> {
    let done = aws.call(operation, params, None).await;
    done.map(|done| done.value).map_err(|error| anyhow::anyhow!("{operation}: {}", told(&error)))
}

/// The same, where nothing may be there.
async fn found(aws: &Caller, operation: &str, params: &Value) -> anyhow::Result<Option<Value>> {
    match aws.call(operation, params.clone(), None).await {
        Ok(done) => Ok(Some(done.value)),
        Err(error) if error.code == "NoSuchEntity" => Ok(None),
        Err(error) => bail!("{operation}: {}", told(&error)),
    }
}
