//! What the guard asks AWS about the targets of a change, with the role that reads: tags, paths,
//! the account's place in the organization, and who runs Stanch.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::guard::target::{Surveyed, Targets, Wants};
use stanch_plugins_sdk::{ActionContext, ActionError};

use super::organization;
use super::standing::Standing;
use crate::client::{Caller, Client, Content, Wanted};
use crate::target::{partition as partition_of, runs_a_document};

mod asks;
mod instances;
mod reach;

pub(crate) use asks::asks;

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
    let targets = &placed(client, context, targets).await;
    let runner = runner(client, context).await?;
    let mut found = Surveyed { runner: runner.names, hosts: runner.hosts, ..Surveyed::default() };
    let reach = reach::Reach { client, context, targets, home: &runner.account };
    Box::pin(reach.survey(&wants, &mut found)).await?;
    if wants.paths || wants.tags {
        // The tags of an instance are those of what lies in it.
        let reached = found.reached.iter().filter(|arn| arn.contains(":instance/")).cloned();
        let arns = targets.arns.iter().cloned().chain(reached).collect();
        let targets = Targets { arns, ..targets.clone() };
        let mut looks = Looks { client, context, found: &mut found };
        Box::pin(looks.at(&targets, &wants)).await?;
    }
    if let Some(account) = context.account.as_deref().filter(|_| wants.ous) {
        found.ous = Box::pin(organization::ous_of(client, context, account)).await?;
    }
    Ok(found)
}

/// The targets with what was not known of their place when only the parameters were: where the call
/// will be made.
async fn placed(client: &Client, context: &ActionContext, targets: &Targets) -> Targets {
    let region = match &context.region {
        Some(region) => Some(region.clone()),
        None => client.default_region().await,
    };
    let Some(region) = region else { return targets.clone() };
    let complete = |arn: &String| {
        let mut parts: Vec<&str> = arn.splitn(6, ':').collect();
        if let [_, partition, _, at, ..] = parts.as_mut_slice() {
            *partition = if *partition == "*" { partition_of(Some(&region)) } else { partition };
            *at = if *at == "*" { &region } else { at };
        }
        parts.join(":")
    };
    let arns = |arns: &[String]| arns.iter().map(complete).collect();
    Targets {
        arns: arns(&targets.arns),
        new_objects: arns(&targets.new_objects),
        ..targets.clone()
    }
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

/// Whoever runs Stanch.
struct Runner {
    /// Its ARNs and ids.
    names: Vec<String>,
    /// Its account.
    account: String,
    /// The ids of what it runs on, as far as its name says.
    hosts: Vec<String>,
}

/// Who runs Stanch. A session's ARN names the role that it is of; what AWS gave an instance or a
/// task is named by that
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).
async fn runner(client: &Client, context: &ActionContext) -> Result<Runner, ActionError> {
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
        content: Content::Within,
        region: &region,
        timeout: context.timeout.duration(),
        now: context.now,
        credentials: &credentials,
        account: None,
        urgency: context.urgency,
        patience: &context.patience,
    }));
    let Caller { account, arn } = caller.await.map_err(told)?;
    let session = arn.split_once(":assumed-role/").and_then(|(start, rest)| {
        let (role, session) = rest.split_once('/')?;
        let start = start.replacen(":sts:", ":iam:", 1);
        Some((format!("{start}:role/{role}"), session.to_owned()))
    });
    let (name, host) = match session {
        Some((role, session)) => (role, Some(session).filter(|session| is_host(session))),
        None => (arn, None),
    };
    let names = vec![name, credentials.access_key_id().to_owned()];
    Ok(Runner { names, account, hosts: host.into_iter().collect() })
}

/// Whether the name of a session is the id of an instance or of a task.
fn is_host(session: &str) -> bool {
    let is_hex =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    match session.strip_prefix("i-") {
        Some(id) => (8..=17).contains(&id.len()) && is_hex(id),
        None => session.len() == 32 && is_hex(session),
    }
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
    async fn at(&mut self, targets: &Targets, wants: &Wants) -> Result<(), ActionError> {
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
                // What is run is not what is changed.
                ("ssm", "document") if runs_a_document(&targets.operation) => {}
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

/// One look at every page. A list that is not read to its end is not known.
pub(super) async fn look_at_all(
    client: &Client,
    context: &ActionContext,
    operation: &str,
    params: &Value,
) -> Result<Value, ActionError> {
    let named = client.models.operation(operation);
    let named = named.map_err(|e| ActionError::permanent(e.code(), e.to_string()))?;
    let Some(paginator) = named.paginator else {
        return Box::pin(look(client, context, operation, params)).await;
    };
    let standing = Box::pin(Standing::find(client, context, named, Effect::Read)).await?;
    standing.require_owner(named)?;
    let wanted = standing.wanted(context, named, params);
    let pages = Box::pin(client.call_pages(wanted, paginator, None)).await;
    let pages = pages.map_err(|failure| standing.told(failure.into_error(Effect::Read)))?;
    match pages.caveat {
        None => Ok(pages.answer.value),
        Some(why) => Err(ActionError::denied("unknown_target", format!("{operation}: {why}"))),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_of_an_instance_or_a_task_says_what_it_runs_on() {
        let task = "0123456789abcdef0123456789abcdef";
        assert!(is_host("i-0abc1234def567890") && is_host("i-0abc1234") && is_host(task));
        for other in ["i-", "i-0abc1234DEF567890", "stanch", "ann@example.com", "i-0abc", ""] {
            assert!(!is_host(other), "{other}");
        }
    }
}
