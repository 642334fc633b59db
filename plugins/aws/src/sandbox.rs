//! A stand-in for AWS: for `stanch aws sandbox`, `stanch demo`, and for tests that need an AWS that
//! does as it is told.
//!
//! Owns: reading requests as AWS would, checking their signatures and holding them against AWS's
//! models, the state of a small account, faults and answers on order, idempotency tokens, and
//! answers in each protocol's form.
//!
//! Must never: open a socket, read a clock or draw randomness. Whoever listens hands requests in,
//! with the time.
//!
//! Start reading at [`Sandbox::answer`].

mod cbor;
mod checksum;
mod command;
mod compliance;
mod control;
mod demo;
mod described;
mod detective;
mod document;
mod ec2;
mod element;
mod fault;
mod fill;
mod finding;
mod form;
mod group;
mod guardduty;
mod hub;
mod hub_v2;
mod iam;
mod json;
mod keys;
mod kms;
mod ledger;
mod machine;
mod page;
mod reply;
mod request;
mod rest;
#[cfg(test)]
mod round_trip;
mod route;
mod scope;
mod script;
mod settle;
mod signature;
mod ssm;
mod state;
mod tokens;
mod topic;
mod trail;
mod trust;
mod users;
mod world;
mod xml;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::Request;
use serde_json::Value;
use stanch_plugins_sdk::core::alert::Alert;
use stanch_plugins_sdk::core::time::Timestamp;

pub use fault::{Fault, FaultKind};
pub use reply::Answer;
pub use trust::TrustedRole;
pub use world::Published;

use crate::model::{ModelError, ModelStore};
use crate::settings::StaticCredentials;
use reply::Reply;
use script::Rule;
use world::World;

/// A stand-in for AWS.
pub struct Sandbox {
    models: ModelStore,
    checks_signatures: bool,
    answers_everything: bool,
    imagines: bool,
    inside: Mutex<Inside>,
}

struct Inside {
    world: World,
    faults: Vec<Fault>,
    rules: Vec<Rule>,
    calls: Vec<SandboxCall>,
    /// Calls that [`Sandbox::fresh_log`] has given out.
    logged: usize,
    ahead_ms: i64,
}

