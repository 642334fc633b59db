//! The audit log: each call that changes something, or reads evidence, leaves one record, also when
//! it is refused. And the log itself, read and exported.

use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use stanch_engine_core::audit::{Asked, Ended, Outcome};
use stanch_engine_core::error_code::{self, ErrorCode};
use stanch_engine_core::limits;
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::audit::{self, Pending};
use stanch_engine_runtime::people::{Caller, Role};
use stanch_engine_store::audit as rows;

use crate::App;
use crate::access::{self, Needs, Rule};
use crate::auth::{self, Known, TokenName};
use crate::body::capped;
use crate::paging::{self, Params, page, parse};
use crate::problem::{Handled, Refusal};

/// Parts of a path whose reading is told, too.
const READ: &[&str] = &["audit", "evidence", "export"];

/// Members of a body that are told. What may hold a secret, such as inputs and forms, is not here.
const TOLD: &[&str] = &[
    "alerts",
    "at",
    "beside",
    "decision",
    "digest",
    "expires",
    "expires_at",
    "force",
    "from",
    "from_step",
    "incident",
    "into",
    "kind",
    "match",
    "milestone",
    "name",
    "outcome",
    "person",
    "playbook",
    "roles",
    "severity",
    "source",
    "starts_at",
    "step",
    "to",
    "trial",
    "until",
    "verdict",
];

/// Paths whose bodies may be of any size.
const STREAMED: &[&str] = &["/v1/incidents/{id}/evidence"];

/// Bytes of a member that is told.
const TOLD_BYTES: usize = 2_000;

/// Bytes of an answer in which it is looked what was made.
const ANSWER_BYTES: usize = 4 << 20;

/// Whether a call leaves a record. What a detector sends is in the custody chain of its incident.
pub(crate) fn is_told(rule: &Rule) -> bool {
    let reads = || rule.path.split('/').any(|part| READ.contains(&part));
    !matches!(rule.needs, Needs::Nothing | Needs::Proof) && (rule.method != "GET" || reads())
}

/// What a call is called: the words of its path, and what is done, such as `runs.cancel`.
pub(crate) fn verb(rule: &Rule) -> String {
    let is_word = |part: &&str| !part.is_empty() && !part.starts_with('{') && *part != "v1";
    let mut words: Vec<_> = rule.path.split('/').filter(is_word).collect();
    let names_one = rule.path.contains('{');
    match rule.method {
        "DELETE" => words.push("delete"),
        "POST" if !names_one => words.push("create"),
        "GET" if rule.path.ends_with('}') => words.push("show"),
        "GET" if !words.contains(&"export") => words.push("read"),
        _ => {}
    }
    words.join(".")
}

/// What a call names: the parts of the path that stand in place of its parameters.
fn object(rule: &Rule, path: &str) -> Option<String> {
    let parts = rule.path.split('/').zip(path.split('/'));
    let named: Vec<_> = parts.filter(|(r, _)| r.starts_with('{')).map(|(_, part)| part).collect();
    let named = named.join("/").chars().take(limits::ALERT_NAME_BYTES).collect();
    (!String::is_empty(&named)).then_some(named)
}

/// Why, and how, as the body says it.
fn told(body: &Bytes) -> (Option<String>, Map<String, Value>) {
    let Ok(Value::Object(members)) = serde_json::from_slice(body) else {
        return Default::default();
    };
    let why = members.get("reason").or_else(|| members.get("note")).and_then(Value::as_str);
    let why = why.map(|why| why.chars().take(limits::REASON_CHARS).collect());
    let is_told = |(name, value): &(String, Value)| {
        TOLD.contains(&name.as_str()) && !value.is_null() && value.to_string().len() <= TOLD_BYTES
    };
    (why, members.into_iter().filter(is_told).collect())
}

/// How many calls without a good token are told in a minute: a flood of them is one line, with its
/// number, and fills no database.
const STRANGERS_A_MINUTE: u32 = 120;

/// Calls without a good token.
#[derive(Debug, Default)]
pub(crate) struct Strangers(Mutex<Minute>);

#[derive(Debug, Default)]
struct Minute {
    began_at: Timestamp,
    told: u32,
    untold: u64,
}

impl Strangers {
    /// Whether one more is told, and how many were not before it.
    fn one_more(&self, now: Timestamp) -> Option<u64> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !(0..60_000).contains(&now.ms_since(minute.began_at)) {
            (minute.began_at, minute.told) = (now, 0);
        }
        if minute.told == STRANGERS_A_MINUTE {
            minute.untold += 1;
            return None;
        }
        minute.told += 1;
        Some(std::mem::take(&mut minute.untold))
    }
}

