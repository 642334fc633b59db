//! What a message says in plain words.

use stanch_plugins_sdk::{Message, Standing};

/// Cuts a text to so many characters, and shows that it did.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(most).collect();
    if chars.next().is_none() {
        return head;
    }
    let mut head: String = head.chars().take(most.saturating_sub(1)).collect();
    head.push('…');
    head
}

/// One line that says what it is.
pub(crate) fn subject(message: &Message) -> String {
    let severity = message.severity.map(|severity| format!("{severity} ")).unwrap_or_default();
    let what = match (&message.ask, message.code.as_str()) {
        (Some(ask), _) => format!("decide: {}", ask.title),
        (None, "page") => format!("{severity}page: {}", message.text),
        (None, code) => format!("{severity}{code}: {}", message.text),
    };
    let line = what.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    cut(&format!("Stanch: {line}"), 140)
}

/// What it is about, by id.
pub(crate) fn about(message: &Message) -> String {
    let incident = message.incident_id.map(|id| id.to_string());
    let run = message.run_id.map(|id| id.to_string());
    let severity = message.severity.map(|severity| severity.to_string());
    let parts = [severity, incident, run, Some(message.key.clone())];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// How it stands, in words; nothing while it is open.
pub(crate) fn standing(message: &Message) -> Option<String> {
    match &message.standing {
        Standing::Open => None,
        Standing::Taken { by } => Some(format!("{by} looks after it")),
        Standing::Over { how } => Some(how.clone()),
    }
}

/// Who has to say what until when.
pub(crate) fn asked(message: &Message) -> Option<String> {
    let ask = message.ask.as_ref()?;
    let people = if ask.quorum == 1 { "one yes" } else { "yeses of different people" };
    let quorum = if ask.quorum == 1 { String::new() } else { format!("{} ", ask.quorum) };
    Some(format!(
        "Asked: {}. It needs {quorum}{people}, and is a no at {:.0}.",
        ask.approvers.join(", "),
        ask.expires_at
    ))
}

#[cfg(test)]
pub(crate) mod tests {
    use stanch_plugins_sdk::core::approval::Form;
    use stanch_plugins_sdk::core::id::{ApprovalId, IncidentId};
    use stanch_plugins_sdk::core::severity::Severity;
    use stanch_plugins_sdk::core::time::Timestamp;
    use stanch_plugins_sdk::{Ask, Message, Recipient, Standing};

    use super::*;

    pub(crate) fn message() -> Message {
        let at = Timestamp::from_micros(1_700_000_000_000_000);
        Message {
            key: "pag_1".to_owned(),
            turn: 2,
            to: "role:responder".to_owned(),
            code: "ST0106".to_owned(),
            text: "the run <failed> & \"stays\" so\nsee it".to_owned(),
            severity: Some(Severity::High),
            incident_id: Some(IncidentId::new(at, 7)),
            run_id: None,
            raised_at: at,
            people: vec![Recipient {
                name: "mia".to_owned(),
                slack: Some("U123".to_owned()),
                email: Some("mia@example.com".to_owned()),
                link: None,
            }],
            ask: None,
            standing: Standing::Open,
        }
    }

    pub(crate) fn question() -> Message {
        let at = Timestamp::from_micros(1_700_000_000_000_000);
        let ask = Ask {
            approval_id: ApprovalId::new(at, 9),
            title: "Cut the key off?".to_owned(),
            approvers: vec!["role:responder".to_owned()],
            quorum: 1,
            expires_at: at.plus_ms(1_800_000),
            changes: vec!["iam:UpdateAccessKey in 111122223333".to_owned()],
            fields: Form::Verdict.fields().unwrap_or_default(),
            wants_sign_in: false,
        };
        Message { code: "approval".to_owned(), ask: Some(ask), ..message() }
    }

    #[test]
    fn a_subject_is_one_line_of_bounded_length() {
        let said = subject(&message());
        assert_eq!(said, "Stanch: high ST0106: the run <failed> & \"stays\" so see it");
        let long = Message { text: "ä".repeat(500), ..message() };
        assert_eq!(subject(&long).chars().count(), 140);
        assert!(subject(&long).ends_with('…'));
        assert_eq!(subject(&question()), "Stanch: decide: Cut the key off?");
        assert!(asked(&question()).unwrap().contains("a no at 2023-11-14T22:43:20Z"));
    }
}
