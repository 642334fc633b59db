//! E-mail by the API of Amazon SES: no server's name and no password, only a role.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use stanch_plugins_sdk::{
    Action, ActionContext, ActionError, BoxFuture, Channel, Message, Receipt,
};

use crate::letters::{Letters, NotAnAddress};

/// A sender that SES knows.
pub struct Ses {
    letters: Letters,
    region: Option<String>,
    configuration_set: Option<String>,
    /// `aws.ses_send`.
    action: Arc<dyn Action>,
}

/// Who sends, and how.
#[derive(Clone, Debug)]
pub struct Sender {
    /// From whom: an identity that SES has verified.
    pub from: String,
    /// To whom, beside the people whose addresses are known.
    pub to: Vec<String>,
    /// The region of the identity; the installation's own unless it is said.
    pub region: Option<String>,
    /// What SES watches deliveries by.
    pub configuration_set: Option<String>,
}

impl Ses {
    /// Checks what was configured. `action` is what hands a mail to SES.
    ///
    /// # Errors
    /// [`NotAnAddress`] names what is none.
    pub fn new(
        sender: Sender,
        public_url: String,
        action: Arc<dyn Action>,
    ) -> Result<Self, NotAnAddress> {
        let Sender { from, to, region, configuration_set } = sender;
        let letters = Letters::new(&from, &to, public_url)?;
        Ok(Self { letters, region, configuration_set, action })
    }
}

impl Channel for Ses {
    fn kind(&self) -> &'static str {
        "ses"
    }

    fn send<'a>(
        &'a self,
        context: &'a ActionContext,
        message: &'a Message,
        _thread: Option<&'a Value>,
    ) -> BoxFuture<'a, Result<Receipt, ActionError>> {
        Box::pin(async move {
            let mut ids = Vec::new();
            for mail in self.letters.compose(message)? {
                let to: Vec<String> =
                    mail.envelope().to().iter().map(ToString::to_string).collect();
                let mut input = json!({
                    "from": self.letters.from(), "to": to, "raw": BASE64.encode(mail.formatted()),
                });
                for (name, value) in
                    [("region", &self.region), ("configuration_set", &self.configuration_set)]
                {
                    if let Some(value) = value {
                        input[name] = json!(value);
                    }
                }
                if let stanch_plugins_sdk::Outcome::Done(done) =
                    self.action.run(context, &input).await?
                {
                    ids.push(done.value["message_id"].clone());
                }
            }
            Ok(Receipt { place: json!({"message_ids": ids}), is_followed: false })
        })
    }
}
