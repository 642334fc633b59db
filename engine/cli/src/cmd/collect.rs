//! `stanch collect`.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::run::rest;
use crate::args::Collect;
use crate::client::Client;
use crate::output;

/// What a run that collected has left.
const COLUMNS: &[(&str, &str)] =
    &[("ID", "/id"), ("LABEL", "/label"), ("BYTES", "/bytes"), ("SHA256", "/sha256")];

pub(super) async fn run(client: &Client, args: Collect, as_json: bool) -> anyhow::Result<ExitCode> {
    let path = format!("/incidents/{}/collect", args.incident);
    let started = client.post(&path, &inputs(&args)?).await?;
    let id = output::text(&started["id"]);
    if args.detach {
        match as_json {
            true => output::json(&started),
            false => println!("{id}"),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let run = rest(client, &id).await?;
    let is_bad = matches!(run["status"].as_str(), Some("failed" | "cancelled" | "parked"));
    let code = if is_bad { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    let all = client.get(&format!("/incidents/{}/evidence", args.incident), &[]).await?;
    let all = all["items"].as_array().cloned().unwrap_or_default();
    let kept: Vec<Value> = all.into_iter().filter(|item| item["run_id"] == id.as_str()).collect();
    if as_json {
        output::json(&json!({"run": run, "evidence": kept}));
        return Ok(code);
    }
    println!("{id} is {}", output::text(&run["status"]));
    for name in ["error", "parked"] {
        if !run[name].is_null() {
            println!("{name}: {}", run[name]);
        }
    }
    if run["status"] == "waiting" {
        println!("it goes on by itself; it may wait for people: `stanch approvals list`");
    }
    output::table(&kept, COLUMNS);
    kept.iter().for_each(caveats);
    Ok(code)
}

/// What an item is not, or not all of: whoever reads it has to know.
fn caveats(item: &Value) {
    let all = item["how"]["caveats"].as_array().into_iter().flatten();
    let mut said = Vec::new();
    for caveat in all.filter(|caveat| caveat.is_string()) {
        if !said.contains(&caveat) {
            println!("{}: {}", output::text(&item["id"]), output::text(caveat));
            said.push(caveat);
        }
    }
}

fn inputs(args: &Collect) -> anyhow::Result<Value> {
    let mut inputs = Map::new();
    let said = [
        ("what", Some(&args.what)),
        ("of", Some(&args.of)),
        ("since", args.since.as_ref()),
        ("from", args.from.as_ref()),
        ("to", args.to.as_ref()),
        ("account", args.account.as_ref()),
        ("region", args.region.as_ref()),
    ];
    for (name, value) in said {
        if let Some(value) = value {
            inputs.insert(name.to_owned(), json!(value));
        }
    }
    if !args.more.is_empty() {
        let pair = |text: &String| {
            let (name, value) = text.split_once('=')?;
            Some((name.to_owned(), json!(value)))
        };
        let more: Option<Map<String, Value>> = args.more.iter().map(pair).collect();
        inputs.insert("more".to_owned(), more.context("`--with` is NAME=VALUE")?.into());
    }
    Ok(inputs.into())
}
