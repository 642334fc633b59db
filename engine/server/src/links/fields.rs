//! What a form asks for, as a browser shows it. It is read by `core`, and nothing that a browser checks
//! is relied on: a no may leave all of it out.

use stanch_engine_core::approval::{Control, Field};

use super::page::{escaped, first_line_kept, shown};

/// What the name of a field begins with, so that none is taken for the decision or its reason.
pub(super) const BEFORE: &str = "form.";

/// One field, with its label and with what was filled in before.
pub(super) fn html<'a>(field: &Field, before: &impl Fn(&str) -> &'a str) -> String {
    let name = format!("{BEFORE}{}", field.path);
    let (before, name) = (before(&name), escaped(&name));
    let needed = if field.is_required { " required" } else { "" };
    let value = match before.is_empty() {
        true => String::new(),
        false => format!(" value=\"{}\"", escaped(before)),
    };
    let control = match &field.control {
        Control::Text { max_chars } => {
            let most = max_chars.map(|most| format!(" maxlength=\"{most}\"")).unwrap_or_default();
            format!("<input name=\"{name}\"{needed}{most}{value}>")
        }
        Control::Number { is_whole } => {
            let step = if *is_whole { "1" } else { "any" };
            format!("<input type=\"number\" step=\"{step}\" name=\"{name}\"{needed}{value}>")
        }
        Control::Choice { options } => {
            let option = |word: &String| {
                let is_chosen = if word == before { " selected" } else { "" };
                format!("<option value=\"{}\"{is_chosen}>{}</option>", escaped(word), shown(word))
            };
            let options: String = options.iter().map(option).collect();
            format!(
                "<select name=\"{name}\"{needed}><option value=\"\"></option>{options}</select>"
            )
        }
        Control::Lines => {
            let before = first_line_kept(&escaped(before));
            format!(
                "<textarea name=\"{name}\" rows=\"3\"{needed} placeholder=\"one in each line\">{before}\
                 </textarea>"
            )
        }
    };
    let needed = if field.is_required { " (for a yes)" } else { "" };
    let hint = field.hint.as_ref().map(|hint| format!("<br><small>{}</small>", shown(hint)));
    let (label, hint) = (shown(&field.label), hint.unwrap_or_default());
    format!("<label>{label}{needed}{hint}{control}</label>")
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
        let shown: String = shown.iter().map(|field| html(field, &|_| hostile)).collect();
        assert!(!shown.contains("<script") && shown.matches("&lt;script").count() == 5, "{shown}");
        assert!(shown.contains("<option value=\"b\">b</option>"), "{shown}");
    }
}
