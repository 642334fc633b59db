//! A line to an AWS on which a message gets lost: the request before it arrives, or the answer to
//! a request that was carried out.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::listener::{listen, read};

/// What gets lost of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The request.
    Request,
    /// The answer.
    Answer,
}

#[derive(Default)]
struct Orders {
    /// What is lost of every call of that operation, until it is told otherwise.
    lost: Option<(String, Loss)>,
    /// How many requests of it came, and the answers that were carried to nobody.
    requests: usize,
    answers: Vec<Bytes>,
    /// The last answer that went over the line.
    last: Bytes,
}

/// The line.
pub(crate) struct Line {
    pub(crate) url: String,
    orders: Arc<Mutex<Orders>>,
}

impl Line {
    /// A line to the server at `url`.
    pub(crate) async fn to(url: &str) -> Self {
        let (listener, own) = listen().await;
        let there = url.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        let orders = Arc::<Mutex<Orders>>::default();
        let kept = Arc::clone(&orders);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, there.clone(), Arc::clone(&kept)));
            }
        });
        Self { url: own, orders }
    }

    /// Loses something of every call of an operation from now on.
    pub(crate) fn lose(&self, operation: &str, loss: Loss) {
        let (_, name) = operation.split_once(':').unwrap();
        *self.orders.lock().unwrap() =
            Orders { lost: Some((name.to_owned(), loss)), ..Orders::default() };
    }

    /// Whether moto, at the other end, has no such operation: its last answer was a page for people,
    /// or it took the path of another service for an object of S3.
    pub(crate) fn is_unserved(&self, operation: &str) -> bool {
        let last = String::from_utf8_lossy(&self.orders.lock().unwrap().last).to_lowercase();
        let (head, body) = last.split_once("\r\n\r\n").unwrap_or_default();
        let is_error = head.starts_with("http/1.1 4") || head.starts_with("http/1.1 5");
        let is_bucket = !operation.starts_with("s3") && body.contains("nosuchbucket");
        let is_page = body.starts_with("<!doctype html") || body.contains("not yet implemented");
        is_error && (is_page || is_bucket)
    }

    /// Loses nothing any more. How many requests came, and the answers that nobody got.
    pub(crate) fn mend(&self) -> (usize, Vec<Bytes>) {
        let orders = std::mem::take(&mut *self.orders.lock().unwrap());
        (orders.requests, orders.answers)
    }
}

/// Whether a request is of an operation. A request that does not name its operation is, if it
/// changes something: the line hears no other changes meanwhile.
fn is_of(request: &http::Request<Bytes>, name: &str) -> bool {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
    if let Some(target) = target {
        return target.rsplit('.').next() == Some(name);
    }
    let mut form = form_urlencoded::parse(request.body());
    match form.find(|(key, _)| key == "Action") {
        Some((_, action)) => action == name,
        None => !matches!(request.method().as_str(), "GET" | "HEAD"),
    }
}

async fn carry(mut stream: TcpStream, there: String, orders: Arc<Mutex<Orders>>) {
    let Some(request) = read(&mut stream).await else { return };
    let loss = {
        let mut orders = orders.lock().unwrap();
        let loss = orders.lost.as_ref().filter(|(name, _)| is_of(&request, name)).map(|l| l.1);
        orders.requests += usize::from(loss.is_some());
        loss
    };
    if loss == Some(Loss::Request) {
        return;
    }
    let mut upstream = TcpStream::connect(&there).await.unwrap();
    upstream.write_all(&written(&request)).await.unwrap();
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).await.unwrap();
    let answer = Bytes::from(answer);
    orders.lock().unwrap().last = answer.clone();
    if loss == Some(Loss::Answer) {
        orders.lock().unwrap().answers.push(answer);
        return;
    }
    // Whoever asked may be gone.
    let _gone = stream.write_all(&answer).await;
}

/// The request as it came, on a connection of its own.
fn written(request: &http::Request<Bytes>) -> Vec<u8> {
    let mut out = format!("{} {} HTTP/1.1\r\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        if name != "connection" {
            out.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
    }
    out.push_str("connection: close\r\n\r\n");
    let mut out = out.into_bytes();
    out.extend_from_slice(request.body());
    out
}
