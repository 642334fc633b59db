//! How a question looks in a browser, to somebody who was just woken up: without a script, on a phone, in
//! the dark, and whatever a playbook or an alert wrote into it is text.

use std::fmt::Write as _;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use stanch_engine_core::approval::{Answer, ApprovalStatus};
use stanch_engine_core::report::document::length;
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::elsewhere;
use stanch_engine_runtime::links::Link;
use stanch_engine_store::approvals::Approval;

use crate::fields;
use crate::html::{Html, escaped, shown};

/// What browsers are told of the page: it loads nothing, runs nothing, is framed by nobody, is kept
/// nowhere and gives its address to nobody.
const HEADERS: &[(&str, &str)] = &[
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; \
         base-uri 'none'",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex, nofollow"),
];

/// How it looks.
const STYLE: &str = "
:root { color-scheme: light dark; --text: #1b1f24; --soft: #57606a; --ground: #fff; --box: #f1f3f5; --line: #8c959f; --yes: #1a6b35; --no: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e9ec; --soft: #a9b2bb; --ground: #15181c; --box: #22272d; --line: #6e7781; --yes: #6fd08c; --no: #ff9d94; }
}
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); max-width: 42rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; line-height: 1.3; margin: .5rem 0; }
h2 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
p { margin: .5rem 0; }
small { color: var(--soft); }
.change { background: var(--box); border-radius: .4rem; padding: .5rem .75rem; margin: .5rem 0; }
.change h3 { font-size: 1rem; margin: 0; }
dl { display: grid; grid-template-columns: minmax(5rem, max-content) 1fr; gap: .15rem .75rem; margin: .25rem 0; }
dt { color: var(--soft); } dd { margin: 0; white-space: pre-wrap; }
.mark, .wrong { color: var(--no); font-weight: 600; }
.wrong { border-left: .3rem solid; padding: .25rem .75rem; }
label { display: block; font-weight: 600; margin-top: 1rem; }
label small { font-weight: 400; }
input, select, textarea { display: block; box-sizing: border-box; width: 100%; font: inherit; font-weight: 400; padding: .5rem; margin-top: .25rem; color: inherit; background: var(--ground); border: 1px solid var(--line); border-radius: .3rem; }
button { font: inherit; font-weight: 600; padding: .7rem 1.5rem; margin: 1rem .5rem 0 0; border: 2px solid; border-radius: .4rem; background: none; cursor: pointer; }
.yes { background: var(--yes); border-color: var(--yes); color: var(--ground); } .no { color: var(--no); }
";

/// What is asked of somebody.
pub(super) struct Asked<'a> {
    pub(super) link: &'a Link,
    pub(super) approval: &'a Approval,
    pub(super) now: Timestamp,
    /// What they filled in before, where it was not taken.
    pub(super) filled: &'a [(String, String)],
    /// Why it was not.
    pub(super) wrong: Option<String>,
}

fn page(status: StatusCode, title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{} - Stanch</title><style>{STYLE}</style>\
         </head><body><main>{body}</main></body></html>",
        shown(title)
    );
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// What is asked, and the form that answers.
pub(super) fn question(status: StatusCode, asked: &Asked<'_>) -> Response {
    let Asked { link, approval, wrong, .. } = asked;
    let mut body = format!("<h1>{}</h1>{}", shown(&approval.title), about(asked));
    if elsewhere::wants_sign_in(approval) {
        let id = approval.id;
        let _ = write!(
            body,
            "<p>This is for those who have signed in: decide it with <code>stanch approve {id}</code> or \
             <code>stanch reject {id}</code>.</p>"
        );
        return page(status, &approval.title, &body);
    }
    if let Some(wrong) = wrong {
        let _ = write!(
            body,
            "<p class=\"wrong\" role=\"alert\">Nothing is decided: {}.</p>",
            shown(wrong)
        );
    }
    let before = |name: &str| {
        let found = asked.filled.iter().find(|(filled, _)| filled == name);
        found.map(|(_, text)| text.as_str()).unwrap_or_default()
    };
    let form = approval.form.as_ref().and_then(|form| form.fields()).unwrap_or_default();
    let form: Html = form.iter().map(|field| fields::show(field, &before)).collect();
    let form = form.into_string();
    let _ = write!(
        body,
        "<form method=\"post\"><label>Why<textarea name=\"reason\" rows=\"3\" required \
         maxlength=\"2000\">{}</textarea></label>{form}<button class=\"yes\" name=\"decision\" \
         value=\"approve\">Approve</button><button class=\"no\" name=\"decision\" value=\"reject\" \
         formnovalidate>Reject</button><p>You decide as {}, once.</p></form>",
        first_line_kept(&escaped(before("reason"))),
        shown(&link.person)
    );
    page(status, &approval.title, &body)
}

