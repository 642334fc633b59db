//! Starts runs when their schedules tick. Every node looks; the one that moves a schedule on in
//! the database is the one that starts what its ticks start.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::id::{InboxId, RunId};
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::schedule::{Due, Schedule};
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::inbox::{self, Fact, FactKind};
use stanch_engine_store::playbooks::Active;
use stanch_engine_store::schedules::{self, ScheduleKey, ScheduleState, Tick, TickOutcome};
use stanch_engine_store::{StoreError, Tx, runs};
use tokio::sync::watch;

use crate::live::facts::Wish;
use crate::runs::{NewRunParts, ScheduledTick, scope};
use crate::shared::Shared;

/// The longest pause between two looks: another node may have published a playbook, and a run
/// that a tick waits for may have ended.
const POLL_MS: i64 = 1_000;

/// Who asked for a tick that nobody asked for.
const CLOCK: &str = "clock";

/// Starts runs until it is told to stop.
pub(crate) async fn work(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let until = match round(&shared).await {
            Ok(until) => until,
            Err(error) => {
                tracing::error!(%error, "schedules can't be read");
                shared.world.now().plus_ms(POLL_MS)
            }
        };
        tokio::select! {
            () = shared.scheduling.notified() => {}
            () = shared.world.clock.sleep_until(until) => {}
            _ = stop.changed() => {}
        }
    }
}

/// One look at every schedule; gives the time of the next.
async fn round(shared: &Arc<Shared>) -> Result<Timestamp, StoreError> {
    let now = shared.world.now();
    let mut until = now.plus_ms(POLL_MS);
    let active = shared.active();
    if active.iter().all(|active| active.header.schedules.is_empty()) {
        return Ok(until);
    }
    let known = shared.store.read(|conn| Box::pin(schedules::list(conn))).await?;
    let known: HashMap<_, _> = known.into_iter().map(|s| (s.key.clone(), s)).collect();
    for active in active.iter() {
        for schedule in &active.header.schedules {
            let key = key_of(active, schedule);
            match known.get(&key) {
                None => open(shared, key, now).await?,
                Some(state) if state.paused.is_some() => {}
                Some(state) => {
                    let next = next_start(&key, schedule, state.decided_until);
                    if state.waiting_tick.is_some() || next.is_some_and(|next| next <= now) {
                        decide(shared, active, schedule).await?;
                    }
                    until = next.map_or(until, |next| next.min(until));
                }
            }
        }
    }
    Ok(until.max(now.plus_ms(1)))
}

pub(crate) fn key_of(active: &Active, schedule: &Schedule) -> ScheduleKey {
    ScheduleKey { playbook: active.header.name.clone(), name: schedule.name.clone() }
}

/// When the next tick after a moment starts its run.
pub(crate) fn next_start(
    key: &ScheduleKey,
    schedule: &Schedule,
    after: Timestamp,
) -> Option<Timestamp> {
    Some(schedule.start_at(&key.playbook, schedule.next_after(after)?))
}

/// A schedule that is new ticks from now on.
async fn open(shared: &Shared, key: ScheduleKey, now: Timestamp) -> Result<(), StoreError> {
    shared
        .store
        .write(move |tx| {
            let key = key.clone();
            Box::pin(async move { schedules::open(tx, &key, now).await })
        })
        .await?;
    shared.scheduling.notify_one();
    Ok(())
}

/// Decides what becomes of the ticks that are due.
async fn decide(
    shared: &Arc<Shared>,
    active: &Active,
    schedule: &Schedule,
) -> Result<(), StoreError> {
    let (taker, both) = (shared.clone(), Arc::new((active.clone(), schedule.clone())));
    let started = shared.store.write(move |tx| {
        let (shared, both) = (taker.clone(), both.clone());
        Box::pin(async move {
            let (active, schedule) = &*both;
            let key = key_of(active, schedule);
            match schedules::get(tx, &key).await? {
                Some(state) if state.paused.is_none() => {
                    let now = shared.world.now();
                    Deciding { shared: &shared, active, schedule, now, started: 0 }
                        .all(tx, state)
                        .await
                }
                _ => Ok(0),
            }
        })
    });
    if started.await? > 0 {
        shared.work.notify_one();
    }
    Ok(())
}

/// Decides on the ticks of one schedule, inside one transaction.
struct Deciding<'a> {
    shared: &'a Shared,
    active: &'a Active,
    schedule: &'a Schedule,
    now: Timestamp,
    started: usize,
}

