//! The world outside: what took place in it, and how a call goes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stanch_engine_core::json::Json;
use stanch_engine_core::step::{ErrorKind, StepError};
use stanch_tests::chance::Chance;
use uuid::Uuid;

use crate::job::{Call, Job, JobOutcome, Work};

/// How often one call may fail for a reason that passes: fewer than the engine tries.
const PASSING: u32 = 2;

/// What took place, by the number of the action, each time with its token.
#[derive(Default)]
pub(super) struct Ledger {
    done: BTreeMap<u64, Vec<Uuid>>,
    failed: BTreeMap<u64, u32>,
}

impl Ledger {
    pub(super) fn tokens(&self, n: u64) -> &[Uuid] {
        self.done.get(&n).map_or(&[], Vec::as_slice)
    }

    /// What a person finds who looks.
    pub(super) fn truth(&self, input: &Value) -> Option<Value> {
        let n = number(input);
        (!self.tokens(n).is_empty()).then(|| json!(n * 10))
    }

    /// Does a job, or fails at it, before or after its effect.
    pub(super) fn perform(&mut self, job: &Job, calm: bool, chance: &mut Chance) -> JobOutcome {
        match &job.work {
            Work::Action(call) => self.act(job, call, calm, chance),
            Work::LookUp(call, _) => match self.truth(&call.input) {
                _ if !calm && chance.once_in(4) => {
                    JobOutcome::CanNotTellYet(error(ErrorKind::Transient, "look_up_failed"))
                }
                Some(result) => JobOutcome::done(Json::of(&result)),
                None => JobOutcome::HadNotHappened,
            },
            other => panic!("the playbook asks for nothing like {other:?}"),
        }
    }

    fn act(&mut self, job: &Job, call: &Call, calm: bool, chance: &mut Chance) -> JobOutcome {
        let n = number(&call.input);
        if call.input["safety"] == "refused" {
            return failed(ErrorKind::Permanent, "refused");
        }
        let failures = self.failed.entry(n).or_default();
        if !calm && *failures < PASSING && chance.once_in(5) {
            *failures += 1;
            match chance.below(3) {
                0 => return failed(ErrorKind::Throttle, "slow_down"),
                1 => return failed(ErrorKind::Transient, "unreachable"),
                // It may have got through.
                _ => {
                    if chance.once_in(2) {
                        self.done.entry(n).or_default().push(job.token);
                    }
                    return failed(ErrorKind::InDoubt, "no_answer");
                }
            }
        }
        self.done.entry(n).or_default().push(job.token);
        JobOutcome::done(Json::of(&json!(n * 10)))
    }
}

fn number(input: &Value) -> u64 {
    input["n"].as_u64().unwrap()
}

fn error(kind: ErrorKind, code: &str) -> StepError {
    StepError::new(kind, code, "as it was simulated")
}

fn failed(kind: ErrorKind, code: &str) -> JobOutcome {
    JobOutcome::failed(error(kind, code))
}
