//! What waits for people: what, of whom, until when.

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::api::Refused;
use super::session::Session;
use super::show::{Listed, badge, items, link, listed, more, query_of, table as rows, when, word};
use super::{layout, or_why};
use crate::html::{Html, html};

/// Those that a query of the API gives.
pub(super) async fn table(session: &Session, query: &str) -> Result<Html, Refused> {
    let answer = session.get(&format!("/approvals?{query}")).await?;
    Ok(of(session, &answer))
}

fn of(session: &Session, answer: &Value) -> Html {
    let row = |it: &Value| {
        let (id, card) = (word(it, "id"), &it["card"]);
        let destroys = items(&card["changes"]).iter().any(|change| change["effect"] == "destroy");
        let title = html!(
            "<a href=\"/console/approvals/" {id} "\">" {word(it, "title")} "</a> "
            (destroys.then(|| badge("destroy")))
            "<br><small>" {word(card, "about")} "</small>"
        );
        let needs = html!({it["quorum"]} " of " {listed(&it["approvers"])});
        let status = badge(word(it, "status"));
        let incident = link(word(it, "incident_id"));
        vec![title, status, needs, when(session, &it["expires_at"]), incident]
    };
    let all = items(&answer["items"]).iter().map(row).collect();
    rows("approvals", &["What", "Status", "Needs", "A no at", "Incident"], all, "Nothing waits.")
}

pub(super) async fn list(session: Session, Query(asks): Query<Listed>) -> Response {
    let shown = async {
        let status = match asks.status.as_str() {
            "" => "pending",
            "all" => "",
            other => other,
        };
        let query = query_of(&[("status", status), ("cursor", &asks.cursor)]);
        let answer = session.get(&format!("/approvals?{query}")).await?;
        let more = more("/console/approvals", &[("status", asks.status.as_str())], &answer);
        let body = html!(
            "<p><a href=\"/console/approvals\">Those that wait</a> · "
            "<a href=\"/console/approvals?status=all\">All</a></p>"
            (of(&session, &answer)) (more)
        );
        Ok(layout::page(&session, StatusCode::OK, "Approvals", body).await)
    };
    let shown = shown.await;
    or_why(&session, shown).await
}
