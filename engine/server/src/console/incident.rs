//! One incident: what happened, what was done, what stands, and what people do about it.

mod parts;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use stanch_engine_core::incident::Verdict;

use super::api::{Refused, part};
use super::session::{Posted, Session};
use super::show::{badge, link, reason, when, word};
use super::{Shown, layout, or_why};
use crate::html::{Html, html};
use crate::problem::Refusal;

pub(super) async fn show(session: Session, Path(id): Path<String>) -> Response {
    let shown = page(&session, &id).await;
    or_why(&session, shown).await
}

async fn page(session: &Session, id: &str) -> Shown {
    let id = part(id)?;
    let it = session.get(&format!("/incidents/{id}")).await?;
    let timeline = session.get(&format!("/incidents/{id}/timeline")).await?;
    let evidence = session.get(&format!("/incidents/{id}/evidence")).await?;
    // The list is for those whose roles reach everywhere.
    let contained = match session.get(&format!("/containments?incident={id}")).await {
        Err(refused) if refused.status == StatusCode::FORBIDDEN => None,
        other => Some(other?),
    };
    let acts = acts(session, &it, id).await?;
    let body = html!(
        (about(session, &it))(acts)(parts::approvals(session, &it))(parts::runs(&it))(
            parts::containments(session, contained.as_ref())
        )(parts::milestones(&it))(parts::evidence(&evidence))(parts::timeline(&timeline))
    );
    Ok(layout::page(session, StatusCode::OK, word(&it, "title"), body).await)
}

fn about(session: &Session, it: &Value) -> Html {
    let verdict = it["verdict"].as_str().map(|verdict| {
        html!(
            "<dt>Verdict</dt><dd id=\"verdict-is\">" {verdict} ": " {word(it, "verdict_reason")} "</dd>"
        )
    });
    let into = |name: &str| it[name].as_str().map(link);
    let merged = into("merged_into").map(|to| html!("<dt>Merged into</dt><dd>" (to) "</dd>"));
    let part = into("part_of").map(|of| html!("<dt>Part of</dt><dd>" (of) "</dd>"));
    html!(
        "<dl><dt>Id</dt><dd><code>" {word(it, "id")} "</code></dd>"
        "<dt>Status</dt><dd id=\"status\">" (badge(word(it, "status"))) "</dd>"
        "<dt>Severity</dt><dd>" (badge(word(it, "severity"))) "</dd>"
        "<dt>Account</dt><dd>" {word(it, "account")} "</dd>"
        "<dt>Opened</dt><dd>" (when(session, &it["opened_at"])) "</dd>"
        "<dt>Last alert</dt><dd>" (when(session, &it["last_alert_at"])) "</dd>"
        "<dt>Who has it</dt><dd id=\"acknowledged-by\">"
        {it["acknowledged_by"].as_str().unwrap_or("nobody")} "</dd>" (verdict) (merged) (part) "</dl>"
    )
}

/// What the person may do about it. What they may not is not shown.
async fn acts(session: &Session, it: &Value, id: &str) -> Result<Html, Refused> {
    let is_closed = it["status"] == "closed";
    let has_somebody = !it["acknowledged_by"].is_null();
    let mut forms = Vec::new();
    for (act, is_there) in [
        ("ack", !has_somebody && !is_closed),
        ("note", true),
        ("verdict", true),
        ("close", !is_closed),
    ] {
        let template = format!("/v1/incidents/{{id}}/{act}");
        let path = format!("/v1/incidents/{id}/{act}");
        let may = session.may("POST", &template, &path).await;
        if is_there && may.map_err(|refusal| Refused::from(&refusal))? {
            forms.push(form(session, id, act));
        }
    }
    if forms.is_empty() {
        return Ok(Html::default());
    }
    let forms: Html = forms.into_iter().collect();
    Ok(html!("<h2 id=\"acts\">What to do</h2>"(forms)))
}

fn form(session: &Session, id: &str, act: &'static str) -> Html {
    let (inner, button) = match act {
        "ack" => (Html::default(), "Acknowledge"),
        "note" => (
            html!(
                "<p><label for=\"note-text\">Note</label><textarea id=\"note-text\" name=\"text\" rows=\"3\" \
                 required maxlength=\"10000\"></textarea></p>"
            ),
            "Write the note",
        ),
        "verdict" => (html!((verdicts("verdict-word", true))(reason("verdict-reason"))), "Judge"),
        _ => (
            html!(
                (verdicts("close-verdict", false)) (reason("close-reason"))
                "<p><label><input type=\"checkbox\" name=\"force\" value=\"yes\"> also while something of its \
                 checklist is open</label></p>"
            ),
            "Close",
        ),
    };
    let form = html!(
        "<form id=\"" {act} "\" method=\"post\" action=\"/console/incidents/" {id} "\">"
        (layout::token(session)) (inner)
        "<p><button id=\"" {act} "-button\" name=\"act\" value=\"" {act} "\">" {button} "</button></p></form>"
    );
    match act {
        "ack" => form,
        _ => {
            html!("<details id=\"" {act} "-details\"><summary>" {button} "</summary>" (form) "</details>")
        }
    }
}

fn verdicts(id: &str, is_required: bool) -> Html {
    let option = |verdict: Verdict| {
        let word = verdict.as_str();
        html!("<option value=\"" {word} "\">" {word.replace('_', " ")} "</option>")
    };
    let options: Html = Verdict::ALL.into_iter().map(option).collect();
    let required = is_required.then(|| html!(" required"));
    html!(
        "<p><label for=\"" {id} "\">What it was</label><select id=\"" {id} "\" name=\"verdict\"" (required) ">"
        "<option value=\"\"></option>" (options) "</select></p>"
    )
}

pub(super) async fn act(Path(id): Path<String>, posted: Posted) -> Response {
    let shown = acted(&posted, &id).await;
    or_why(&posted.session, shown).await
}

async fn acted(posted: &Posted, id: &str) -> Shown {
    let Posted { session, fields } = posted;
    let (id, why) = (part(id)?, fields.get("reason"));
    let verdict = Some(fields.get("verdict")).filter(|verdict| !verdict.is_empty());
    let (act, body) = match fields.get("act") {
        "ack" => ("ack", json!({})),
        "note" => ("note", json!({"text": fields.get("text")})),
        "verdict" => ("verdict", json!({"verdict": verdict, "reason": why})),
        "close" => {
            let force = fields.get("force") == "yes";
            ("close", json!({"verdict": verdict, "reason": why, "force": force}))
        }
        _ => {
            let why = "say `ack`, `note`, `verdict` or `close`";
            return Err(Refused::from(&Refusal::bad_request(why)));
        }
    };
    session.post(&format!("/incidents/{id}/{act}"), &body).await?;
    Ok(layout::go(&format!("/console/incidents/{id}")))
}
