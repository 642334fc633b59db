//! One approval: the plan as it was frozen, what came since, who is asked and who has answered; and the
//! answer, to it and to those with the same plan. A look decides nothing.

mod plan;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use stanch_engine_core::approval::Form;

use super::api::{Refused, part};
use super::session::{Fields, Posted, Session};
use super::show::{badge, items, link, listed, moment, plain, reason_again, table, when, word};
use super::{Shown, layout, or_why};
use crate::fields;
use crate::html::{Html, html};

/// The call of the API that decides.
const DECIDE: &str = "/v1/approvals/{id}/decisions";

/// The member that holds a form as JSON, where fields of text can't say it.
const AS_JSON: &str = "form_json";

pub(super) async fn show(session: Session, Path(id): Path<String>) -> Response {
    let shown = page(&session, &id, None).await;
    or_why(&session, shown).await
}

/// An answer that was not taken, and why.
type Again<'a> = (&'a Fields, &'a Refused);

async fn page(session: &Session, id: &str, again: Option<Again<'_>>) -> Shown {
    let id = part(id)?;
    let it = session.get(&format!("/approvals/{id}")).await?;
    let is_pending = it["status"] == "pending";
    let alike = if is_pending {
        session.get(&format!("/approvals?status=pending&identical_to={id}")).await?
    } else {
        Value::Null
    };
    let may = session.may("POST", DECIDE, &format!("/v1/approvals/{id}/decisions")).await;
    let may = may.map_err(|refusal| Refused::from(&refusal))?;
    let ask = (is_pending && may).then(|| question(session, &it, &alike, again));
    let over = (!is_pending).then(
        || html!("<p id=\"over\">It is over since " (when(session, &it["decided_at"])) ".</p>"),
    );
    let body = html!((about(session, &it))(plan::show(&it))(since(&it))(answers(&it))(over)(ask));
    let status = again.map_or(StatusCode::OK, |(_, refused)| refused.status);
    Ok(layout::page(session, status, word(&it, "title"), body).await)
}

/// What it is, of whom it is asked, and until when.
fn about(session: &Session, it: &Value) -> Html {
    let rule = |rule: &Value| {
        let why = rule["why"].as_str().map(|why| html!(" (" {why} ")"));
        html!("<li>" {rule["count"]} " of " {listed(&rule["of"])} (why) "</li>")
    };
    let rules: Html = items(&it["rules"]).iter().map(rule).collect();
    let missing: Html = items(&it["missing"]).iter().map(rule).collect();
    let missing = it["missing"]
        .as_array()
        .filter(|all| !all.is_empty())
        .map(|_| html!("<dt>Still missing</dt><dd><ul id=\"missing\">" (missing) "</ul></dd>"));
    let silent = items(&it["out_of_reach"]);
    let silent = (!silent.is_empty()).then(|| {
        html!("<p class=\"bad\">Nobody can answer now for: " {listed(&it["out_of_reach"])} "</p>")
    });
    html!(
        "<dl><dt>Status</dt><dd id=\"status\">" (badge(word(it, "status"))) "</dd>"
        "<dt>About</dt><dd>" {word(&it["card"], "about")} "</dd>"
        "<dt>Playbook</dt><dd>" {word(&it["card"], "playbook")} "</dd>"
        "<dt>Incident</dt><dd>" (link(word(it, "incident_id"))) "</dd>"
        "<dt>Run</dt><dd>" (link(word(it, "run_id"))) ", step " {plain(&it["step"])} "</dd>"
        "<dt>Asked</dt><dd>" (when(session, &it["requested_at"])) "</dd>"
        "<dt>Silence is a no at</dt><dd>" (when(session, &it["expires_at"])) "</dd>"
        "<dt>Rules</dt><dd><ul id=\"rules\">" (rules) "</ul></dd>" (missing) "</dl>" (silent)
    )
}

