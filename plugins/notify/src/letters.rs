//! Mails as RFC 5322 writes them, by whatever way they go.

use lettre::message::header::ContentType;
use lettre::message::{Mailbox as Address, MessageBuilder};
use stanch_plugins_sdk::{ActionError, Message, Recipient};

use crate::text;

/// A text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address, such as stanch@example.com")]
pub struct NotAnAddress(String);

/// From whom, and for whom beside those whom a message means.
pub(crate) struct Letters {
    from: Address,
    to: Vec<Address>,
    public_url: String,
}

impl Letters {
    pub(crate) fn new(from: &str, to: &[String], public_url: String) -> Result<Self, NotAnAddress> {
        let to = to.iter().map(|to| address(to)).collect::<Result<_, _>>()?;
        Ok(Self { from: address(from)?, to, public_url })
    }

    /// From whom.
    pub(crate) fn from(&self) -> String {
        self.from.to_string()
    }

    /// The mails of a message: one for each person, with the link that is theirs alone, and one for
    /// those who always get it.
    pub(crate) fn compose(&self, message: &Message) -> Result<Vec<lettre::Message>, ActionError> {
        let mut mails = Vec::new();
        for person in &message.people {
            let Some(Ok(to)) = person.email.as_deref().map(address) else { continue };
            let head = self.head(message, &person.name).to(to);
            mails.push(with_body(head, body(message, &self.public_url, Some(person)))?);
        }
        if !self.to.is_empty() {
            let head =
                self.to.iter().fold(self.head(message, "all"), |head, to| head.to(to.clone()));
            mails.push(with_body(head, body(message, &self.public_url, None))?);
        }
        if mails.is_empty() {
            let why = format!("no address of {} is known: give the channel a `to`", message.to);
            return Err(ActionError::permanent("no_address", why));
        }
        Ok(mails)
    }

    /// The mails of an incident are one conversation; a mail that comes twice is one by its id.
    fn head(&self, message: &Message, whom: &str) -> MessageBuilder {
        let host = self.from.email.domain();
        let whom: String = whom.chars().filter(char::is_ascii_alphanumeric).collect();
        let id = format!("<{}.{}.{whom}@{host}>", message.key, message.turn);
        let head = lettre::Message::builder()
            .from(self.from.clone())
            .subject(text::subject(message))
            .message_id(Some(id));
        match message.incident_id {
            Some(incident) => head.references(format!("<{incident}@{host}>")),
            None => head,
        }
    }
}

fn address(text: &str) -> Result<Address, NotAnAddress> {
    text.parse().map_err(|_| NotAnAddress(text.to_owned()))
}

fn with_body(head: MessageBuilder, body: String) -> Result<lettre::Message, ActionError> {
    let mail = head.header(ContentType::TEXT_PLAIN).body(body);
    mail.map_err(|error| ActionError::permanent("bad_mail", error.to_string()))
}

fn body(message: &Message, public_url: &str, person: Option<&Recipient>) -> String {
    let mut parts = vec![message.text.clone()];
    if let Some(ask) = &message.ask {
        parts.push(ask.changes.iter().map(|change| format!("  - {change}\n")).collect());
        parts.extend(text::asked(message));
    }
    if let Some(link) = person.and_then(|person| person.link.as_ref()) {
        parts.push(format!(
            "Decide here. The link is yours alone and good for one decision; to open it decides \
             nothing:\n{link}"
        ));
    }
    parts.push(format!("{}\n{public_url}", text::about(message)));
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::{message, question};

    fn mails(message: &Message) -> Vec<String> {
        let to = ["soc@example.com".to_owned()];
        let letters = Letters::new("Stanch <stanch@example.com>", &to, "https://s".to_owned());
        let mails = letters.unwrap().compose(message).unwrap();
        mails.iter().map(|mail| String::from_utf8_lossy(&mail.formatted()).into_owned()).collect()
    }

    #[test]
    fn each_person_gets_their_own_link_and_nobody_elses() {
        let mut asked = question();
        asked.people[0].link = Some("https://s/v1/links/mias".to_owned());
        let sent = mails(&asked);
        assert_eq!(sent.len(), 2);
        assert!(sent[0].contains("To: mia@example.com") && sent[0].contains("links/mias"));
        assert!(sent[1].contains("To: soc@example.com") && !sent[1].contains("links/"));
        assert!(sent[0].contains("Message-ID: <pag_1.2.mia@example.com>"), "{}", sent[0]);
    }

    #[test]
    fn a_text_can_not_add_headers() {
        let mut hostile = message();
        hostile.text = "x\r\nBcc: eve@example.com\r\n\r\nbody".to_owned();
        let mail = mails(&hostile).remove(0);
        let (head, _) = mail.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
    }
}