/// Carries a call out that leaves a record. Whoever asked may hang up: what was begun comes to its
/// end, and is written down.
pub(crate) async fn carry_out(
    app: App,
    rule: &'static Rule,
    request: Request,
    next: Next,
) -> Response {
    let carried = tokio::task::spawn(written_down(app, rule, request, next)).await;
    carried.unwrap_or_else(|_| {
        let detail = "the call broke off; look whether it was done before you repeat it";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error_code::STORE, detail).into_response()
    })
}

async fn written_down(app: App, rule: &'static Rule, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let admitted = access::admit(&app, rule, &mut parts).await;
    let mut asked = asked(&app, rule, &parts);
    let body = match admitted {
        Ok(()) => read(rule, body, &mut asked).await,
        Err(refusal) => Err(refusal),
    };
    let body = match body {
        Ok(body) => body,
        Err(refusal) => {
            let ended = refusal.ended();
            if asked.actor.is_none() {
                tell_of(&app, asked, ended).await;
                return refusal.into_response();
            }
            let written = audit::record(&app.runtime, asked, ended).await;
            return or_say(written, refusal.into_response());
        }
    };
    let makes = rule.method == "POST" && asked.object.is_none();
    let pending = Pending::new(&app.runtime, asked);
    let request = Request::from_parts(parts, body);
    let (begun, mut response) = tokio::join!(pending.begin(&app.runtime), next.run(request));
    if let Err(error) = begun {
        tracing::error!(%error, "a call was not noted in the audit log before it was carried out");
    }
    let mut made = None;
    if makes && response.status().is_success() {
        (response, made) = look(response).await;
    }
    let written = pending.end(&app.runtime, ended(&response, made)).await;
    or_say(written, response)
}

/// Tells of somebody who is not known, as long as there are not too many of them.
async fn tell_of(app: &App, mut asked: Asked, ended: Ended) {
    let Some(untold) = app.strangers.one_more(asked.at) else { return };
    if untold > 0 {
        asked.detail = json!({"untold": untold});
    }
    if let Err(error) = audit::record(&app.runtime, asked, ended).await {
        tracing::error!(%error, "a call is not in the audit log");
    }
}

/// The same, of one who brought a proof that is none.
pub(crate) async fn stranger(app: &App, verb: &str, from: String, ended: Ended) {
    let asked = Asked {
        at: app.runtime.world().now(),
        actor: None,
        token: None,
        verb: verb.to_owned(),
        object: None,
        from,
        reason: None,
        detail: json!({}),
    };
    tell_of(app, asked, ended).await;
}

/// Reads why and how, and gives the body on. What is of any size goes by unread: what it is called and
/// why it is kept stands in the custody chain.
async fn read(rule: &Rule, body: Body, asked: &mut Asked) -> Handled<Body> {
    if STREAMED.contains(&rule.path) {
        return Ok(body);
    }
    let bytes = capped(body, limits::REQUEST_BYTES).await?;
    let (why, how) = told(&bytes);
    (asked.reason, asked.detail) = (why, Value::Object(how));
    Ok(Body::from(bytes))
}

/// Who asks for what, as far as the head of the call says it.
fn asked(app: &App, rule: &Rule, parts: &Parts) -> Asked {
    let caller = parts.extensions.get::<Caller>();
    Asked {
        at: app.runtime.world().now(),
        actor: caller.map(|caller| caller.name.clone()),
        token: parts.extensions.get::<TokenName>().map(|token| token.0.clone()),
        verb: verb(rule),
        // Who is not known writes nothing of their own into the log.
        object: caller.and_then(|_| object(rule, parts.uri.path())),
        from: auth::address(parts),
        reason: None,
        detail: json!({}),
    }
}

fn ended(response: &Response, object: Option<String>) -> Ended {
    let status = response.status().as_u16();
    let code = response.extensions().get::<ErrorCode>().map(|code| code.code.to_owned());
    Ended { outcome: Outcome::of_status(status), status: Some(status), code, object }
}

/// What was done is done, also where the log can't be written. It is noted as begun.
fn or_say(written: Result<(), stanch_engine_store::StoreError>, response: Response) -> Response {
    if let Err(error) = written {
        tracing::error!(%error, "a call is not in the audit log yet");
    }
    response
}

/// Looks into an answer for the name of what was made.
async fn look(response: Response) -> (Response, Option<String>) {
    let (parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, ANSWER_BYTES).await else {
        let refusal = Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            error_code::STORE,
            "the answer broke off",
        );
        return (refusal.into_response(), None);
    };
    let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let made = ["id", "incident_id", "name"].iter().find_map(|name| answer.get(*name)?.as_str());
    let made = made.map(str::to_owned);
    (Response::from_parts(parts, Body::from(bytes)), made)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Query {
    limit: Option<u32>,
    cursor: Option<String>,
    since: Option<String>,
    actor: Option<String>,
    verb: Option<String>,
    object: Option<String>,
}

