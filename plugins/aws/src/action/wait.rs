//! `aws.wait`: waits until something has come to be, as AWS's models say how that is seen.
//!
//! Input: `{"waiter": "ec2:InstanceStopped", "params": {…}, "every": "5s", "timeout": "10m"}`; how
//! often and for how long are the model's unless they are told. Between two looks the engine waits,
//! durably and without a thread. The result is the last answer.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use stanch_plugins_sdk::core::effect::{Effect, RetrySafety};
use stanch_plugins_sdk::core::probe;
use stanch_plugins_sdk::core::span::Span;
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::{Action, ActionContext, ActionError, BoxFuture, Done, Nature, Outcome};

use super::call::Call;
use crate::client::Client;
use crate::model::{Acceptor, Matcher, Waited, Waiter};

/// `aws.wait`.
pub(crate) struct Wait(pub(crate) Arc<Client>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    waiter: String,
    #[serde(default)]
    params: Map<String, Value>,
    /// The pause between two looks; else the model's.
    #[serde(default)]
    every: Option<Span>,
    /// For how long it may look; else as often as the model says.
    #[serde(default)]
    timeout: Option<Span>,
}

/// What is remembered between two looks.
#[derive(Default, Serialize, Deserialize)]
struct State {
    looks: u32,
    since: Option<Timestamp>,
}

impl Wait {
    fn read(&self, input: &Value) -> Result<(Input, &'static Waiter, String), ActionError> {
        let input = Input::deserialize(input)
            .map_err(|error| ActionError::permanent("bad_input", format!("aws.wait: {error}")))?;
        let found = self.0.models.waiter(&input.waiter);
        let (service, waiter) =
            found.map_err(|error| ActionError::permanent("unknown_waiter", error.to_string()))?;
        let operation = format!("{service}:{}", waiter.operation);
        Ok((input, waiter, operation))
    }

    async fn look(&self, context: &ActionContext, input: &Value) -> Result<Outcome, ActionError> {
        let (Input { waiter: name, params, every, timeout }, waiter, operation) =
            self.read(input)?;
        let state = context.state.as_ref().and_then(|state| State::deserialize(state).ok());
        let State { looks, since } = state.unwrap_or_default();
        let (looks, since) = (looks.saturating_add(1), since.unwrap_or(context.now));
        let every = every.unwrap_or(Span::from_secs(i64::from(waiter.delay)));
        let is_over = match timeout {
            Some(timeout) => context.now.plus_ms(every.ms).ms_since(since) > timeout.ms,
            None => looks >= waiter.max_attempts,
        };
        let call = Call(Arc::clone(&self.0));
        let asked = json!({"operation": operation, "params": params});
        let seen = match call.run(context, &asked).await {
            Ok(Outcome::Done(done)) => Ok(done),
            Ok(again @ Outcome::Again { .. }) => return Ok(again),
            Err(error) => Err(error),
        };
        let answer = seen.as_ref().map(|done| &done.value);
        let answer = answer.map_err(|error| (&*error.code, error.call.status));
        match (judge(waiter, answer), seen) {
            (Some(Waited::Success), Ok(done)) => Ok(Outcome::Done(done)),
            (Some(Waited::Success), Err(error)) => {
                Ok(Outcome::Done(Done { call: *error.call, ..Done::default() }))
            }
            (Some(Waited::Failure), _) => {
                let message = format!("{name} will not come to be: {operation} says so");
                Err(ActionError::permanent("waited_in_vain", message))
            }
            (None, Err(error)) => Err(error),
            (Some(Waited::Retry) | None, _) if is_over => {
                let message = format!("{name} had not come to be after {looks} looks");
                Err(ActionError::permanent("waited_too_long", message))
            }
            (Some(Waited::Retry) | None, _) => {
                let state = json!(State { looks, since: Some(since) });
                Ok(Outcome::Again { state, after: every })
            }
        }
    }
}

