//! `http.request`: one request, with the step's token as `Idempotency-Key`.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use stanch_plugins_sdk::core::effect::{Effect, RetrySafety};
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{
    Action, ActionContext, ActionError, BoxFuture, CallRecord, Done, Nature, Outcome, Sink,
};

use crate::client_builder;
use crate::reach::{self, Elsewhere};
use crate::secrets::{Secrets, bare};

/// Bytes of an answer; what is larger belongs into the evidence store.
const ANSWER_BYTES: usize = 1024 * 1024;

/// What is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    method: String,
    url: String,
    #[serde(default)]
    body: Value,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// What may be done when the outcome is unknown.
    #[serde(default)]
    retry: Option<Retry>,
    /// `"change"` when it changes something: then the guard and the approvals are asked.
    #[serde(default)]
    effect: Option<Effect>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Retry {
    /// The callee honours `Idempotency-Key`.
    Token,
    /// Nobody can tell.
    Never,
    /// Doing it twice is doing it once.
    Natural,
}

/// `http.request`.
pub(crate) struct Request {
    client: reqwest::Client,
    secrets: Secrets,
}

impl Request {
    pub(crate) fn new(secrets: Secrets) -> Result<Self, reqwest::Error> {
        let agent = concat!("stanch/", env!("CARGO_PKG_VERSION"));
        Ok(Self {
            client: client_builder().user_agent(agent).dns_resolver(Elsewhere).build()?,
            secrets,
        })
    }

    fn read(input: &Value) -> Result<(Input, reqwest::Method, reqwest::Url), ActionError> {
        let bad = |message: String| ActionError::permanent("bad_input", message);
        let input: Input =
            serde_json::from_value(input.clone()).map_err(|error| bad(error.to_string()))?;
        let method: reqwest::Method = input
            .method
            .to_uppercase()
            .parse()
            .map_err(|_| bad(format!("`{}` is no HTTP method", input.method)))?;
        let url: reqwest::Url =
            input.url.parse().map_err(|error| bad(format!("`{}`: {error}", input.url)))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad(format!("`{url}`: only http and https are called")));
        }
        if let Some(why) = reach::forbidden(&url) {
            return Err(ActionError::denied("forbidden_address", why));
        }
        if input.effect == Some(Effect::Read) && !method.is_safe() {
            let why = format!("`{method}` is no read: say `effect: \"notify\"` or `\"change\"`");
            return Err(bad(why));
        }
        Ok((input, method, url))
    }

    async fn call(&self, context: &ActionContext, input: &Value) -> Result<Outcome, ActionError> {
        let request = self.written(context, input, None)?;
        // The address may hold a secret.
        let answer = request.send().await.map_err(|error| unsent(&error.without_url()))?;
        read_answer(answer, &self.secrets).await
    }

    async fn carried(
        &self,
        context: &ActionContext,
        input: &Value,
        body: Option<Bytes>,
        sink: &mut dyn Sink,
    ) -> Result<Done, ActionError> {
        let request = self.written(context, input, Some(body.unwrap_or_default()))?;
        let mut answer = request.send().await.map_err(|error| unsent(&error.without_url()))?;
        let status = answer.status();
        if !status.is_success() {
            return Err(refused(status, ""));
        }
        let mut bytes = 0;
        while let Some(piece) = answer.chunk().await.map_err(broken)? {
            bytes += piece.len();
            if bytes > ANSWER_BYTES {
                return Err(too_large());
            }
            sink.take(piece).await?;
        }
        Ok(Done { value: json!({"status": status.as_u16()}), ..Done::default() })
    }

    /// The request, with a body beside its input where it has one.
    fn written(
        &self,
        context: &ActionContext,
        input: &Value,
        beside: Option<Bytes>,
    ) -> Result<reqwest::RequestBuilder, ActionError> {
        let (input, method, url) = Self::read(input)?;
        context.must_grant(effect_of(&input, &url, &method), "the call")?;
        let unknown = |why| ActionError::permanent("bad_input", why);
        let fill = |text: &str| self.secrets.fill(text).map_err(unknown);
        // A part of the address may have been a secret.
        let url: reqwest::Url = fill(&input.url)?.parse().map_err(|_| {
            ActionError::permanent("bad_input", "the address is none, with its secrets")
        })?;
        if let Some(why) = reach::forbidden(&url) {
            return Err(ActionError::denied("forbidden_address", why));
        }
        context.must_grant(reach::least(&url, &method), "the call")?;
        let mut request = self
            .client
            .request(method, url)
            .timeout(context.timeout.duration())
            .header("Idempotency-Key", context.token.to_string());
        for (name, value) in &input.headers {
            request = request.header(name, fill(value)?);
        }
        Ok(match (&input.body, beside) {
            (Value::Null, Some(body)) => request.body(body),
            (_, Some(_)) => return Err(unknown("it has its `body` twice".to_owned())),
            (Value::Null, None) => request,
            (Value::String(text), None) => request.body(fill(text)?),
            (json, None) => request.json(&self.secrets.fill_json(json).map_err(unknown)?),
        })
    }
}

