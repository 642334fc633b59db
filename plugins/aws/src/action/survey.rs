//! What the guard asks AWS about the targets of a change, with the role that reads: tags, paths,
//! the account's place in the organization, and who runs Stanch.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::guard::target::{Surveyed, Targets, Wants};
use stanch_plugins_sdk::{ActionContext, ActionError};

use super::organization;
use super::standing::Standing;
use crate::client::{Client, Wanted};

/// Services whose tags `resourcegroupstaggingapi:GetResources` reads whole
/// (<https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html>).
const TAGGED: [&str; 14] = [
    "dynamodb",
    "ec2",
    "ecs",
    "eks",
    "elasticache",
    "elasticloadbalancing",
    "kms",
    "lambda",
    "logs",
    "rds",
    "redshift",
    "secretsmanager",
    "sns",
    "sqs",
];

/// Asks, as far as it is wanted.
///
/// # Errors
/// What AWS says; and when what is wanted can't be asked of it.
pub(super) async fn survey(
    client: &Client,
    context: &ActionContext,
    targets: &Targets,
    wants: Wants,
) -> Result<Surveyed, ActionError> {
    if let Some(point) = targets.arns.iter().chain(&targets.words).find(|t| is_point(targets, t)) {
        let why = format!(
            "{point} is an access point of S3, and nothing says which bucket lies behind it: name \
             the bucket"
        );
        return Err(ActionError::denied("unknown_target", why));
    }
    let mut found = Surveyed { runner: runner(client, context).await?, ..Surveyed::default() };
    if wants.paths || wants.tags {
        let mut looks = Looks { client, context, found: &mut found };
        Box::pin(looks.at(targets, wants)).await?;
    }
    if let Some(account) = context.account.as_deref().filter(|_| wants.ous) {
        found.ous = Box::pin(organization::ous_of(client, context, account)).await?;
    }
    Ok(found)
}

/// Whether a text names an access point of S3, by its ARN or its alias
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html>).
fn is_point(targets: &Targets, text: &str) -> bool {
    let name = text.rsplit(':').next().unwrap_or(text);
    targets.operation.starts_with("s3:")
        && (text.starts_with("arn:") && name.contains("accesspoint")
            || name.ends_with("-s3alias")
            || name.ends_with("--ol-s3")
            || name.ends_with(".mrap"))
}

/// The ARNs and ids of whoever runs Stanch. A session's ARN names the role that it is of.
async fn runner(client: &Client, context: &ActionContext) -> Result<Vec<String>, ActionError> {
    let told = |failure: crate::client::Failure| failure.into_error(Effect::Read);
    let credentials = client.keychain.credentials(context.now).await.map_err(told)?;
    let region = match client.default_region().await {
        Some(region) => region,
        None => context.region.clone().unwrap_or_default(),
    };
    let named = client.models.operation("sts:GetCallerIdentity");
    let named = named.map_err(|e| ActionError::permanent(e.code(), e.to_string()))?;
    let caller = Box::pin(client.caller(Wanted {
        named,
        params: &Value::Null,
        region: &region,
        timeout: context.timeout.duration(),
        now: context.now,
        credentials: &credentials,
        account: None,
        urgency: context.urgency,
        patience: &context.patience,
    }));
    let arn = caller.await.map_err(told)?.arn;
    let role = arn.split_once(":assumed-role/").and_then(|(start, rest)| {
        let start = start.replacen(":sts:", ":iam:", 1);
        Some(format!("{start}:role/{}", rest.split('/').next()?))
    });
    Ok(vec![role.unwrap_or(arn), credentials.access_key_id().to_owned()])
}

/// An ARN in its parts.
struct Arn<'a> {
    service: &'a str,
    account: &'a str,
    kind: &'a str,
    name: &'a str,
}

impl<'a> Arn<'a> {
    fn of(text: &'a str) -> Self {
        let mut parts = text.splitn(6, ':').skip(2);
        let (service, _region) = (parts.next().unwrap_or_default(), parts.next());
        let (account, resource) =
            (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (kind, name) = resource.split_once(['/', ':']).unwrap_or(("", resource));
        let name = if service == "iam" { name.rsplit('/').next().unwrap_or(name) } else { name };
        Self { service, account, kind, name }
    }
}

struct Looks<'a> {
    client: &'a Client,
    context: &'a ActionContext,
    found: &'a mut Surveyed,
}

