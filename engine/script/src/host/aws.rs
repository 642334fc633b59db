//! Verbs that call AWS: `aws`, `accounts`, `ssm_automation`, `ssm_command`, `wait_for`.

use rhai::{Array, Dynamic, Engine, Map, NativeCallContext as Cx, Position as At};
use serde_json::Value;
use stanch_engine_core::command::Regions;
use stanch_engine_core::limits;
use stanch_engine_core::span::Span;
use stanch_engine_core::step::{StepError, StepKey};

use super::actions::{action, attempt, returns_errors};
use super::beside::all;
use super::documents::{pin, runs_one};
use super::step::{decode, place};
use super::{Fallible, read, take};
use crate::error::{error_map, mistake, thrown};
use crate::fork::Body;
use crate::hot::below;
use crate::tape::Answer;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("aws", |cx: Cx, operation: &str| {
        aws(operation, Map::new(), Map::new(), cx.call_position())
    });
    engine.register_fn("aws", |cx: Cx, operation: &str, params: Map| {
        aws(operation, params, Map::new(), cx.call_position())
    });
    engine.register_fn("aws", |cx: Cx, operation: &str, params: Map, options: Map| {
        aws(operation, params, options, cx.call_position())
    });
    engine.register_fn("accounts", |cx: Cx| accounts(Map::new(), cx.call_position()));
    engine.register_fn("accounts", |cx: Cx, of: &str| {
        accounts(Map::from([("of".into(), of.into())]), cx.call_position())
    });
    engine.register_fn("ssm_automation", |cx: Cx, document: &str, parameters: Map| {
        automation(document, parameters, Map::new(), cx.call_position())
    });
    engine.register_fn(
        "ssm_automation",
        |cx: Cx, document: &str, parameters: Map, options: Map| {
            automation(document, parameters, options, cx.call_position())
        },
    );
    engine.register_fn(
        "ssm_command",
        |cx: Cx, document: &str, parameters: Dynamic, options: Map| {
            command(document, parameters, options, cx.call_position())
        },
    );
    engine.register_fn("wait_for", |cx: Cx, waiter: &str, params: Map| {
        wait_for(waiter, params, Map::new(), cx.call_position())
    });
    engine.register_fn("wait_for", |cx: Cx, waiter: &str, params: Map, options: Map| {
        wait_for(waiter, params, options, cx.call_position())
    });
}

fn aws(operation: &str, params: Map, mut options: Map, at: At) -> Fallible<Dynamic> {
    let regions = take(&mut options, "regions");
    if regions.is_unit() {
        let input = call(operation, params, &mut options, at)?;
        return action("aws.call", &input, options, at);
    }
    let regions: Regions = match read("options: regions", &regions, at) {
        Ok(regions) => regions,
        Err(_) => {
            let message = "`regions` is \"enabled\", the name of a region, or a list of names";
            return Err(mistake(message, at));
        }
    };
    if options.contains_key("region") {
        return Err(mistake("`region` and `regions` can't both be told", at));
    }
    everywhere(operation, params, options, regions, at)
}

/// The accounts of the organization or of a unit of it, a map each. What was left out, and why,
/// stands in the journal.
fn accounts(input: Map, at: At) -> Fallible<Dynamic> {
    let listed = action("aws.accounts", &input.into(), Map::new(), at)?;
    let accounts = listed.try_cast::<Map>().and_then(|mut listed| listed.remove("accounts"));
    accounts.ok_or_else(|| mistake("the organization's accounts are not a list", at))
}

/// What `aws.call` reads. What runs an SSM document names it by version and hash.
fn call(operation: &str, mut params: Map, options: &mut Map, at: At) -> Fallible<Dynamic> {
    let mut input = Map::from([("operation".into(), operation.into())]);
    if runs_one(operation) {
        let is_place = |name: &str| matches!(name, "account" | "region");
        let place = options.iter().filter(|(name, _)| is_place(name));
        let place = place.map(|(name, value)| (name.clone(), value.clone())).collect();
        let (pinned, document) = pin(operation, params, place, at)?;
        params = pinned;
        input.insert("document".into(), document);
    }
    input.insert("params".into(), Dynamic::from_map(params));
    let paginate = take(options, "paginate");
    if !paginate.is_unit() {
        input.insert("paginate".into(), paginate);
    }
    Ok(input.into())
}