/// How far a request reaches: as far as the playbook says, and at least as far as can be seen.
fn effect_of(input: &Input, url: &reqwest::Url, method: &reqwest::Method) -> Effect {
    input.effect.unwrap_or(Effect::Notify).max(reach::least(url, method))
}

/// What failed before a byte was sent is tried again; after that nobody knows.
fn unsent(error: &reqwest::Error) -> ActionError {
    let message = error.to_string();
    if error.is_builder() || error.is_request() && error.is_body() {
        return ActionError::permanent("bad_input", message);
    }
    let kind = if error.is_connect() { ErrorKind::Transient } else { ErrorKind::InDoubt };
    ActionError::new(kind, "no_answer", message)
}

fn broken(error: reqwest::Error) -> ActionError {
    ActionError::new(ErrorKind::InDoubt, "answer_cut_off", error.without_url().to_string())
}

fn too_large() -> ActionError {
    let message = format!("the answer is larger than {ANSWER_BYTES} bytes");
    ActionError::permanent("answer_too_large", message)
}

async fn read_answer(
    mut answer: reqwest::Response,
    secrets: &Secrets,
) -> Result<Outcome, ActionError> {
    let status = answer.status();
    let text = |value: &reqwest::header::HeaderValue| {
        secrets.hide(&String::from_utf8_lossy(value.as_bytes()))
    };
    let headers: Map<String, Value> = answer
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), Value::String(text(value))))
        .collect();
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(broken)? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES {
            return Err(too_large());
        }
    }
    let body = secrets.hide(&String::from_utf8_lossy(&body));
    if !status.is_success() {
        return Err(refused(status, &body));
    }
    let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
    let value = json!({"status": status.as_u16(), "headers": headers, "body": body});
    Ok(Outcome::Done(Done { value, secrets: Vec::new(), call: CallRecord::default() }))
}

fn refused(status: reqwest::StatusCode, body: &str) -> ActionError {
    let kind = match status.as_u16() {
        429 => ErrorKind::Throttle,
        503 => ErrorKind::Transient,
        401 | 403 => ErrorKind::Denied,
        500.. => ErrorKind::InDoubt,
        _ => ErrorKind::Permanent,
    };
    let body: String = body.chars().take(300).collect();
    ActionError::new(kind, format!("http_{}", status.as_u16()), format!("{status}: {body}"))
}

