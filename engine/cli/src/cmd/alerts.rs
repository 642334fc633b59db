//! `stanch alerts …`.

use std::io::Write as _;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::look::{self, Kind};
use crate::args::{Alerts, DeadLetters, Look};
use crate::client::Client;
use crate::output;

const ALERTS: Kind = Kind {
    path: "/alerts",
    columns: &[
        ("ID", "/alert_id"),
        ("SEVERITY", "/severity"),
        ("ACCOUNT", "/account"),
        ("INCIDENT", "/incident_id"),
        ("TITLE", "/title"),
    ],
};

const DEAD_LETTERS: Kind = Kind {
    path: "/dead-letters",
    columns: &[
        ("ID", "/id"),
        ("STATUS", "/status"),
        ("SOURCE", "/source"),
        ("RECEIVED", "/received_at"),
        ("REASON", "/reason"),
    ],
};

pub(super) async fn run(client: &Client, what: Alerts, json: bool) -> anyhow::Result<()> {
    match what {
        Alerts::List(list) => look::run(client, &ALERTS, Look::List(list), json).await,
        Alerts::Show { id } => look::run(client, &ALERTS, Look::Show { id }, json).await,
        Alerts::Replay { id } => {
            let replayed = client.post(&format!("/alerts/{id}/replay"), &json!({})).await?;
            if json {
                output::json(&replayed);
            } else {
                taken(&replayed);
            }
            Ok(())
        }
        Alerts::DeadLetter(what) => dead_letters(client, what, json).await,
    }
}

async fn dead_letters(client: &Client, what: DeadLetters, json: bool) -> anyhow::Result<()> {
    match what {
        DeadLetters::List(list) => look::run(client, &DEAD_LETTERS, Look::List(list), json).await,
        DeadLetters::Show { id, body } => show(client, &id, body, json).await,
        DeadLetters::Replay { id } => {
            let replayed = client.post(&format!("/dead-letters/{id}/replay"), &json!({})).await?;
            if json {
                output::json(&replayed);
                return Ok(());
            }
            replayed["alerts"].as_array().into_iter().flatten().for_each(taken);
            for refused in replayed["refused"].as_array().into_iter().flatten() {
                println!("still not read: {}", output::text(refused));
            }
            Ok(())
        }
    }
}

async fn show(client: &Client, id: &str, only_body: bool, json: bool) -> anyhow::Result<()> {
    let mut found = client.get(&format!("/dead-letters/{id}"), &[]).await?;
    let encoded = found["body_base64"].as_str().context("a letter without a body")?;
    let body = BASE64.decode(encoded).context("the body")?;
    if only_body {
        std::io::stdout().write_all(&body)?;
        return Ok(());
    }
    if json {
        output::json(&found);
        return Ok(());
    }
    if let Some(members) = found.as_object_mut() {
        members.remove("body_base64");
    }
    output::members(&found);
    println!("\n{}", output::seen(&String::from_utf8_lossy(&body)));
    Ok(())
}

/// What became of one alert, in a line.
fn taken(received: &Value) {
    let text = |name: &str| output::text(&received[name]);
    let runs: Vec<_> =
        received["run_ids"].as_array().into_iter().flatten().map(output::text).collect();
    let was = if received["duplicate"] == true { " (it was there before)" } else { "" };
    println!("{} in {}{was}  {}", text("alert_id"), text("incident_id"), runs.join(" "));
}
