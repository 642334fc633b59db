//! How answers of the API are shown to people: times, ages, words, and the way on in a list.

use serde::Deserialize;
use serde_json::Value;
use stanch_engine_core::time::Timestamp;

use super::session::Session;
use crate::html::{Html, html};

/// What is asked of a list: those of a status, and from where on.
#[derive(Default, Deserialize)]
pub(super) struct Listed {
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    pub(super) cursor: String,
}

/// A member that is text; nothing in it where there is none.
pub(super) fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// The items of a list.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[][..], Vec::as_slice)
}

/// A time as people read it, to the second, in UTC.
pub(super) fn moment(at: &Value) -> String {
    let Some(at) = at.as_str() else { return "-".to_owned() };
    let seconds: String = at.chars().take("2026-11-24T03:00:00".len()).collect();
    format!("{}Z", seconds.replace('T', " "))
}

/// A length of time, in the largest unit that fits.
pub(super) fn length(ms: i64) -> String {
    let (sign, seconds) = (if ms < 0 { "-" } else { "" }, ms.unsigned_abs() / 1_000);
    match seconds {
        0..120 => format!("{sign}{seconds} s"),
        120..7_200 => format!("{sign}{} min", seconds / 60),
        7_200..172_800 => format!("{sign}{} h", seconds / 3_600),
        _ => format!("{sign}{} d", seconds / 86_400),
    }
}

/// How long ago a time was, or how long it is to it.
pub(super) fn away(session: &Session, at: &Value) -> String {
    let at = at.as_str().and_then(|at| Timestamp::parse(at).ok());
    let Some(at) = at else { return String::new() };
    let ms = session.console.app.runtime.world().now().ms_since(at);
    if ms < 0 { format!("in {}", length(-ms)) } else { format!("{} ago", length(ms)) }
}

/// A time, and how far away it is.
pub(super) fn when(session: &Session, at: &Value) -> Html {
    if at.is_null() {
        return html!("-");
    }
    html!("<time>" {moment(at)} "</time> <small>(" {away(session, at)} ")</small>")
}

/// A JSON value as text: a string as itself.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}

/// Texts of a list, with commas between them.
pub(super) fn listed(value: &Value) -> String {
    items(value).iter().map(plain).collect::<Vec<_>>().join(", ")
}

/// A word that stands for a status or a severity. Its color says nothing that the word does not.
pub(super) fn badge(text: &str) -> Html {
    let class = match text {
        "critical" | "high" | "destroy" | "failed" | "parked" | "not_effective" => "badge bad",
        "medium" | "pending" | "waiting" | "paused" | "open" | "unverified" => "badge warn",
        "approved" | "succeeded" | "contained" | "effective" => "badge good",
        _ => "badge",
    };
    html!("<span class=\"" {class} "\">" {text} "</span>")
}

/// A link to what an id names, where there is a page of it.
pub(super) fn link(id: &str) -> Html {
    let folder = match id.split_once('_').map(|(kind, _)| kind) {
        Some("apr") => "approvals",
        Some("inc") => "incidents",
        Some("run") => "runs",
        _ => return html!("<code>" {id} "</code>"),
    };
    html!("<a href=\"/console/" {folder} "/" {id} "\"><code>" {id} "</code></a>")
}

/// A table that is one column on a phone: each cell says what it is.
pub(super) fn table(id: &str, heads: &[&'static str], rows: Vec<Vec<Html>>, none: &str) -> Html {
    if rows.is_empty() {
        return html!("<p id=\"" {id} "\">" {none} "</p>");
    }
    let head: Html = heads.iter().map(|head| html!("<th scope=\"col\">" {head} "</th>")).collect();
    let row = |row: Vec<Html>| {
        let cell = |(head, cell): (&&'static str, Html)| html!("<td data-head=\"" {head} "\">" (cell) "</td>");
        let cells: Html = heads.iter().zip(row).map(cell).collect();
        html!("<tr>" (cells) "</tr>")
    };
    let rows: Html = rows.into_iter().map(row).collect();
    html!(
        "<table id=\"" {id} "\"><thead><tr>" (head) "</tr></thead><tbody>" (rows) "</tbody></table>"
    )
}

/// A query of those that have a value.
pub(super) fn query_of(pairs: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(pairs.iter().filter(|(_, value)| !value.is_empty())).finish()
}

/// The link to the rest of a list.
pub(super) fn more(path: &str, query: &[(&str, &str)], answer: &Value) -> Option<Html> {
    let cursor = answer["next_cursor"].as_str()?;
    let all = query_of(&[query, &[("cursor", cursor)]].concat());
    Some(html!("<p><a id=\"more\" rel=\"next\" href=\"" {path} "?" {all} "\">More</a></p>"))
}

/// A box for a reason. It is asked for by every act: it goes into the record.
pub(super) fn reason(id: &str) -> Html {
    reason_again(id, "")
}

/// The same, with what was typed before.
pub(super) fn reason_again(id: &str, before: &str) -> Html {
    html!(
        "<p><label for=\"" {id} "\">Why</label><textarea id=\"" {id} "\" name=\"reason\" rows=\"2\" \
         required maxlength=\"2000\">\n" {before} "</textarea></p>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_read_by_people() {
        assert_eq!(moment(&json!("2026-11-24T03:00:00.123456Z")), "2026-11-24 03:00:00Z");
        assert_eq!(moment(&Value::Null), "-");
        let lengths = [0, 119_000, 120_000, 7_200_000, 172_800_000, -5_000].map(length);
        assert_eq!(lengths, ["0 s", "119 s", "2 min", "2 h", "2 d", "-5 s"]);
    }

    #[test]
    fn a_list_goes_on_where_it_ended() {
        let answer = json!({"next_cursor": "inc_1&x"});
        let link = more("/console/incidents", &[("status", "open"), ("playbook", "")], &answer);
        let link = link.unwrap().into_string();
        assert!(link.contains("?status=open&amp;cursor=inc_1%26x"), "{link}");
        assert!(more("/console/runs", &[], &json!({"next_cursor": null})).is_none());
    }
}
