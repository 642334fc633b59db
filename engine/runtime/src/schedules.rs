//! Schedules, as people look at them and as people stop, start and repeat them.

use std::sync::Arc;

use serde::Serialize;
use stanch_engine_core::id::RunId;
use stanch_engine_core::limits;
use stanch_engine_core::schedule::{Overlap, Schedule};
use stanch_engine_core::suggest;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::StoreError;
use stanch_engine_store::playbooks::Active;
use stanch_engine_store::schedules::{self, Pause, ScheduleKey, ScheduleState, Tick};

use crate::runtime::Runtime;
use crate::scheduler::{key_of, next_start, start};

/// Why a wish was not granted.
#[derive(Debug, thiserror::Error)]
pub enum SchedulesError {
    /// There is no such schedule.
    #[error("{0}")]
    NotFound(String),
    /// It does not fit where the schedule stands.
    #[error("{0}")]
    TooLate(String),
    /// The request can't be.
    #[error("{0}")]
    BadRequest(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A schedule, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The playbook that it starts.
    pub playbook: String,
    /// What the header says.
    pub schedule: Schedule,
    /// How far it is decided; nothing while it is new.
    pub state: Option<ScheduleState>,
    /// The next ticks, the first first.
    pub next: Vec<Timestamp>,
    /// When the run of the first of them starts, with its jitter.
    pub starts_at: Option<Timestamp>,
    /// The runs of its ticks that have not ended.
    pub open: Vec<RunId>,
}

/// What a backfill did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Backfilled {
    /// The runs that it started.
    pub started: Vec<RunId>,
    /// Ticks that had been decided before, and are left as they are.
    pub known: usize,
}

/// Every schedule of the active playbooks.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn list(runtime: &Runtime) -> Result<Vec<Standing>, StoreError> {
    let active = runtime.shared.active();
    let mut all = Vec::new();
    for active in active.iter() {
        for schedule in &active.header.schedules {
            all.push(standing(runtime, active, schedule, 1).await?);
        }
    }
    Ok(all)
}

/// One of them, with its next five ticks.
///
/// # Errors
/// [`SchedulesError::NotFound`] with what there is.
pub async fn get(runtime: &Runtime, key: &ScheduleKey) -> Result<Standing, SchedulesError> {
    let (active, schedule) = find(runtime, key)?;
    Ok(standing(runtime, &active, &schedule, 5).await?)
}

/// What became of its newest ticks, the newest first.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn ticks(
    runtime: &Runtime,
    key: &ScheduleKey,
    limit: u32,
) -> Result<Vec<Tick>, StoreError> {
    let key = key.clone();
    runtime
        .store()
        .read(move |conn| Box::pin(async move { schedules::recent(conn, &key, limit).await }))
        .await
}

async fn standing(
    runtime: &Runtime,
    active: &Active,
    schedule: &Schedule,
    count: usize,
) -> Result<Standing, StoreError> {
    let key = key_of(active, schedule);
    let (state, open) = runtime
        .store()
        .read(|conn| {
            let key = key.clone();
            Box::pin(async move {
                let state = schedules::get(conn, &key).await?;
                Ok((state, schedules::open_runs(conn, &key).await?))
            })
        })
        .await?;
    let decided = state.as_ref().map_or(runtime.world().now(), |state| state.decided_until);
    let from = if state.as_ref().is_some_and(|state| state.paused.is_some()) {
        runtime.world().now().max(decided)
    } else {
        decided
    };
    let first = schedule.next_after(from);
    let next = std::iter::successors(first, |tick| schedule.next_after(*tick)).take(count);
    Ok(Standing {
        playbook: key.playbook.clone(),
        starts_at: next_start(&key, schedule, from),
        schedule: schedule.clone(),
        next: next.collect(),
        state,
        open,
    })
}

/// Makes a schedule stand still: it does not tick until it is let go on, and what waits for the end of a run
/// does not start: `backfill` starts it.
///
/// # Errors
/// [`SchedulesError::TooLate`] when it stands still already.
pub async fn pause(
    runtime: &Runtime,
    key: &ScheduleKey,
    person: &str,
    note: &str,
) -> Result<(), SchedulesError> {
    find(runtime, key)?;
    let pause = Pause { at: runtime.world().now(), by: person.to_owned(), note: note.to_owned() };
    let wish = Arc::new((key.clone(), pause));
    let paused = runtime
        .store()
        .write(move |tx| {
            let wish = wish.clone();
            Box::pin(async move {
                let (key, pause) = &*wish;
                schedules::open(tx, key, pause.at).await?;
                schedules::pause(tx, key, pause).await
            })
        })
        .await?;
    if paused { Ok(()) } else { Err(SchedulesError::TooLate(format!("{key} is paused already"))) }
}

