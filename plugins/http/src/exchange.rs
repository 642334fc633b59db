//! Calls for plugins that have no HTTP of their own: to addresses of the configuration, without
//! redirects, with an end to their time and to their answer.

use std::time::Duration;

use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{ActionError, BoxFuture, Exchange, Incoming, Outgoing};

use crate::tls::client_builder;

/// Bytes of an answer that are read; none of those whom this is for says more.
const ANSWER_BYTES: usize = 256 * 1024;

/// Calls over HTTP.
#[derive(Clone, Debug)]
pub struct Exchanger(reqwest::Client);

impl Exchanger {
    /// With this machine's roots of trust, and its proxy.
    ///
    /// # Errors
    /// When there is no TLS on this machine.
    pub fn new() -> Result<Self, reqwest::Error> {
        let agent = concat!("stanch/", env!("CARGO_PKG_VERSION"));
        Ok(Self(client_builder().user_agent(agent).build()?))
    }

    async fn call(&self, outgoing: Outgoing) -> Result<Incoming, ActionError> {
        let Outgoing { method, url, headers, body, timeout_ms } = outgoing;
        let method = if method == "GET" { reqwest::Method::GET } else { reqwest::Method::POST };
        let mut request =
            self.0.request(method, &url).timeout(Duration::from_millis(timeout_ms)).body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        // The address may hold a secret.
        let answer = request.send().await.map_err(|error| unsent(&error.without_url()))?;
        let status = answer.status().as_u16();
        Ok(Incoming { status, body: read(answer).await? })
    }
}

impl Exchange for Exchanger {
    fn exchange(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, ActionError>> {
        Box::pin(self.call(outgoing))
    }
}

fn unsent(error: &reqwest::Error) -> ActionError {
    let kind = match (error.is_builder(), error.is_connect()) {
        (true, _) => ErrorKind::Permanent,
        (false, true) => ErrorKind::Transient,
        (false, false) => ErrorKind::InDoubt,
    };
    ActionError::new(kind, "no_answer", error.to_string())
}

async fn read(mut answer: reqwest::Response) -> Result<Vec<u8>, ActionError> {
    let cut = |error: reqwest::Error| {
        ActionError::new(ErrorKind::InDoubt, "answer_cut_off", error.without_url().to_string())
    };
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(cut)? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES {
            break;
        }
    }
    body.truncate(ANSWER_BYTES);
    Ok(body)
}
