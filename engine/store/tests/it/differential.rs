//! SQLite, Postgres and the oracle are given the same operations by chance, and must answer the same
//! and stand the same after each of them.
//!
//! A failure names its seed; `STANCH_TEST_SEED=N` plays that one alone, and `STANCH_TEST_SEEDS=N` so
//! many.

use stanch_engine_core::id::InboxId;
use stanch_engine_core::json::Json;
use stanch_engine_core::run::{ParkReason, RunStatus};
use stanch_engine_store::inbox::{self, Fact, FactKind};
use stanch_engine_store::runs::{self, Standing};
use stanch_engine_store::{Store, StoreError, journal};
use stanch_tests::chance::Chance;

use crate::both::{Appender, Fresh, at, claim, commit, entry, insert, new_run, node, run_id};
use crate::oracle::{Append, Claim, No, Oracle};

/// Operations of one seed.
const OPERATIONS: usize = 120;

/// Seeds that are played usually; each takes some seconds.
const SEEDS: u64 = 2;

/// How long leases hold, in seconds.
const LEASE: i64 = 10;

/// One operation.
#[derive(Clone, Debug)]
enum Op {
    Insert(u128),
    Claim { node: u128, limit: u32 },
    ClaimOne { run: u128, node: u128 },
    Append(Append),
    Put { run: u128, fact: u128 },
    Renew(u128),
    Release { run: u128, epoch: i64 },
    ReleaseNode(u128),
    TakeOver,
}

/// What came of one.
#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Nothing,
    Claims(Vec<Claim>),
    Appended(Result<(), No>),
    Taken(u64),
}

/// What is done next.
struct Dice(Chance);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0.below(usize::try_from(sides).unwrap()) as u64
    }

    /// The next operation, likely enough to succeed and likely enough not to.
    fn op(&mut self, oracle: &Oracle, number: usize) -> Op {
        let known = oracle.runs.len() as u64;
        let run = u128::from(self.roll(known.max(1)) + 1);
        let by = u128::from(self.roll(3) + 1);
        let stale = i64::from(self.roll(5) == 0);
        let epoch = oracle.epoch(run) - stale;
        match self.roll(20) {
            0..=3 if known < 12 => Op::Insert(u128::from(known) + 1),
            0..=5 => Op::Claim { node: by, limit: u32::try_from(self.roll(4)).unwrap() + 1 },
            6 => Op::ClaimOne { run, node: by },
            7..=12 => Op::Append(self.append(oracle, run, epoch, number)),
            13..=15 => Op::Put { run, fact: number as u128 + 1 },
            16 => Op::Renew(by),
            17 => Op::Release { run, epoch },
            18 => Op::ReleaseNode(by),
            _ => Op::TakeOver,
        }
    }

    fn append(&mut self, oracle: &Oracle, run: u128, epoch: i64, number: usize) -> Append {
        let row = oracle.runs.get(&run);
        let last = row.and_then(|row| row.journal.iter().max().copied()).unwrap_or_default();
        let seq = if self.roll(8) == 0 { last } else { last + 1 };
        let inbox = row.map(|row| row.inbox.clone()).unwrap_or_default();
        let consumed = inbox.into_iter().filter(|_| self.roll(2) == 0).collect();
        // No two runs are due at the same time: which of them comes first, nobody promises.
        let due = i64::try_from(number).unwrap() + i64::try_from(self.roll(3)).unwrap() * 1_000;
        let standing = match self.roll(8) {
            0 | 1 => Some((RunStatus::Waiting, Some(due))),
            2 => Some((RunStatus::Waiting, None)),
            3 => Some((RunStatus::Paused, None)),
            4 => Some((RunStatus::Parked, None)),
            5 => Some((RunStatus::Succeeded, None)),
            _ => None,
        };
        Append { run, epoch, seq, standing, consumed }
    }
}

/// Tells the oracle.
fn foretell(oracle: &mut Oracle, op: &Op, now: i64) -> Answer {
    match op.clone() {
        Op::Insert(run) => oracle.insert(run),
        Op::Claim { node, limit } => {
            return Answer::Claims(oracle.claim(node, now, now + LEASE, limit as usize));
        }
        Op::ClaimOne { run, node } => {
            let claimed = oracle.claim_one(run, node, now + LEASE);
            return Answer::Claims(claimed.into_iter().collect());
        }
        Op::Append(append) => return Answer::Appended(oracle.append(&append)),
        Op::Put { run, fact } => oracle.put(run, fact),
        Op::Renew(node) => oracle.renew(node, now + LEASE),
        Op::Release { run, epoch } => oracle.release(run, epoch),
        Op::ReleaseNode(node) => oracle.release_node(node),
        Op::TakeOver => return Answer::Taken(oracle.take_over(now)),
    }
    Answer::Nothing
}

