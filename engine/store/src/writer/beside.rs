//! Lanes beside the writer on Postgres, for what many senders bring at the same time.
//!
//! Taking an alert is a dozen statements, each of which waits for the way to the database and back. In
//! one line behind each other they wait for nothing else: so they go over some connections at once.
//! Postgres sees to it that they come out as if they had come one after the other: what a
//! transaction has read and changes must not have been changed meanwhile (`REPEATABLE READ`), as
//! between nodes. Whoever lost such a race tries again while the others wait: within this node it can't
//! lose twice, and against other nodes it tries until it is its turn.
//!
//! One more lane is for what comes too late when it waits: a node that holds its leases. Whatever else
//! the node writes may take as long as it takes.
//!
//! SQLite has one writer, and its statements wait for nothing.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use tokio::sync::{RwLock, mpsc};

use super::Part;
use super::lane::Lane;
use crate::dialect::Dialect;

/// How many connections. More give nothing on two cores.
const LANES: usize = 6;

/// <https://www.postgresql.org/docs/15/transaction-iso.html#XACT-REPEATABLE-READ>
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ";

/// An alert and a run that it tells lock the same rows in another order than the run's own commit does.
/// Whoever is beside gives way, long before Postgres looks for a circle (which it does after a second), and
/// tries again.
const SETTING: &str = "SET lock_timeout = '100ms'";

/// A lane, and the line in front of it.
type Waited = (Lane, mpsc::UnboundedReceiver<Part>);

/// The lines in front of the lanes.
#[derive(Default)]
pub(super) struct Beside {
    lines: Vec<mpsc::UnboundedSender<Part>>,
    apart: Option<mpsc::UnboundedSender<Part>>,
}

impl Beside {
    /// The lanes beside one, and their lines. None of them connects before something waits for it.
    pub(super) fn of(writer: &Lane) -> (Self, Vec<Waited>) {
        let (mut beside, mut lanes) = (Self::default(), Vec::new());
        if writer.dialect == Dialect::Sqlite {
            return (beside, lanes);
        }
        let turn = Arc::new(RwLock::new(()));
        for _ in 0..LANES {
            let (line, waiting) = mpsc::unbounded_channel();
            let mut lane = writer.another(turn.clone());
            // Each commits by itself, and the database has commits of one moment share a flush: a
            // part that held what another waits for would hold it for as long as its neighbours take.
            (lane.setting, lane.begin, lane.most) = (Some(SETTING), BEGIN, 1);
            beside.lines.push(line);
            lanes.push((lane, waiting));
        }
        let (line, waiting) = mpsc::unbounded_channel();
        let mut lane = writer.another(Arc::default());
        lane.most = 1;
        beside.apart = Some(line);
        lanes.push((lane, waiting));
        (beside, lanes)
    }

    /// The line for what has this key: what is about the same thing stays in one line, since it would
    /// change the same rows.
    pub(super) fn lane(&self, key: &str) -> Option<&mpsc::UnboundedSender<Part>> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let lanes = u64::try_from(self.lines.len()).ok().filter(|lanes| *lanes > 0)?;
        self.lines.get(usize::try_from(hasher.finish() % lanes).ok()?)
    }

    /// The line of what must not wait for anything else.
    pub(super) fn apart(&self) -> Option<&mpsc::UnboundedSender<Part>> {
        self.apart.as_ref()
    }

    pub(super) fn lanes(&self) -> impl Iterator<Item = &mpsc::UnboundedSender<Part>> {
        self.lines.iter().chain(&self.apart)
    }
}
