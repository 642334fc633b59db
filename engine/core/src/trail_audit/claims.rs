//! What a journal says was sent.

use serde_json::Value;

use super::{Claim, Difference};
use crate::command::{ActionArgs, ChangeArgs, CollectArgs, ProbeArgs, Verb};
use crate::guard::is_would_call;
use crate::journal::{Entry, Event, Head};
use crate::json::Json;
use crate::step::StepKey;
use crate::time::Timestamp;

/// The action that calls AWS.
const AWS: &str = "aws.call";

/// Every call that a journal says was sent. `changes` says of an operation whether AWS must have logged
/// it as more than a look. What another session made goes into `difference`.
pub fn claims(
    entries: &[Entry],
    changes: impl Fn(&str) -> bool,
    session: &str,
    difference: &mut Difference,
) -> Vec<Claim> {
    let mut reading = Reading { open: Vec::new(), claims: Vec::new() };
    for entry in entries {
        reading.read(entry);
    }
    let last = entries.last().map(|entry| entry.at).unwrap_or_default();
    let lost = reading.open.into_iter().filter(|open| open.is_doubted);
    reading.claims.extend(lost.map(|open| open.claim(None, last, false)));
    let mut ours = Vec::new();
    for (mut claim, caller) in reading.claims {
        claim.is_change = changes(&claim.operation);
        claim.is_certain &= claim.is_change;
        let is_ours = caller.is_none_or(|caller| caller.ends_with(session));
        if is_ours {
            ours.push(claim);
        } else if claim.is_change {
            difference.without_session.insert(claim.operation);
        }
    }
    ours
}

struct Reading {
    /// Steps whose end has not come yet.
    open: Vec<Open>,
    /// Each with who called.
    claims: Vec<(Claim, Option<String>)>,
}

impl Reading {
    fn read(&mut self, entry: &Entry) {
        match &entry.event {
            Event::StepGated(gated) => {
                self.open.extend(Open::of(&gated.key, &gated.head, entry.at))
            }
            Event::StepScheduled(step) => match &step.head {
                Some(head) => self.open.extend(Open::of(&step.key, head, entry.at)),
                None => self.mend(&step.key, |open| open.from = entry.at),
            },
            Event::StepProgressed(step) => self.mend(&step.key, |open| open.is_plain = false),
            Event::StepAttempted(step) => self.mend(&step.key, |open| open.is_plain = false),
            Event::StepRetried(step) => {
                self.begin(&step.key, step.head.as_ref(), entry.at);
                self.mend(&step.key, |open| open.is_plain = false);
            }
            Event::StepDoubted(step) => self.mend(&step.key, |open| {
                open.is_plain = false;
                open.is_doubted = true;
            }),
            Event::StepSucceeded(step) => {
                self.begin(&step.key, step.head.as_ref(), entry.at);
                let Some(open) = self.take(&step.key) else { return };
                if !is_would_call(&step.result.value()) {
                    self.claims.push(open.claim(step.call.as_ref(), entry.at, true));
                }
            }
            Event::StepFailed(step) => {
                self.begin(&step.key, step.head.as_ref(), entry.at);
                let Some(open) = self.take(&step.key) else { return };
                // What was refused here was never sent.
                if step.call.is_some() || step.error.request_id.is_some() || open.is_doubted {
                    self.claims.push(open.claim(step.call.as_ref(), entry.at, false));
                }
            }
            _ => {}
        }
    }

    /// What only looks stands in one entry.
    fn begin(&mut self, key: &StepKey, head: Option<&Head>, at: Timestamp) {
        if !self.open.iter().any(|open| open.key == *key) {
            self.open.extend(head.and_then(|head| Open::of(key, head, at)));
        }
    }

    fn mend(&mut self, key: &StepKey, change: impl FnOnce(&mut Open)) {
        if let Some(found) = self.open.iter_mut().find(|open| open.key == *key) {
            change(found);
        }
    }

    fn take(&mut self, key: &StepKey) -> Option<Open> {
        let place = self.open.iter().position(|open| open.key == *key)?;
        Some(self.open.swap_remove(place))
    }
}

/// A step whose end has not come yet.
struct Open {
    key: StepKey,
    operation: String,
    account: Option<String>,
    region: Option<String>,
    from: Timestamp,
    /// Whether it was sent once, and its answer is its own.
    is_plain: bool,
    is_doubted: bool,
}

impl Open {
    fn of(key: &StepKey, head: &Head, at: Timestamp) -> Option<Self> {
        let mut is_plain = true;
        let (operation, account, region) = match head.verb {
            Verb::Change => {
                let ChangeArgs { change, .. } = head.args.read().ok()?;
                (change.operation, change.account, change.region)
            }
            Verb::Action => {
                let ActionArgs { action, input, options } = head.args.read().ok()?;
                let operation = input.get("operation").filter(|_| action == AWS)?.as_str()?;
                (operation.to_owned(), options.account, options.region)
            }
            Verb::Collect => {
                is_plain = false;
                let CollectArgs { operation, options, .. } = head.args.read().ok()?;
                (operation, options.account, None)
            }
            Verb::Probe => {
                is_plain = false;
                let ProbeArgs { probe } = head.args.read().ok()?;
                (probe.operation, probe.account, probe.region)
            }
            _ => return None,
        };
        let key = key.clone();
        Some(Self { key, operation, account, region, from: at, is_plain, is_doubted: false })
    }

    /// What it claims, and who called.
    fn claim(self, call: Option<&Json>, to: Timestamp, succeeded: bool) -> (Claim, Option<String>) {
        let has_answer = call.is_some();
        let call = call.map(Json::value).unwrap_or_default();
        let text = |name: &str| call.get(name).and_then(Value::as_str).map(str::to_owned);
        // A caveat says that an earlier attempt was found.
        let is_own = self.is_plain && call.get("caveats").is_none();
        let claim = Claim {
            step: self.key,
            operation: self.operation,
            account: text("account").or(self.account),
            region: text("region").or(self.region),
            request_id: text("request_id").filter(|_| is_own),
            from: self.from,
            to,
            is_change: true,
            is_certain: succeeded && has_answer && !self.is_doubted && (is_own || !self.is_plain),
        };
        (claim, text("caller"))
    }
}
