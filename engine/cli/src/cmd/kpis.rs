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
    laid_out(report).iter().for_each(|line| println!("{line}"));
}

/// The least that each column is wide.
const WIDTHS: [usize; 7] = [28, 6, 10, 10, 10, 10, 6];

/// The figures under their headings, in columns that are as wide as what is in them.
fn laid_out(report: &Value) -> Vec<String> {
    let heads = ["", "count", "mean", "p50", "p90", "p95", "open"].map(str::to_owned);
    let mut rows = vec![(heads, String::new())];
    for kpi in report["kpis"].as_array().into_iter().flatten() {
        let span = |name: &str| kpi[name].as_i64().map_or_else(|| "-".to_owned(), readable);
        let cells = [
            output::text(&kpi["title"]),
            output::text(&kpi["count"]),
            span("mean_ms"),
            span("p50_ms"),
            span("p90_ms"),
            span("p95_ms"),
            output::text(&kpi["open"]),
        ];
        rows.push((cells, note(kpi)));
    }
    let mut widths = WIDTHS;
    for (cells, _) in &rows {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.chars().count().max(*width);
        }
    }
    let [first, rest @ ..] = widths;
    let mut lines = Vec::new();
    for ([title, figures @ ..], note) in &rows {
        let mut line = format!("{title:<first$}");
        for (figure, width) in figures.iter().zip(&rest) {
            line.push_str(&format!(" {figure:>width$}"));
        }
        lines.push(format!("{line}   {note}").trim_end().to_owned());
    }
    for share in report["shares"].as_array().into_iter().flatten() {
        let value = share["value"].as_f64().map_or_else(|| "-".to_owned(), percent);
        let parts = format!("{} of {}", share["part"], share["whole"]);
        let title = output::text(&share["title"]);
        lines.push(format!("{title:<first$} {value:>6} {parts:>21}"));
    }
    lines
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

/// A length of time as people read it: with milliseconds where it is short, from an hour on in minutes, and
/// from a day on in hours.
fn readable(ms: i64) -> String {
    const SECOND: i64 = 1_000;
    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;
    let unit = match ms {
        ..10_000 => 1,
        10_000..HOUR => SECOND,
        HOUR..86_400_000 => MINUTE,
        _ => HOUR,
    };
    Span::from_ms((ms + unit / 2) / unit * unit).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_told_in_larger_units() {
        assert_eq!(readable(761), "761ms");
        assert_eq!(readable(900_761), "15m 1s");
        assert_eq!(readable(5_399_000), "1h 30m");
        assert_eq!(readable(86_399_999), "1day");
        assert_eq!(readable(86_400_000), "1day");
        assert_eq!(readable(11 * 86_400_000 + 37_491_000), "11days 10h");
    }

    #[test]
    fn columns_stay_columns_however_long_a_time_is() {
        let kpi = |title: &str, ms: i64| {
            json!({"title": title, "count": 1_234_567, "mean_ms": ms, "p50_ms": ms, "p90_ms": ms,
                "p95_ms": null, "open": 3, "within_target": 1, "target_ms": 60_000})
        };
        let months = 100 * 86_400_000 + 7 * 3_600_000;
        let title = "What takes longer than one thinks";
        let report = json!({
            "kpis": [kpi("Short", 761), kpi(title, months)],
            "shares": [{"title": "Share", "value": 0.5, "part": 1, "whole": 2}],
        });
        let lines = laid_out(&report);
        assert_eq!(lines.len(), 4, "{lines:?}");
        let end_of = |line: &str, words: &str| line.find(words).unwrap() + words.len();
        let open = end_of(&lines[0], "open");
        for line in &lines[1..3] {
            assert_eq!(&line[open - 2..open], " 3", "{lines:#?}");
            assert!(line[open..].starts_with("   1 of 1234567 within 1m"), "{lines:#?}");
        }
        for head in ["count", "mean", "p50", "p90", "p95"] {
            let end = end_of(&lines[0], head);
            let ends = |line: &String| {
                line[..end].ends_with(|last: char| last != ' ') && line[end..].starts_with(' ')
            };
            assert!(lines[1..3].iter().all(ends), "{head}: {lines:#?}");
        }
        assert!(lines[3].starts_with("Share ") && lines[3].ends_with("1 of 2"), "{lines:#?}");
    }

    #[test]
    fn a_field_is_quoted_and_never_computed() {
        assert_eq!(field(&json!("a,\"b\"")), "\"a,\"\"b\"\"\"");
        assert_eq!(field(&json!("=HYPERLINK(1)")), "'=HYPERLINK(1)");
        assert_eq!((field(&Value::Null), field(&json!(5))), (String::new(), "5".to_owned()));
    }
}