impl Deciding<'_> {
    /// Gives the number of runs that were started.
    async fn all(mut self, tx: &mut Tx<'_>, mut state: ScheduleState) -> Result<usize, StoreError> {
        // Whoever moves the row on first decides; the other finds it moved, and lets it be.
        if !schedules::advance(tx, &state).await? {
            return Ok(0);
        }
        state.revision += 1;
        let key = state.key.clone();
        let mut open = schedules::open_runs(tx, &key).await?;
        if let Some(tick) = state.waiting_tick
            && open.is_empty()
        {
            state.waiting_tick = None;
            open.extend(self.start(tx, &key, tick).await?);
        }
        for _ in 0..limits::TICKS_AT_ONCE {
            let Some(tick) = self.schedule.next_after(state.decided_until) else { break };
            let start_at = self.schedule.start_at(&key.playbook, tick);
            if start_at > self.now {
                break;
            }
            state.decided_until = tick;
            let waits = state.waiting_tick.is_some();
            match self.schedule.due(start_at, self.now, open.len(), waits) {
                Due::Start => open.extend(self.start(tx, &key, tick).await?),
                Due::Wait => state.waiting_tick = Some(tick),
                Due::Replace => {
                    match state.waiting_tick.replace(tick) {
                        Some(older) => self.note(tx, &key, older, TickOutcome::Skipped).await?,
                        None => self.cancel(tx, &open).await?,
                    };
                }
                Due::Skip => drop(self.note(tx, &key, tick, TickOutcome::Skipped).await?),
                Due::Miss => {
                    self.note(tx, &key, tick, TickOutcome::Missed).await?;
                    state.decided_until = self.first_in_time().max(tick);
                    tracing::warn!(schedule = %key, %tick, "ticks were missed from here on");
                }
            }
        }
        schedules::tidy(tx, &key, self.now.plus_ms(-limits::TICK_KEPT.ms)).await?;
        schedules::advance(tx, &state).await?;
        Ok(self.started)
    }

    /// Ticks before this come too late, whatever their jitter. One of them stands for all.
    fn first_in_time(&self) -> Timestamp {
        let jitter_ms = self.schedule.jitter.map_or(0, |jitter| jitter.ms);
        self.now.plus_ms(-self.schedule.catch_up.ms - jitter_ms)
    }

    async fn start(
        &mut self,
        tx: &mut Tx<'_>,
        key: &ScheduleKey,
        tick: Timestamp,
    ) -> Result<Option<RunId>, StoreError> {
        let started = start(tx, self.shared, self.active, self.schedule, (tick, CLOCK)).await?;
        self.started += usize::from(started.is_some());
        if started.is_none() {
            tracing::info!(schedule = %key, %tick, "the tick was decided before");
        }
        Ok(started)
    }

    async fn note(
        &self,
        tx: &mut Tx<'_>,
        key: &ScheduleKey,
        tick_at: Timestamp,
        outcome: TickOutcome,
    ) -> Result<bool, StoreError> {
        let tick = Tick { tick_at, cause: CLOCK.to_owned(), outcome, decided_at: self.now };
        schedules::decide(tx, key, &tick).await
    }

    async fn cancel(&self, tx: &mut Tx<'_>, open: &[RunId]) -> Result<bool, StoreError> {
        let by = format!("schedule {}", self.schedule.name);
        let wish = Wish { by, reason: "its next tick has come".to_owned() };
        for run in open {
            let fact = Fact {
                id: self.shared.world.id(InboxId::new),
                run: *run,
                at: self.now,
                kind: FactKind::Cancel,
                body: Json::of(&wish),
            };
            inbox::put(tx, &fact).await?;
        }
        Ok(true)
    }
}

/// Starts the run of a tick; none when the tick was decided before.
pub(crate) async fn start(
    tx: &mut Tx<'_>,
    shared: &Shared,
    active: &Active,
    schedule: &Schedule,
    (tick_at, cause): (Timestamp, &str),
) -> Result<Option<RunId>, StoreError> {
    let key = key_of(active, schedule);
    let mut inputs = schedule.inputs.clone();
    if let Err(why) = active.header.complete_inputs(&mut inputs) {
        tracing::error!(schedule = %key, why, "it gives inputs that its playbook does not take");
    }
    let about = ScheduledTick { name: schedule.name.clone(), tick_at };
    let by = if cause == CLOCK { String::new() } else { format!(", by {cause}") };
    let parts = NewRunParts {
        active,
        incident: None,
        alert: None,
        subject: None,
        requester: format!("schedule {}{by}", schedule.name),
        scope: scope(shared, None, None, Some(&about), json!(inputs)),
        about_at: Some(tick_at),
        level: 0,
    };
    let (run, started) = parts.into_run(shared, None);
    let tick = Tick {
        tick_at,
        cause: cause.to_owned(),
        outcome: TickOutcome::Started(run.id),
        decided_at: shared.world.now(),
    };
    if !schedules::decide(tx, &key, &tick).await? {
        return Ok(None);
    }
    runs::insert(tx, &run, &started).await?;
    Ok(Some(run.id))
}