/// Lets a schedule go on. The ticks of the time in between are no ticks: `backfill` starts them.
///
/// # Errors
/// [`SchedulesError::TooLate`] when it does not stand still.
pub async fn resume(runtime: &Runtime, key: &ScheduleKey) -> Result<(), SchedulesError> {
    find(runtime, key)?;
    let (wanted, now) = (key.clone(), runtime.world().now());
    let resumed = runtime
        .store()
        .write(move |tx| {
            let key = wanted.clone();
            Box::pin(async move { schedules::resume(tx, &key, now).await })
        })
        .await?;
    runtime.nudge();
    if resumed { Ok(()) } else { Err(SchedulesError::TooLate(format!("{key} is not paused"))) }
}

/// Starts the run of a tick that is now, also of a schedule that is paused.
///
/// # Errors
/// [`SchedulesError::TooLate`] when the run of an earlier tick is open, unless `beside`.
pub async fn trigger(
    runtime: &Runtime,
    key: &ScheduleKey,
    person: &str,
    beside: bool,
) -> Result<RunId, SchedulesError> {
    let (active, schedule) = find(runtime, key)?;
    let may_overlap = beside || schedule.overlap == Overlap::AllowAll;
    let standing = standing(runtime, &active, &schedule, 1).await?;
    if let Some(run) = standing.open.first().filter(|_| !may_overlap) {
        let why = format!("{run} of {key} is open; `--beside` starts another beside it");
        return Err(SchedulesError::TooLate(why));
    }
    let now = vec![runtime.world().now()];
    let started = start_all(runtime, active, schedule, now, person).await?;
    let taken = || SchedulesError::TooLate(format!("{key} ticks at this very moment: try again"));
    started.started.first().copied().ok_or_else(taken)
}

/// Starts the runs of all ticks from a time until another, beside each other, but those that are
/// decided already.
///
/// # Errors
/// [`SchedulesError::BadRequest`] when there are none, or too many.
pub async fn backfill(
    runtime: &Runtime,
    key: &ScheduleKey,
    person: &str,
    (from, until): (Timestamp, Timestamp),
) -> Result<Backfilled, SchedulesError> {
    let (active, schedule) = find(runtime, key)?;
    if until > runtime.world().now() {
        let why = "`until` has not come yet: what is to come starts by itself".to_owned();
        return Err(SchedulesError::BadRequest(why));
    }
    let first = schedule.next_after(Timestamp::from_micros(from.micros().saturating_sub(1)));
    let ticks = std::iter::successors(first, |tick| schedule.next_after(*tick));
    let ticks: Vec<_> =
        ticks.take_while(|tick| *tick <= until).take(limits::BACKFILL_TICKS + 1).collect();
    if ticks.is_empty() {
        let why = format!("{key} does not tick from {from} until {until}");
        return Err(SchedulesError::BadRequest(why));
    }
    if ticks.len() > limits::BACKFILL_TICKS {
        let most = limits::BACKFILL_TICKS;
        let why =
            format!("{key} ticks more than {most} times from {from} until {until}: take less");
        return Err(SchedulesError::BadRequest(why));
    }
    Ok(start_all(runtime, active, schedule, ticks, person).await?)
}

async fn start_all(
    runtime: &Runtime,
    active: Active,
    schedule: Schedule,
    ticks: Vec<Timestamp>,
    person: &str,
) -> Result<Backfilled, StoreError> {
    let shared = runtime.shared.clone();
    let all = Arc::new((active, schedule, ticks, person.to_owned()));
    let done = runtime
        .store()
        .write(move |tx| {
            let (shared, all) = (shared.clone(), all.clone());
            Box::pin(async move {
                let (active, schedule, ticks, person) = &*all;
                schedules::open(tx, &key_of(active, schedule), shared.world.now()).await?;
                let mut done = Backfilled { started: Vec::new(), known: 0 };
                for tick in ticks {
                    match start(tx, &shared, active, schedule, (*tick, person)).await? {
                        Some(run) => done.started.push(run),
                        None => done.known += 1,
                    }
                }
                Ok(done)
            })
        })
        .await?;
    runtime.nudge();
    Ok(done)
}

fn find(runtime: &Runtime, key: &ScheduleKey) -> Result<(Active, Schedule), SchedulesError> {
    let active = runtime.shared.active();
    let of = active.iter().find(|active| active.header.name == key.playbook);
    if let Some(active) = of
        && let Some(schedule) = active.header.schedule(&key.name)
    {
        return Ok((active.clone(), schedule.clone()));
    }
    let all = active.iter().flat_map(|active| {
        active.header.schedules.iter().map(|schedule| key_of(active, schedule).to_string())
    });
    let all: Vec<String> = all.collect();
    let written = key.to_string();
    let hint = suggest::hint(&written, all.iter().map(String::as_str));
    Err(SchedulesError::NotFound(format!("no active playbook has the schedule `{written}`{hint}")))
}
