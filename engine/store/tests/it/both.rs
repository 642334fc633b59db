//! Runs a body on each database, and makes the things that bodies need.

use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::{NodeId, RunId};
use stanch_engine_core::journal::{Entry, Event, Signalled, Started};
use stanch_engine_core::json::Json;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::runs::{self, Claimed, NewRun};
use stanch_engine_store::writer::{CommitSink, Committed, RunCommit, SinkId};
use stanch_engine_store::{Options, Store, StoreError, sqlite_url};
use tokio::sync::mpsc;

/// A store that goes with the test.
pub(crate) struct Fresh {
    pub(crate) store: Store,
    pub(crate) url: String,
    _keep: Box<dyn std::any::Any + Send>,
}

pub(crate) async fn sqlite() -> Fresh {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite_url(&folder.path().join("stanch.db"));
    let store = Store::open(Options::new(&url)).await.unwrap();
    Fresh { store, url, _keep: Box::new(folder) }
}

pub(crate) async fn postgres() -> Fresh {
    let database = stanch_tests::postgres::Database::create().await;
    let url = database.url().to_owned();
    let store = Store::open(Options::new(&url)).await.unwrap();
    Fresh { store, url, _keep: Box::new(database) }
}

/// `both! { name(fresh) { body } }` is two tests, `name::sqlite` and `name::postgres`.
macro_rules! both {
    ($($(#[$doc:meta])* $name:ident($fresh:ident) $body:block)*) => {$(
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn body($fresh: crate::both::Fresh) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                body(crate::both::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                body(crate::both::postgres().await).await;
            }
        }
    )*};
}
pub(crate) use both;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

pub(crate) fn run_id(number: u128) -> RunId {
    RunId::new(at(i64::try_from(number).unwrap()), number)
}

pub(crate) fn node(number: u128) -> NodeId {
    NodeId::new(at(1), number)
}

pub(crate) fn new_run(number: u128) -> NewRun {
    NewRun {
        id: run_id(number),
        playbook: "p".into(),
        digest: Sha256::of("p"),
        incident: None,
        alert: None,
        subject: None,
        parent: None,
        depth: 0,
        requester: "test".into(),
        at: at(i64::try_from(number).unwrap()),
        claim: None,
        restored_at: None,
        turn: stanch_engine_core::turn::Turn::default(),
    }
}

pub(crate) fn started() -> Started {
    Started {
        playbook: "p".into(),
        digest: Sha256::of("p"),
        language: 1,
        generation: 1,
        requester: "test".into(),
        scope: Json::of(&json!({})),
        deadline_at: at(1_000_000),
    }
}

pub(crate) fn entry(seq: u32) -> Entry {
    let event = Signalled {
        name: format!("it's \"{seq}\""),
        payload: Json::of(&json!({"n": seq})),
        by: None,
    };
    Entry { seq, at: at(i64::from(seq)), event: Event::Signalled(event) }
}

pub(crate) fn commit(number: u128, epoch: i64, entries: Vec<Entry>) -> RunCommit {
    let run = run_id(number);
    let (create, standing, consumed) = Default::default();
    RunCommit { run, epoch, create, entries, standing, consumed }
}

/// Appends, and waits for the outcome.
pub(crate) struct Appender {
    store: Store,
    sink: SinkId,
    outcomes: mpsc::UnboundedReceiver<Committed>,
}

struct Outcomes(mpsc::UnboundedSender<Committed>);

impl CommitSink for Outcomes {
    fn committed(&self, outcomes: Vec<Committed>) {
        for outcome in outcomes {
            self.0.send(outcome).unwrap();
        }
    }
}

impl Appender {
    pub(crate) fn of(store: &Store) -> Self {
        let (sender, outcomes) = mpsc::unbounded_channel();
        let sink = store.register(Arc::new(Outcomes(sender)));
        Self { store: store.clone(), sink, outcomes }
    }

    pub(crate) async fn append(&mut self, commits: Vec<RunCommit>) -> Vec<Result<(), StoreError>> {
        let mut order: Vec<_> = commits.iter().map(|c| (c.run, None)).collect();
        self.store.append(self.sink, commits);
        for _ in 0..order.len() {
            let outcome = self.outcomes.recv().await.unwrap();
            let place =
                order.iter_mut().find(|(run, r)| *run == outcome.run && r.is_none()).unwrap();
            place.1 = Some(outcome.result);
        }
        order.into_iter().map(|(_, result)| result.unwrap()).collect()
    }

    pub(crate) async fn append_one(&mut self, commit: RunCommit) -> Result<(), StoreError> {
        self.append(vec![commit]).await.remove(0)
    }
}

pub(crate) async fn insert(store: &Store, run: NewRun) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            let run = run.clone();
            Box::pin(async move { runs::insert(tx, &run, &started()).await })
        })
        .await
}

pub(crate) async fn claim(store: &Store, by: NodeId, now: Timestamp, limit: u32) -> Vec<Claimed> {
    let until = now.plus_ms(10_000);
    store
        .write(move |tx| Box::pin(async move { runs::claim(tx, by, until, now, limit).await }))
        .await
        .unwrap()
}

pub(crate) async fn status(store: &Store, number: u128) -> stanch_engine_core::run::RunStatus {
    let run = store
        .read(|conn| Box::pin(async move { runs::get(conn, run_id(number)).await }))
        .await
        .unwrap();
    run.unwrap().status
}
