//! What a question asks to be filled in, as a browser shows it. It is read by `core`, and nothing that a
//! browser checks is relied on: a no may leave all of it out.

use stanch_engine_core::approval::{Control, Field};

use crate::html::{Html, html};

/// What the name of a field begins with, so that none is taken for the decision or its reason.
pub(crate) const BEFORE: &str = "form.";

/// One field, with its label and with what was filled in before.
pub(crate) fn show<'a>(field: &Field, before: &impl Fn(&str) -> &'a str) -> Html {
    let name = format!("{BEFORE}{}", field.path);
    let before = before(&name);
    let needed = field.is_required.then(|| html!(" required"));
    let value = (!before.is_empty()).then(|| html!(" value=\"" [before] "\""));
    let control = match &field.control {
        Control::Text { max_chars } => {
            let most = max_chars.map(|most| html!(" maxlength=\"" {most} "\""));
            html!("<input name=\"" [name] "\"" (needed) (most) (value) ">")
        }
        Control::Number { is_whole } => {
            let step = if *is_whole { "1" } else { "any" };
            html!(
                "<input type=\"number\" step=\"" {step} "\" name=\"" [name] "\"" (needed) (value) ">"
            )
        }
        Control::Choice { options } => {
            let option = |word: &String| {
                let is_chosen = (word == before).then(|| html!(" selected"));
                html!("<option value=\"" [word] "\"" (is_chosen) ">" {word} "</option>")
            };
            let options: Html = options.iter().map(option).collect();
            html!(
                "<select name=\"" [name] "\"" (needed) "><option value=\"\"></option>" (options) "</select>"
            )
        }
        Control::Lines => html!(
            "<textarea name=\"" [name] "\" rows=\"3\"" (needed) " placeholder=\"one in each line\">\n"
            [before] "</textarea>"
        ),
    };
    let needed = if field.is_required { " (for a yes)" } else { "" };
    let hint = field.hint.as_ref().map(|hint| html!("<br><small>" {hint} "</small>"));
    html!("<label>" {field.label} {needed} (hint) (control) "</label>")
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
        let shown: Html = shown.iter().map(|field| show(field, &|_| hostile)).collect();
        let shown = shown.into_string();
        assert!(!shown.contains("<script") && shown.matches("&lt;script").count() == 5, "{shown}");
        assert!(shown.contains("<option value=\"b\">b</option>"), "{shown}");
    }

    #[test]
    fn what_is_chosen_is_sent_as_it_is_written_and_shown_with_what_is_hidden() {
        let turned = "a\u{202e}b";
        let form = serde_json::json!({"properties": {"place": {"enum": [turned, "c"]}}});
        let form: Form = serde_json::from_value(form).unwrap();
        let shown = show(&form.fields().unwrap()[0], &|_| turned).into_string();
        let option = format!("<option value=\"{turned}\" selected>a\u{fffd}b</option>");
        assert!(shown.contains(&option), "{shown}");
    }
}
