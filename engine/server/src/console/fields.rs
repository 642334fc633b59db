//! What a question asks to be filled in, as a browser shows it. It is read by `core`, and nothing that a
//! browser checks is relied on: a no may leave all of it out.

use stanch_engine_core::approval::{Control, Field};

use super::session::Fields;
use crate::html::{Html, html};

/// What the name of a field begins with, so that none is taken for the decision or its reason.
pub(super) const BEFORE: &str = "form.";

/// One field, with its label and with what was filled in before.
pub(super) fn show(field: &Field, sent: &Fields) -> Html {
    let name = format!("{BEFORE}{}", field.path);
    let before = sent.get(&name);
    let value = (!before.is_empty()).then(|| html!(" value=\"" {before} "\""));
    let control = match &field.control {
        Control::Text { max_chars } => {
            let most = max_chars.map(|most| html!(" maxlength=\"" {most} "\""));
            html!("<input name=\"" {name} "\"" (most) (value) ">")
        }
        Control::Number { is_whole } => {
            let step = if *is_whole { "1" } else { "any" };
            html!("<input type=\"number\" step=\"" {step} "\" name=\"" {name} "\"" (value) ">")
        }
        Control::Choice { options } => {
            let option = |word: &String| {
                let is_chosen = (word == before).then(|| html!(" selected"));
                html!("<option value=\"" {word} "\"" (is_chosen) ">" {word} "</option>")
            };
            let options: Html = options.iter().map(option).collect();
            html!("<select name=\"" {name} "\"><option value=\"\"></option>" (options) "</select>")
        }
        Control::Lines => html!(
            "<textarea name=\"" {name} "\" rows=\"3\" placeholder=\"one in each line\">\n" {before} "</textarea>"
        ),
    };
    let needed = if field.is_required { " (for a yes)" } else { "" };
    let hint = field.hint.as_ref().map(|hint| html!("<br><small>" {hint} "</small>"));
    html!("<p><label>" {field.label} {needed} "<br>" (control) (hint) "</label></p>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use stanch_engine_core::approval::Form;

    #[test]
    fn what_a_playbook_writes_means_nothing_to_a_browser() {
        let hostile = "\"><script>";
        let form = serde_json::json!({"properties": {
            hostile: {"title": hostile, "description": hostile, "enum": [hostile, "b"]},
        }});
        let form: Form = serde_json::from_value(form).unwrap();
        let shown = form.fields().unwrap();
        let sent = Fields::default();
        let shown: Html = shown.iter().map(|field| show(field, &sent)).collect();
        let shown = shown.into_string();
        assert!(!shown.contains("<script") && shown.matches("&lt;script").count() == 5, "{shown}");
        assert!(shown.contains("<option value=\"b\">b</option>"), "{shown}");
    }
}
