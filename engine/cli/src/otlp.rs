//! Sends traces to a collector: OTLP over HTTP, in JSON. Nobody waits for it: what the collector does
//! not take in time is dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};
use stanch_engine_runtime::trace::{Place, Span, SpanKind, SpanSink};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Spans that wait to be sent, at most.
const WAITING: usize = 8_192;

/// Spans of one request.
const AT_ONCE: usize = 512;

/// How long a request waits for more spans.
const GATHER: Duration = Duration::from_secs(1);

/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where traces go.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The collector, such as `http://collector:4318`.
    pub(crate) endpoint: String,
    /// What is sent with each request, such as a key.
    pub(crate) headers: Vec<(String, String)>,
}

/// What hands spans over to the task that sends them.
#[derive(Debug)]
struct Exporter {
    spans: mpsc::Sender<Span>,
    dropped: Arc<AtomicU64>,
}

impl SpanSink for Exporter {
    fn take(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Begins to send. It ends when nobody has spans any more.
///
/// # Errors
/// When the headers are none, or there is no TLS.
pub(crate) fn start(target: &Target) -> anyhow::Result<Arc<dyn SpanSink>> {
    let http = stanch_plugins_http::client_builder().timeout(PATIENCE).build()?;
    let url = format!("{}/v1/traces", target.endpoint.trim_end_matches('/'));
    let mut request = http.post(url);
    for (name, value) in &target.headers {
        request = request.header(name, value);
    }
    let request = request.build()?;
    let (spans, waiting) = mpsc::channel(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    tokio::task::spawn(send(http, request, waiting, dropped.clone()));
    Ok(Arc::new(Exporter { spans, dropped }))
}

async fn send(
    http: reqwest::Client,
    empty: reqwest::Request,
    mut waiting: mpsc::Receiver<Span>,
    dropped: Arc<AtomicU64>,
) {
    let mut spans = Vec::with_capacity(AT_ONCE);
    let mut is_well = true;
    while waiting.recv_many(&mut spans, AT_ONCE).await > 0 {
        let until = Instant::now() + GATHER;
        while spans.len() < AT_ONCE {
            let room = AT_ONCE - spans.len();
            match timeout_at(until, waiting.recv_many(&mut spans, room)).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => break,
            }
        }
        let Some(mut request) = empty.try_clone() else { return };
        *request.body_mut() = Some(body(&spans).to_string().into());
        let json = reqwest::header::HeaderValue::from_static("application/json");
        request.headers_mut().insert(reqwest::header::CONTENT_TYPE, json);
        let sent = match http.execute(request).await {
            Ok(answer) => answer.error_for_status().map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = &sent {
            dropped.fetch_add(spans.len() as u64, Ordering::Relaxed);
            if is_well {
                let error = error.to_string();
                tracing::warn!(%error, "traces are dropped: the collector does not take them");
            }
        }
        is_well = sent.is_ok();
        spans.clear();
    }
}

fn body(spans: &[Span]) -> Value {
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            attribute("service.name", "stanch"),
            attribute("service.version", env!("CARGO_PKG_VERSION")),
        ]},
        "scopeSpans": [{
            "scope": {"name": "stanch"},
            "spans": spans.iter().map(span).collect::<Vec<_>>(),
        }],
    }]})
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn place(of: Place) -> Map<String, Value> {
    let ids = [
        ("traceId".to_owned(), json!(format!("{:032x}", of.trace))),
        ("spanId".to_owned(), json!(format!("{:016x}", of.span))),
    ];
    ids.into_iter().collect()
}

fn span(span: &Span) -> Value {
    let kind = match span.kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
    };
    let nanos = |micros: i64| json!(format!("{micros}000"));
    let attributes = span.attributes.iter().map(|(key, value)| attribute(key, value));
    let mut members = place(span.place);
    if let Some(parent) = span.parent {
        members.insert("parentSpanId".to_owned(), json!(format!("{parent:016x}")));
    }
    members.insert("name".to_owned(), json!(span.name));
    members.insert("kind".to_owned(), json!(kind));
    members.insert("startTimeUnixNano".to_owned(), nanos(span.began_at.micros()));
    members.insert("endTimeUnixNano".to_owned(), nanos(span.ended_at.micros()));
    members.insert("attributes".to_owned(), attributes.collect());
    let links = span.links.iter().map(|link| Value::Object(place(*link)));
    members.insert("links".to_owned(), links.collect());
    if let Some(why) = &span.error {
        members.insert("status".to_owned(), json!({"code": 2, "message": why}));
    }
    Value::Object(members)
}
