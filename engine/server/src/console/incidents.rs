//! Incidents: what is open, how bad it is, how old, and who has it.

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::api::Refused;
use super::session::Session;
use super::show::{Listed, away, badge, items, more, query_of, table as rows, word};
use super::{layout, or_why};
use crate::html::{Html, html};

/// Those that a query of the API gives.
pub(super) async fn table(session: &Session, query: &str) -> Result<Html, Refused> {
    let answer = session.get(&format!("/incidents?{query}")).await?;
    Ok(of(session, &answer))
}

fn of(session: &Session, answer: &Value) -> Html {
    let row = |it: &Value| {
        let sample = (it["sample"] == true).then(|| badge("sample"));
        let title = html!(
            "<a href=\"/console/incidents/" {word(it, "id")} "\">" {word(it, "title")} "</a> " (sample)
        );
        let who = it["acknowledged_by"].as_str().unwrap_or("nobody");
        vec![
            html!((badge(word(it, "severity")))),
            title,
            badge(word(it, "status")),
            html!({ away(session, &it["opened_at"]) }),
            html!({ who }),
            html!({ word(it, "account") }),
        ]
    };
    let all = items(&answer["items"]).iter().map(row).collect();
    let heads = &["Severity", "What", "Status", "Opened", "Who has it", "Account"];
    rows("incidents", heads, all, "There is none.")
}

pub(super) async fn list(session: Session, Query(asks): Query<Listed>) -> Response {
    let shown = async {
        let status = match asks.status.as_str() {
            "" => "open",
            "all" => "",
            other => other,
        };
        let query = query_of(&[("status", status), ("cursor", &asks.cursor)]);
        let answer = session.get(&format!("/incidents?{query}")).await?;
        let more = more("/console/incidents", &[("status", asks.status.as_str())], &answer);
        let body = html!(
            "<p><a href=\"/console/incidents\">Open</a> · "
            "<a href=\"/console/incidents?status=contained\">Contained</a> · "
            "<a href=\"/console/incidents?status=closed\">Closed</a> · "
            "<a href=\"/console/incidents?status=all\">All</a></p>"
            (of(&session, &answer)) (more)
        );
        Ok(layout::page(&session, StatusCode::OK, "Incidents", body).await)
    };
    let shown = shown.await;
    or_why(&session, shown).await
}
