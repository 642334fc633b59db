//! What a message looks like in Slack: Block Kit
//! (<https://api.slack.com/reference/block-kit/blocks>).

use serde_json::{Value, json};
use stanch_plugins_sdk::core::approval::{Control, Field};
use stanch_plugins_sdk::{Ask, Message, Standing};

use crate::text;

/// Characters of a section's text, at most; the rest of our own is around it.
const SECTION_CHARS: usize = 2_800;

/// Characters of a header, at most.
const HEADER_CHARS: usize = 150;

/// Changes of a plan that are shown; all of them stand in the API and on the command line.
const CHANGES: usize = 10;

/// Fields of a form, at most: a message has 50 blocks, and the rest of it needs some.
const FIELDS: usize = 30;

/// Bytes of a field's path, at most: the id of a block has 255.
const PATH_BYTES: usize = 200;

/// Options of one field, at most.
const OPTIONS: usize = 100;

/// Characters of an option, at most.
const OPTION_CHARS: usize = 75;

/// Characters of a text that is filled in, at most.
const TEXT_CHARS: u32 = 3_000;

/// Characters of a label or a hint, at most: Slack takes 2 000.
const LABEL_CHARS: usize = 500;

/// A text in which nothing means anything to Slack.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// What a phone shows of it.
pub(super) fn plain(message: &Message) -> String {
    let mentions: String =
        mentions(message).map(|mention| format!("{mention} ")).unwrap_or_default();
    format!("{mentions}{}", escaped(&text::subject(message)))
}

/// Those who are called by name or duty; a role is many, and whoever reads the channel.
fn mentions(message: &Message) -> Option<String> {
    let ids = message.people.iter().filter_map(|person| person.slack.as_deref());
    let is_id = |id: &&str| id.chars().all(|c| c.is_ascii_alphanumeric());
    let mentions: Vec<String> = ids.filter(is_id).map(|id| format!("<@{id}>")).collect();
    let is_called = message.standing == Standing::Open && !message.to.starts_with("role:");
    (!mentions.is_empty() && is_called).then(|| mentions.join(" "))
}

fn section(markdown: &str) -> Value {
    json!({"type": "section", "text": {"type": "mrkdwn", "text": markdown}})
}

fn context(markdown: &str) -> Value {
    json!({"type": "context", "elements": [{"type": "mrkdwn", "text": markdown}]})
}

fn plain_text(text: &str) -> Value {
    json!({"type": "plain_text", "text": text, "emoji": false})
}

/// The blocks of a message.
pub(super) fn blocks(message: &Message, is_interactive: bool) -> Vec<Value> {
    let header = text::cut(&text::subject(message), HEADER_CHARS);
    let mut blocks = vec![json!({"type": "header", "text": plain_text(&header)})];
    let said = message.ask.as_ref().map_or(message.text.as_str(), |ask| ask.title.as_str());
    let mentions = mentions(message).map(|mentions| format!("\n{mentions}")).unwrap_or_default();
    // Escaping makes a text up to five times as long.
    let said = escaped(&text::cut(said, SECTION_CHARS / 5));
    blocks.push(section(&format!("{said}{mentions}")));
    if let Some(ask) = &message.ask {
        if let Some(changes) = changes(ask) {
            blocks.push(section(&changes));
        }
        blocks.extend(text::asked(message).map(|asked| context(&escaped(&asked))));
    }
    blocks.push(context(&escaped(&text::about(message))));
    if let Some(standing) = text::standing(message) {
        let standing = escaped(&text::cut(&standing, SECTION_CHARS / 5));
        blocks.push(section(&format!("*{}*", standing.replace('*', "∗"))));
    }
    // Whoever looks after it has not decided yet.
    let is_over = matches!(message.standing, Standing::Over { .. });
    if let Some(ask) = message.ask.as_ref().filter(|_| !is_over) {
        blocks.extend(how_to_decide(ask, is_interactive));
    }
    blocks
}

fn changes(ask: &Ask) -> Option<String> {
    let shown = ask.changes.iter().take(CHANGES).map(|change| {
        let change = text::cut(&change.replace('`', "'"), SECTION_CHARS / 5 / CHANGES);
        format!("• `{}`", escaped(&change))
    });
    let mut shown: Vec<String> = shown.collect();
    let more = ask.changes.len().saturating_sub(CHANGES);
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    (!shown.is_empty()).then(|| shown.join("\n"))
}