/// How a call in one region ended.
type End = Fallible<(StepKey, Answer)>;

/// Calls in every region, each as a step of its own beside the others, and gives what each
/// answered and why each that failed did. It fails where all do.
fn everywhere(
    operation: &str,
    params: Map,
    mut options: Map,
    regions: Regions,
    at: At,
) -> Fallible<Dynamic> {
    let returns = returns_errors(&without(&options, "paginate"), at)?;
    if runs_one(operation) {
        let message = format!("`{operation}` runs in one region at a time: use `each`");
        return Err(mistake(message, at));
    }
    let input = call(operation, params, &mut options, at)?;
    let key = place("aws", at)?;
    below(&key, || {
        let regions = named(regions, &options, at)?;
        if regions.is_empty() || regions.len() > limits::PARALLEL_BRANCHES {
            let most = limits::PARALLEL_BRANCHES;
            return Err(mistake(
                format!("`regions` names {} regions, and takes from 1 to {most}", regions.len()),
                at,
            ));
        }
        let mut bodies: Vec<Body<'_, End>> = Vec::new();
        for region in &regions {
            let mut options = options.clone();
            options.insert("region".into(), region.as_str().into());
            let input = &input;
            bodies.push(Box::new(move || attempt("aws.call", input, options, at)));
        }
        let key = place("aws", at)?;
        sorted(regions, all(&key, bodies, at)?, returns, at)
    })
}

/// The answers and the errors, each under its region.
fn sorted(regions: Vec<String>, ends: Vec<End>, returns: bool, at: At) -> Fallible<Dynamic> {
    let (mut answers, mut errors) = (Map::new(), Map::new());
    let mut first: Option<(StepKey, StepError)> = None;
    for (region, end) in regions.into_iter().zip(ends) {
        match end? {
            (_, Answer::Result(result)) => {
                drop(answers.insert(region.into(), decode(&result, at)?))
            }
            (key, Answer::Error(error)) => {
                errors.insert(region.into(), error_map(&error, &key).into());
                first.get_or_insert((key, error));
            }
        }
    }
    match first {
        Some((key, error)) if answers.is_empty() && !returns => Err(thrown(&error, &key, at)),
        _ => Ok(Map::from([
            ("regions".into(), Dynamic::from_map(answers)),
            ("errors".into(), Dynamic::from_map(errors)),
        ])
        .into()),
    }
}

/// The names of the regions. For `"enabled"` the account is asked which ones it has.
fn named(regions: Regions, options: &Map, at: At) -> Fallible<Vec<String>> {
    let mut names = match regions {
        Regions::List(names) => names,
        Regions::Word(word) if word != "enabled" => vec![word],
        Regions::Word(_) => {
            let wanted = |name: &str| name != "on_error";
            let options = options.iter().filter(|(name, _)| wanted(name));
            let options = options.map(|(name, value)| (name.clone(), value.clone())).collect();
            let input = call("ec2:DescribeRegions", Map::new(), &mut Map::new(), at)?;
            let (key, answer) = attempt("aws.call", &input, options, at)?;
            let answer = match answer {
                Answer::Result(answer) => answer.value(),
                Answer::Error(error) => return Err(thrown(&error, &key, at)),
            };
            let listed = answer.get("Regions").and_then(Value::as_array).into_iter().flatten();
            let names = listed.filter_map(|region| region.get("RegionName")?.as_str());
            names.map(str::to_owned).collect()
        }
    };
    names.sort();
    names.dedup();
    Ok(names)
}

fn without(options: &Map, name: &str) -> Map {
    let mut options = options.clone();
    options.remove(name);
    options
}

