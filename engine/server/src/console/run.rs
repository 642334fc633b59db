//! One run: where it stands, its steps, and what stops it or takes back what it did.

mod steps;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use stanch_engine_runtime::playbooks::UNDO;

use super::api::{Refused, part};
use super::session::{Posted, Session};
use super::show::{badge, link, plain, reason, when, word};
use super::{Shown, layout, or_why};
use crate::html::{Html, html};
use crate::problem::Refusal;

/// Entries of a journal that are read for a page.
const ENTRIES: u32 = 10_000;

pub(super) async fn show(session: Session, Path(id): Path<String>) -> Response {
    let shown = page(&session, &id).await;
    or_why(&session, shown).await
}

async fn page(session: &Session, id: &str) -> Shown {
    let id = part(id)?;
    let it = session.get(&format!("/runs/{id}")).await?;
    let journal = session.get(&format!("/runs/{id}/journal?limit={ENTRIES}")).await?;
    let (status, is_undo) = (word(&it, "status"), word(&it, "playbook") == UNDO);
    let is_final = ["succeeded", "failed", "cancelled"].contains(&status);
    let can_undo = (is_final || status == "parked") && may(session, id, "undo").await?;
    // What took something back is taken back as a whole.
    let undo_step = |step: &str| {
        (can_undo && !is_undo).then(|| form(session, id, ("undo", "Undo this step"), Some(step)))
    };
    let steps = steps::show(&journal, undo_step);
    let acts = acts(session, id, status, can_undo).await?;
    let body = html!((about(session, &it)) (acts) "<h2>Steps</h2>" (steps));
    Ok(layout::page(session, StatusCode::OK, word(&it, "playbook"), body).await)
}

fn about(session: &Session, it: &Value) -> Html {
    let error = (!it["error"].is_null()).then(|| {
        html!("<dt>Error</dt><dd id=\"error\" class=\"bad\"><pre>" {plain(&it["error"])} "</pre></dd>")
    });
    let parked = (!it["parked_reason"].is_null()).then(|| {
        html!(
            "<dt>Parked, since</dt><dd id=\"parked\" class=\"bad\">" {plain(&it["parked_reason"])} "<pre>"
            {plain(&it["parked"])} "</pre></dd>"
        )
    });
    let result = (!it["result"].is_null()).then(|| {
        html!(
            "<dt>Result</dt><dd><details><summary>Show</summary><pre>" {plain(&it["result"])}
            "</pre></details></dd>"
        )
    });
    html!(
        "<dl><dt>Id</dt><dd><code>" {word(it, "id")} "</code></dd>"
        "<dt>Status</dt><dd id=\"status\">" (badge(word(it, "status"))) "</dd>"
        (error) (parked) (result)
        "<dt>Incident</dt><dd>" (link(word(it, "incident_id"))) "</dd>"
        "<dt>Asked by</dt><dd>" {word(it, "requester")} "</dd>"
        "<dt>Began</dt><dd>" (when(session, &it["created_at"])) "</dd>"
        "<dt>Wakes</dt><dd>" (when(session, &it["wake_at"])) "</dd>"
        "<dt>Ended</dt><dd>" (when(session, &it["finished_at"])) "</dd>"
        "<dt>Version</dt><dd><code>" {word(it, "digest")} "</code></dd></dl>"
    )
}

async fn may(session: &Session, id: &str, act: &str) -> Result<bool, Refused> {
    let (template, path) = (format!("/v1/runs/{{id}}/{act}"), format!("/v1/runs/{id}/{act}"));
    session.may("POST", &template, &path).await.map_err(|refusal| Refused::from(&refusal))
}

/// What the person may do to the run as it stands.
async fn acts(session: &Session, id: &str, status: &str, can_undo: bool) -> Result<Html, Refused> {
    let goes_on = ["queued", "running", "waiting"].contains(&status);
    let rests = ["paused", "parked"].contains(&status);
    let mut forms = Vec::new();
    for (act, button, fits) in [
        ("pause", "Pause", goes_on),
        ("resume", "Resume", rests),
        ("cancel", "Cancel", goes_on || rests),
    ] {
        if fits && may(session, id, act).await? {
            forms.push(form(session, id, (act, button), None));
        }
    }
    if can_undo {
        forms.push(form(session, id, ("undo", "Undo all of it"), None));
    }
    if forms.is_empty() {
        return Ok(Html::default());
    }
    let forms: Html = forms.into_iter().collect();
    Ok(html!("<h2 id=\"acts\">What to do</h2>"(forms)))
}

/// A form that does one thing, to the run or to one step of it.
fn form(
    session: &Session,
    id: &str,
    (act, button): (&'static str, &'static str),
    step: Option<&str>,
) -> Html {
    let name = step.map_or_else(|| act.to_owned(), |step| format!("{act}-{step}"));
    let step = step.map(|step| html!("<input type=\"hidden\" name=\"step\" value=\"" {step} "\">"));
    html!(
        "<details id=\"" {name} "-details\"><summary>" {button} "</summary><form id=\"" {name} "\" "
        "method=\"post\" action=\"/console/runs/" {id} "\">" (layout::token(session)) (step)
        (reason(&format!("{name}-reason")))
        "<p><button id=\"" {name} "-button\" name=\"act\" value=\"" {act} "\">" {button} "</button></p>"
        "</form></details>"
    )
}

pub(super) async fn act(Path(id): Path<String>, posted: Posted) -> Response {
    let shown = acted(&posted, &id).await;
    or_why(&posted.session, shown).await
}

async fn acted(posted: &Posted, id: &str) -> Shown {
    let Posted { session, fields } = posted;
    let (id, why) = (part(id)?, fields.get("reason"));
    let act = fields.get("act");
    if !["cancel", "pause", "resume", "undo"].contains(&act) {
        let why = "say `cancel`, `pause`, `resume` or `undo`";
        return Err(Refused::from(&Refusal::bad_request(why)));
    }
    let step = Some(fields.get("step")).filter(|step| act == "undo" && !step.is_empty());
    let body = match step {
        Some(step) => json!({"reason": why, "step": step}),
        None => json!({"reason": why}),
    };
    let answer = session.post(&format!("/runs/{id}/{act}"), &body).await?;
    // What takes something back is a run of its own.
    Ok(layout::go(&format!("/console/runs/{}", answer["id"].as_str().unwrap_or(id))))
}
