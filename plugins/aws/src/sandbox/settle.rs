//! What comes of a call that was understood: its signature, the faults and answers on order, its
//! idempotency token, and then what the account says to it.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::time::Timestamp;

use super::fault::{self, FaultKind};
use super::reply::{Answer, Refusal, Reply};
use super::request::Asked;
use super::script::{self, Said};
use super::world::World;
use super::{Inside, Sandbox, described, fill, signature, trust};
use crate::client::blank;
use crate::{effect, params};

impl Sandbox {
    /// What comes of a call that was understood, and that in a word.
    pub(super) fn settle(
        &self,
        inside: &mut Inside,
        request: &Request<Bytes>,
        asked: &Asked,
        reply: &Reply,
        now: Timestamp,
    ) -> (Answer, String) {
        let is_open = asked.named.operation.authtype.as_deref() == Some("none");
        if self.checks_signatures && !is_open {
            let checked = signature::check(request, asked.dialect(), &inside.world.keys, now);
            let checked = checked.and_then(|()| inside.world.key_is_active(asked));
            if let Err(refusal) = checked {
                return (reply.refuse(&refusal), refusal.code().to_owned());
            }
        }
        if let Some(kind) = fault::take(&mut inside.faults, &asked.operation()) {
            return self.suffer(&mut inside.world, asked, reply, kind);
        }
        let said = script::take(&mut inside.rules, asked);
        let Some((said, after_ms)) = said else {
            let answered = self.apply(&mut inside.world, asked, reply.now);
            return (reply.give(asked, answered.clone()), outcome(&answered));
        };
        let (answer, outcome) = match said {
            Said::Fault(kind) => self.suffer(&mut inside.world, asked, reply, kind),
            Said::Error(refusal) => (reply.refuse(&refusal), refusal.code().to_owned()),
            Said::Output(value) => {
                let checked = checked(asked).and_then(|()| {
                    let earlier = inside.world.tokens.earlier(asked);
                    earlier.unwrap_or_else(|| {
                        inside.world.tokens.keep(asked, &value);
                        Ok(value)
                    })
                });
                let outcome = outcome(&checked);
                (reply.give(asked, checked), outcome)
            }
        };
        match after_ms {
            0 => (answer, outcome),
            after_ms => (Answer::Late { after_ms, then: Box::new(answer) }, outcome),
        }
    }

    /// Lets a fault happen to a call.
    fn suffer(
        &self,
        world: &mut World,
        asked: &Asked,
        reply: &Reply,
        kind: FaultKind,
    ) -> (Answer, String) {
        let name = format!("{kind:?}");
        if kind == FaultKind::CutBefore {
            return (Answer::Cut, name);
        }
        if !kind.applies() {
            return (reply.refuse(&kind.refusal(asked.dialect())), name);
        }
        if kind == FaultKind::AcceptWithoutEffect {
            let mut elsewhere = world.clone();
            let answered = self.apply(&mut elsewhere, asked, reply.now);
            world.accept_without_effect(elsewhere);
            return (reply.give(asked, answered), name);
        }
        let answered = self.apply(world, asked, reply.now);
        let answer = match (kind, reply.give(asked, answered)) {
            (FaultKind::CutMidway, Answer::Response(response)) => Answer::Torn(response),
            (FaultKind::Late { after_ms }, answer) => {
                Answer::Late { after_ms, then: Box::new(answer) }
            }
            (FaultKind::ServerErrorAfterApply, _) => {
                reply.refuse(&FaultKind::ServerError.refusal(asked.dialect()))
            }
            _ => Answer::Cut,
        };
        (answer, name)
    }

    fn apply(&self, world: &mut World, asked: &Asked, now: Timestamp) -> Result<Value, Refusal> {
        trust::admit(world, asked, now)?;
        checked(asked)?;
        if let Some(earlier) = world.tokens.earlier(asked) {
            return earlier;
        }
        let before = world.clone();
        let answered = match world.answer(asked, now) {
            Some(Err(_)) if self.imagines && !described::names_a_thing(world, &asked.params) => {
                Ok(fill::of_what_ended_well(asked, &world.account, now))
            }
            Some(answered) => answered,
            None => self.unplayed(world, asked, now),
        };
        let answered = answered.map(|value| if value.is_null() { json!({}) } else { value });
        match &answered {
            Ok(value) => world.tokens.keep(asked, value),
            Err(_) => *world = before,
        }
        answered
    }

    /// What is said of an operation that nobody here plays.
    fn unplayed(&self, world: &World, asked: &Asked, now: Timestamp) -> Result<Value, Refusal> {
        if self.imagines {
            return Ok(fill::of_what_ended_well(asked, &world.account, now));
        }
        if self.answers_everything {
            return Ok(fill::answer(asked, &world.account, now));
        }
        if effect::of(asked.named) == Effect::Read {
            let output = asked.named.operation.output.as_ref();
            return Ok(blank(asked.named.model, output.map(|output| &*output.shape)));
        }
        let why = format!("the sandbox does not play {}", asked.named);
        Err(Refusal::new(400, "NotImplemented", why))
    }
}

/// Holds the parameters of a call against the model of its operation, and its body against its
/// checksums.
fn checked(asked: &Asked) -> Result<(), Refusal> {
    if let Some(damage) = &asked.damage {
        return Err(damage.clone());
    }
    let mistakes = params::mistakes(asked.named, &asked.params);
    if mistakes.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(asked.dialect(), &mistakes.join("; ")))
}

fn outcome(answered: &Result<Value, Refusal>) -> String {
    answered.as_ref().map_or_else(|refusal| refusal.code(), |_| "ok").to_owned()
}
