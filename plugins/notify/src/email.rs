//! E-mail by SMTP (RFC 5321), with TLS. Amazon SES takes it at its SMTP endpoint, too.

use lettre::message::header::ContentType;
use lettre::message::{Mailbox as Address, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use serde::Deserialize;
use serde_json::Value;
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{
    ActionContext, ActionError, BoxFuture, Channel, Message, Receipt, Recipient,
};

use crate::secret::Secret;
use crate::text;

/// A server that takes mail.
pub struct Email {
    from: Address,
    to: Vec<Address>,
    mailbox: Mailbox,
    tls: Tls,
    public_url: String,
}

/// Where mail is taken, and for whom.
#[derive(Clone, Debug)]
pub struct Mailbox {
    /// The server's name, which its certificate has to have.
    pub host: String,
    /// Its port; 465 for [`Security::Tls`], 587 for [`Security::Starttls`] unless it is said.
    pub port: Option<u16>,
    /// How the connection is secured.
    pub security: Security,
    /// Certificates in PEM that are trusted beside those of this machine.
    pub roots_pem: Option<Vec<u8>>,
    /// Who signs in.
    pub user: Option<(String, Secret)>,
    /// From whom.
    pub from: String,
    /// To whom, beside the people whose addresses are known.
    pub to: Vec<String>,
}

/// How a connection is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// By TLS from the first byte.
    #[default]
    Tls,
    /// By TLS after a greeting, and not at all without it.
    Starttls,
    /// Not at all; only for a server on this machine.
    None,
}

/// Why there can be no mail.
#[derive(Debug, thiserror::Error)]
pub enum NotMail {
    /// No address.
    #[error("`{0}` is no address, such as stanch@example.com")]
    Address(String),
    /// It would go out in clear.
    #[error("`security = \"none\"` is for a server on this machine, and {0} is none")]
    Open(String),
    /// Certificates that can't be read, or no TLS.
    #[error("{0}")]
    Tls(#[from] lettre::transport::smtp::Error),
}

impl Email {
    /// Checks what was configured.
    ///
    /// # Errors
    /// [`NotMail`] says what is wrong.
    pub fn new(mailbox: Mailbox, public_url: String) -> Result<Self, NotMail> {
        let from = address(&mailbox.from)?;
        let to = mailbox.to.iter().map(|to| address(to)).collect::<Result<_, _>>()?;
        // The first one that asks sets it for the process; later ones find it set.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let parameters = || {
            let mut tls = TlsParameters::builder(mailbox.host.clone());
            if let Some(pem) = &mailbox.roots_pem {
                tls = tls.add_root_certificate(Certificate::from_pem(pem)?);
            }
            tls.build()
        };
        let is_here = ["localhost", "127.0.0.1", "::1"].contains(&mailbox.host.as_str());
        let tls = match mailbox.security {
            Security::Tls => Tls::Wrapper(parameters()?),
            Security::Starttls => Tls::Required(parameters()?),
            Security::None if is_here => Tls::None,
            Security::None => return Err(NotMail::Open(mailbox.host)),
        };
        Ok(Self { from, to, mailbox, tls, public_url })
    }

    fn transport(&self, context: &ActionContext) -> AsyncSmtpTransport<Tokio1Executor> {
        let port = self.mailbox.port.unwrap_or(match self.mailbox.security {
            Security::Tls => 465,
            Security::Starttls => 587,
            Security::None => 25,
        });
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(self.mailbox.host.clone())
                .port(port)
                .tls(self.tls.clone())
                .timeout(Some(context.timeout.duration()));
        if let Some((user, password)) = &self.mailbox.user {
            let credentials = Credentials::new(user.clone(), password.bare().to_owned());
            builder = builder.credentials(credentials);
        }
        builder.build()
    }

    /// The mails of a message: one for each person, with the link that is theirs alone, and one for
    /// those who always get it.
    fn compose(&self, message: &Message) -> Result<Vec<lettre::Message>, ActionError> {
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

fn address(text: &str) -> Result<Address, NotMail> {
    text.parse().map_err(|_| NotMail::Address(text.to_owned()))
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

fn failed(error: &lettre::transport::smtp::Error) -> ActionError {
    let kind = match (error.is_permanent(), error.is_client()) {
        (true, _) | (_, true) => ErrorKind::Permanent,
        _ => ErrorKind::Transient,
    };
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    let message = format!("the mail server: {error}{}", cause.unwrap_or_default());
    ActionError::new(kind, "smtp", text::cut(&message, 300))
}

impl Channel for Email {
    fn kind(&self) -> &'static str {
        "email"
    }

    fn send<'a>(
        &'a self,
        context: &'a ActionContext,
        message: &'a Message,
        _thread: Option<&'a Value>,
    ) -> BoxFuture<'a, Result<Receipt, ActionError>> {
        Box::pin(async move {
            let transport = self.transport(context);
            for mail in self.compose(message)? {
                Box::pin(transport.send(mail)).await.map_err(|error| failed(&error))?;
            }
            Ok(Receipt { place: Value::Null, is_followed: false })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::tests::{message, question};

    fn mailbox(security: Security, host: &str) -> Mailbox {
        Mailbox {
            host: host.to_owned(),
            port: None,
            security,
            roots_pem: None,
            user: None,
            from: "Stanch <stanch@example.com>".to_owned(),
            to: vec!["soc@example.com".to_owned()],
        }
    }

    fn mails(message: &Message) -> Vec<String> {
        let email = Email::new(mailbox(Security::None, "localhost"), "https://s".to_owned());
        let mails = email.unwrap().compose(message).unwrap();
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

    #[test]
    fn mail_in_clear_stays_on_this_machine() {
        let away = Email::new(mailbox(Security::None, "mail.example.com"), String::new());
        assert!(matches!(away, Err(NotMail::Open(_))));
        let wrong = Mailbox { from: "stanch".to_owned(), ..mailbox(Security::Tls, "m") };
        assert!(matches!(Email::new(wrong, String::new()), Err(NotMail::Address(_))));
    }
}