/// Records, the newest first.
pub(crate) async fn list(
    State(app): State<App>,
    caller: Known,
    Params(query): Params<Query>,
) -> Handled<Json<Value>> {
    caller.must_be(Role::Admin)?;
    let filter = rows::Filter {
        before: parse("cursor", query.cursor.as_deref())?,
        since: parse("since", query.since.as_deref())?,
        actor: query.actor,
        verb: query.verb,
        object: query.object,
        limit: paging::limit(query.limit),
    };
    let limit = filter.limit;
    let read =
        app.runtime.store().read(|conn| Box::pin(async move { rows::list(conn, &filter).await }));
    Ok(page(&read.await?, limit, |record| record.seq.to_string(), |record| json!(record)))
}

/// The whole log: a record in each line, as it was sealed, and a signed checkpoint in the last.
pub(crate) async fn export(State(app): State<App>, caller: Known) -> Handled<Response> {
    caller.must_be(Role::Admin)?;
    let end = app.runtime.store().read(|conn| Box::pin(rows::head(conn))).await?;
    let parts = stream::unfold(Some(0), move |from| {
        let app = app.clone();
        async move {
            let from = from?;
            if from >= end.count {
                let last = audit::checkpoint(&app.runtime, end).await;
                let last = last.map(|last| last + "\n").map_err(std::io::Error::other);
                return Some((last, None));
            }
            match audit::lines(&app.runtime, from, end).await {
                Ok(lines) if lines.is_empty() => {
                    let gone = format!("record {from} is not in the database any more");
                    Some((Err(std::io::Error::other(gone)), None))
                }
                Ok(lines) => {
                    let next = from + lines.len() as u64;
                    Some((Ok(lines.join("\n") + "\n"), Some(next)))
                }
                Err(error) => Some((Err(std::io::Error::other(error)), None)),
            }
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.jsonl\""),
    ];
    Ok((headers, Body::from_stream(parts.boxed())).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(method: &str, path: &str) -> &'static Rule {
        access::RULES.iter().find(|rule| rule.method == method && rule.path == path).unwrap()
    }

    #[test]
    fn a_call_has_a_name_of_its_own() {
        for (method, path, name) in [
            ("POST", "/v1/runs", "runs.create"),
            ("POST", "/v1/runs/{id}/cancel", "runs.cancel"),
            ("DELETE", "/v1/halt", "halt.delete"),
            ("GET", "/v1/incidents/{id}/export", "incidents.export"),
            ("GET", "/v1/incidents/{id}/evidence", "incidents.evidence.read"),
            ("DELETE", "/v1/tokens/{name}", "tokens.delete"),
        ] {
            assert_eq!(verb(rule(method, path)), name);
        }
        let told: Vec<_> = access::RULES.iter().filter(|rule| is_told(rule)).collect();
        for (at, rule) in told.iter().enumerate() {
            let first = told.iter().position(|other| verb(other) == verb(rule));
            assert_eq!(first, Some(at), "two calls are called {}", verb(rule));
        }
        assert!(
            !is_told(rule("GET", "/v1/runs")) && !is_told(rule("POST", "/v1/webhooks/{source}"))
        );
        let tick = rule("POST", "/v1/schedules/{playbook}/{name}/pause");
        assert_eq!(object(tick, "/v1/schedules/sweep/nightly/pause").unwrap(), "sweep/nightly");
        assert_eq!(object(rule("POST", "/v1/halt"), "/v1/halt"), None);
    }

    #[test]
    fn what_may_hold_a_secret_is_not_told() {
        let body = json!({"reason": "r", "inputs": {"a": "canary"}, "form": "canary",
            "data": "canary", "name": "go", "result": "canary", "text": "canary"});
        let (why, how) = told(&Bytes::from(body.to_string()));
        assert_eq!((why.as_deref(), json!(how)), (Some("r"), json!({"name": "go"})));
        assert_eq!(told(&Bytes::from_static(b"canary")).1.len(), 0);
    }

    #[test]
    fn a_flood_of_strangers_is_counted_and_not_told() {
        let strangers = Strangers::default();
        let at = |ms| Timestamp::from_micros(1_000_000_000_000).plus_ms(ms);
        let told = (0..1_000).filter(|ms| strangers.one_more(at(*ms)).is_some()).count();
        assert_eq!(told, STRANGERS_A_MINUTE as usize);
        assert_eq!(strangers.one_more(at(60_001)), Some(1_000 - u64::from(STRANGERS_A_MINUTE)));
        assert_eq!(strangers.one_more(at(60_002)), Some(0));
    }
}
