//! Collecting evidence from AWS: one operation, every page of it, in one region or many.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use stanch_engine_core::command::{CollectArgs, Regions, StepOptions};
use stanch_engine_core::effect::{Effect, RetrySafety};
use stanch_engine_core::json::plain;
use stanch_engine_core::sealed::{self, plain_but_sealed};
use stanch_engine_core::step::{ErrorKind, StepError};
use stanch_plugins_sdk::{ActionError, Done, Outcome};

use super::content;
use super::evidence::{Capture, capture, not_captured};
use super::invoke;
use super::secrets::sealed_answer;
use crate::job::{Call, Job, JobOutcome};
use crate::shared::Shared;

/// What was found where.
#[derive(Default)]
struct Found {
    regions: Map<String, Value>,
    calls: Vec<Value>,
    caveats: Vec<String>,
}

/// Collects, and keeps what was found as one item. A region that denies itself is a caveat, as
/// long as another one answers.
pub(super) async fn collect(shared: &Arc<Shared>, job: &Job, args: &CollectArgs) -> JobOutcome {
    if args.options.content {
        return content::collect(shared, job, args).await;
    }
    match gather(shared, job, args).await {
        Ok(found) => {
            let value = json!({
                "operation": args.operation, "params": plain_but_sealed(args.params.clone()),
                "account": args.options.account, "regions": found.regions,
            });
            let how = json!({
                "operation": args.operation, "account": args.options.account,
                "calls": found.calls, "caveats": found.caveats,
            });
            capture(shared, job, Capture { label: &args.label, value: &value, how }).await
        }
        Err(error) => {
            let error = StepError::from(error);
            let record = job.incident.map(|id| not_captured(shared, job, id, &args.label, &error));
            JobOutcome::Failed { error, call: None, projections: record.into_iter().collect() }
        }
    }
}

async fn gather(shared: &Shared, job: &Job, args: &CollectArgs) -> Result<Found, ActionError> {
    let mut found = Found::default();
    let mut first_denial = None;
    for region in regions(shared, job, args).await? {
        let place = region.clone().unwrap_or_else(|| "default".to_owned());
        let call = call(args, region, in_pages(&args.operation, &params(shared, args)));
        match fetch(shared, job, &call).await {
            Ok(done) => {
                found.caveats.extend(done.call.caveats.iter().map(|c| format!("{place}: {c}")));
                let sealed = done.secrets.len();
                if sealed > 0 {
                    found.caveats.push(format!("{place}: redacted: {sealed} secrets are sealed"));
                }
                found.calls.push(json!(done.call));
                found.regions.insert(place, sealed_answer(shared, job.run, done));
            }
            Err(error) if matches!(error.kind, ErrorKind::Denied | ErrorKind::Permanent) => {
                found.caveats.push(format!("{place}: {error}"));
                first_denial.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    match first_denial {
        Some(error) if found.regions.is_empty() => Err(error),
        _ => Ok(found),
    }
}

/// The regions to ask. `"enabled"` asks EC2 which ones the account has enabled.
pub(super) async fn regions(
    shared: &Shared,
    job: &Job,
    args: &CollectArgs,
) -> Result<Vec<Option<String>>, ActionError> {
    match &args.options.regions {
        None => Ok(vec![None]),
        Some(Regions::List(list)) => Ok(list.iter().cloned().map(Some).collect()),
        Some(Regions::Word(word)) if word != "enabled" => Ok(vec![Some(word.clone())]),
        Some(Regions::Word(_)) => {
            let call = call(args, None, in_pages("ec2:DescribeRegions", &json!({})));
            let answer = fetch(shared, job, &call).await?.value;
            let names = answer.get("Regions").and_then(Value::as_array).into_iter().flatten();
            let names = names.filter_map(|region| region.get("RegionName")?.as_str());
            Ok(names.map(|name| Some(name.to_owned())).collect())
        }
    }
}

/// The parameters, with the time from which on it is asked.
pub(super) fn params(shared: &Shared, args: &CollectArgs) -> Value {
    let mut params = args.params.clone();
    if let (Some(since), Some(members)) = (args.options.since, params.as_object_mut()) {
        let from = shared.world.now().plus_ms(-since.ms);
        members.entry("StartTime").or_insert_with(|| json!(from));
    }
    params
}

fn in_pages(operation: &str, params: &Value) -> Value {
    json!({"operation": operation, "params": params, "paginate": "auto"})
}

/// A look, where and as whom the options say.
pub(super) fn call(args: &CollectArgs, region: Option<String>, input: Value) -> Call {
    let (account, role) = (args.options.account.clone(), args.options.role.clone());
    Call {
        action: "aws.call".to_owned(),
        kept: sealed::is_in(&input).then(|| input.clone()),
        input: plain(input),
        options: StepOptions { account, region, role, ..StepOptions::default() },
        effect: Effect::Read,
        safety: RetrySafety::Natural,
        plan: Vec::new(),
        approval: None,
    }
}

async fn fetch(shared: &Shared, job: &Job, call: &Call) -> Result<Done, ActionError> {
    match invoke(shared, job, call).await? {
        Outcome::Done(done) => Ok(done),
        Outcome::Again { .. } => Err(ActionError::permanent(
            "not_a_look",
            "the operation of a collection answers at once",
        )),
    }
}
