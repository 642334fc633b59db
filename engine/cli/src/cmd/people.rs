//! `stanch cancel|pause|resume|undo|retry|migrate|signal`.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::args::{Migrate, Retry, Signal, Undo, Wish};
use crate::client::Client;
use crate::output;

pub(super) async fn wish(
    client: &Client,
    wish: Wish,
    verb: &str,
    json: bool,
) -> anyhow::Result<()> {
    let body = json!({"reason": wish.reason});
    let answer = client.post(&format!("/runs/{}/{verb}", wish.run), &body).await?;
    if json {
        output::json(&answer);
    } else {
        println!("{}: {verb} is on its way", wish.run);
    }
    Ok(())
}

pub(super) async fn undo(client: &Client, args: Undo, json: bool) -> anyhow::Result<()> {
    let body = json!({"step": args.step, "reason": args.reason});
    let answer = client.post(&format!("/runs/{}/undo", args.run), &body).await?;
    if json {
        output::json(&answer);
    } else {
        let step = args.step.map(|step| format!("the step {step} of ")).unwrap_or_default();
        println!("{} takes back what {step}{} did", output::text(&answer["id"]), args.run);
    }
    Ok(())
}

pub(super) async fn retry(client: &Client, args: Retry, json: bool) -> anyhow::Result<()> {
    let result: Value = match &args.result {
        Some(text) => serde_json::from_str(text).context("`--result` is no JSON")?,
        None => Value::Null,
    };
    let body = match (&args.step, &args.outcome) {
        (Some(step), Some(outcome)) => json!({
            "step": step, "outcome": outcome, "reason": args.reason, "result": result,
        }),
        _ => json!({"from_step": args.from, "reason": args.reason}),
    };
    let answer = client.post(&format!("/runs/{}/retry", args.run), &body).await?;
    if json {
        output::json(&answer);
    } else {
        match (&args.step, &args.outcome) {
            (Some(step), Some(outcome)) => println!("{} step {step}: {outcome}", args.run),
            _ => println!("{} is run again", args.run),
        }
    }
    Ok(())
}

pub(super) async fn migrate(client: &Client, args: Migrate, json: bool) -> anyhow::Result<()> {
    let body = json!({"to": args.to, "trial": args.trial, "reason": args.reason});
    let answer = client.post(&format!("/runs/{}/migrate", args.run), &body).await?;
    if json {
        output::json(&answer);
    } else if answer["migrated"] == true {
        println!("{} has the version {}", args.run, output::text(&answer["to"]));
    } else {
        println!("{} could go on with the version {}", args.run, output::text(&answer["to"]));
    }
    Ok(())
}

pub(super) async fn signal(client: &Client, args: Signal, json: bool) -> anyhow::Result<()> {
    let data: Value = match &args.data {
        Some(text) => serde_json::from_str(text).context("`--data` is no JSON")?,
        None => Value::Null,
    };
    let body = json!({"name": args.name, "data": data});
    let answer = client.post(&format!("/runs/{}/signal", args.run), &body).await?;
    if json {
        output::json(&answer);
    } else {
        println!("{}: the signal {} is on its way", args.run, args.name);
    }
    Ok(())
}
