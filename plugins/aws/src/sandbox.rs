//! A stand-in for AWS: for `stanch demo`, and for tests that need an AWS that does as it is told.
//!
//! Owns: reading requests as AWS would, checking them against AWS's models, the state of a small
//! account, faults on order, and answers in each protocol's form.
//!
//! Must never: open a socket, read a clock or draw randomness. Whoever listens hands requests in,
//! with the time.
//!
//! Start reading at [`Sandbox::answer`].

mod demo;
mod ec2;
mod fault;
mod finding;
mod form;
mod iam;
mod json;
mod reply;
mod request;
#[cfg(test)]
mod round_trip;
mod ssm;
mod topic;
mod trail;
mod trust;
mod world;
mod xml;

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::Value;
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::time::Timestamp;

pub use fault::{Fault, FaultKind};
pub use reply::Answer;
pub use trust::TrustedRole;
pub use world::Published;

use crate::client::blank;
use crate::model::{ModelError, ModelStore};
use crate::settings::StaticCredentials;
use crate::{effect, params};
use reply::{Refusal, Reply};
use request::Asked;
use world::World;

/// A stand-in for AWS.
pub struct Sandbox {
    models: ModelStore,
    inside: Mutex<Inside>,
}

struct Inside {
    world: World,
    faults: Vec<Fault>,
    calls: Vec<SandboxCall>,
}

/// A call that reached the sandbox.
#[derive(Clone, Debug, PartialEq)]
pub struct SandboxCall {
    /// The operation, such as `iam:UpdateAccessKey`.
    pub operation: String,
    /// Its parameters.
    pub params: Value,
    /// The access key that it was signed with.
    pub access_key_id: String,
    /// The region that it was signed for.
    pub region: String,
    /// The idempotency token, if it carried one.
    pub token: Option<String>,
}

impl Sandbox {
    /// An account with nothing in it.
    ///
    /// # Errors
    /// When the models that are compiled in are broken.
    pub fn new(account: &str) -> Result<Self, ModelError> {
        Self::of(World::new(account))
    }

    /// The account of the demo's story, as it stands at that time: a key of the user `ci-deploy`
    /// is used from a listed address, and the instance `web-1` talks to a host that it ought not
    /// to know.
    ///
    /// # Errors
    /// When the models that are compiled in are broken.
    pub fn demo(now: Timestamp) -> Result<Self, ModelError> {
        Self::of(demo::world(now))
    }

    /// Credentials of a role in any sandbox's account. AWS's documentation keeps them for examples.
    pub fn runner() -> StaticCredentials {
        StaticCredentials {
            access_key_id: "AKIAI44QH8DHBEXAMPLE".to_owned(),
            secret_access_key: "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY".to_owned(),
            session_token: None,
        }
    }

    /// The event by which GuardDuty tells of the demo's key.
    pub fn demo_finding(now: Timestamp) -> Value {
        finding::event(finding::of_key(now), now)
    }

    /// The event by which GuardDuty tells of the demo's instance.
    pub fn demo_instance_finding(now: Timestamp) -> Value {
        finding::event(finding::of_instance(now), now)
    }

    fn of(world: World) -> Result<Self, ModelError> {
        let inside = Inside { world, faults: Vec::new(), calls: Vec::new() };
        Ok(Self { models: ModelStore::open(None)?, inside: Mutex::new(inside) })
    }

    /// Orders a fault. Of several for one operation, the first ordered comes first.
    pub fn fault(&self, fault: Fault) {
        self.inside().faults.push(fault);
    }

    /// Every call so far, those that were refused or cut among them.
    pub fn calls(&self) -> Vec<SandboxCall> {
        self.inside().calls.clone()
    }

    /// Everything that was published to topics so far.
    pub fn published(&self) -> Vec<Published> {
        self.inside().world.published.clone()
    }

    /// Adds events to the trail, in the form in which `cloudtrail:LookupEvents` answers them, with
    /// `awsRegion` in the text of each.
    pub fn add_events(&self, events: impl IntoIterator<Item = Value>) {
        self.inside().world.trail.extend(events);
    }

    /// Adds a role that can be taken.
    pub fn add_role(&self, role: TrustedRole) {
        self.inside().world.roles.push(role);
    }

    /// Adds findings, in the form in which `guardduty:GetFindings` answers them.
    pub fn add_findings(&self, findings: impl IntoIterator<Item = Value>) {
        self.inside().world.findings.extend(findings);
    }

    /// Answers a request that arrived at that time.
    pub fn answer(&self, request: &http::Request<Bytes>, now: Timestamp) -> Answer {
        let mut inside = self.inside();
        let id = inside.world.next_request_id();
        let asked = match request::read(&self.models, request) {
            Ok(asked) => asked,
            Err((dialect, refusal)) => return Reply { dialect, id, now }.refuse(&refusal),
        };
        let reply = Reply { dialect: asked.dialect(), id, now };
        inside.calls.push(asked.call());
        let fault = fault::take(&mut inside.faults, &asked.operation());
        match fault {
            Some(FaultKind::CutBefore) => Answer::Cut,
            Some(FaultKind::CutAfterApply) => {
                let _lost = self.apply(&mut inside.world, &asked, now);
                Answer::Cut
            }
            Some(FaultKind::AcceptWithoutEffect) => {
                let mut elsewhere = inside.world.clone();
                let answered = self.apply(&mut elsewhere, &asked, now);
                inside.world.accept_without_effect(elsewhere);
                reply.give(&asked, answered)
            }
            Some(kind) => reply.refuse(&kind.refusal(asked.dialect())),
            None => {
                let answered = self.apply(&mut inside.world, &asked, now);
                reply.give(&asked, answered)
            }
        }
    }

    fn apply(&self, world: &mut World, asked: &Asked, now: Timestamp) -> Result<Value, Refusal> {
        trust::admit(world, asked, now)?;
        let mistakes = params::mistakes(asked.named, &asked.params);
        if !mistakes.is_empty() {
            return Err(Refusal::invalid(asked.dialect(), &mistakes.join("; ")));
        }
        let before = world.clone();
        let answered = world.answer(asked, now).unwrap_or_else(|| {
            // What is not played: a look finds nothing, and a change is refused.
            if effect::of(asked.named) == Effect::Read {
                let output = asked.named.operation.output.as_ref();
                return Ok(blank(asked.named.model, output.map(|output| &*output.shape)));
            }
            let why = format!("the sandbox does not play {}", asked.named);
            Err(Refusal::new(400, "NotImplemented", why))
        });
        if answered.is_err() {
            *world = before;
        }
        answered
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