/// Where to say why, and what to press; in words where that is not for Slack.
fn how_to_decide(ask: &Ask, is_interactive: bool) -> Vec<Value> {
    let id = ask.approval_id.to_string();
    let is_elsewhere = ask.wants_sign_in || !fit(&ask.fields);
    if is_elsewhere || !is_interactive {
        let why = if is_elsewhere {
            "This is decided by who has signed in, and not in Slack. "
        } else {
            ""
        };
        let needed =
            ask.fields.iter().filter(|field| field.is_required && !field.path.contains('`'));
        let form: String = needed.map(|field| format!(" --form {}=…", field.path)).collect();
        let form = escaped(&text::cut(&form, SECTION_CHARS / 10));
        return vec![section(&format!(
            "{why}`stanch approve {id}{form} --reason \"…\"` or `stanch reject {id} --reason \"…\"`"
        ))];
    }
    let mut blocks = vec![json!({
        "type": "input", "block_id": "reason", "label": plain_text("Why"),
        "element": {"type": "plain_text_input", "action_id": "reason", "max_length": 500},
    })];
    blocks.extend(ask.fields.iter().map(input));
    let button = |action: &str, text: &str, style: &str| {
        json!({
            "type": "button", "action_id": action, "text": plain_text(text), "style": style,
            "value": id,
        })
    };
    blocks.push(json!({
        "type": "actions", "block_id": "decide",
        "elements": [button("approve", "Approve", "primary"), button("reject", "Reject", "danger")],
    }));
    blocks
}

/// Whether Slack can show a field for each.
fn fit(fields: &[Field]) -> bool {
    let fits = |field: &Field| {
        let options = match &field.control {
            Control::Choice { options } => options.as_slice(),
            _ => &[],
        };
        field.path.len() <= PATH_BYTES
            && options.len() <= OPTIONS
            && options.iter().all(|option| (1..=OPTION_CHARS).contains(&option.chars().count()))
    };
    fields.len() <= FIELDS && fields.iter().all(fits)
}

