//! Runs, the newest first.

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::session::Session;
use super::show::{Listed, badge, items, link, more, query_of, table as rows, when, word};
use super::{layout, or_why};
use crate::html::{Html, html};

fn of(session: &Session, answer: &Value) -> Html {
    let row = |it: &Value| {
        let error =
            it["error"]["message"].as_str().map(|error| html!("<br><small>" {error} "</small>"));
        vec![
            html!({word(it, "playbook")} "<br>" (link(word(it, "id")))),
            html!((badge(word(it, "status")))(error)),
            when(session, &it["created_at"]),
            html!({ word(it, "requester") }),
            link(word(it, "incident_id")),
        ]
    };
    let all = items(&answer["items"]).iter().map(row).collect();
    rows("runs", &["What", "Status", "Since", "Asked by", "Incident"], all, "There is none.")
}

pub(super) async fn list(session: Session, Query(asks): Query<Listed>) -> Response {
    let shown = async {
        let query = query_of(&[("status", &asks.status), ("cursor", &asks.cursor)]);
        let answer = session.get(&format!("/runs?{query}")).await?;
        let more = more("/console/runs", &[("status", asks.status.as_str())], &answer);
        let body = html!(
            "<p><a href=\"/console/runs\">All</a> · <a href=\"/console/runs?status=running\">Running</a> · "
            "<a href=\"/console/runs?status=waiting\">Waiting</a> · "
            "<a href=\"/console/runs?status=parked\">Parked</a> · "
            "<a href=\"/console/runs?status=failed\">Failed</a></p>" (of(&session, &answer)) (more)
        );
        Ok(layout::page(&session, StatusCode::OK, "Runs", body).await)
    };
    let shown = shown.await;
    or_why(&session, shown).await
}
