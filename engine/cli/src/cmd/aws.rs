//! `stanch aws`.

mod undo;

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::effect::Effect;
use stanch_engine_core::span::Span;
use stanch_engine_runtime::system;
use stanch_plugins_aws::{Aws, AwsSettings, Endpoint, Variant};
use stanch_plugins_sdk::{ActionContext, Catalogue, Outcome, Patience, Urgency};

use uuid::Uuid;

use crate::args::{self, Common};
use crate::output;

pub(super) async fn run(common: &Common, what: args::Aws) -> anyhow::Result<ExitCode> {
    match what {
        args::Aws::Call {
            operation,
            params,
            region,
            endpoint_url,
            models,
            paginate,
            idempotency_token,
        } => {
            let settings = AwsSettings {
                models_dir: models,
                endpoint_url,
                default_region: region.clone(),
                ..AwsSettings::default()
            };
            let params = match object("--params", &params) {
                Ok(params) => Value::Object(params),
                Err(why) => return Ok(refused("bad_parameters", &format!("{why:#}"))),
            };
            let input = json!({"operation": operation, "params": params, "paginate": paginate});
            call(&Aws::open(&settings)?, region, idempotency_token, &input).await
        }
        args::Aws::Describe { what, models } => {
            let settings = AwsSettings { models_dir: models, ..AwsSettings::default() };
            let found =
                Aws::open(&settings)?.describe(&what).map_err(|why| anyhow::anyhow!(why))?;
            show(&found, common.json);
            Ok(ExitCode::SUCCESS)
        }
        args::Aws::Sandbox(args) => {
            super::sandbox::run(args, common.json).await?;
            Ok(ExitCode::SUCCESS)
        }
        args::Aws::Endpoint { service, region, params, fips, dualstack, models } => {
            let settings = AwsSettings { models_dir: models, ..AwsSettings::default() };
            let aws = Aws::open(&settings)?;
            let found = match params {
                Some(params) => {
                    let mut params = object("--params", &params)?;
                    let told = [
                        ("Region", region.map(Value::from)),
                        ("UseFIPS", is(fips)),
                        ("UseDualStack", is(dualstack)),
                    ];
                    for (name, value) in told {
                        params.extend(value.map(|value| (name.to_owned(), value)));
                    }
                    aws.endpoint_by_rules(&service, &params)
                }
                None => {
                    let variant = Variant { fips, dual_stack: dualstack };
                    aws.endpoint(&service, &region.unwrap_or_default(), variant)
                }
            };
            Ok(endpoint(found, common.json))
        }
    }
}

/// A switch that was set.
fn is(set: bool) -> Option<Value> {
    set.then(|| true.into())
}

/// Reads an object from an argument, from standard input (`-`), or from a file (`@FILE`).
fn object(name: &str, given: &str) -> anyhow::Result<Map<String, Value>> {
    let text = match given.strip_prefix('@').or_else(|| given.strip_prefix("file://")) {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("`{name}`: {file}"))?,
        None if given == "-" => std::io::read_to_string(std::io::stdin())?,
        None => given.to_owned(),
    };
    let wanted = "write a JSON object such as '{\"UserName\": \"ann\"}', `@FILE`, or `-` for \
                  standard input";
    match serde_json::from_str(&text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => anyhow::bail!("`{name}` is no object: {wanted}"),
        Err(error) => anyhow::bail!("`{name}` is no JSON: {error}: {wanted}"),
    }
}

/// Says why nothing was sent, as an error of AWS would be said.
fn refused(code: &str, why: &str) -> ExitCode {
    eprintln!("{}", json!({"error": {"code": code, "kind": "permanent", "message": why}}));
    ExitCode::FAILURE
}

