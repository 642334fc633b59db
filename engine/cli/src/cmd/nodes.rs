//! `stanch nodes`.

use crate::client::Client;
use crate::output;

const COLUMNS: &[(&str, &str)] = &[
    ("ID", "/id"),
    ("VERSION", "/version"),
    ("STARTED", "/started_at"),
    ("SEEN", "/seen_at"),
    ("RUNS", "/runs"),
    ("SELF", "/self"),
];

pub(super) async fn run(client: &Client, json: bool) -> anyhow::Result<()> {
    let found = client.get("/nodes", &[]).await?;
    if json {
        output::json(&found);
    } else {
        output::table(found["items"].as_array().map_or(&[][..], Vec::as_slice), COLUMNS);
    }
    Ok(())
}