/// An answer, or the code and the HTTP status of an error.
type Seen<'s> = Result<&'s Value, (&'s str, Option<u16>)>;

/// What was seen says by the first acceptor that fits.
fn judge(waiter: &Waiter, seen: Seen<'_>) -> Option<Waited> {
    let fitting = waiter.acceptors.iter().find(|acceptor| fits(acceptor, seen));
    fitting.map(|acceptor| acceptor.state)
}

fn fits(acceptor: &Acceptor, seen: Seen<'_>) -> bool {
    let expected = &acceptor.expected;
    let found = || probe::search(acceptor.argument.as_deref()?, seen.ok()?).ok();
    let listed = || found().and_then(|found| found.as_array().cloned()).unwrap_or_default();
    match (acceptor.matcher, seen) {
        (Matcher::Path, Ok(_)) => found().as_ref() == Some(expected),
        (Matcher::PathAll, Ok(_)) => {
            let listed = listed();
            !listed.is_empty() && listed.iter().all(|item| item == expected)
        }
        (Matcher::PathAny, Ok(_)) => listed().contains(expected),
        (Matcher::Status, Ok(_)) => expected == 200,
        (Matcher::Status, Err((_, status))) => status.is_some_and(|status| *expected == status),
        (Matcher::Error, Err((code, _))) => expected == code || *expected == true,
        (Matcher::Error, Ok(_)) => *expected == false,
        (Matcher::Path | Matcher::PathAll | Matcher::PathAny, Err(_)) => false,
    }
}

impl Action for Wait {
    fn name(&self) -> &'static str {
        "aws.wait"
    }

    /// It only looks.
    fn classify(&self, input: &Value) -> Result<Nature, ActionError> {
        self.read(input)?;
        Ok(Nature { effect: Effect::Read, safety: RetrySafety::Natural })
    }

    fn run<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Outcome, ActionError>> {
        Box::pin(self.look(context, input))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelStore;

    fn judged(waiter: &str, seen: Result<Value, (&str, u16)>) -> Option<Waited> {
        let (_, waiter) = ModelStore::open(None).unwrap().waiter(waiter).unwrap();
        judge(waiter, seen.as_ref().map_err(|(code, status)| (*code, Some(*status))))
    }

    #[test]
    fn an_answer_is_judged_as_the_model_says() {
        let instances = |states: &[&str]| {
            let instances: Vec<_> = states.iter().map(|s| json!({"State": {"Name": s}})).collect();
            Ok(json!({"Reservations": [{ "Instances": instances }]}))
        };
        let stopped = "ec2:InstanceStopped";
        assert_eq!(judged(stopped, instances(&["stopped", "stopped"])), Some(Waited::Success));
        assert_eq!(judged(stopped, instances(&["stopped", "stopping"])), None);
        assert_eq!(judged(stopped, instances(&["stopped", "terminated"])), Some(Waited::Failure));
        assert_eq!(judged(stopped, instances(&[])), None, "nothing is not stopped");
        assert_eq!(judged("iam:UserExists", Ok(json!({}))), Some(Waited::Success));
        assert_eq!(judged("iam:UserExists", Err(("NoSuchEntity", 404))), Some(Waited::Retry));
        assert_eq!(judged("iam:UserExists", Err(("AccessDenied", 403))), None);
        assert_eq!(judged("s3:BucketNotExists", Err(("http_404", 404))), Some(Waited::Success));
        // The status counts, whatever code stands beside it.
        let profile = judged("iam:InstanceProfileExists", Err(("NoSuchEntity", 404)));
        assert_eq!(profile, Some(Waited::Retry));
        let cluster = "route53-recovery-control-config:ClusterDeleted";
        let gone = judged(cluster, Err(("ResourceNotFoundException", 404)));
        assert_eq!(gone, Some(Waited::Success));
    }

    #[test]
    fn every_waiter_of_every_service_can_be_read() {
        let models = ModelStore::open(None).unwrap();
        let count: usize = models
            .services()
            .into_iter()
            .map(|service| models.waiters(service).unwrap().len())
            .sum();
        assert!(count > 200, "{count}");
        assert!(models.waiter("ec2:InstanceStoped").unwrap_err().to_string().contains("did you"));
    }
}
