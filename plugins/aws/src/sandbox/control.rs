//! The sandbox's own paths, below `/_sandbox/`: faults, answers and state on order while it runs,
//! and what was called.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::reply::Answer;
use super::{Sandbox, SandboxCall, state};
use crate::model::ModelStore;
use crate::secrets;

const PREFIX: &str = "/_sandbox/";

/// The paths, for whoever asks for another.
const PATHS: &str = "GET or DELETE /_sandbox/calls, POST or DELETE /_sandbox/faults, POST or DELETE \
    /_sandbox/answers, POST /_sandbox/state, POST /_sandbox/clock";

/// Answers a request that is for the sandbox itself.
pub(super) fn answer(
    sandbox: &Sandbox,
    request: &Request<Bytes>,
    now: Timestamp,
) -> Option<Answer> {
    let what = request.uri().path().strip_prefix(PREFIX)?;
    let asked = (request.method(), what);
    let (status, body) = match decide(sandbox, asked, request.body(), now) {
        Ok(value) => (StatusCode::OK, value),
        Err(why) => (StatusCode::BAD_REQUEST, json!({"error": why})),
    };
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    Some(Answer::Response(response))
}

fn decide(
    sandbox: &Sandbox,
    (method, what): (&Method, &str),
    body: &[u8],
    now: Timestamp,
) -> Result<Value, String> {
    let given = || {
        serde_json::from_slice::<Value>(body)
            .map_err(|error| format!("the body is not JSON: {error}"))
    };
    let done = json!({});
    match (method, what) {
        (&Method::GET, "calls") => return Ok(json!({"calls": sandbox.log()})),
        (&Method::DELETE, "calls") => {
            let mut inside = sandbox.inside();
            inside.calls.clear();
            inside.logged = 0;
        }
        (&Method::DELETE, "faults") => sandbox.inside().faults.clear(),
        (&Method::DELETE, "answers") => sandbox.inside().rules.clear(),
        (&Method::POST, "faults" | "answers") => {
            let given = match given()? {
                Value::Array(items) => Value::Array(items),
                one => json!([one]),
            };
            sandbox.load(json!({what: given}), now)?;
        }
        (&Method::POST, "state") => sandbox.load(json!({"state": given()?}), now)?,
        (&Method::POST, "clock") => {
            let given = given()?;
            let ms = given.get("advance_ms").and_then(Value::as_i64).filter(|ms| *ms >= 0);
            let ms = ms.ok_or("`advance_ms` is a number of milliseconds")?;
            sandbox.inside().ahead_ms += ms.min(state::FARTHEST_MS);
        }
        _ => return Err(format!("there are {PATHS}")),
    }
    Ok(done)
}

/// A call as a line of a log.
pub(super) fn logged(models: &ModelStore, call: SandboxCall) -> Value {
    let mut params = call.params;
    if let Ok(named) = models.operation(&call.operation) {
        secrets::hide_in_params(named, &mut params);
    }
    json!({
        "at": call.at, "operation": call.operation, "params": params, "region": call.region,
        "access_key_id": call.access_key_id, "token": call.token,
        "request_id": call.request_id, "outcome": call.outcome,
    })
}
