//! What a shard is told, and the way to it.

use std::sync::{Arc, mpsc};

use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::{Entry, Started};
use stanch_engine_core::playbook::Bundle;
use stanch_engine_store::StoreError;
use stanch_engine_store::inbox::Fact;
use stanch_engine_store::runs::{Claimed, NewRun};
use stanch_engine_store::writer::{CommitSink, Committed};
use tokio::sync::oneshot;

use crate::executor::large::Bodies;
use crate::job::JobDone;
use crate::room::Place;

/// What a shard is told.
pub(crate) enum Message {
    /// A run is to be worked on.
    Begin(Box<Begin>),
    /// Appends were committed, or not.
    Committed(Vec<Committed>),
    /// A job came to an end that was begun under a lease with this epoch.
    Done(RunId, i64, JobDone),
    /// Facts came into a run's inbox.
    Facts(RunId, Vec<Fact>),
    /// Something of a run may be due.
    Wake(RunId),
    /// The leases that the node has of runs of this shard.
    Held(Vec<(RunId, i64)>),
    /// Time has passed.
    Tick,
    /// No new work; tell when every commit is through and every job has ended.
    Drain(oneshot::Sender<()>),
    /// The time for that is over: let go of everything.
    Abandon,
}

/// A run that is to be worked on.
pub(crate) enum Begin {
    /// One that was claimed.
    Claimed {
        claimed: Claimed,
        place: Place,
        bundle: Arc<Bundle>,
        entries: Vec<Entry>,
        bodies: Bodies,
        facts: Vec<Fact>,
    },
    /// One that does not exist yet.
    New {
        new: NewRun,
        started: Started,
        bundle: Arc<Bundle>,
        created: oneshot::Sender<Result<(), StoreError>>,
        place: Place,
    },
}

/// The way to a shard.
#[derive(Clone)]
pub(crate) struct ShardHandle {
    pub(crate) messages: mpsc::Sender<Message>,
}

impl ShardHandle {
    /// Tells the shard something. A shard ends only with the process.
    pub(crate) fn tell(&self, message: Message) {
        drop(self.messages.send(message));
    }
}

pub(super) struct Outcomes(pub(super) mpsc::Sender<Message>);

impl CommitSink for Outcomes {
    fn committed(&self, outcomes: Vec<Committed>) {
        drop(self.0.send(Message::Committed(outcomes)));
    }
}
