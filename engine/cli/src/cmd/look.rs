//! `stanch incidents|runs|approvals|pages list|show|ack`.

use serde_json::{Value, json};

use crate::args::{Incidents, List, Look, Pages};
use crate::client::Client;
use crate::cmd::{incident_work, parts, review, updates};
use crate::output;

/// A kind of thing that can be listed.
pub(super) struct Kind {
    pub(super) path: &'static str,
    pub(super) columns: &'static [(&'static str, &'static str)],
}

pub(super) const RUNS: Kind = Kind {
    path: "/runs",
    columns: &[
        ("ID", "/id"),
        ("STATUS", "/status"),
        ("PLAYBOOK", "/playbook"),
        ("INCIDENT", "/incident_id"),
        ("CREATED", "/created_at"),
    ],
};

pub(super) const APPROVALS: Kind = Kind {
    path: "/approvals",
    columns: &[
        ("ID", "/id"),
        ("STATUS", "/status"),
        ("ASKED", "/approvers"),
        ("EXPIRES", "/expires_at"),
        ("TITLE", "/title"),
    ],
};

const INCIDENTS: Kind = Kind {
    path: "/incidents",
    columns: &[
        ("ID", "/id"),
        ("STATUS", "/status"),
        ("SEVERITY", "/severity"),
        ("VERDICT", "/verdict"),
        ("OPENED", "/opened_at"),
        ("TITLE", "/title"),
    ],
};

const PAGES: Kind = Kind {
    path: "/pages",
    columns: &[
        ("ID", "/id"),
        ("CODE", "/code"),
        ("SENT", "/deliveries"),
        ("TAKEN BY", "/taken_by"),
        ("MESSAGE", "/message"),
    ],
};

const SENDINGS: &[(&str, &str)] = &[
    ("TURN", "/turn"),
    ("CHANNEL", "/channel"),
    ("TO", "/recipient"),
    ("STATUS", "/status"),
    ("TRIES", "/attempts"),
    ("TOLD", "/told"),
    ("AT", "/at"),
    ("ERROR", "/error"),
];

pub(super) async fn run(
    client: &Client,
    kind: &Kind,
    what: Look,
    json: bool,
) -> anyhow::Result<()> {
    match what {
        Look::List(list) => listing(client, kind, list, json).await,
        Look::Show { id } => {
            let found = client.get(&format!("{}/{id}", kind.path), &[]).await?;
            if json {
                output::json(&found)
            } else {
                output::members(&found)
            }
            if !json && kind.path == RUNS.path {
                steps(client, &id).await?;
            }
            Ok(())
        }
    }
}

async fn listing(client: &Client, kind: &Kind, list: List, json: bool) -> anyhow::Result<()> {
    let mut query = vec![("limit", list.limit.to_string())];
    query.extend(list.status.map(|status| ("status", status)));
    query.extend(list.cursor.map(|cursor| ("cursor", cursor)));
    let found = client.get(kind.path, &query).await?;
    if json {
        output::json(&found);
        return Ok(());
    }
    output::table(found["items"].as_array().map_or(&[], Vec::as_slice), kind.columns);
    if let Some(cursor) = found["next_cursor"].as_str() {
        println!("more: --cursor {cursor}");
    }
    Ok(())
}

/// The journal of a run, a line an entry.
async fn steps(client: &Client, id: &str) -> anyhow::Result<()> {
    let journal = client.get(&format!("/runs/{id}/journal"), &[]).await?;
    println!();
    for entry in journal["items"].as_array().into_iter().flatten() {
        let body = &entry["body"];
        let said = ["error", "detail", "result", "reason", "head"];
        let said = said.iter().find(|name| !body[**name].is_null());
        let said: String = said.map(|name| body[*name].to_string()).unwrap_or_default();
        let short: String = said.chars().take(160).collect();
        println!(
            "{:>4}  {}  {:<16} {:<8} {short}",
            entry["seq"],
            output::text(&entry["at"]),
            output::text(&entry["kind"]),
            body["key"].as_str().unwrap_or(""),
        );
    }
    Ok(())
}

