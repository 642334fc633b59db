//! Listeners: one that hands requests to the sandbox, and one that misbehaves as it is told.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use stanch_plugins_aws::sandbox::{Answer, Sandbox};
use stanch_plugins_sdk::core::time::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The time of every test.
pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-11-24T03:00:00Z").unwrap()
}

/// Serves the sandbox, and returns its address.
pub(crate) async fn serve(sandbox: Arc<Sandbox>) -> String {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(request) = read(&mut stream).await else { continue };
            if let Answer::Response(response) = sandbox.answer(&request, now()) {
                stream.write_all(&written(&response)).await.unwrap();
            }
        }
    });
    url
}

/// Requests that were sent, in order.
pub(crate) type Sent = Arc<Mutex<Vec<http::Request<Bytes>>>>;

/// Gives every request the same answer, and keeps it.
pub(crate) async fn record(answer: http::Response<Bytes>) -> (String, Sent) {
    let (listener, url) = listen().await;
    let sent = Sent::default();
    let kept = Arc::clone(&sent);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(request) = read(&mut stream).await else { continue };
            kept.lock().unwrap().push(request);
            stream.write_all(&written(&answer)).await.unwrap();
        }
    });
    (url, sent)
}

/// What a listener that misbehaves does with a request.
#[derive(Clone, Copy)]
pub(crate) enum Manner {
    /// It closes the connection before it has read anything.
    Slam,
    /// It reads the request and closes the connection.
    Cut,
    /// It reads the request and says nothing more.
    Mute,
    /// It answers with these bytes and closes.
    Say(&'static str),
    /// It promises a body and sends a part of it.
    Stall,
    /// It sends a body without end.
    Flood,
}

/// Listens, and treats every request in that manner.
pub(crate) async fn misbehave(manner: Manner) -> String {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(treat(stream, manner));
        }
    });
    url
}

async fn treat(mut stream: TcpStream, manner: Manner) {
    if matches!(manner, Manner::Slam) || read(&mut stream).await.is_none() {
        return;
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\n";
    match manner {
        Manner::Slam | Manner::Cut => {}
        Manner::Mute => std::future::pending().await,
        Manner::Say(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
        Manner::Stall => {
            let part = format!("{head}content-length: 1000\r\n\r\n<GetUserResponse>");
            stream.write_all(part.as_bytes()).await.unwrap();
            std::future::pending().await
        }
        Manner::Flood => {
            let start = format!("{head}connection: close\r\n\r\n");
            stream.write_all(start.as_bytes()).await.unwrap();
            while stream.write_all(&[b' '; 64 * 1024]).await.is_ok() {}
        }
    }
}

/// An address where nobody listens.
pub(crate) fn nobody() -> String {
    format!("http://127.0.0.1:{}", stanch_tests::ports::free())
}

pub(crate) async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

pub(crate) async fn read(stream: &mut TcpStream) -> Option<http::Request<Bytes>> {
    let mut bytes = Vec::new();
    let (head, length) = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes.drain(..end + 4).collect()).unwrap();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().unwrap())
            });
            break (head, length.unwrap_or(0));
        }
    };
    while bytes.len() < length {
        stream.read_buf(&mut bytes).await.ok()?;
    }
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let mut request = http::Request::builder().method(first.next()?).uri(first.next()?);
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        request = request.header(name, value.trim());
    }
    Some(request.body(Bytes::from(bytes)).unwrap())
}

fn written(response: &http::Response<Bytes>) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {}\r\n", response.status());
    for (name, value) in response.headers() {
        out.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    out.push_str(&format!(
        "content-length: {}\r\nconnection: close\r\n\r\n",
        response.body().len()
    ));
    let mut out = out.into_bytes();
    out.extend_from_slice(response.body());
    out
}
