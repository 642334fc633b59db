//! Lines that stay open (RFC 6455), by the same TLS and proxy as every other call.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{StatusCode, Upgraded, Url};
use stanch_plugins_sdk::{BoxFuture, Dial, Line};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::tls::client_builder;

/// How long the other side may take to pick up.
const PICK_UP: Duration = Duration::from_secs(20);

/// How long nothing may come, not even a ping: Slack pings more than once a minute.
const SILENCE: Duration = Duration::from_secs(120);

/// Bytes of a text, at most: a message of Slack with all that was filled in is far less.
const TEXT_BYTES: usize = 1 << 20;

/// Opens lines.
#[derive(Clone, Debug)]
pub struct Dialer(reqwest::Client);

impl Dialer {
    /// With this machine's roots of trust, and its proxy.
    ///
    /// # Errors
    /// When there is no TLS on this machine.
    pub fn new() -> Result<Self, reqwest::Error> {
        let agent = concat!("stanch/", env!("CARGO_PKG_VERSION"));
        Ok(Self(client_builder().user_agent(agent).http1_only().build()?))
    }

    async fn open(&self, url: &str) -> Result<Box<dyn Line>, String> {
        let (url, key) = (address(url)?, generate_key());
        let request = self
            .0
            .get(url)
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", &key);
        // The address holds a secret.
        let said = |error: reqwest::Error| error.without_url().to_string();
        let answer = request.send().await.map_err(said)?;
        let status = answer.status();
        let accepted = answer.headers().get("sec-websocket-accept");
        let is_right = accepted.is_some_and(|accept| *accept == derive_accept_key(key.as_bytes()));
        if status != StatusCode::SWITCHING_PROTOCOLS || !is_right {
            return Err(format!("the other side opens no line: {status}"));
        }
        let stream = answer.upgrade().await.map_err(said)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(TEXT_BYTES))
            .max_frame_size(Some(TEXT_BYTES));
        let socket = WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await;
        Ok(Box::new(Open(socket)))
    }
}

/// The address of the call that opens a line. What is not on this machine is only called by TLS.
fn address(text: &str) -> Result<Url, String> {
    let rest = |scheme: &str| text.strip_prefix(scheme);
    let text = match (rest("wss://"), rest("ws://")) {
        (Some(rest), _) => format!("https://{rest}"),
        (None, Some(rest)) if is_here(rest) => format!("http://{rest}"),
        _ => return Err("the address of a line begins with wss://".to_owned()),
    };
    Url::parse(&text).map_err(|error| format!("the address of the line: {error}"))
}

fn is_here(rest: &str) -> bool {
    let end = rest.find([':', '/', '?']).unwrap_or(rest.len());
    matches!(rest.split_at(end).0, "127.0.0.1" | "localhost")
}

impl Dial for Dialer {
    fn dial<'a>(&'a self, url: &'a str) -> BoxFuture<'a, Result<Box<dyn Line>, String>> {
        Box::pin(async move {
            let late = |_| "nobody picks up".to_owned();
            timeout(PICK_UP, self.open(url)).await.map_err(late)?
        })
    }
}

struct Open(WebSocketStream<Upgraded>);

impl Line for Open {
    fn hear(&mut self) -> BoxFuture<'_, Result<Option<String>, String>> {
        Box::pin(async move {
            loop {
                let late = |_| "nothing was heard for two minutes".to_owned();
                match timeout(SILENCE, self.0.next()).await.map_err(late)? {
                    None | Some(Ok(Message::Close(_))) => return Ok(None),
                    Some(Ok(Message::Text(text))) => return Ok(Some(text.as_str().to_owned())),
                    // A ping is answered by the crate.
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.to_string()),
                }
            }
        })
    }

    fn say(&mut self, text: String) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let late = |_| "what is said is not taken".to_owned();
            let said = timeout(PICK_UP, self.0.send(Message::text(text))).await.map_err(late)?;
            said.map_err(|error| error.to_string())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_called_without_tls() {
        let opened = |text: &str| address(text).map(|url| url.to_string());
        assert_eq!(
            opened("wss://wss.slack.com/link?x=1").unwrap(),
            "https://wss.slack.com/link?x=1"
        );
        assert_eq!(opened("ws://127.0.0.1:7/x").unwrap(), "http://127.0.0.1:7/x");
        for text in
            ["ws://wss.slack.com/", "ws://127.0.0.1.evil.example/", "https://x/", "x", "wss://"]
        {
            assert!(opened(text).is_err(), "{text}");
        }
    }
}