pub(super) async fn incidents(client: &Client, what: Incidents, json: bool) -> anyhow::Result<()> {
    match what {
        Incidents::List(list) => listing(client, &INCIDENTS, list, json).await,
        Incidents::Ack { id } => {
            let found = client.post(&format!("/incidents/{id}/ack"), &json!({})).await?;
            if json {
                output::json(&found)
            } else {
                println!("{id} is yours")
            }
            Ok(())
        }
        Incidents::Merge { id, into, reason } => {
            let body = json!({"into": into, "reason": reason});
            let found = client.post(&format!("/incidents/{id}/merge"), &body).await?;
            if json {
                output::json(&found)
            } else {
                println!("{id} goes on in {into}")
            }
            Ok(())
        }
        Incidents::Split { id, alerts, reason } => {
            let body = json!({"alerts": alerts, "reason": reason});
            let found = client.post(&format!("/incidents/{id}/split"), &body).await?;
            if json {
                output::json(&found)
            } else {
                println!("{} was taken out of {id}", output::text(&found["id"]))
            }
            Ok(())
        }
        Incidents::Create { .. }
        | Incidents::Note { .. }
        | Incidents::Verdict { .. }
        | Incidents::Milestone { .. }
        | Incidents::Assign { .. }
        | Incidents::Close { .. }
        | Incidents::Impact { .. }
        | Incidents::Reopen { .. } => incident_work::run(client, what, json).await,
        Incidents::Updates(what) => updates::run(client, what, json).await,
        Incidents::Attach { .. } | Incidents::Detach { .. } => parts::run(client, what, json).await,
        Incidents::Review { .. } | Incidents::SignOff { .. } => {
            review::run(client, what, json).await
        }
        Incidents::Show { id } => {
            let mut found = client.get(&format!("/incidents/{id}"), &[]).await?;
            let timeline = client.get(&format!("/incidents/{id}/timeline"), &[]).await?;
            if json {
                found["timeline"] = timeline["items"].clone();
                output::json(&found);
                return Ok(());
            }
            show_incident(&found, &timeline);
            Ok(())
        }
    }
}

fn show_incident(found: &Value, timeline: &Value) {
    let text = |name: &str| output::text(&found[name]);
    println!("{}  {}  {}  {}", text("id"), text("status"), text("severity"), text("title"));
    if !found["verdict"].is_null() {
        println!("verdict: {} ({})", text("verdict"), text("verdict_reason"));
    }
    if !found["part_of"].is_null() {
        println!("a part of {}", text("part_of"));
    }
    for part in found["parts"].as_array().into_iter().flatten() {
        let text = |name: &str| output::text(&part[name]);
        println!(
            "part: {}  {}  {}  {}",
            text("id"),
            text("status"),
            text("severity"),
            text("title")
        );
    }
    println!();
    for line in timeline["items"].as_array().into_iter().flatten() {
        println!("{}", timeline_line(line));
    }
}

/// An entry of a timeline for people. The further lines of a text are indented: none looks like an entry.
pub(super) fn timeline_line(line: &Value) -> String {
    let text = |name: &str| output::text(&line[name]);
    let said = text("text").replace('\n', &format!("\n{:37}", ""));
    format!("{:<24}  {:<10} {said}", output::moment(&line["at"]), text("kind"))
}

pub(super) async fn pages(client: &Client, what: Pages, json: bool) -> anyhow::Result<()> {
    match what {
        Pages::List(list) => listing(client, &PAGES, list, json).await,
        Pages::Show { id } => {
            let mut found = client.get(&format!("/pages/{id}"), &[]).await?;
            if json {
                output::json(&found);
                return Ok(());
            }
            let sent = found.as_object_mut().and_then(|members| members.remove("sendings"));
            output::members(&found);
            println!();
            output::table(
                sent.as_ref().and_then(Value::as_array).map_or(&[], Vec::as_slice),
                SENDINGS,
            );
            Ok(())
        }
        Pages::Ack { id } => {
            let found = client.post(&format!("/pages/{id}/ack"), &json!({})).await?;
            if json {
                output::json(&found)
            } else {
                println!("{id} is yours")
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_text_looks_like_an_entry() {
        let entry = json!({
            "at": "2026-11-30T20:57:47Z", "kind": "evidence", "text": "a\n2026-11-30T20:57:48.336Z  milestone",
        });
        let lines = timeline_line(&entry);
        let (first, second) = lines.split_once('\n').unwrap();
        assert_eq!(first, "2026-11-30T20:57:47.000Z  evidence   a");
        assert_eq!(second.trim_start(), "2026-11-30T20:57:48.336Z  milestone");
        assert_eq!(second.len() - second.trim_start().len(), first.len() - 1);
    }
}
