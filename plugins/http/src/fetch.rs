//! Gets what lies at an address that somebody else has checked: by GET, without redirects, with an
//! end to its time and its size.

use std::time::Duration;

use stanch_plugins_sdk::{BoxFuture, Fetch};

use crate::tls::client_builder;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Gets small things.
#[derive(Clone, Debug)]
pub struct Fetcher(reqwest::Client);

impl Fetcher {
    /// With this machine's roots of trust. A proxy of the environment is used, as for any call.
    ///
    /// # Errors
    /// When there is no TLS on this machine.
    pub fn new() -> Result<Self, reqwest::Error> {
        Self::of(client_builder())
    }

    /// With a client that a test has prepared.
    ///
    /// # Errors
    /// When there is no TLS on this machine.
    pub fn of(builder: reqwest::ClientBuilder) -> Result<Self, reqwest::Error> {
        let none = reqwest::redirect::Policy::none();
        Ok(Self(builder.redirect(none).timeout(PATIENCE).build()?))
    }

    async fn fetch(&self, url: &str, most: usize) -> Result<Vec<u8>, String> {
        let words = |error: reqwest::Error| error.without_url().to_string();
        let mut answer = self.0.get(url).send().await.map_err(words)?;
        if !answer.status().is_success() {
            return Err(format!("it was answered with {}", answer.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(words)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > most {
                return Err(format!("it is larger than {most} bytes"));
            }
        }
        Ok(bytes)
    }
}

impl Fetch for Fetcher {
    fn get<'a>(&'a self, url: &'a str, most: usize) -> BoxFuture<'a, Result<Vec<u8>, String>> {
        Box::pin(self.fetch(url, most))
    }
}
