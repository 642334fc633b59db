//! `stanch run`.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::args::Run;
use crate::client::Client;
use crate::output;

/// How long one question may wait, in seconds; it is asked again until the run is at rest.
const WAIT_S: u32 = 30;

pub(super) async fn run(client: &Client, args: Run, json: bool) -> anyhow::Result<ExitCode> {
    let inputs: Value = match &args.input {
        Some(text) => serde_json::from_str(text).context("`--input` is no JSON")?,
        None => json!({}),
    };
    let alert: Value = match &args.alert {
        Some(file) => {
            let bytes = std::fs::read(file).with_context(|| format!("{}", file.display()))?;
            serde_json::from_slice(&bytes).with_context(|| format!("{}", file.display()))?
        }
        None => Value::Null,
    };
    let body = json!({"playbook": args.playbook, "inputs": inputs, "alert": alert});
    let started = client.post("/runs", &body).await?;
    let id = output::text(&started["id"]);
    if args.detach {
        if json {
            output::json(&started)
        } else {
            println!("{id}")
        }
        return Ok(ExitCode::SUCCESS);
    }
    let run = rest(client, &id).await?;
    if json {
        output::json(&run);
    } else {
        println!("{id} is {}", output::text(&run["status"]));
        for name in ["result", "error", "parked"] {
            if !run[name].is_null() {
                println!("{name}: {}", run[name]);
            }
        }
    }
    let is_bad = matches!(run["status"].as_str(), Some("failed" | "cancelled" | "parked"));
    Ok(if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Waits until a run waits for somebody, is parked or paused, or has ended.
pub(super) async fn rest(client: &Client, id: &str) -> anyhow::Result<Value> {
    loop {
        let run = client.get(&format!("/runs/{id}"), &[("wait", WAIT_S.to_string())]).await?;
        if !matches!(run["status"].as_str(), Some("queued" | "running")) {
            return Ok(run);
        }
    }
}