/// A field of the form. A no may leave it out, so it is not Slack that insists on it.
fn input(field: &Field) -> Value {
    let id = format!("form.{}", field.path);
    let mut element = match &field.control {
        Control::Text { max_chars } => {
            let most = max_chars.unwrap_or(TEXT_CHARS).clamp(1, TEXT_CHARS);
            json!({"type": "plain_text_input", "max_length": most})
        }
        Control::Lines => json!({"type": "plain_text_input", "multiline": true}),
        Control::Number { is_whole } => {
            json!({"type": "number_input", "is_decimal_allowed": !is_whole})
        }
        Control::Choice { options } => {
            let option =
                |word: &String| json!({"text": plain_text(&word.replace('_', " ")), "value": word});
            let options: Vec<Value> = options.iter().map(option).collect();
            json!({"type": "static_select", "options": options})
        }
    };
    element["action_id"] = json!(id);
    let needed = if field.is_required { " (for a yes)" } else { "" };
    let label = format!("{}{needed}", text::cut(&field.label, LABEL_CHARS));
    let mut block = json!({
        "type": "input", "block_id": id, "label": plain_text(&label), "optional": true,
        "element": element,
    });
    if let Some(hint) = field.hint.as_ref().filter(|hint| !hint.is_empty()) {
        block["hint"] = plain_text(&text::cut(hint, LABEL_CHARS));
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::{message, question};
    use stanch_plugins_sdk::core::approval::Form;

    fn texts(blocks: &[Value]) -> String {
        Value::Array(blocks.to_vec()).to_string()
    }

    #[test]
    fn what_comes_from_outside_means_nothing_to_slack() {
        let called = Message { to: "oncall:first".to_owned(), ..message() };
        let open = blocks(&called, true);
        let said = texts(&open);
        assert!(said.contains("the run &lt;failed&gt; &amp;"), "{said}");
        assert!(said.contains("<@U123>"), "{said}");
        assert_eq!(open[0]["text"]["type"], "plain_text");
        assert!(!texts(&blocks(&message(), true)).contains("<@"), "a role is many");
        let mut hostile = called;
        hostile.people[0].slack = Some("U1> <!channel".to_owned());
        hostile.text = "<!channel> *x* <https://evil.example|bank>".to_owned();
        let said = format!("{}{}", texts(&blocks(&hostile, true)), plain(&hostile));
        // The header is plain text, in which nothing means anything.
        let said = said.replace(&hostile.text, "");
        assert!(!said.contains("<!channel") && !said.contains("<https"), "{said}");
    }

    #[test]
    fn a_question_has_a_field_for_the_reason_and_two_buttons() {
        let asked = blocks(&question(), true);
        let ids: Vec<_> = asked.iter().filter_map(|block| block["block_id"].as_str()).collect();
        assert_eq!(ids, ["reason", "form.verdict", "decide"]);
        let buttons = asked.last().unwrap()["elements"].as_array().unwrap();
        let id = question().ask.unwrap().approval_id.to_string();
        let pressed: Vec<_> = buttons.iter().map(|b| (&b["action_id"], &b["value"])).collect();
        assert_eq!(pressed, [(&json!("approve"), &json!(id)), (&json!("reject"), &json!(id))]);
    }

    #[test]
    fn a_form_has_a_field_for_each_member_unless_slack_has_none_for_it() {
        let form = json!({"required": ["ticket"], "properties": {
            "ticket": {"type": "string", "title": "Ticket", "description": "of the queue",
                "maxLength": 9000},
            "blast": {"type": "integer"}, "place": {"enum": ["prod", "test"]},
            "hosts": {"type": "array", "items": {"type": "string"}},
        }});
        let form: Form = serde_json::from_value(form).unwrap();
        let mut asked = question();
        asked.ask.as_mut().unwrap().fields = form.fields().unwrap();
        let shown = blocks(&asked, true);
        let of = |path: &str| {
            let id = format!("form.{path}");
            let block = shown.iter().find(|block| block["block_id"] == id.as_str()).unwrap();
            assert_eq!(
                (&block["optional"], &block["element"]["action_id"]),
                (&json!(true), &json!(id))
            );
            block
        };
        assert_eq!(of("ticket")["label"]["text"], "Ticket (for a yes)");
        assert_eq!(of("ticket")["hint"]["text"], "of the queue");
        assert_eq!(of("ticket")["element"]["max_length"], 3_000);
        assert_eq!(of("blast")["element"]["type"], "number_input");
        assert_eq!(of("place")["element"]["options"][1]["value"], "test");
        assert_eq!(of("hosts")["element"]["multiline"], true);
        // Slack shows a hundred options, and not one more.
        let options = (0..101).map(|n| n.to_string()).collect();
        asked.ask.as_mut().unwrap().fields[1].control = Control::Choice { options };
        let said = texts(&blocks(&asked, true));
        assert!(!said.contains("\"button\"") && said.contains("--form ticket=…"), "{said}");
    }

    #[test]
    fn what_destroys_and_what_is_settled_has_no_buttons() {
        let mut destroys = question();
        destroys.ask.as_mut().unwrap().wants_sign_in = true;
        let how = "mia said yes: ours".to_owned();
        let over = Message { standing: Standing::Over { how }, ..question() };
        let by = "lea".to_owned();
        let taken = blocks(&Message { standing: Standing::Taken { by }, ..question() }, true);
        assert!(texts(&taken).contains("\"button\""), "it is not decided yet");
        for (message, is_interactive, words) in [
            (&destroys, true, "not in Slack"),
            (&question(), false, "stanch approve apr_"),
            (&over, true, "*mia said yes: ours*"),
        ] {
            let said = texts(&blocks(message, is_interactive));
            assert!(!said.contains("\"button\""), "{said}");
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn slacks_limits_hold_whatever_is_said() {
        let mut long = question();
        let ask = long.ask.as_mut().unwrap();
        ask.title = "&".repeat(10_000);
        ask.changes = vec!["<".repeat(10_000); 100];
        long.text = "&".repeat(10_000);
        for block in blocks(&long, true) {
            let chars = block["text"]["text"].as_str().unwrap_or_default().chars().count();
            let most = if block["type"] == "header" { 150 } else { 3_000 };
            assert!(chars <= most, "{chars} of {}", block["type"]);
        }
        assert!(texts(&blocks(&long, true)).contains("and 90 more"));
    }
}