/// SSM's parameters are lists of strings; a playbook may write one value as itself.
fn listed(parameters: Map) -> Dynamic {
    let listed = parameters.into_iter().map(|(name, value)| {
        let list =
            if value.is_array() { value } else { Array::from([value.to_string().into()]).into() };
        (name, list)
    });
    Dynamic::from_map(listed.collect())
}

fn automation(document: &str, parameters: Map, mut options: Map, at: At) -> Fallible<Dynamic> {
    let mut params = Map::from([
        ("DocumentName".into(), document.into()),
        ("Parameters".into(), listed(parameters)),
    ]);
    move_into(&mut params, &mut options, &[("version", "DocumentVersion")]);
    followed("ssm:StartAutomationExecution", params, options, &["timeout"], at)
}

/// Runs commands on instances, and waits until they have ended. The commands may be written as
/// one text or a list, for documents whose parameter is `commands`.
fn command(document: &str, parameters: Dynamic, mut options: Map, at: At) -> Fallible<Dynamic> {
    let parameters = match parameters.as_map_ref() {
        Ok(map) => map.clone(),
        Err(_) => Map::from([("commands".into(), parameters.clone())]),
    };
    let mut params = Map::from([
        ("DocumentName".into(), document.into()),
        ("Parameters".into(), listed(parameters)),
    ]);
    move_into(&mut params, &mut options, COMMAND_OPTIONS);
    let instances = take(&mut options, "instances");
    let instances = if instances.is_string() { Array::from([instances]).into() } else { instances };
    if !instances.is_unit() {
        params.insert("InstanceIds".into(), instances);
    }
    if !params.contains_key("InstanceIds") && !params.contains_key("Targets") {
        return Err(mistake("`ssm_command` needs `instances` or `targets`", at));
    }
    // What is not done in time is not begun any more either.
    if let Some(timeout) = options.get("timeout") {
        let timeout: Span = read("options: timeout", timeout, at)?;
        params.insert("TimeoutSeconds".into(), (timeout.ms / 1_000).clamp(30, 2_592_000).into());
    }
    followed("ssm:SendCommand", params, options, &["require", "timeout"], at)
}

/// Calls what is followed to its end, and says how with options of these names.
fn followed(
    operation: &str,
    params: Map,
    mut options: Map,
    names: &[&str],
    at: At,
) -> Fallible<Dynamic> {
    let rest = options.iter().filter(|(name, _)| !names.contains(&name.as_str()));
    returns_errors(&rest.map(|(name, value)| (name.clone(), value.clone())).collect(), at)?;
    let mut input = call(operation, params, &mut options, at)?;
    if let Some(mut input) = input.write_lock::<Map>() {
        for name in names {
            move_into(&mut input, &mut options, &[(name, name)]);
        }
    }
    action("aws.call", &input, options, at)
}

/// Options of `ssm_command` that are parameters of `ssm:SendCommand`.
const COMMAND_OPTIONS: &[(&str, &str)] = &[
    ("bucket", "OutputS3BucketName"),
    ("comment", "Comment"),
    ("max_concurrency", "MaxConcurrency"),
    ("max_errors", "MaxErrors"),
    ("prefix", "OutputS3KeyPrefix"),
    ("targets", "Targets"),
    ("version", "DocumentVersion"),
];

/// Moves options to where they belong, under the names that they have there.
fn move_into(to: &mut Map, options: &mut Map, names: &[(&str, &str)]) {
    for (name, there) in names {
        let value = take(options, name);
        if !value.is_unit() {
            to.insert((*there).into(), value);
        }
    }
}

/// Waits until something has come to be, as AWS's models say how that is seen.
fn wait_for(waiter: &str, params: Map, mut options: Map, at: At) -> Fallible<Dynamic> {
    let mut input =
        Map::from([("waiter".into(), waiter.into()), ("params".into(), Dynamic::from_map(params))]);
    move_into(&mut input, &mut options, &[("every", "every"), ("timeout", "timeout")]);
    action("aws.wait", &input.into(), options, at)
}
