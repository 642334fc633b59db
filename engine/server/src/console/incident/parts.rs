//! What belongs to an incident: approvals, runs, containments, milestones, evidence and the timeline.

use serde_json::Value;

use crate::console::session::Session;
use crate::console::show::{badge, items, link, moment, plain, table, when, word};
use crate::html::{Html, html};

/// A title, and what is below it.
fn titled(title: &'static str, list: Html) -> Html {
    html!("<h2>" {title} "</h2>" (list))
}

pub(super) fn approvals(session: &Session, it: &Value) -> Html {
    let row = |one: &Value| {
        let id = word(one, "id");
        let title = html!("<a href=\"/console/approvals/" {id} "\">" {word(one, "title")} "</a>");
        vec![title, badge(word(one, "status")), when(session, &one["expires_at"])]
    };
    let rows = items(&it["approvals"]).iter().map(row).collect();
    titled(
        "Approvals",
        table("approvals", &["What", "Status", "A no at"], rows, "Nothing was asked."),
    )
}

pub(super) fn runs(it: &Value) -> Html {
    let row = |one: &Value| {
        let error = one["error"]["message"].as_str().map(|error| html!("<br>" {error}));
        vec![
            html!({ word(one, "playbook") }),
            html!((badge(word(one, "status")))(error)),
            html!({ moment(&one["created_at"]) }),
            link(word(one, "id")),
        ]
    };
    let rows = items(&it["runs"]).iter().map(row).collect();
    titled("Runs", table("runs", &["Playbook", "Status", "Since", "Run"], rows, "There was none."))
}

/// Nothing is given where the person's roles do not reach the list.
pub(super) fn containments(session: &Session, answer: Option<&Value>) -> Html {
    let Some(answer) = answer else {
        let none = "Your roles do not reach the list of what was contained.";
        return titled("Containments", html!("<p id=\"containments\">" {none} "</p>"));
    };
    let change = |one: &Value| {
        let is_final = (one["is_final"] == true).then(|| badge("final"));
        let undone = one["undone_by"].as_str().map(|by| html!(" undone by "(link(by))));
        html!(
            "<li><code>" {word(one, "operation")} "</code> " {word(one, "account")} " "
            {word(one, "region")} " " (badge(word(one, "outcome"))) (is_final) (undone) "</li>"
        )
    };
    let row = |one: &Value| {
        let changes: Html = items(&one["changes"]).iter().map(change).collect();
        let run = html!((link(word(one, "run_id"))) ", step " {plain(&one["step"])});
        let ended = one["ended_by"].as_str();
        let ended = ended.map(|by| html!("<br>" {by} ": " {word(one, "reason")}));
        vec![
            html!("<ul>" (changes) "</ul>"),
            html!((badge(word(one, "status")))(ended)),
            html!({ word(one, "owner") }),
            when(session, &one["expires_at"]),
            run,
        ]
    };
    let rows = items(&answer["items"]).iter().map(row).collect();
    let heads = &["What, and whether it is effective", "Status", "Owner", "Asks at", "Run"];
    titled("Containments", table("containments", heads, rows, "Nothing was contained."))
}

pub(super) fn milestones(it: &Value) -> Html {
    let row = |one: &Value| {
        vec![
            html!({ plain(&one["milestone"]) }),
            html!({ moment(&one["at"]) }),
            html!({ word(one, "source") }),
        ]
    };
    let rows = items(&it["milestones"]).iter().map(row).collect();
    titled(
        "Milestones",
        table("milestones", &["What", "When", "Who says so"], rows, "None is marked."),
    )
}

pub(super) fn evidence(answer: &Value) -> Html {
    let row = |one: &Value| {
        let deleted = one["deleted_at"].as_str().map(|_| badge("deleted"));
        vec![
            html!({word(one, "label")} " " (deleted)),
            html!({moment(&one["captured_at"])} " by " {word(one, "captured_by")}),
            html!({ plain(&one["bytes"]) }),
            html!("<code>" {word(one, "sha256")} "</code>"),
        ]
    };
    let rows = items(&answer["items"]).iter().map(row).collect();
    titled(
        "Evidence",
        table("evidence", &["What", "Captured", "Bytes", "SHA-256"], rows, "There is none."),
    )
}

pub(super) fn timeline(answer: &Value) -> Html {
    let line = |one: &Value| {
        let about = word(one, "about");
        let id = about.split([' ', '/']).next().unwrap_or_default();
        html!(
            "<li><time>" {moment(&one["at"])} "</time> " (badge(word(one, "kind"))) " "
            {word(one, "text")} " <small>" (link(id)) "</small></li>"
        )
    };
    let lines: Html = items(&answer["items"]).iter().map(line).collect();
    titled("Timeline", html!("<ol id=\"timeline\">" (lines) "</ol>"))
}