impl Looks<'_> {
    async fn at(&mut self, targets: &Targets, wants: Wants) -> Result<(), ActionError> {
        let creates = targets.operation.split(':').nth(1).is_some_and(|n| n.starts_with("Create"));
        if wants.tags && targets.arns.is_empty() && !creates {
            let why = "its parameters name no resource that is known, so that no tags can be read";
            return Err(ActionError::denied("unknown_target", why));
        }
        let mut listed: Vec<&str> = Vec::new();
        for text in &targets.arns {
            let arn = Arn::of(text);
            if !arn.account.is_empty() && Some(arn.account) != self.context.account.as_deref() {
                let why = format!("{text} is of another account than the call");
                return Err(ActionError::denied("unknown_target", why));
            }
            match (arn.service, arn.kind) {
                ("iam", "role") => self.of_iam("iam:GetRole", "Role", arn.name).await?,
                ("iam", "user") => self.of_iam("iam:GetUser", "User", arn.name).await?,
                _ if !wants.tags => {}
                ("s3", _) => self.of_bucket(text).await?,
                (service, _) if TAGGED.contains(&service) => listed.push(text),
                _ => {
                    let why = format!("the tags of {text} can't be read");
                    return Err(ActionError::denied("unknown_target", why));
                }
            }
        }
        for hundred in listed.chunks(100) {
            let params = json!({"ResourceARNList": hundred});
            let answer = self.read("resourcegroupstaggingapi:GetResources", &params).await?;
            let resources = answer.get("ResourceTagMappingList").and_then(Value::as_array);
            for resource in resources.into_iter().flatten() {
                self.take_tags(resource.get("Tags"));
            }
        }
        Ok(())
    }

    /// The ARN and the tags of a role or user. One that is not there has none.
    async fn of_iam(&mut self, operation: &str, of: &str, name: &str) -> Result<(), ActionError> {
        let params = json!({format!("{of}Name"): name});
        let answer = match self.read(operation, &params).await {
            Err(error) if error.code == "NoSuchEntity" => return Ok(()),
            answer => answer?,
        };
        let arn = answer.pointer(&format!("/{of}/Arn")).and_then(Value::as_str);
        self.found.arns.extend(arn.map(str::to_owned));
        self.take_tags(answer.pointer(&format!("/{of}/Tags")));
        Ok(())
    }

    async fn of_bucket(&mut self, arn: &str) -> Result<(), ActionError> {
        let bucket = arn.rsplit(':').next().and_then(|name| name.split('/').next());
        let params = json!({"Bucket": bucket});
        match self.read("s3:GetBucketTagging", &params).await {
            Err(error) if error.code == "NoSuchTagSet" => {}
            answer => self.take_tags(answer?.get("TagSet")),
        }
        Ok(())
    }

    fn take_tags(&mut self, tags: Option<&Value>) {
        let text = |tag: &Value, name: &str| Some(tag.get(name)?.as_str()?.to_owned());
        let tags = tags.and_then(Value::as_array).into_iter().flatten();
        let tags: BTreeMap<_, _> =
            tags.filter_map(|tag| Some((text(tag, "Key")?, text(tag, "Value")?))).collect();
        self.found.tags.extend(tags);
    }

    async fn read(&self, operation: &str, params: &Value) -> Result<Value, ActionError> {
        look(self.client, self.context, operation, params).await
    }
}

/// One look, in the account that the context names and in no other.
pub(super) async fn look(
    client: &Client,
    context: &ActionContext,
    operation: &str,
    params: &Value,
) -> Result<Value, ActionError> {
    let named = client.models.operation(operation);
    let named = named.map_err(|e| ActionError::permanent(e.code(), e.to_string()))?;
    let standing = Box::pin(Standing::find(client, context, named, Effect::Read)).await?;
    standing.require_owner(named)?;
    let answer = Box::pin(client.call(standing.wanted(context, named, params))).await;
    answer.map(|answer| answer.value).map_err(|f| standing.told(f.into_error(Effect::Read)))
}