/// Shows an endpoint, or why there is none.
fn endpoint(found: Result<Endpoint, String>, as_json: bool) -> ExitCode {
    match found {
        Ok(endpoint) if as_json => {
            output::json(&json!({
                "url": endpoint.url, "signing_region": endpoint.signing_region,
                "signing_name": endpoint.signing_name, "properties": endpoint.properties,
                "headers": endpoint.headers,
            }));
            ExitCode::SUCCESS
        }
        Ok(endpoint) => {
            println!("{}", endpoint.url);
            ExitCode::SUCCESS
        }
        Err(why) if as_json => refused("no_endpoint", &why),
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// A service as a list of its operations, an operation as an outline.
fn show(found: &Value, as_json: bool) {
    if as_json {
        return output::json(found);
    }
    if let Some(operations) = found["operations"].as_array() {
        println!("{} ({})", output::text(&found["full_name"]), output::text(&found["service"]));
        let columns = [
            ("OPERATION", "/operation"),
            ("EFFECT", "/effect"),
            ("PAGED", "/is_paged"),
            ("UNDO", "/has_undo"),
            ("IAM ACTIONS", "/iam_actions"),
        ];
        return output::table(operations, &columns);
    }
    println!("{}  {}", output::text(&found["operation"]), output::text(&found["effect"]));
    if found["effect"] != "read" {
        println!("after an unknown outcome: {}", repetition(found));
    }
    let assumed = if found["iam_actions_are_assumed"] == true { " (assumed)" } else { "" };
    println!("needs {}{assumed}", output::text(&found["iam_actions"]));
    if let Some(keys) = found["pages"]["result_keys"].as_array() {
        println!("in pages of {}", output::text(&Value::Array(keys.clone())));
    }
    if let Some(waiters) = found["waiters"].as_array().filter(|waiters| !waiters.is_empty()) {
        println!("waited for by {}", output::text(&Value::Array(waiters.clone())));
    }
    if matches!(found["effect"].as_str(), Some("change" | "destroy")) {
        undo::lines(&found["undo"]).iter().for_each(|line| println!("{line}"));
    }
    for part in ["parameters", "answer"] {
        println!("{part}:");
        outline(&found[part], 1);
    }
}

/// What is done when it is unknown whether a call took place.
fn repetition(found: &Value) -> String {
    let safety = output::text(&found["after_an_unknown_outcome"]);
    let rule = output::text(&found["repeat_rule"]);
    let reviewed = if found["is_reviewed"] == true { "" } else { " (not reviewed)" };
    let codes = found["already_done_codes"].as_array().filter(|codes| !codes.is_empty());
    let done = codes.map(|codes| {
        let codes = output::text(&Value::Array(codes.clone()));
        format!("; of a repetition, {codes} says that it is done")
    });
    format!("{safety}: {rule}{reviewed}{}", done.unwrap_or_default())
}

fn outline(members: &Value, depth: usize) {
    for (name, member) in members.as_object().into_iter().flatten() {
        let mut inner = member;
        let mut kind = output::text(&member["type"]);
        while inner["of"].is_object() {
            inner = &inner["of"];
            kind = format!("{kind} of {}", output::text(&inner["type"]));
        }
        let required = if member["required"] == true { ", required" } else { "" };
        let values = inner["one_of"].as_array().map(|values| {
            let values = Value::Array(values.iter().take(8).cloned().collect());
            format!(": {}", output::text(&values))
        });
        println!(
            "{:indent$}{name}  {kind}{required}{}",
            "",
            values.unwrap_or_default(),
            indent = depth * 2
        );
        outline(&inner["members"], depth + 1);
    }
}

/// A person calls: reads and changes alike, in the account that their credentials are for. One
/// request is sent and no other.
async fn call(
    aws: &Aws,
    region: Option<String>,
    token: Option<Uuid>,
    input: &Value,
) -> anyhow::Result<ExitCode> {
    let catalogue = aws.register(Catalogue::new(aws.operations()));
    let action = catalogue.action("aws.call").map_err(|why| anyhow::anyhow!(why))?;
    let world = system::world();
    let mut context = ActionContext {
        incident: None,
        run: None,
        step: "aws call".to_owned(),
        token: token.unwrap_or_else(|| Sha256::of(world.entropy.next().to_be_bytes()).uuid()),
        attempt: 1,
        account: None,
        region,
        role: None,
        urgency: Urgency::Response,
        patience: Patience::default(),
        granted: Effect::Destroy,
        plan: Vec::new(),
        timeout: Span::from_secs(120),
        now: world.now(),
        state: None,
    };
    loop {
        match action.run(&context, input).await {
            Ok(Outcome::Done(done)) => {
                done.call.caveats.iter().for_each(|caveat| eprintln!("warning: {caveat}"));
                let operation = input["operation"].as_str().unwrap_or_default();
                output::json(&aws.without_absent(operation, done.value));
                return Ok(ExitCode::SUCCESS);
            }
            Ok(Outcome::Again { state, after }) => {
                world.clock.sleep_until(world.now().plus_ms(after.ms)).await;
                context.state = Some(state);
                context.attempt += 1;
            }
            Err(error) => {
                let told = json!({"error": {
                    "code": error.code, "kind": error.kind, "message": error.message,
                    "status": error.call.status, "request_id": error.call.request_id,
                    "details": error.call.details,
                }});
                eprintln!("{told}");
                return Ok(ExitCode::FAILURE);
            }
        }
    }
}
