//! What a form asks for, as a browser shows it. It is read by `core`, and nothing that a browser checks
//! is relied on: a no may leave all of it out.

use stanch_engine_core::approval::{Control, Field};

use super::escaped;

/// What the name of a field begins with, so that none is taken for the decision or its reason.
pub(super) const BEFORE: &str = "form.";

/// One field, with its label.
pub(super) fn html(field: &Field) -> String {
    let name = escaped(&format!("{BEFORE}{}", field.path));
    let control = match &field.control {
        Control::Text { max_chars } => {
            let most = max_chars.map(|most| format!(" maxlength=\"{most}\"")).unwrap_or_default();
            format!("<input name=\"{name}\"{most}>")
        }
        Control::Number { is_whole } => {
            let step = if *is_whole { "1" } else { "any" };
            format!("<input type=\"number\" step=\"{step}\" name=\"{name}\">")
        }
        Control::Choice { options } => {
            let option = |word: &String| {
                let word = escaped(word);
                format!("<option value=\"{word}\">{word}</option>")
            };
            let options: String = options.iter().map(option).collect();
            format!("<select name=\"{name}\"><option value=\"\"></option>{options}</select>")
        }
        Control::Lines => {
            format!(
                "<textarea name=\"{name}\" rows=\"3\" placeholder=\"one in each line\"></textarea>"
            )
        }
    };
    let needed = if field.is_required { " (for a yes)" } else { "" };
    let hint = field.hint.as_ref().map(|hint| format!("<br><small>{}</small>", escaped(hint)));
    format!(
        "<p><label>{}{needed}<br>{control}{}</label></p>",
        escaped(&field.label),
        hint.unwrap_or_default()
    )
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
        let shown: String = form.fields().unwrap().iter().map(html).collect();
        assert!(!shown.contains("<script") && shown.matches("&lt;script").count() == 5, "{shown}");
        assert!(shown.contains("<option value=\"b\">b</option>"), "{shown}");
    }
}
