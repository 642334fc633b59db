//! E-mail by SMTP (RFC 5321), with TLS. Amazon SES takes it at its SMTP endpoint, too.

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use serde::Deserialize;
use serde_json::Value;
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{ActionContext, ActionError, BoxFuture, Channel, Message, Receipt};

use crate::letters::{Letters, NotAnAddress};
use crate::secret::Secret;
use crate::text;

/// A server that takes mail.
pub struct Email {
    letters: Letters,
    mailbox: Mailbox,
    tls: Tls,
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
    #[error(transparent)]
    Address(#[from] NotAnAddress),
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
        let letters = Letters::new(&mailbox.from, &mailbox.to, public_url)?;
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
        Ok(Self { letters, mailbox, tls })
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
            for mail in self.letters.compose(message)? {
                Box::pin(transport.send(mail)).await.map_err(|error| failed(&error))?;
            }
            Ok(Receipt { place: Value::Null, is_followed: false })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn mail_in_clear_stays_on_this_machine() {
        let away = Email::new(mailbox(Security::None, "mail.example.com"), String::new());
        assert!(matches!(away, Err(NotMail::Open(_))));
        let wrong = Mailbox { from: "stanch".to_owned(), ..mailbox(Security::Tls, "m") };
        assert!(matches!(Email::new(wrong, String::new()), Err(NotMail::Address(_))));
    }
}
