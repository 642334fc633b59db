//! KPIs of the last 30 days, each with its target where there is one, and the incidents behind a figure.

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::api::part;
use super::session::Session;
use super::show::{badge, items, length, link, moment, more, query_of, table as rows, word};
use super::{Shown, layout, or_why};
use crate::html::{Html, html};

#[derive(Default, Deserialize)]
pub(super) struct Asks {
    #[serde(default)]
    severity: String,
    #[serde(default)]
    cursor: String,
}

/// The query of the API. Targets are of one severity.
fn query(asks: &Asks) -> String {
    query_of(&[("window", "30d"), ("severity", &asks.severity), ("cursor", &asks.cursor)])
}

fn span(value: &Value) -> String {
    value.as_i64().map_or_else(|| "-".to_owned(), length)
}

/// The link to the incidents that a figure is made of.
fn behind_link(it: &Value, asks: &Asks, text: &str) -> Html {
    let query = query_of(&[("severity", &asks.severity)]);
    html!("<a href=\"/console/kpis/" {word(it, "name")} "?" {query} "\">" {text} "</a>")
}

pub(super) async fn table(session: Session, Query(asks): Query<Asks>) -> Response {
    let shown = figures(&session, &asks).await;
    or_why(&session, shown).await
}

async fn figures(session: &Session, asks: &Asks) -> Shown {
    let answer = session.get(&format!("/kpis?{}", query(asks))).await?;
    let row = |it: &Value| {
        let (within, count) = (it["within_target"].as_i64(), it["count"].as_i64().unwrap_or(0));
        let kept = within.map(|within| {
            let class = if within == count { "good" } else { "bad" };
            html!(
                {span(&it["target_ms"])} " <span class=\"badge " {class} "\">" {within} " of " {count} "</span>"
            )
        });
        vec![
            html!({word(it, "title")} "<br><small>" {word(it, "formula")} "</small>"),
            behind_link(it, asks, &count.to_string()),
            html!({ span(&it["mean_ms"]) }),
            html!({ span(&it["p50_ms"]) }),
            html!({ span(&it["p90_ms"]) }),
            html!((kept.unwrap_or_else(|| html!("-")))),
        ]
    };
    let times = items(&answer["kpis"]).iter().map(row).collect();
    let share = |it: &Value| {
        let value =
            it["value"].as_f64().map_or_else(|| "-".to_owned(), |v| format!("{:.1} %", v * 100.0));
        let of = format!("{} of {}", it["part"], it["whole"]);
        vec![html!({ word(it, "title") }), html!({ value }), behind_link(it, asks, &of)]
    };
    let shares = items(&answer["shares"]).iter().map(share).collect();
    let severities = ["critical", "high", "medium", "low", "informational"];
    let one = |severity: &&str| html!(" · <a href=\"/console/kpis?severity=" {severity} "\">" {severity} "</a>");
    let severities: Html = severities.iter().map(one).collect();
    let heads = &["Time", "Incidents", "Mean", "Median", "90 of 100", "Target"];
    let body = html!(
        "<p>" {answer["incidents"]} " incidents from " {moment(&answer["since"])} " to "
        {moment(&answer["until"])} ". Targets are shown for one severity: "
        "<a href=\"/console/kpis\">all</a>" (severities) "</p>"
        (rows("kpis", heads, times, "There is none."))
        "<h2>Parts of a whole</h2>"
        (rows("shares", &["What", "Part", "Incidents"], shares, "There is none."))
    );
    Ok(layout::page(session, StatusCode::OK, "KPIs", body).await)
}

pub(super) async fn behind(
    session: Session,
    Path(name): Path<String>,
    Query(asks): Query<Asks>,
) -> Response {
    let shown = parts(&session, &name, &asks).await;
    or_why(&session, shown).await
}

async fn parts(session: &Session, name: &str, asks: &Asks) -> Shown {
    let name = part(name)?;
    let answer = session.get(&format!("/kpis/{name}/incidents?{}", query(asks))).await?;
    let row = |it: &Value| {
        let figure = match it["ms"].as_i64().or_else(|| it["so_far_ms"].as_i64()) {
            Some(ms) => length(ms),
            None if it["whole"].is_null() => word(it, "reason").to_owned(),
            None => format!("{} of {}", it["part"], it["whole"]),
        };
        vec![
            link(word(it, "incident")),
            html!({ moment(&it["opened_at"]) }),
            html!({figure} " " (it["state"].as_str().map(badge))),
        ]
    };
    let all = items(&answer["items"]).iter().map(row).collect();
    let path = format!("/console/kpis/{name}");
    let more = more(&path, &[("severity", asks.severity.as_str())], &answer);
    let heads = &["Incident", "Opened", "What it gives"];
    let body = html!("<p><a href=\"/console/kpis\">All KPIs</a></p>"(rows(
        "parts",
        heads,
        all,
        "There is none."
    ))(more));
    Ok(layout::page(session, StatusCode::OK, &name.replace('_', " "), body).await)
}
