//! `stanch reconcile status|now`.

use anyhow::bail;
use serde_json::{Value, json};
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::system;

use crate::args::Reconcile;
use crate::client::Client;
use crate::output;

const COLUMNS: &[(&str, &str)] = &[
    ("SOURCE", "/source"),
    ("ACCOUNT", "/account"),
    ("REGION", "/region"),
    ("OUTCOME", "/outcome"),
    ("COMPLETE UNTIL", "/complete_until"),
    ("MISSED", "/missed"),
    ("UPDATED", "/updated"),
    ("ERROR", "/error"),
];

/// How often it is asked whether all is compared, and how often at most: an hour in all.
const LOOK_MS: i64 = 1_000;
const LOOKS: u32 = 3_600;

pub(super) async fn run(client: &Client, what: Reconcile, json: bool) -> anyhow::Result<()> {
    let found = match what {
        Reconcile::Status => client.get("/reconcile", &[]).await?,
        Reconcile::Now => {
            let asked = client.post("/reconcile", &json!({})).await?;
            compared(client, &asked["asked_at"]).await?
        }
    };
    if json {
        output::json(&found);
        return Ok(());
    }
    let items = found["items"].as_array().cloned().unwrap_or_default();
    if items.is_empty() {
        println!("nothing is compared: [reconcile] in stanch.toml says what is to be");
        return Ok(());
    }
    output::table(&items, COLUMNS);
    Ok(())
}

/// What stands when every list was gone through since a moment.
async fn compared(client: &Client, asked_at: &Value) -> anyhow::Result<Value> {
    let (clock, time) = (system::world().clock, |at: &Value| Timestamp::parse(&output::text(at)));
    let asked_at = time(asked_at)?;
    for _ in 0..LOOKS {
        let found = client.get("/reconcile", &[]).await?;
        let items = found["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        let is_done = |item: &Value| {
            let began = time(&item["checked_at"]).is_ok_and(|at| at >= asked_at);
            began && item["outcome"] != "waiting"
        };
        if items.iter().all(is_done) {
            return Ok(found);
        }
        clock.sleep_until(clock.now().plus_ms(LOOK_MS)).await;
    }
    bail!("it takes longer than an hour: `stanch reconcile status` shows how far it is")
}
