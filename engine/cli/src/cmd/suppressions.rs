//! `stanch suppressions …`.

use serde_json::{Map, Value, json};
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::system;

use super::look::{self, Kind};
use crate::args::{Look, Suppress, Suppressions};
use crate::client::Client;
use crate::output;

const SUPPRESSIONS: Kind = Kind {
    path: "/suppressions",
    columns: &[
        ("ID", "/id"),
        ("STATUS", "/status"),
        ("COUNT", "/count"),
        ("EXPIRES", "/expires_at"),
        ("BY", "/created_by"),
        ("REASON", "/reason"),
    ],
};

pub(super) async fn run(client: &Client, what: Suppressions, json: bool) -> anyhow::Result<()> {
    match what {
        Suppressions::List(list) => look::run(client, &SUPPRESSIONS, Look::List(list), json).await,
        Suppressions::Show { id } => {
            look::run(client, &SUPPRESSIONS, Look::Show { id }, json).await
        }
        Suppressions::Create(wanted) => {
            let made = client.post("/suppressions", &body(&wanted)?).await?;
            show(&made, json, "holds until", "/expires_at");
            Ok(())
        }
        Suppressions::End { id } => {
            let ended = client.post(&format!("/suppressions/{id}/end"), &json!({})).await?;
            show(&ended, json, "ended at", "/ended_at");
            Ok(())
        }
    }
}

fn show(found: &Value, json: bool, word: &str, member: &str) {
    if json {
        output::json(found);
        return;
    }
    let at = found.pointer(member).map(output::text).unwrap_or_default();
    println!("{} {word} {at}", output::text(&found["id"]));
}

/// What is asked of the server.
fn body(wanted: &Suppress) -> anyhow::Result<Value> {
    let texts = [
        ("source", &wanted.source),
        ("type", &wanted.kind),
        ("title", &wanted.title),
        ("account", &wanted.account),
        ("region", &wanted.region),
        ("resource", &wanted.resource),
        ("actor", &wanted.actor),
        ("max_severity", &wanted.max_severity),
    ];
    let said =
        texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?))));
    let filter: Map<String, Value> = said.collect();
    let time = |text: &String| Timestamp::parse(text);
    let starts_at = wanted.from.as_ref().map(time).transpose()?;
    let expires_at = match (&wanted.until, &wanted.lasts) {
        (Some(until), _) => time(until)?,
        (None, lasts) => {
            let span = Span::parse(lasts.as_deref().unwrap_or_default())?;
            starts_at.unwrap_or_else(|| system::world().now()).plus_ms(span.ms)
        }
    };
    Ok(json!({
        "kind": if wanted.maintenance { "maintenance" } else { "noise" }, "match": filter,
        "reason": wanted.reason, "starts_at": starts_at, "expires_at": expires_at,
    }))
}
