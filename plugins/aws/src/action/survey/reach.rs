//! What a change reaches that it does not name: the roles under a policy, the users in a group, the
//! instance behind an interface, the accounts under a policy of the organization; and what evidence
//! it would replace, or make unreadable.

use serde_json::{Value, json};
use stanch_plugins_sdk::core::guard::target::{Surveyed, Targets, Wants};
use stanch_plugins_sdk::{ActionContext, ActionError};

use super::{instances, look, look_at_all, organization};
use crate::client::Client;
use crate::target::{partition, runs_a_document};

/// Changes to a policy itself, which change everything that it is attached to.
pub(super) const OF_POLICY: [&str; 4] = [
    "iam:CreatePolicyVersion",
    "iam:DeletePolicy",
    "iam:DeletePolicyVersion",
    "iam:SetDefaultPolicyVersion",
];

/// Changes to what an account may do or to where it lies, whom they name in their parameters.
const OF_TARGET: [&str; 7] = [
    "organizations:AttachPolicy",
    "organizations:CloseAccount",
    "organizations:DetachPolicy",
    "organizations:DisablePolicyType",
    "organizations:EnablePolicyType",
    "organizations:MoveAccount",
    "organizations:RemoveAccountFromOrganization",
];

/// Codes of S3 that say that there is none
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>).
const NO_OBJECT: [&str; 4] = ["http_404", "NotFound", "NoSuchKey", "NoSuchBucket"];
const NO_KEY: [&str; 2] = ["NoSuchBucket", "ServerSideEncryptionConfigurationNotFoundError"];

/// A change that is surveyed.
pub(super) struct Reach<'a> {
    pub(super) client: &'a Client,
    pub(super) context: &'a ActionContext,
    pub(super) targets: &'a Targets,
    /// The account that Stanch runs in.
    pub(super) home: &'a str,
}

