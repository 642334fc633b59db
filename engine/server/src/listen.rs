//! Listening: the API, and any other answerer of HTTP that the binary has.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;

/// What an answerer says to a request.
pub enum Reply {
    /// An answer.
    Response(http::Response<Bytes>),
    /// The connection is cut without one.
    Cut,
    /// An answer, and the connection is cut in the middle of its body.
    Torn(http::Response<Bytes>),
    /// What is said after a while.
    Late(BoxFuture<'static, Reply>),
}

/// Serves the API until `stop` resolves; requests that have begun are answered.
///
/// # Errors
/// When the socket fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}

/// Serves an answerer that is a function, such as the stand-in for AWS, until `stop` resolves.
///
/// # Errors
/// When the socket fails.
pub async fn serve_with(
    listener: TcpListener,
    answer: impl Fn(http::Request<Bytes>) -> Reply + Send + Sync + 'static,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let answer = Arc::new(answer);
    let router = Router::new().fallback(move |request: Request| {
        let answer = answer.clone();
        async move { reply(request, &*answer).await }
    });
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

/// Bodies of requests to an answerer, at most.
const BODY_BYTES: usize = 64 << 20;

async fn reply(
    request: Request,
    answer: &(dyn Fn(http::Request<Bytes>) -> Reply + Sync),
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES).await else { return cut() };
    let mut reply = answer(http::Request::from_parts(parts, body));
    loop {
        reply = match reply {
            Reply::Response(response) => return response.map(Body::from),
            Reply::Cut => return cut(),
            Reply::Torn(response) => return torn(response),
            Reply::Late(later) => later.await,
        };
    }
}

/// An answer whose head promises all of its body, and of which half comes.
fn torn(response: http::Response<Bytes>) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert("content-length", (body.len() + 1).into());
    let half = body.slice(..body.len() / 2);
    let broken = std::io::Error::other("the connection is cut");
    let body = futures_util::stream::iter([Ok(half), Err(broken)]);
    Response::from_parts(parts, Body::from_stream(body))
}

/// An answer whose body breaks off at once: the connection is closed in the middle of it.
fn cut() -> Response {
    let broken = std::io::Error::other("the connection is cut");
    let body = futures_util::stream::once(std::future::ready(Err::<Bytes, _>(broken)));
    let mut response = Response::new(Body::from_stream(body));
    response.headers_mut().insert("content-length", http::HeaderValue::from_static("1048576"));
    response
}
