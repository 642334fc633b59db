//! Somebody who calls the API.

use reqwest::Method;
use serde_json::Value;

/// A client with a token.
#[derive(Clone)]
pub(crate) struct Caller {
    http: reqwest::Client,
    url: String,
    token: String,
}

/// An answer: its status and its body.
pub(crate) type Answer = (u16, Value);

impl Caller {
    pub(crate) fn new(url: &str, token: &str) -> Self {
        let http = stanch_plugins_http::client_builder().build().unwrap();
        Self { http, url: url.to_owned(), token: token.to_owned() }
    }

    /// The same person at another address.
    pub(crate) fn at(&self, url: &str) -> Self {
        Self::new(url, &self.token)
    }

    /// What is at a path, which must be there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(Method::GET, path, None).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// The list at a path.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        self.get(path).await["items"].as_array().unwrap().clone()
    }

    /// Posts what must be accepted.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(Method::POST, path, Some(body)).await;
        assert!(status < 300, "POST {path}: {status} {answer}");
        answer
    }

    /// Posts what must be refused, and gives the status and the problem.
    pub(crate) async fn post_refused(&self, path: &str, body: &Value) -> Answer {
        let (status, problem) = self.ask(Method::POST, path, Some(body)).await;
        assert!(status >= 400, "POST {path}: {status} {problem}");
        assert!(problem["code"].as_str().is_some_and(|code| code.starts_with("ST")), "{problem}");
        (status, problem)
    }

    pub(crate) async fn delete(&self, path: &str) -> Value {
        let (status, answer) = self.ask(Method::DELETE, path, None).await;
        assert!(status < 300, "DELETE {path}: {status} {answer}");
        answer
    }

    /// The bytes at a path.
    pub(crate) async fn bytes(&self, path: &str) -> Vec<u8> {
        let request = self.http.get(format!("{}/v1{path}", self.url)).bearer_auth(&self.token);
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        answer.bytes().await.unwrap().to_vec()
    }

    /// The bytes at a path beside the API.
    pub(crate) async fn root_bytes(&self, path: &str) -> Vec<u8> {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        answer.bytes().await.unwrap().to_vec()
    }

    /// What is at a path beside the API.
    pub(crate) async fn root(&self, path: &str) -> Answer {
        self.read(self.http.get(format!("{}{path}", self.url))).await.unwrap()
    }

    /// An answer that comes bit by bit, after the event of a number.
    pub(crate) async fn stream(&self, path: &str, after: Option<u32>) -> reqwest::Response {
        let mut request = self.http.get(format!("{}/v1{path}", self.url)).bearer_auth(&self.token);
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        request.send().await.unwrap()
    }

    /// Sends any bytes.
    pub(crate) async fn send(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.http.post(format!("{}/v1{path}", self.url)).body(body);
        self.read(request).await.unwrap()
    }

    /// Asks, if anybody listens.
    pub(crate) async fn try_ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method, format!("{}/v1{path}", self.url));
        if let Some(body) = body {
            request = request.json(body);
        }
        self.read(request).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        self.try_ask(method, path, body).await.unwrap()
    }

    async fn read(&self, request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
        let answer = request.bearer_auth(&self.token).send().await?;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await?;
        let body = serde_json::from_slice(&bytes);
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        Ok((status, body.unwrap_or_else(|_| text())))
    }
}
