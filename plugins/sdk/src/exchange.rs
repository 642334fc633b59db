//! HTTP for plugins that have none of their own.

use serde_json::Value;
use stanch_engine_core::step::ErrorKind;

use crate::{ActionError, BoxFuture};

/// A call over HTTP to an address of the configuration. It follows no redirect.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Where to.
    pub url: String,
    /// Headers. They may hold secrets, which is why this has no `Debug`.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The status.
    pub status: u16,
    /// The body, as far as it may be read.
    pub body: Vec<u8>,
}

/// Calls over HTTP, for a plugin that has none of its own.
pub trait Exchange: Send + Sync + 'static {
    /// Calls, once. What was not answered is [`ErrorKind::Transient`] where nothing was sent, and
    /// [`ErrorKind::InDoubt`] where something may have been.
    fn exchange(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, ActionError>>;
}

impl Incoming {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The error that a status says, if it says one. `hide` is taken out of what was answered.
    ///
    /// # Errors
    /// [`ActionError`] by the status.
    pub fn succeeded(&self, whose: &str, hide: &str) -> Result<(), ActionError> {
        let kind = match self.status {
            200..300 => return Ok(()),
            429 => ErrorKind::Throttle,
            401 | 403 => ErrorKind::Denied,
            500.. => ErrorKind::Transient,
            _ => ErrorKind::Permanent,
        };
        let said: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        let said = if hide.is_empty() { said } else { said.replace(hide, "…") };
        let message = format!("{whose} answers {}: {said}", self.status);
        Err(ActionError::new(kind, format!("http_{}", self.status), message))
    }
}