/// Does it to a database.
async fn carry_out(store: &Store, appender: &mut Appender, op: &Op, now: i64) -> Answer {
    let claimed = |run: runs::Claimed| {
        let number = (1..=20).find(|n| run_id(*n) == run.id).unwrap();
        (number, run.epoch, run.recoveries)
    };
    let done: Result<(), StoreError> = match op.clone() {
        Op::Insert(run) => insert(store, new_run(run)).await,
        Op::Claim { node: by, limit } => {
            let found = claim(store, node(by), at(now), limit).await;
            return Answer::Claims(found.into_iter().map(claimed).collect());
        }
        Op::ClaimOne { run, node: by } => {
            let (by, until, now) = (node(by), at(now + LEASE), at(now));
            let found = store.write(move |tx| {
                Box::pin(async move { runs::claim_one(tx, run_id(run), by, until, now).await })
            });
            return Answer::Claims(found.await.unwrap().into_iter().map(claimed).collect());
        }
        Op::Append(append) => {
            return Answer::Appended(match appender.append_one(row_of(&append, now)).await {
                Ok(()) => Ok(()),
                Err(StoreError::Fenced) => Err(No::Fenced),
                Err(StoreError::Conflict(_)) => Err(No::Conflict),
                Err(other) => panic!("{other}"),
            });
        }
        Op::Put { run, fact } => {
            let fact = fact_of(run, fact);
            let put = store.write(move |tx| {
                let fact = fact.clone();
                Box::pin(async move { inbox::put(tx, &fact).await })
            });
            put.await
        }
        Op::Renew(by) => {
            let until = at(now + LEASE);
            store
                .write(move |tx| Box::pin(async move { runs::renew(tx, node(by), until).await }))
                .await
        }
        Op::Release { run, epoch } => {
            let release = store.write(move |tx| {
                Box::pin(async move { runs::release(tx, run_id(run), epoch).await })
            });
            release.await
        }
        Op::ReleaseNode(by) => {
            store
                .write(move |tx| Box::pin(async move { runs::release_node(tx, node(by)).await }))
                .await
        }
        Op::TakeOver => {
            let before = at(now);
            let taken = store
                .write(move |tx| Box::pin(async move { runs::take_over(tx, before).await }))
                .await;
            return Answer::Taken(taken.unwrap());
        }
    };
    done.unwrap();
    Answer::Nothing
}

fn fact_of(run: u128, fact: u128) -> Fact {
    let (id, body) = (InboxId::new(at(7), fact), Json::null());
    Fact { id, run: run_id(run), at: at(7), kind: FactKind::Signal, body }
}

fn row_of(append: &Append, now: i64) -> stanch_engine_store::writer::RunCommit {
    let mut row = commit(append.run, append.epoch, vec![entry(append.seq)]);
    row.consumed = append.consumed.iter().map(|fact| InboxId::new(at(7), *fact)).collect();
    row.standing = append.standing.map(|(status, wake_at)| {
        let parked = (status == RunStatus::Parked).then_some(ParkReason::Limit);
        let outcome = parked.map(|_| Json::null());
        Box::new(Standing { status, parked, wake_at: wake_at.map(at), outcome, at: at(now) })
    });
    row
}

/// A database stands as the oracle says.
async fn is_as_foretold(store: &Store, oracle: &Oracle, seed: u64) {
    for (number, row) in &oracle.runs {
        let id = run_id(*number);
        let run = store.read(|c| Box::pin(async move { runs::get(c, id).await })).await;
        let run = run.unwrap().unwrap();
        assert_eq!(
            (run.status, run.wake_at),
            (row.status, row.wake_at.map(at)),
            "seed {seed}, run {number}"
        );
        let entries = store.read(|c| Box::pin(async move { journal::load(c, id, 0, 999).await }));
        let entries: Vec<_> = entries.await.unwrap().iter().map(|entry| entry.seq).collect();
        assert_eq!(entries, row.journal, "seed {seed}, journal of {number}");
        let facts = store.read(|c| Box::pin(async move { inbox::of_run(c, id).await })).await;
        let facts: Vec<_> = facts.unwrap().iter().map(|fact| fact.id).collect();
        let foretold: Vec<_> = row.inbox.iter().map(|fact| InboxId::new(at(7), *fact)).collect();
        assert_eq!(facts, foretold, "seed {seed}, inbox of {number}");
    }
    let next = store.read(|conn| Box::pin(runs::next_wake(conn))).await.unwrap();
    assert_eq!(next, oracle.next_wake().map(at), "seed {seed}, the next to wake");
}

/// Plays one seed, and says how often appends succeeded, were fenced, and conflicted.
async fn play(seed: u64) -> [usize; 3] {
    let (mut dice, mut oracle) = (Dice(Chance::of(seed)), Oracle::default());
    let databases: Vec<Fresh> = vec![crate::both::sqlite().await, crate::both::postgres().await];
    let mut appenders: Vec<_> = databases.iter().map(|d| Appender::of(&d.store)).collect();
    let mut counts = [0; 3];
    for number in 0..OPERATIONS {
        let now = i64::try_from(number).unwrap() * 2;
        let op = dice.op(&oracle, number);
        let foretold = foretell(&mut oracle, &op, now);
        match foretold {
            Answer::Appended(Ok(())) => counts[0] += 1,
            Answer::Appended(Err(No::Fenced)) => counts[1] += 1,
            Answer::Appended(Err(No::Conflict)) => counts[2] += 1,
            _ => {}
        }
        for (database, appender) in databases.iter().zip(&mut appenders) {
            let answer = carry_out(&database.store, appender, &op, now).await;
            assert_eq!(
                answer, foretold,
                "seed {seed}, operation {number} {op:?} on {}",
                database.url
            );
            is_as_foretold(&database.store, &oracle, seed).await;
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn both_databases_do_what_the_oracle_says() {
    let number =
        |name| stanch_tests::variable_if_set(name).map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("STANCH_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("STANCH_TEST_SEEDS").unwrap_or(SEEDS) + 1,
    };
    let is_one = seeds.end - seeds.start == 1;
    let mut all = [0; 3];
    for seed in seeds {
        for (sum, count) in all.iter_mut().zip(play(seed).await) {
            *sum += count;
        }
    }
    assert!(is_one || all.iter().all(|count| *count > 0), "too little happened: {all:?}");
}