/// What came after it was asked: it was not in what those who answered before have seen.
fn since(it: &Value) -> Html {
    let (evidence, alerts) =
        (items(&it["new_since"]["evidence"]), items(&it["new_since"]["alerts"]));
    let head = it["evidence_head"]
        .as_str()
        .map(|head| html!("<p>Asked with the evidence up to <code>" {head} "</code>.</p>"));
    if evidence.is_empty() && alerts.is_empty() {
        return html!(
            "<h2>New since it was asked</h2>" (head) "<p id=\"since\">Nothing.</p>"
        );
    }
    let item = |item: &Value| {
        html!(
            "<li>" {moment(&item["captured_at"])} " evidence " {word(item, "label")} " <code>"
            {word(item, "sha256")} "</code></li>"
        )
    };
    let alert = |alert: &Value| {
        html!(
            "<li>" {moment(&alert["last_received_at"])} " alert " {word(alert, "title")} " "
            (badge(word(alert, "severity"))) "</li>"
        )
    };
    let all: Html = evidence.iter().map(item).chain(alerts.iter().map(alert)).collect();
    html!("<h2>New since it was asked</h2>" (head) "<ul id=\"since\" class=\"warn\">" (all) "</ul>")
}

/// Who has answered what.
fn answers(it: &Value) -> Html {
    let row = |one: &Value| {
        let revoked = one["revoked_at"].as_str().map(|_| html!(" <small>counts no more</small>"));
        let word_of = html!((badge(word(one, "answer")))(revoked));
        let glass = (one["is_break_glass"] == true).then(|| badge("break-glass"));
        let person = html!({word(one, "person")} " " (glass));
        vec![html!({ moment(&one["at"]) }), person, word_of, html!({ word(one, "reason") })]
    };
    let rows = items(&it["decisions"]).iter().map(row).collect();
    let none = "Nobody has answered.";
    html!("<h2>Answers</h2>"(table("answers", &["When", "Who", "What", "Why"], rows, none)))
}

/// The form that answers.
fn question(session: &Session, it: &Value, alike: &Value, again: Option<Again<'_>>) -> Html {
    let id = word(it, "id");
    let none = Fields::default();
    let sent = again.map_or(&none, |(sent, _)| sent);
    let wrong = again.map(|(_, refused)| layout::said(refused));
    let changes = items(&it["card"]["changes"]);
    let destroys = changes.iter().filter(|change| change["effect"] == "destroy");
    let destroys: Vec<_> = destroys.map(|change| word(change, "operation")).collect();
    let warning = (!destroys.is_empty()).then(|| {
        html!(
            "<p id=\"destroys\" class=\"bad\" role=\"alert\"><strong>This destroys</strong>: "
            {destroys.join(", ")} ". It can't be taken back.</p>"
        )
    });
    html!(
        "<h2 id=\"decide-title\">Your answer</h2>" (wrong) "<form id=\"decide\" method=\"post\" "
        "action=\"/console/approvals/" {id} "\">" (layout::token(session))
        "<input type=\"hidden\" name=\"plan\" value=\"" {word(it, "plan_sha256")} "\">"
        (beside(id, alike, again)) (form_of(it, sent))
        (reason_again("decide-reason", sent.get("reason"))) (warning)
        "<p class=\"buttons\"><button id=\"approve\" name=\"act\" value=\"approve\">Approve</button> "
        "<button id=\"reject\" name=\"act\" value=\"reject\" formnovalidate>Reject</button></p>"
        "<p>You decide as " {session.caller.name} ".</p></form>"
    )
}

/// Those with the same plan, each with its digest. A tick that is taken away leaves it waiting.
fn beside(id: &str, alike: &Value, again: Option<Again<'_>>) -> Option<Html> {
    let others: Vec<_> = items(&alike["items"]).iter().filter(|it| it["id"] != id).collect();
    if others.is_empty() {
        return None;
    }
    let other = |it: &&Value| {
        let (id, digest) = (word(it, "id"), word(it, "plan_sha256"));
        let tick = format!("{id} {digest}");
        let is_ticked = again.is_none_or(|(sent, _)| sent.all("also").any(|sent| sent == tick));
        let checked = is_ticked.then(|| html!(" checked"));
        html!(
            "<li><label><input type=\"checkbox\" name=\"also\" value=\"" {tick} "\"" (checked) "> "
            {word(it, "title")} ", " {word(&it["card"], "about")} "</label> " (link(id)) " "
            (link(word(it, "incident_id"))) "<br><small>plan <code>" {digest} "</code></small></li>"
        )
    };
    let others: Html = others.iter().map(other).collect();
    Some(html!(
        "<fieldset id=\"alike\"><legend>The same is asked by others. Your answer is for all that are ticked\
         </legend><ul>" (others) "</ul></fieldset>"
    ))
}

