//! `stanch schedules list|show|pause|resume|trigger|backfill`.

use anyhow::bail;
use serde_json::{Value, json};

use crate::args::Schedules;
use crate::client::Client;
use crate::output;

const COLUMNS: &[(&str, &str)] = &[
    ("ID", "/id"),
    ("STATUS", "/status"),
    ("CRON", "/cron"),
    ("ZONE", "/zone"),
    ("NEXT", "/next/0"),
    ("NOTE", "/paused/note"),
];

const TICKS: &[(&str, &str)] = &[
    ("TICK", "/tick_at"),
    ("OUTCOME", "/outcome"),
    ("RUN", "/run_id"),
    ("CAUSE", "/cause"),
    ("DECIDED", "/decided_at"),
];

pub(super) async fn run(client: &Client, what: Schedules, json: bool) -> anyhow::Result<()> {
    match what {
        Schedules::List => {
            let found = client.get("/schedules", &[]).await?;
            if json {
                output::json(&found);
            } else {
                output::table(items(&found["items"]), COLUMNS);
            }
            Ok(())
        }
        Schedules::Show { schedule } => show(client, &schedule, json).await,
        Schedules::Pause { schedule, note } => {
            let answer = client.post(&path(&schedule, "/pause")?, &json!({"note": note})).await?;
            said(
                &answer,
                json,
                &format!("{schedule} stands still, until `stanch schedules resume`"),
            )
        }
        Schedules::Resume { schedule } => {
            let answer = client.post(&path(&schedule, "/resume")?, &json!({})).await?;
            said(
                &answer,
                json,
                &format!("{schedule} ticks next at {}", output::text(&answer["next"][0])),
            )
        }
        Schedules::Trigger { schedule, beside } => {
            let body = json!({"beside": beside});
            let answer = client.post(&path(&schedule, "/trigger")?, &body).await?;
            said(&answer, json, &output::text(&answer["run_id"]))
        }
        Schedules::Backfill { schedule, from, until } => {
            let body = json!({"from": from, "until": until});
            let answer = client.post(&path(&schedule, "/backfill")?, &body).await?;
            let started = items(&answer["started"]).iter().map(output::text);
            let lines: Vec<String> = started.collect();
            let known = format!("{} started, {} known before", lines.len(), answer["known"]);
            said(&answer, json, &[lines, vec![known]].concat().join("\n"))
        }
    }
}

async fn show(client: &Client, schedule: &str, json: bool) -> anyhow::Result<()> {
    let mut found = client.get(&path(schedule, "")?, &[]).await?;
    if json {
        output::json(&found);
        return Ok(());
    }
    let ticks = found.as_object_mut().and_then(|members| members.remove("ticks"));
    output::members(&found);
    println!();
    output::table(items(&ticks.unwrap_or_default()), TICKS);
    Ok(())
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn said(answer: &Value, json: bool, text: &str) -> anyhow::Result<()> {
    if json {
        output::json(answer);
    } else {
        println!("{text}");
    }
    Ok(())
}

fn path(schedule: &str, verb: &str) -> anyhow::Result<String> {
    match schedule.split_once('/') {
        Some((playbook, name)) if !name.is_empty() && !name.contains('/') => {
            Ok(format!("/schedules/{playbook}/{name}{verb}"))
        }
        _ => bail!(
            "`{schedule}` names no schedule: write PLAYBOOK/SCHEDULE, as `stanch schedules list` does"
        ),
    }
}
