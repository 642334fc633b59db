//! `stanch kpis`.

use serde_json::Value;
use stanch_engine_core::span::Span;

use crate::args::Kpis;
use crate::client::Client;
use crate::output;

pub(super) async fn run(client: &Client, args: &Kpis, json: bool) -> anyhow::Result<()> {
    let report = client.get("/kpis", &[("window", args.window.clone())]).await?;
    if json {
        output::json(&report)
    } else {
        show(&report)
    }
    Ok(())
}

/// Prints KPIs for people.
pub(super) fn show(report: &Value) {
    let incidents = if report["incidents"] == 1 { "incident" } else { "incidents" };
    println!("{} {incidents} since {}", report["incidents"], output::moment(&report["since"]));
    println!(
        "{:<22} {:>6} {:>10} {:>10} {:>10} {:>10} {:>6}",
        "", "count", "mean", "p50", "p90", "p95", "open"
    );
    for kpi in report["kpis"].as_array().into_iter().flatten() {
        let span = |name: &str| kpi[name].as_i64().map_or_else(|| "-".to_owned(), readable);
        println!(
            "{:<22} {:>6} {:>10} {:>10} {:>10} {:>10} {:>6}   {}",
            output::text(&kpi["title"]),
            output::text(&kpi["count"]),
            span("mean_ms"),
            span("p50_ms"),
            span("p90_ms"),
            span("p95_ms"),
            output::text(&kpi["open"]),
            output::text(&kpi["formula"]),
        );
    }
}

/// A length of time as people read it: with milliseconds where it is short.
fn readable(ms: i64) -> String {
    let is_short = ms < 10_000;
    Span::from_ms(if is_short { ms } else { (ms + 500) / 1_000 * 1_000 }).to_string()
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn what_is_long_is_told_in_seconds() {
        assert_eq!(readable(761), "761ms");
        assert_eq!(readable(900_761), "15m 1s");
        assert_eq!(readable(86_400_000), "1day");
    }
}