/// What is to be filled in.
fn form_of(it: &Value, sent: &Fields) -> Option<Html> {
    let form: Form = serde_json::from_value(it["form"].clone()).ok()?;
    let Some(all) = form.fields() else {
        return Some(html!(
            "<p><label for=\"form-json\">What it asks for, as JSON</label><textarea id=\"form-json\" name=\""
            {AS_JSON} "\" rows=\"6\">\n" {sent.get(AS_JSON)} "</textarea></p><pre>" {plain(&it["form"])} "</pre>"
        ));
    };
    let field = |field| html!("<p>" (fields::show(field, &|name| sent.get(name))) "</p>");
    Some(all.iter().map(field).collect())
}

/// What was filled in, as the API is sent it. A no may leave it out.
fn filled_in(it: &Value, sent: &Fields, is_yes: bool) -> Result<Value, String> {
    let Ok(form) = serde_json::from_value::<Form>(it["form"].clone()) else {
        return Ok(Value::Null);
    };
    let read = if form.fields().is_some() {
        form.read(&sent.below(fields::BEFORE))
    } else if sent.get(AS_JSON).trim().is_empty() {
        Ok(Value::Null)
    } else {
        serde_json::from_str(sent.get(AS_JSON)).map_err(|error| format!("the form: {error}"))
    };
    if is_yes { read } else { Ok(read.unwrap_or_default()) }
}

/// Answers it, and those that were ticked beside it; each by a call of its own, which says what came of it.
pub(super) async fn decide(Path(id): Path<String>, posted: Posted) -> Response {
    let shown = decided(&posted, &id).await;
    or_why(&posted.session, shown).await
}

async fn decided(posted: &Posted, id: &str) -> Shown {
    let Posted { session, fields } = posted;
    let id = part(id)?;
    let act = fields.get("act");
    if !["approve", "reject"].contains(&act) {
        return Err(unclear("say `approve` or `reject`"));
    }
    let it = session.get(&format!("/approvals/{id}")).await?;
    let form = match filled_in(&it, fields, act == "approve") {
        Ok(form) => form,
        Err(why) => return page(session, id, Some((fields, &unclear(&why)))).await,
    };
    let mut asked = vec![(id.to_owned(), fields.get("plan").to_owned())];
    for other in fields.all("also") {
        let (other, digest) =
            other.split_once(' ').ok_or_else(|| unclear("a tick names no plan"))?;
        asked.push((part(other)?.to_owned(), digest.to_owned()));
    }
    let (mut said, mut status) = (Vec::new(), StatusCode::OK);
    let is_alone = asked.len() == 1;
    for (of, digest) in asked {
        let digest = Some(digest).filter(|digest| !digest.is_empty());
        let body = json!({"decision": act, "reason": fields.get("reason"), "plan_sha256": digest, "form": form});
        let answer = session.post(&format!("/approvals/{of}/decisions"), &body).await;
        let came = match answer {
            Ok(answer) => {
                let halted = (answer["halted"] == true).then(|| {
                    html!(" <strong>The kill switch is thrown: nothing is changed.</strong>")
                });
                html!("Counted. It is " (badge(word(&answer, "status"))) "." (halted))
            }
            // Nothing was counted: what was typed is shown once more, with what is wrong with it.
            Err(refused) if is_alone && refused.status == StatusCode::BAD_REQUEST => {
                return page(session, id, Some((fields, &refused))).await;
            }
            Err(refused) => {
                status = refused.status;
                layout::said(&refused)
            }
        };
        said.push(html!("<li>" (link(&of)) " " (came) "</li>"));
    }
    let title = match (status == StatusCode::OK, said.len()) {
        (true, _) => "Your answer is counted",
        (false, 1) => "Your answer does not count",
        (false, _) => "Not all of it counts",
    };
    let said: Html = said.into_iter().collect();
    let body = html!(
        "<ul id=\"came\">" (said) "</ul><p><a href=\"/console/approvals/" {id} "\">Look at it</a> · "
        "<a href=\"/console/approvals\">What else waits</a></p>"
    );
    Ok(layout::page(session, status, title, body).await)
}

fn unclear(why: &str) -> Refused {
    Refused::from(&crate::problem::Refusal::bad_request(why))
}