/// A browser drops the first line's end of what a field of several lines holds.
fn first_line_kept(text: &str) -> String {
    format!("\n{text}")
}

/// What it is about, what would be done, and until when.
fn about(asked: &Asked<'_>) -> String {
    let approval = asked.approval;
    let card = approval.card.value();
    let mut text = String::new();
    if let Some(about) = card.get("about").and_then(Value::as_str).filter(|about| !about.is_empty())
    {
        let _ = write!(text, "<p>{}</p>", shown(about));
    }
    let incident = approval.incident.map(|id| format!("{id}, ")).unwrap_or_default();
    let _ = write!(text, "<p><small>{incident}{}</small></p>", approval.run);
    if let Some(note) = card.get("note").and_then(Value::as_str) {
        let _ = write!(text, "<p class=\"mark\">{}.</p>", shown(note));
    }
    let changes = card.get("changes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if !changes.is_empty() {
        text.push_str("<h2>What a yes does</h2>");
        changes.iter().for_each(|one| change(&mut text, one));
    }
    let left = length(approval.expires_at.ms_since(asked.now).max(0));
    let _ = write!(
        text,
        "<p>It needs {} of {}. Silence is a no at {:.0}, in {left}.</p>",
        approval.quorum,
        shown(&approval.approvers.join(", ")),
        approval.expires_at,
    );
    text
}

fn change(text: &mut String, change: &Value) {
    let place = ["account", "region"].map(|name| change[name].as_str());
    let place = place.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let operation = change["operation"].as_str().unwrap_or_default();
    let _ = write!(text, "<div class=\"change\"><h3>{}</h3><dl>", shown(operation));
    row(text, "in", &place);
    let none = Map::new();
    for (name, value) in change["params"].as_object().unwrap_or(&none) {
        let value = value.as_str().map_or_else(|| pretty(value), str::to_owned);
        row(text, name, &value);
    }
    row(text, "undone by", change["undone_by"].as_str().unwrap_or_default());
    text.push_str("</dl>");
    let listed =
        |name: &str| change[name].as_array().into_iter().flatten().filter_map(Value::as_str);
    for mark in listed("marks") {
        let _ = match mark {
            "FINAL" => write!(text, "<p class=\"mark\">FINAL: nothing undoes it.</p>"),
            "UNVERIFIED" => {
                write!(text, "<p class=\"mark\">UNVERIFIED: nothing shows whether it worked.</p>")
            }
            other => write!(text, "<p class=\"mark\">{}</p>", shown(other)),
        };
    }
    for note in listed("notes") {
        let _ = write!(text, "<p>{}</p>", shown(note));
    }
    text.push_str("</div>");
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn row(text: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        let _ = write!(text, "<dt>{}</dt><dd>{}</dd>", shown(name), shown(value));
    }
}

/// What came of an answer.
pub(super) fn said_so(link: &Link, answer: Answer, status: ApprovalStatus) -> Response {
    let word = if answer == Answer::Approve { "yes" } else { "no" };
    let title = if status == ApprovalStatus::Pending { "It is counted" } else { "It is decided" };
    let (person, approval, status) = (shown(&link.person), link.approval, status.as_str());
    let body = format!("<h1>{title}</h1><p>{person} said {word}. {approval} is {status}.</p>");
    page(StatusCode::OK, title, &body)
}

/// Why nothing came of it.
pub(super) fn refusal(status: StatusCode, why: &str) -> Response {
    let title = "Nothing is decided";
    page(status, title, &format!("<h1>{title}</h1><p>Why: {}.</p>", shown(why)))
}
