//! What stands around a simulated run: the dice, the clock, and what a node has besides.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use serde_json::{Value, json};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::effect::{Effect, Mode, RetrySafety};
use stanch_engine_core::guard::rails::Rails;
use stanch_engine_core::id::{NodeId, RunId};
use stanch_engine_core::journal::Started;
use stanch_engine_core::json::Json;
use stanch_engine_core::operation::{IamActions, Operations};
use stanch_engine_core::playbook::{Bundle, LANGUAGE};
use stanch_engine_core::span::Span;
use stanch_engine_core::time::{Clock, Timestamp};
use stanch_engine_core::world::{Entropy, World};
use stanch_engine_script::{Interrupt, Program};
use stanch_engine_store::runs::Claimed;
use stanch_engine_store::{Options, Store, sqlite_url};
use stanch_plugins_sdk::{
    Action, ActionContext, ActionError, BoxFuture, Catalogue, Nature, Outcome,
};

use crate::evidence::{Items, Keys};
use crate::seal::Seals;
use crate::settings::{NotifySettings, Settings};
use crate::shared::{Parts, Shared};

const ACCOUNT: &str = "111122223333";

/// 2026-11-24T03:00:00Z.
const BEGINS_AT_US: i64 = 1_795_489_200_000_000;

/// A clock that jumps.
#[derive(Debug)]
pub(crate) struct JumpingClock(AtomicI64);

impl JumpingClock {
    pub(crate) fn jump_ms(&self, ms: i64) {
        self.0.fetch_add(ms * 1_000, Ordering::Relaxed);
    }

    pub(super) fn jump_to(&self, at: Timestamp) {
        self.0.fetch_max(at.micros(), Ordering::Relaxed);
    }

    pub(super) fn begin_again(&self) {
        self.0.store(BEGINS_AT_US, Ordering::Relaxed);
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, _: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::pending())
    }
}

/// Ids one after the other.
struct Counted(AtomicU64);

impl Entropy for Counted {
    fn next(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// Names no operation.
struct NoOperations;

impl Operations for NoOperations {
    fn effect(&self, operation: &str) -> Result<Effect, String> {
        Err(format!("no {operation} here"))
    }

    fn check(&self, _: &str, _: &Value) -> Result<(), Vec<String>> {
        Ok(())
    }

    fn waiter(&self, waiter: &str) -> Result<String, String> {
        Err(format!("no {waiter} here"))
    }

    fn iam_actions(&self, _: &str) -> Option<IamActions> {
        None
    }

    fn blank_answer(&self, _: &str) -> Value {
        Value::Null
    }
}

/// `world.do`: its input says by which rule it may be repeated. The simulation does it by itself.
struct Do;

impl Action for Do {
    fn name(&self) -> &'static str {
        "world.do"
    }

    fn classify(&self, input: &Value) -> Result<Nature, ActionError> {
        let safety = match input["safety"].as_str() {
            Some("natural" | "refused") => RetrySafety::Natural,
            Some("token") => RetrySafety::Token,
            Some("lookup") => RetrySafety::Lookup,
            _ => RetrySafety::Never,
        };
        Ok(Nature { effect: Effect::Change, safety })
    }

    fn run<'a>(
        &'a self,
        _: &'a ActionContext,
        _: &'a Value,
    ) -> BoxFuture<'a, Result<Outcome, ActionError>> {
        Box::pin(std::future::ready(Err(ActionError::permanent("simulated", "it is not called"))))
    }
}

/// What all nodes share.
pub(crate) struct Surroundings {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: Arc<JumpingClock>,
    _folder: tempfile::TempDir,
}

impl Surroundings {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(JumpingClock(AtomicI64::new(BEGINS_AT_US)));
        let world = World { clock: clock.clone(), entropy: Arc::new(Counted(AtomicU64::new(1))) };
        let url = sqlite_url(&folder.path().join("unused.db"));
        let keys = folder.path().join("keys");
        let parts = Parts {
            node: world.id(NodeId::new),
            settings: settings(folder.path()),
            store: Store::open(Options::new(url)).await.unwrap(),
            catalogue: Catalogue::new(Arc::new(NoOperations)).with_action(Arc::new(Do)),
            items: Items::open(folder.path().join("evidence"), 1).unwrap(),
            keys: Keys::open(&keys, &world).unwrap(),
            seals: Seals::open(&keys, &world).unwrap(),
            world,
        };
        Self { shared: Arc::new(Shared::new(parts)), clock, _folder: folder }
    }

    pub(super) fn compile(&self, text: &str) -> Rc<Program> {
        let bundle = Bundle { main: text.to_owned(), imports: Default::default() };
        Program::compile(&bundle, &Interrupt::default()).unwrap()
    }

    pub(crate) fn started(&self) -> Started {
        Started {
            playbook: "simulated".to_owned(),
            digest: Sha256::of("simulated"),
            language: LANGUAGE,
            generation: 1,
            requester: "a test".to_owned(),
            scope: Json::of(
                &json!({"alert": {"account": ACCOUNT}, "incident": (), "inputs": {}, "config": {}}),
            ),
            deadline_at: Timestamp::from_micros(i64::MAX / 2),
        }
    }
}

/// The one run there is, under a lease with this epoch.
pub(crate) fn claimed(digest: Sha256, epoch: i64) -> Claimed {
    Claimed {
        id: RunId::new(Timestamp::from_micros(1), 1),
        epoch,
        playbook: "simulated".to_owned(),
        digest,
        incident: None,
        alert: None,
        parent: None,
        depth: 0,
        base_seq: 0,
        recoveries: 0,
        restored_at: None,
        level: 0,
        is_limited: false,
    }
}

fn settings(folder: &std::path::Path) -> Settings {
    Settings {
        data_dir: folder.to_owned(),
        correlation: Vec::new(),
        storms: Vec::new(),
        silent_after: Default::default(),
        accounts: [(ACCOUNT.to_owned(), Mode::Auto)].into(),
        rails: Rails::default(),
        config: Value::Null,
        shards: 1,
        hot_runs: 1,
        lease: Some(Span::from_secs(10)),
        notify: NotifySettings::default(),
        targets: Default::default(),
        heartbeat: None,
        queues: Vec::new(),
        grace: Span::from_secs(1),
        public_url: String::new(),
        keep_journals: None,
        keep_evidence: None,
        anchor: None,
        bucket: None,
        signing_key: None,
        second_person: false,
        spans: Default::default(),
        digest: None,
        correlators: Default::default(),
        ocsf_out: Default::default(),
        write_back: Default::default(),
        trail_audit: None,
        requester_counts: false,
        vouches_for_people: false,
        break_glass: Vec::new(),
        roles: Default::default(),
        limits: Default::default(),
        cooldown: Default::default(),
        own_roles: Default::default(),
        reconcile: Default::default(),
        containments: Default::default(),
        updates: Default::default(),
        simulation: None,
    }
}
