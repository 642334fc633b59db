//! Talks to a server, as any other program would.

use anyhow::{Context as _, bail};
use serde_json::Value;
use stanch_engine_server::Problem;

use crate::args::Common;
use crate::config::{Config, environment};
use crate::sign_in;

/// A server, and who calls it.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    speaks: Speaks,
}

/// As whom.
#[derive(Clone)]
enum Speaks {
    /// As whoever has this token.
    With(String),
    /// As whoever signed in at the server, with the token of that moment.
    SignedIn,
    /// As nobody.
    Nobody,
}

impl Client {
    /// The server and token that the command line, the environment and the configuration name, in
    /// this order.
    pub(crate) fn of(common: &Common) -> anyhow::Result<Self> {
        let config = Config::load(common.config.as_deref(), &environment)?;
        let url = common.server.clone().unwrap_or_else(|| config.public_url());
        match &common.token {
            Some(token) => Self::new(url, token.trim().to_owned()),
            // Where a sign-in is over, nobody else speaks in their place.
            None if sign_in::of(&url)?.is_some() => Self::speaking(url, Speaks::SignedIn),
            None => Self::new(url, admin(&config)?.trim().to_owned()),
        }
    }

    /// What a server says to anybody.
    pub(crate) async fn ask(server: &str, path: &str) -> anyhow::Result<Value> {
        let nobody = Self::speaking(server.to_owned(), Speaks::Nobody)?;
        let request = nobody.http.get(format!("{}/v1{path}", nobody.url));
        Ok(serde_json::from_slice(&nobody.answer(request).await?.bytes().await?)?)
    }

    pub(crate) fn new(url: String, token: String) -> anyhow::Result<Self> {
        Self::speaking(url, Speaks::With(token))
    }

    fn speaking(url: String, speaks: Speaks) -> anyhow::Result<Self> {
        let http = stanch_plugins_http::client_builder().build()?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), speaks })
    }

    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> anyhow::Result<Value> {
        let request = self.http.get(format!("{}/v1{path}", self.url)).query(query);
        Ok(serde_json::from_slice(&self.send(request).await?)?)
    }

    pub(crate) async fn bytes(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        self.send(self.http.get(format!("{}/v1{path}", self.url))).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{}/v1{path}", self.url)).json(body);
        Ok(serde_json::from_slice(&self.send(request).await?)?)
    }

    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        let request = self.http.delete(format!("{}/v1{path}", self.url));
        Ok(serde_json::from_slice(&self.send(request).await?)?)
    }

    /// Hands on the bytes at a path as they come.
    pub(crate) async fn download(
        &self,
        path: &str,
        query: &[(&str, String)],
        mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> anyhow::Result<()> {
        let request = self.http.get(format!("{}/v1{path}", self.url)).query(query);
        let mut answer = self.answer(request).await?;
        while let Some(piece) = answer.chunk().await.context("the answer broke off")? {
            take(&piece)?;
        }
        Ok(())
    }

    /// Sends a body as it comes.
    pub(crate) async fn upload(
        &self,
        path: &str,
        query: &[(&str, String)],
        media_type: &str,
        body: reqwest::Body,
    ) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{}/v1{path}", self.url)).query(query);
        let request = request.header("content-type", media_type).body(body);
        Ok(serde_json::from_slice(&self.send(request).await?)?)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Vec<u8>> {
        Ok(self.answer(request).await?.bytes().await?.to_vec())
    }

    /// An answer that is no error.
    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<reqwest::Response> {
        let request = match &self.speaks {
            Speaks::With(token) => request.bearer_auth(token),
            Speaks::SignedIn => request.bearer_auth(Box::pin(sign_in::token(&self.url)).await?),
            Speaks::Nobody => request,
        };
        let sent = request.send().await;
        let answer = sent.with_context(|| format!("no server answers at {}", self.url))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let bytes = answer.bytes().await?;
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => bail!("{}: {}: {}", problem.code, problem.title, problem.detail),
            Err(_) => bail!("{status}: {}", String::from_utf8_lossy(&bytes)),
        }
    }
}

/// The first administrator's token.
fn admin(config: &Config) -> anyhow::Result<String> {
    if let Some(token) = config.admin.resolve(&environment)? {
        return Ok(token);
    }
    let file = config.data_dir().join("keys").join("admin.token");
    std::fs::read_to_string(&file).with_context(|| {
        let file = file.display();
        format!("no token: `stanch login`, set STANCH_TOKEN, or run where {file} is")
    })
}
