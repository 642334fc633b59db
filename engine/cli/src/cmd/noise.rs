//! `stanch noise suggestions|rates`.

use serde_json::Value;

use crate::args::Noise;
use crate::client::Client;
use crate::output;

const RATES: &[(&str, &str)] = &[
    ("SOURCE", "/source"),
    ("TYPE", "/type"),
    ("INCIDENTS", "/incidents"),
    ("FALSE POSITIVES", "/false_positives"),
    ("PERCENT", "/percent"),
];

pub(super) async fn run(client: &Client, what: Noise, json: bool) -> anyhow::Result<()> {
    let (days, wants_rates) = match what {
        Noise::Suggestions { days } => (days, false),
        Noise::Rates { days } => (days, true),
    };
    let found = client.get("/noise/suggestions", &[("days", days.to_string())]).await?;
    if json {
        output::json(&found);
        return Ok(());
    }
    let items = |name: &str| found[name].as_array().cloned().unwrap_or_default();
    if wants_rates {
        output::table(&items("rates"), RATES);
        return Ok(());
    }
    let suggested = items("items");
    if suggested.is_empty() {
        println!("nothing to suggest: no type of alerts has 5 incidents and 90 % false positives");
    }
    suggested.iter().for_each(print);
    Ok(())
}

fn print(item: &Value) {
    let text = |name: &str| output::text(&item[name]);
    println!(
        "{} {}: {} of {} incidents were false positives",
        text("source"),
        text("type"),
        text("false_positives"),
        text("incidents")
    );
    println!("    {}", text("command"));
}
