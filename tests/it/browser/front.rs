//! What stands between a browser and a node: it shows the caller's token, has a page of its own, and
//! sees who asks for what.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use stanch_engine_server::Reply;
use tokio::net::TcpListener;

/// What was asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    /// Whether the browser asked by itself, before any person did.
    pub(super) is_ahead: bool,
}

#[derive(Clone)]
pub(super) struct Front {
    pub(super) url: String,
    node: String,
    token: Option<String>,
    /// What `/page` shows.
    page: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    client: reqwest::Client,
}

impl Front {
    pub(super) async fn of(node: &str, token: Option<String>, page: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = stanch_plugins_http::client_builder().build().unwrap();
        let front = Self { url, node: node.to_owned(), token, page, asked: Arc::default(), client };
        let answering = front.clone();
        let answer = move |request| answering.answer(request);
        tokio::spawn(stanch_engine_server::serve_with(listener, answer, std::future::pending()));
        front
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn answer(&self, request: http::Request<Bytes>) -> Reply {
        let is_ahead = |name: &str| {
            let said = request.headers().get(name).and_then(|said| said.to_str().ok());
            said.is_some_and(|said| said.contains("prefetch"))
        };
        self.asked.lock().unwrap().push(Asked {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            is_ahead: is_ahead("sec-purpose") || is_ahead("purpose"),
        });
        if request.uri().path() == "/page" {
            let page = http::Response::builder().header("content-type", "text/html; charset=utf-8");
            return Reply::Response(page.body(Bytes::from(self.page.clone())).unwrap());
        }
        let front = self.clone();
        Reply::Late(Box::pin(async move { front.forward(request).await }))
    }

    async fn forward(&self, request: http::Request<Bytes>) -> Reply {
        let (head, body) = request.into_parts();
        let url = format!("{}{}", self.node, head.uri.path_and_query().unwrap());
        let mut sent = self.client.request(head.method, url).body(body);
        if let Some(token) = &self.token {
            sent = sent.bearer_auth(token);
        }
        let answer = sent.send().await.unwrap();
        let mut given = http::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            given = given.header(name, value);
        }
        Reply::Response(given.body(answer.bytes().await.unwrap()).unwrap())
    }
}
