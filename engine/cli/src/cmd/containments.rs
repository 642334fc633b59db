//! `stanch containments …`.

use serde_json::{Value, json};
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::system;

use super::look::{self, Kind};
use crate::args::{Containments, Look};
use crate::client::Client;
use crate::output;

const CONTAINMENTS: Kind = Kind {
    path: "/containments",
    columns: &[
        ("ID", "/id"),
        ("STATUS", "/status"),
        ("OWNER", "/owner"),
        ("EXPIRES", "/expires_at"),
        ("RUN", "/run_id"),
        ("INCIDENT", "/incident_id"),
    ],
};

pub(super) async fn run(client: &Client, what: Containments, json: bool) -> anyhow::Result<()> {
    let (id, verb, body) = match what {
        Containments::List(list) => {
            return look::run(client, &CONTAINMENTS, Look::List(list), json).await;
        }
        Containments::Show { id } => {
            return look::run(client, &CONTAINMENTS, Look::Show { id }, json).await;
        }
        Containments::Extend { id, lasts, until, reason } => {
            let until = match (until, lasts) {
                (Some(until), _) => Timestamp::parse(&until)?,
                (None, lasts) => {
                    let span = Span::parse(lasts.as_deref().unwrap_or_default())?;
                    system::world().now().plus_ms(span.ms)
                }
            };
            (id, "extend", json!({"until": until, "reason": reason}))
        }
        Containments::Finalize { id, reason } => (id, "finalize", json!({"reason": reason})),
        Containments::Handover { id, to, reason } => {
            (id, "handover", json!({"to": to, "reason": reason}))
        }
    };
    let made = client.post(&format!("/containments/{id}/{verb}"), &body).await?;
    show(&made, json);
    Ok(())
}

fn show(made: &Value, json: bool) {
    if json {
        output::json(made);
        return;
    }
    let text = |name: &str| output::text(&made[name]);
    match made["status"].as_str() {
        Some("open") => {
            println!(
                "{} is {}'s and stands until {}",
                text("id"),
                text("owner"),
                text("expires_at")
            );
        }
        _ => println!("{} is {}", text("id"), text("status")),
    }
}