/// A call that reached the sandbox.
#[derive(Clone, Debug, Default, PartialEq)]
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
    /// When it arrived.
    pub at: Timestamp,
    /// The id that it was given.
    pub request_id: String,
    /// What came of it: `ok`, AWS's code of a no, or the fault that happened to it.
    pub outcome: String,
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

    /// The account that an alert is about, with the users, keys and instances that it names.
    ///
    /// # Errors
    /// When the models that are compiled in are broken.
    pub fn described(alert: &Alert, account: &str, now: Timestamp) -> Result<Self, ModelError> {
        Self::of(described::world(alert, account, now))
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

    fn of(mut world: World) -> Result<Self, ModelError> {
        world.keys.add_credentials(Self::runner());
        let inside = Inside {
            world,
            faults: Vec::new(),
            rules: Vec::new(),
            calls: Vec::new(),
            logged: 0,
            ahead_ms: 0,
        };
        Ok(Self {
            models: ModelStore::open(None)?,
            checks_signatures: false,
            answers_everything: false,
            imagines: false,
            inside: Mutex::new(inside),
        })
    }

    /// Refuses, from now on, what is not signed as AWS demands it: with a key that is known, and
    /// within a quarter of an hour.
    #[must_use]
    pub fn checking_signatures(mut self) -> Self {
        self.checks_signatures = true;
        self
    }

    /// Answers, from now on, whatever is called in the right way: what it does not play with every
    /// member filled. Otherwise a look at it finds nothing, and a change is refused.
    #[must_use]
    pub fn answering_everything(mut self) -> Self {
        self.answers_everything = true;
        self
    }

    /// Imagines, from now on, what is not in its account: a look at it finds it with every member
    /// filled, a change of it is taken, what goes on has ended well, and whichever role is taken in
    /// whichever account is there. It is for simulations, where nobody knows what there would be.
    #[must_use]
    pub fn imagining(mut self) -> Self {
        self.answers_everything = true;
        self.imagines = true;
        self.inside().world.any_role = true;
        self
    }

    /// Takes models from a folder too, as `--models` does.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn with_models(mut self, folder: &Path) -> Result<Self, ModelError> {
        self.models = ModelStore::open(Some(folder))?;
        Ok(self)
    }

    /// Knows credentials from now on.
    pub fn know(&self, credentials: StaticCredentials) {
        self.inside().world.keys.add_credentials(credentials);
    }

    /// Takes a script: `{"answers": […], "faults": […], "state": {…}}`
    /// (`docs/sandbox.md`).
    ///
    /// # Errors
    /// In words, when it can't be one. Nothing of it is taken then.
    pub fn load(&self, script: Value, now: Timestamp) -> Result<(), String> {
        state::load(&self.models, &mut self.inside(), script, now)
    }

    /// Orders a fault. Of several for one operation, the first ordered comes first.
    pub fn fault(&self, fault: Fault) {
        self.inside().faults.push(fault);
    }

    /// Every call so far, those that were refused or cut among them.
    pub fn calls(&self) -> Vec<SandboxCall> {
        self.inside().calls.clone()
    }

    /// Every call so far as lines of a log, without what AWS calls a secret.
    pub fn log(&self) -> Vec<Value> {
        self.calls().into_iter().map(|call| control::logged(&self.models, call)).collect()
    }

    /// The lines of the log that this has not given out before.
    pub fn fresh_log(&self) -> Vec<Value> {
        let fresh: Vec<SandboxCall> = {
            let mut inside = self.inside();
            let fresh = inside.calls.iter().skip(inside.logged).cloned().collect();
            inside.logged = inside.calls.len();
            fresh
        };
        fresh.into_iter().map(|call| control::logged(&self.models, call)).collect()
    }

    /// Everything that was published to topics so far.
    pub fn published(&self) -> Vec<Published> {
        self.inside().world.published.clone()
    }

    /// Adds events to the trail, in the form in which `cloudtrail:LookupEvents` answers them, with
    /// `awsRegion` in the text of each.
    pub fn add_events(&self, events: impl IntoIterator<Item = Value>) {
        self.inside().world.trail_mut().extend(events);
    }

    /// Writes every call under the session of a role to the trail from now on, but those of these
    /// operations.
    pub fn record_trail(&self, but: &[&str]) {
        let but = but.iter().map(|operation| (*operation).to_owned()).collect();
        self.inside().world.unrecorded = Some(but);
    }

    /// Adds a file of CloudTrail to the trail, packed or not, and says how many events it had.
    ///
    /// # Errors
    /// In words, when it is no file of CloudTrail.
    pub fn add_trail(&self, file: &[u8]) -> Result<usize, String> {
        let events = trail::of_file(file)?;
        let count = events.len();
        let mut inside = self.inside();
        let trail = inside.world.trail_mut();
        trail.extend(events);
        trail::newest_first(trail);
        Ok(count)
    }

    /// Changes the text of the runbook `AWSSupport-ContainEC2Instance`, and with it its hash.
    pub fn change_document(&self, hash: &str) {
        hash.clone_into(&mut self.inside().world.document_hash);
    }

    /// Adds a role that can be taken.
    pub fn add_role(&self, role: TrustedRole) {
        let mut inside = self.inside();
        inside.world.roles.retain(|known| known.arn != role.arn);
        inside.world.roles.push(role);
    }

    /// Adds findings, in the form in which `guardduty:GetFindings` answers them.
    pub fn add_findings(&self, findings: impl IntoIterator<Item = Value>) {
        self.inside().world.findings.extend(findings);
    }

    /// Plays operations by manners from now on, which say what AWS does when it is asked for the
    /// same twice: `{"ec2:CopySnapshot": {"does": "each"}}`. What took place by earlier ones is
    /// forgotten.
    ///
    /// # Errors
    /// In words, when they can't be read.
    pub fn play_by(&self, manners: Value) -> Result<(), String> {
        self.inside().world.ledger = ledger::Ledger::of(manners)?;
        Ok(())
    }

    /// What took place by an operation that is played by a manner, each with its `id` and its
    /// `params`.
    pub fn made(&self, operation: &str) -> Vec<Value> {
        self.inside().world.ledger.things(operation).to_vec()
    }

    /// Answers a request that arrived at that time.
    pub fn answer(&self, request: &Request<Bytes>, now: Timestamp) -> Answer {
        if let Some(answer) = control::answer(self, request, now) {
            return answer;
        }
        let mut inside = self.inside();
        let at = now.plus_ms(inside.ahead_ms);
        inside.world.go_on(at);
        let id = inside.world.next_request_id();
        let read = request::read(&self.models, request);
        let dialect = match &read {
            Ok(asked) => asked.dialect(),
            Err((dialect, _)) => *dialect,
        };
        let reply = Reply { dialect, id: id.clone(), now: at };
        let mut call = match &read {
            Ok(asked) => asked.call(),
            Err(_) => SandboxCall { operation: "-".to_owned(), ..SandboxCall::default() },
        };
        let (answer, outcome) = match read {
            Ok(asked) => {
                let settled = self.settle(&mut inside, request, &asked, &reply, now);
                trail::note(&mut inside.world, &asked, &id, &settled.1, at);
                settled
            }
            Err((_, refusal)) => (reply.refuse(&refusal), refusal.code().to_owned()),
        };
        call.at = at;
        call.request_id = id;
        call.outcome = outcome;
        inside.calls.push(call);
        answer
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
