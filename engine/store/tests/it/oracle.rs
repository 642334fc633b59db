//! What the store promises of runs, leases, journals and inboxes, in memory and without a database.

use std::collections::BTreeMap;

use stanch_engine_core::run::RunStatus;

/// A run, as it should stand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) status: RunStatus,
    pub(crate) wake_at: Option<i64>,
    /// The numbers of its entries.
    pub(crate) journal: Vec<u32>,
    /// The numbers of the facts in its inbox, in the order in which they came.
    pub(crate) inbox: Vec<u128>,
    node: Option<u128>,
    epoch: i64,
    lease_until: Option<i64>,
    recoveries: i64,
    recovered_seq: Option<u32>,
}

/// Why an append is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum No {
    Fenced,
    Conflict,
}

/// An append, and where the run stands after it.
#[derive(Clone, Debug)]
pub(crate) struct Append {
    pub(crate) run: u128,
    pub(crate) epoch: i64,
    pub(crate) seq: u32,
    pub(crate) standing: Option<(RunStatus, Option<i64>)>,
    pub(crate) consumed: Vec<u128>,
}

/// All runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    pub(crate) runs: BTreeMap<u128, Row>,
}

/// A claimed run: its number, its epoch and its recoveries.
pub(crate) type Claim = (u128, i64, i64);

fn is_final(status: RunStatus) -> bool {
    matches!(status, RunStatus::Succeeded | RunStatus::Failed | RunStatus::Cancelled)
}

impl Row {
    fn lease(&mut self, node: u128, until: i64) {
        (self.status, self.node, self.lease_until) = (RunStatus::Running, Some(node), Some(until));
        self.epoch += 1;
        self.wake_at = None;
    }

    fn queue(&mut self) {
        (self.status, self.node, self.lease_until) = (RunStatus::Queued, None, None);
    }

    fn is_held_by(&self, node: u128) -> bool {
        self.status == RunStatus::Running && self.node == Some(node)
    }
}

impl Oracle {
    pub(crate) fn insert(&mut self, number: u128) {
        let row = Row {
            status: RunStatus::Queued,
            wake_at: None,
            journal: vec![0],
            inbox: Vec::new(),
            node: None,
            epoch: 0,
            lease_until: None,
            recoveries: 0,
            recovered_seq: None,
        };
        self.runs.insert(number, row);
    }

    /// The oldest that are queued and those that were due first, by turns.
    pub(crate) fn claim(&mut self, node: u128, now: i64, until: i64, limit: usize) -> Vec<Claim> {
        let of = |status| self.runs.iter().filter(move |(_, row)| row.status == status);
        let queued: Vec<u128> = of(RunStatus::Queued).map(|(n, _)| *n).collect();
        let mut due: Vec<(i64, u128)> = of(RunStatus::Waiting)
            .filter_map(|(n, row)| Some((row.wake_at.filter(|at| *at <= now)?, *n)))
            .collect();
        due.sort_unstable();
        let due: Vec<u128> = due.into_iter().map(|(_, number)| number).collect();
        let turns = 0..queued.len().max(due.len());
        let turns = turns.flat_map(|turn| [queued.get(turn), due.get(turn)]);
        let mut chosen: Vec<u128> = turns.flatten().copied().take(limit).collect();
        chosen.sort_unstable();
        chosen.into_iter().filter_map(|number| self.lease(number, node, until)).collect()
    }

    fn lease(&mut self, number: u128, node: u128, until: i64) -> Option<Claim> {
        let row = self.runs.get_mut(&number)?;
        row.lease(node, until);
        Some((number, row.epoch, row.recoveries))
    }

    pub(crate) fn claim_one(&mut self, number: u128, node: u128, until: i64) -> Option<Claim> {
        let is_queued = self.runs.get(&number)?.status == RunStatus::Queued;
        is_queued.then(|| self.lease(number, node, until)).flatten()
    }

    pub(crate) fn append(&mut self, append: &Append) -> Result<(), No> {
        let row = self.runs.get_mut(&append.run).ok_or(No::Fenced)?;
        if row.epoch != append.epoch {
            return Err(No::Fenced);
        }
        if row.journal.contains(&append.seq) {
            return Err(No::Conflict);
        }
        if append.standing.is_some() && row.status != RunStatus::Running {
            return Err(No::Fenced);
        }
        row.journal.push(append.seq);
        row.inbox.retain(|fact| !append.consumed.contains(fact));
        if let Some((status, wake_at)) = append.standing {
            row.queue();
            row.status = match is_final(status) || row.inbox.is_empty() {
                true => status,
                false => RunStatus::Queued,
            };
            (row.wake_at, row.recoveries) = (wake_at, 0);
        }
        Ok(())
    }

    pub(crate) fn put(&mut self, number: u128, fact: u128) {
        let Some(row) = self.runs.get_mut(&number) else { return };
        if is_final(row.status) {
            return;
        }
        if row.status != RunStatus::Running {
            row.status = RunStatus::Queued;
        }
        row.inbox.push(fact);
    }

    pub(crate) fn renew(&mut self, node: u128, until: i64) {
        for row in self.runs.values_mut().filter(|row| row.is_held_by(node)) {
            row.lease_until = Some(until);
        }
    }

    pub(crate) fn release(&mut self, number: u128, epoch: i64) {
        let row = self.runs.get_mut(&number);
        if let Some(row) = row.filter(|r| r.epoch == epoch && r.status == RunStatus::Running) {
            row.queue();
        }
    }

    pub(crate) fn release_node(&mut self, node: u128) {
        self.runs.values_mut().filter(|row| row.is_held_by(node)).for_each(Row::queue);
    }

    pub(crate) fn take_over(&mut self, before: i64) -> u64 {
        let lapsed = |row: &&mut Row| {
            row.status == RunStatus::Running && row.lease_until.is_some_and(|until| until < before)
        };
        let mut taken = 0;
        for row in self.runs.values_mut().filter(lapsed) {
            let last = row.journal.iter().max().copied();
            row.recoveries = if row.recovered_seq == last { row.recoveries + 1 } else { 1 };
            row.recovered_seq = last;
            row.queue();
            taken += 1;
        }
        taken
    }

    pub(crate) fn next_wake(&self) -> Option<i64> {
        let waiting = self.runs.values().filter(|row| row.status == RunStatus::Waiting);
        waiting.filter_map(|row| row.wake_at).min()
    }

    /// The epoch of a run, as its holder knows it.
    pub(crate) fn epoch(&self, number: u128) -> i64 {
        self.runs.get(&number).map_or(0, |row| row.epoch)
    }
}