impl Action for Request {
    fn name(&self) -> &'static str {
        "http.request"
    }

    /// GET, HEAD, PUT and DELETE are idempotent (RFC 9110 section 9.2.2); of the others nobody
    /// knows unless the playbook says.
    fn classify(&self, input: &Value) -> Result<Nature, ActionError> {
        let (input, method, url) = Self::read(input)?;
        if let Some(why) = input.headers.iter().find_map(|(name, value)| bare(name, value)) {
            return Err(ActionError::permanent("bad_input", why));
        }
        let effect = effect_of(&input, &url, &method);
        let safety = match (input.retry, method.as_str()) {
            (Some(Retry::Token), _) => RetrySafety::Token,
            (Some(Retry::Never), _) => RetrySafety::Never,
            (Some(Retry::Natural), _) => RetrySafety::Natural,
            (None, "GET" | "HEAD" | "PUT" | "DELETE") => RetrySafety::Natural,
            (None, _) => RetrySafety::Never,
        };
        Ok(Nature { effect, safety })
    }

    fn run<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Outcome, ActionError>> {
        Box::pin(self.call(context, input))
    }

    fn carry<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
        body: Option<Bytes>,
        sink: &'a mut dyn Sink,
    ) -> BoxFuture<'a, Result<Done, ActionError>> {
        Box::pin(self.carried(context, input, body, sink))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stanch_plugins_sdk::core::span::Span;
    use stanch_plugins_sdk::core::time::Timestamp;
    use stanch_plugins_sdk::{Patience, Urgency};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    fn context() -> ActionContext {
        ActionContext {
            incident: None,
            run: None,
            step: "1".into(),
            token: uuid::Uuid::from_u128(7),
            attempt: 1,
            account: None,
            region: None,
            role: None,
            urgency: Urgency::Response,
            patience: Patience::default(),
            granted: Effect::Notify,
            plan: Vec::new(),
            timeout: Span::from_secs(5),
            now: Timestamp::default(),
            state: None,
        }
    }

    /// A server that answers one request with these bytes, and gives what it was sent.
    async fn serve(answer: &'static [u8]) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/x", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let read = socket.read(&mut asked).await.unwrap();
            socket.write_all(answer).await.unwrap();
            String::from_utf8_lossy(&asked[..read]).into_owned()
        });
        (url, task)
    }

    async fn call(input: Value) -> Result<Outcome, ActionError> {
        let secrets = Secrets::new([("crm".to_owned(), "s3cret".to_owned())].into());
        Request::new(secrets).unwrap().call(&context(), &input).await
    }

    #[tokio::test]
    async fn a_secret_goes_out_by_its_name_and_never_comes_back() {
        let (url, server) =
            serve(b"HTTP/1.1 200 OK\r\nX-Echo: s3cret\r\nContent-Length: 6\r\n\r\ns3cret").await;
        let input = json!({"method": "post", "url": format!("{url}?k={{{{secret:crm}}}}"),
            "headers": {"Authorization": "Bearer {{secret:crm}}"}, "body": {"key": "{{secret:crm}}"}});
        let Ok(Outcome::Done(done)) = call(input).await else { panic!("it answers") };
        assert!(!done.value.to_string().contains("s3cret"), "{}", done.value);
        assert_eq!(server.await.unwrap().matches("s3cret").count(), 3);

        let gone = json!({"method": "post", "url": "http://127.0.0.1:1/?k={{secret:crm}}"});
        assert!(!call(gone).await.unwrap_err().to_string().contains("s3cret"));
        let open = json!({"method": "get", "url": url, "headers": {"authorization": "Bearer x"}});
        let request = Request::new(Secrets::default()).unwrap();
        assert!(request.classify(&open).unwrap_err().message.contains("[secrets]"));
        let sealed = json!({"method": "get", "url": url, "headers": {"authorization": "<sealed>"}});
        assert!(request.classify(&sealed).is_ok());
    }

    #[tokio::test]
    async fn an_answer_comes_back_and_the_token_goes_out() {
        let (url, server) = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"a\": 1}").await;
        let input = json!({"method": "post", "url": url, "body": {"x": 1}});
        let Ok(Outcome::Done(done)) = call(input).await else { panic!("it answers") };
        assert_eq!((&done.value["status"], &done.value["body"]), (&json!(200), &json!({"a": 1})));
        let asked = server.await.unwrap();
        assert!(asked.to_lowercase().contains(&format!("idempotency-key: {}", context().token)));
        assert!(asked.starts_with("POST /x"));
    }

    #[tokio::test]
    async fn errors_say_what_may_be_done_about_them() {
        for (answer, kind) in [
            (&b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"[..], ErrorKind::Permanent),
            (b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", ErrorKind::Throttle),
            (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", ErrorKind::InDoubt),
            (b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", ErrorKind::Permanent),
            (b"", ErrorKind::InDoubt),
        ] {
            let (url, _server) = serve(answer).await;
            let error = call(json!({"method": "POST", "url": url})).await.unwrap_err();
            assert_eq!(error.kind, kind, "{error}");
        }
        let refused = call(json!({"method": "POST", "url": "http://127.0.0.1:1/"})).await;
        assert_eq!(refused.unwrap_err().kind, ErrorKind::Transient);
    }

    #[tokio::test]
    async fn a_change_without_leave_is_not_sent() {
        let input = json!({"method": "POST", "url": "http://127.0.0.1:1/", "effect": "change"});
        assert_eq!(call(input).await.unwrap_err().code, "not_granted");
    }

    #[test]
    fn inputs_are_read_before_anything_is_journaled() {
        let classify = |input| Request::new(Secrets::default()).unwrap().classify(&input);
        for bad in [
            json!({"method": "GET"}),
            json!({"method": "GET", "url": "file:///etc/passwd"}),
            json!({"method": "GET", "url": "http://x/", "boddy": 1}),
            json!({"method": "G T", "url": "http://x/"}),
        ] {
            assert_eq!(classify(bad).unwrap_err().kind, ErrorKind::Permanent);
        }
        let nature = |input| classify(input).unwrap();
        let get = nature(json!({"method": "GET", "url": "http://x/"}));
        assert_eq!((get.effect, get.safety), (Effect::Notify, RetrySafety::Natural));
        let post = nature(json!({"method": "POST", "url": "http://x/", "effect": "change"}));
        assert_eq!((post.effect, post.safety), (Effect::Change, RetrySafety::Never));
    }
}
