//! `stanch kpis`.

use serde_json::{Value, json};
use stanch_engine_core::span::Span;

use crate::args::Kpis;
use crate::client::Client;
use crate::output;

pub(super) async fn run(client: &Client, args: &Kpis, json: bool) -> anyhow::Result<()> {
    if args.definitions {
        let all = client.get("/kpis/definitions", &[]).await?;
        if json {
            output::json(&all);
        } else {
            define(&all);
        }
        return Ok(());
    }
    let mut query = Vec::new();
    let named = [
        ("by", &args.by),
        ("source", &args.source),
        ("severity", &args.severity),
        ("account", &args.account),
        ("playbook", &args.playbook),
        ("person", &args.person),
        ("handling", &args.handling),
    ];
    query.extend(named.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    let report = match args.weeks {
        Some(weeks) => {
            query.push(("weeks", weeks.to_string()));
            client.get("/kpis/trend", &query).await?
        }
        None => {
            query.push(("window", args.window.clone()));
            client.get("/kpis", &query).await?
        }
    };
    if json {
        output::json(&report);
    } else if args.csv {
        comma_separated(&report);
    } else {
        show(&report);
    }
    Ok(())
}

fn define(all: &Value) {
    for kpi in all["items"].as_array().into_iter().flatten() {
        let text = |name: &str| output::text(&kpi[name]);
        println!("{} ({}, {})", text("title"), text("name"), text("unit"));
        println!("    {}\n    {}", text("formula"), text("note"));
    }
}

/// Prints KPIs for people.
pub(super) fn show(report: &Value) {
    if let Some(weeks) = report["items"].as_array() {
        for week in weeks {
            println!("\nthe week of {}", output::moment(&week["week"]));
            figures(week);
        }
        return;
    }
    let incidents = if report["incidents"] == 1 { "incident" } else { "incidents" };
    println!("{} {incidents} since {}", report["incidents"], output::moment(&report["since"]));
    figures(report);
    for (value, group) in report["groups"].as_object().into_iter().flatten() {
        println!("\n{value}: {} incidents", group["incidents"]);
        figures(group);
    }
    if report["is_complete"] == false {
        println!("some incidents changed just now and are not in yet: ask again");
    }
}

fn figures(report: &Value) {
    println!(
        "{:<28} {:>6} {:>10} {:>10} {:>10} {:>10} {:>6}",
        "", "count", "mean", "p50", "p90", "p95", "open"
    );
    for kpi in report["kpis"].as_array().into_iter().flatten() {
        let span = |name: &str| kpi[name].as_i64().map_or_else(|| "-".to_owned(), readable);
        println!(
            "{:<28} {:>6} {:>10} {:>10} {:>10} {:>10} {:>6}   {}",
            output::text(&kpi["title"]),
            output::text(&kpi["count"]),
            span("mean_ms"),
            span("p50_ms"),
            span("p90_ms"),
            span("p95_ms"),
            output::text(&kpi["open"]),
            note(kpi),
        );
    }
    for share in report["shares"].as_array().into_iter().flatten() {
        let value = share["value"].as_f64().map_or_else(|| "-".to_owned(), percent);
        let parts = format!("{} of {}", share["part"], share["whole"]);
        println!("{:<28} {value:>6} {parts:>21}", output::text(&share["title"]));
    }
}

/// The target, where there is one, and how many have no figure for want of a time that makes sense.
fn note(kpi: &Value) -> String {
    let mut notes = Vec::new();
    if let Some(target) = kpi["target_ms"].as_i64() {
        notes.push(format!(
            "{} of {} within {}",
            kpi["within_target"],
            kpi["count"],
            readable(target)
        ));
    }
    let wrong: i64 =
        ["backwards", "future"].iter().filter_map(|why| kpi["reasons"][why].as_i64()).sum();
    if wrong > 0 {
        notes.push(format!("{wrong} with times that can't be"));
    }
    notes.join(", ")
}

fn percent(value: f64) -> String {
    format!("{:.1}%", value * 100.0)
}

/// A line for every figure: what it is of, and what it is.
fn comma_separated(report: &Value) {
    println!("of,name,unit,count,mean_ms,p50_ms,p90_ms,p95_ms,open,not_applicable,part,whole");
    let weeks = report["items"].as_array().into_iter().flatten();
    let weeks = weeks.map(|week| (output::text(&week["week"]), week));
    let groups = report["groups"].as_object().into_iter().flatten();
    let groups = groups.map(|(value, figures)| (value.clone(), figures));
    let whole = report["incidents"].is_number().then(|| ("all".to_owned(), report));
    for (of, figures) in whole.into_iter().chain(groups).chain(weeks) {
        for kind in ["kpis", "shares"] {
            for figure in figures[kind].as_array().into_iter().flatten() {
                println!("{}", line(&of, figure));
            }
        }
    }
}

fn line(of: &str, figure: &Value) -> String {
    let columns = [
        "name",
        "unit",
        "count",
        "mean_ms",
        "p50_ms",
        "p90_ms",
        "p95_ms",
        "open",
        "not_applicable",
        "part",
        "whole",
    ];
    let of = json!(of);
    let fields = std::iter::once(&of).chain(columns.iter().map(|name| &figure[name]));
    fields.map(field).collect::<Vec<_>>().join(",")
}

/// A field as RFC 4180 has it; one that a spreadsheet would compute is text.
fn field(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) if text.starts_with(['=', '+', '-', '@', '\t']) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// A length of time as people read it: with milliseconds where it is short.
fn readable(ms: i64) -> String {
    let is_short = ms < 10_000;
    Span::from_ms(if is_short { ms } else { (ms + 500) / 1_000 * 1_000 }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_told_in_seconds() {
        assert_eq!(readable(761), "761ms");
        assert_eq!(readable(900_761), "15m 1s");
        assert_eq!(readable(86_400_000), "1day");
    }

    #[test]
    fn a_field_is_quoted_and_never_computed() {
        assert_eq!(field(&json!("a,\"b\"")), "\"a,\"\"b\"\"\"");
        assert_eq!(field(&json!("=HYPERLINK(1)")), "'=HYPERLINK(1)");
        assert_eq!((field(&Value::Null), field(&json!(5))), (String::new(), "5".to_owned()));
    }
}
