//! A plan as it was frozen when it was asked: each change, how far it reaches, what undoes it and how it is
//! seen.

use serde_json::Value;

use crate::console::show::{badge, items, plain, word};
use crate::html::{Html, html};

pub(super) fn show(it: &Value) -> Html {
    let card = &it["card"];
    let changes: Html = items(&card["changes"]).iter().map(change).collect();
    let changes =
        (!items(&card["changes"]).is_empty()).then(|| html!("<ol id=\"plan\">" (changes) "</ol>"));
    let digest = it["plan_sha256"].as_str().map(|digest| {
        html!(
            "<p>An answer is for this plan and no other: <code id=\"digest\">" {digest} "</code></p>"
        )
    });
    let note = card["note"].as_str().map(|note| html!("<p class=\"warn\">" {note} "</p>"));
    let none =
        it["plan"].is_null().then(|| html!("<p id=\"plan\">It is a question without a plan.</p>"));
    html!("<h2>What would be done</h2>"(changes)(none)(digest)(note))
}

fn change(it: &Value) -> Html {
    let place = [word(it, "account"), word(it, "region")];
    let place = place.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let marks: Html = items(&it["marks"]).iter().map(|mark| badge(&plain(mark))).collect();
    let notes: Html =
        items(&it["notes"]).iter().map(|note| html!("<p>" {plain(note)} "</p>")).collect();
    let undone = it["undone_by"].as_str().map_or_else(
        || html!("<strong>nothing: it can't be taken back</strong>"),
        |by| html!("<code>" {by} "</code>"),
    );
    let probed = it["probed_by"].as_str().map_or_else(
        || html!("<strong>nothing: nobody sees whether it holds</strong>"),
        |by| html!("<code>" {by} "</code>"),
    );
    let before = (!it["before"].is_null()).then(|| {
        html!("<details><summary>As it was before</summary><pre>" {plain(&it["before"])} "</pre></details>")
    });
    let document = (!it["document"].is_null()).then(|| {
        html!("<details><summary>Its document</summary><pre>" {plain(&it["document"])} "</pre></details>")
    });
    html!(
        "<li><strong><code>" {word(it, "operation")} "</code></strong> " (badge(word(it, "effect"))) " "
        (marks) " " {place} "<pre>" {plain(&it["params"])} "</pre>" (notes)
        "<p>Undone by " (undone) ". Seen by " (probed) ".</p>" (before) (document) "</li>"
    )
}