impl Reach<'_> {
    /// Asks as far as the change may reach anything.
    ///
    /// # Errors
    /// What AWS says.
    pub(super) async fn survey(
        &self,
        wants: &Wants,
        found: &mut Surveyed,
    ) -> Result<(), ActionError> {
        let operation = &*self.targets.operation;
        if OF_POLICY.contains(&operation) {
            found.reached = Box::pin(self.under_policies()).await?;
        } else if operation.starts_with("iam:") {
            found.reached = Box::pin(self.in_groups()).await?;
        } else if instances::may_lie_in_one(operation) {
            found.reached = Box::pin(self.instances()).await?;
        } else if runs_a_document(operation) {
            found.reached = Box::pin(self.chosen(&found.hosts)).await?;
        } else if operation.starts_with("organizations:") {
            Box::pin(self.organization(found)).await?;
        }
        if wants.replaced {
            found.replaced = Box::pin(self.replaced()).await?;
        }
        for bucket in &wants.encrypted {
            found.evidence_keys.extend(Box::pin(self.keys_of(bucket)).await?);
        }
        Ok(())
    }

    pub(super) async fn look(&self, operation: &str, params: &Value) -> Result<Value, ActionError> {
        Box::pin(look_at_all(self.client, self.context, operation, params)).await
    }

    /// The ARNs of one kind of IAM's resources that the change names.
    fn named<'t>(&'t self, kind: &str) -> impl Iterator<Item = &'t str> + use<'t> {
        let infix = format!(":{kind}/");
        let of_iam = self.targets.arns.iter().filter(|arn| arn.contains(":iam:"));
        of_iam.filter(move |arn| arn.contains(&infix)).map(String::as_str)
    }

    /// The roles and users that policies are attached to, also by a group.
    async fn under_policies(&self) -> Result<Vec<String>, ActionError> {
        let mut reached = Vec::new();
        for policy in self.named("policy") {
            let params = json!({"PolicyArn": policy});
            let entities = match self.look("iam:ListEntitiesForPolicy", &params).await {
                Err(error) if error.code == "NoSuchEntity" => continue,
                entities => entities?,
            };
            for (list, name, kind) in
                [("PolicyRoles", "/RoleName", "role"), ("PolicyUsers", "/UserName", "user")]
            {
                let names = texts(&entities, list, name);
                reached.extend(names.map(|name| self.arn(kind, name)));
            }
            for group in texts(&entities, "PolicyGroups", "/GroupName") {
                reached.extend(Box::pin(self.users_of(group)).await?);
            }
        }
        Ok(reached)
    }

    /// The users in the groups that the change is about. One that also names a user is about that
    /// user.
    async fn in_groups(&self) -> Result<Vec<String>, ActionError> {
        let mut reached = Vec::new();
        if self.named("user").next().is_none() {
            for group in self.named("group") {
                let name = group.rsplit('/').next().unwrap_or(group);
                reached.extend(Box::pin(self.users_of(name)).await?);
            }
        }
        Ok(reached)
    }

    async fn users_of(&self, group: &str) -> Result<Vec<String>, ActionError> {
        match self.look("iam:GetGroup", &json!({"GroupName": group})).await {
            Err(error) if error.code == "NoSuchEntity" => Ok(Vec::new()),
            group => {
                Ok(texts(&group?, "Users", "/UserName").map(|n| self.arn("user", n)).collect())
            }
        }
    }

    fn arn(&self, kind: &str, name: &str) -> String {
        let partition = partition(self.context.region.as_deref());
        let account = self.context.account.as_deref().unwrap_or(self.home);
        format!("arn:{partition}:iam::{account}:{kind}/{name}")
    }

    /// What Stanch runs on, where the change chooses its targets by a tag that it has
    /// (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_Target.html>).
    async fn chosen(&self, hosts: &[String]) -> Result<Vec<String>, ActionError> {
        let words = &self.targets.words;
        if hosts.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(group) = words.iter().find(|word| word.starts_with("resource-groups:")) {
            let why = format!("{group} chooses instances, and nobody knows which: name them");
            return Err(ActionError::denied("unknown_target", why));
        }
        let by_key = words.iter().any(|word| word == "tag-key");
        if !by_key && !words.iter().any(|word| word.starts_with("tag:")) {
            return Ok(Vec::new());
        }
        let params = json!({"Filters": [{"Name": "resource-id", "Values": hosts}]});
        let answer = self.look("ec2:DescribeTags", &params).await?;
        let is_chosen = |key: &str| {
            words.iter().any(|word| word.strip_prefix("tag:") == Some(key) || by_key && word == key)
        };
        let tags = answer.get("Tags").and_then(Value::as_array).into_iter().flatten();
        let text = |tag: &Value, name: &str| Some(tag.get(name)?.as_str()?.to_owned());
        let chosen = tags.filter(|tag| text(tag, "Key").is_some_and(|key| is_chosen(&key)));
        Ok(chosen.filter_map(|tag| text(tag, "ResourceId")).collect())
    }

    /// The accounts, units and roots that the change reaches, and where Stanch is among them.
    async fn organization(&self, found: &mut Surveyed) -> Result<(), ActionError> {
        let last = |arn: &String| arn.rsplit('/').next().map(str::to_owned);
        let of_arns = self.targets.arns.iter().filter_map(last);
        let named: Vec<String> = of_arns.chain(self.targets.words.iter().cloned()).collect();
        let is_policy = |id: &&String| id.starts_with("p-");
        found.reached = match self.targets.operation.as_str() {
            "organizations:UpdatePolicy" | "organizations:DeletePolicy" => {
                let mut reached = Vec::new();
                for policy in named.iter().filter(is_policy) {
                    let params = json!({"PolicyId": policy});
                    let answer = self.look("organizations:ListTargetsForPolicy", &params).await?;
                    reached.extend(texts(&answer, "Targets", "/TargetId").map(str::to_owned));
                }
                reached
            }
            // What calls this leaves, and what is left of the organization reaches everybody.
            "organizations:LeaveOrganization" => self.context.account.clone().into_iter().collect(),
            "organizations:DeleteOrganization" => vec![self.home.to_owned()],
            operation if OF_TARGET.contains(&operation) => {
                named.into_iter().filter(|id| !id.starts_with("p-")).collect()
            }
            _ => return Ok(()),
        };
        found.home = vec![self.home.to_owned()];
        let is_sure = |id: &String| id == self.home || id.starts_with("r-");
        let is_unit = |id: &String| id.starts_with("ou-");
        if !found.reached.iter().any(is_sure) && found.reached.iter().any(is_unit) {
            let units = organization::ous_of(self.client, self.context, self.home);
            found.home.extend(Box::pin(units).await?);
        }
        Ok(())
    }

    /// The objects that are there and would be replaced. On a later attempt one that is there may be
    /// this call's own: then what was there before must be kept as an older version.
    async fn replaced(&self) -> Result<Vec<String>, ActionError> {
        let mut replaced = Vec::new();
        for object in &self.targets.new_objects {
            let path = object.splitn(6, ':').nth(5).unwrap_or_default();
            let Some((bucket, key)) = path.split_once('/') else { continue };
            let params = json!({"Bucket": bucket, "Key": key});
            match self.look("s3:HeadObject", &params).await {
                Err(error) if NO_OBJECT.contains(&&*error.code) => continue,
                answer => answer?,
            };
            let bucket = json!({"Bucket": bucket});
            let keeps = self.context.attempt > 1
                && self.look("s3:GetBucketVersioning", &bucket).await?.get("Status")
                    == Some(&json!("Enabled"));
            if !keeps {
                replaced.push(object.clone());
            }
        }
        Ok(replaced)
    }

    /// The keys that a bucket of evidence is encrypted with, asked as whoever runs Stanch.
    async fn keys_of(&self, bucket: &str) -> Result<Vec<String>, ActionError> {
        let base = ActionContext { account: None, role: None, ..self.context.clone() };
        let params = json!({"Bucket": bucket});
        let answer = Box::pin(look(self.client, &base, "s3:GetBucketEncryption", &params)).await;
        let answer = match answer {
            Err(error) if NO_KEY.contains(&&*error.code) => return Ok(Vec::new()),
            Err(mut error) => {
                error.message = format!(
                    "what the bucket {bucket} of evidence is encrypted with can't be read ({}): \
                     allow the role that Stanch runs as `s3:GetEncryptionConfiguration` on it, or \
                     name its key in `evidence_keys` of [guard]",
                    error.message
                );
                return Err(error);
            }
            Ok(answer) => answer,
        };
        let rules = answer.pointer("/ServerSideEncryptionConfiguration/Rules");
        let rules = rules.and_then(Value::as_array).into_iter().flatten();
        let key = "/ApplyServerSideEncryptionByDefault/KMSMasterKeyID";
        let keys: Vec<_> = rules.filter_map(|rule| rule.pointer(key)?.as_str()).collect();
        let mut found = Vec::new();
        for key in keys {
            found.push(key.to_owned());
            if key.contains("alias/") {
                let params = json!({"KeyId": key});
                let answer = look(self.client, &base, "kms:DescribeKey", &params);
                let answer = Box::pin(answer).await?;
                let arn = answer.pointer("/KeyMetadata/Arn").and_then(Value::as_str);
                found.extend(arn.map(str::to_owned));
            }
        }
        Ok(found)
    }
}

/// A text of each item of a list, by a JSON pointer into it.
pub(super) fn texts<'v>(
    answer: &'v Value,
    list: &str,
    place: &'static str,
) -> impl Iterator<Item = &'v str> + use<'v> {
    let items = answer.get(list).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(move |item| item.pointer(place)?.as_str())
}
