//! Brings incidents into the KPIs when something about them has changed, and pages when a target
//! is missed.

use std::collections::BTreeMap;
use std::sync::Arc;

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::kpi::{self, Facts, Period, Tally};
use stanch_engine_core::limits;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::kpis::{self, Cell, Stale};
use stanch_engine_store::{StoreError, Tx, pages};
use tokio::sync::watch;

use super::clocks;
use crate::shared::Shared;

/// The longest pause between two looks.
const POLL_MS: i64 = 2_000;

/// Targets that are told as missed in one round.
const ROUND: u32 = 50;

/// An incident as it is to be brought in.
struct Brought {
    stale: Stale,
    facts: Option<Facts>,
    breach_at: Option<Timestamp>,
}

/// Begins to add up by this program's formulas and the targets of the settings.
pub(crate) async fn begin(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let targets = Sha256::of(format!("{:?}", shared.settings.targets)).to_string();
    let state = shared.store.read(|conn| Box::pin(kpis::state(conn))).await?;
    if state.0 >= kpi::REVISION && state.1 == targets {
        return Ok(());
    }
    shared
        .store
        .write(move |tx| {
            let targets = targets.clone();
            Box::pin(async move { kpis::begin(tx, kpi::REVISION, &targets).await })
        })
        .await
}

/// Brings in what changed, and watches the targets, until it is told to stop.
pub(crate) async fn work(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let until = shared.world.now().plus_ms(POLL_MS);
        match round(&shared).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "incidents can't be brought into the KPIs"),
        }
        let next = shared.store.read(|conn| Box::pin(kpis::next_missed(conn))).await;
        let until = next.ok().flatten().map_or(until, |next| next.min(until));
        tokio::select! {
            () = shared.world.clock.sleep_until(until) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Says whether there is more to bring in.
async fn round(shared: &Arc<Shared>) -> Result<bool, StoreError> {
    if bring_in(shared, limits::KPI_BATCH).await? >= limits::KPI_BATCH as usize {
        return Ok(true);
    }
    tell_missed(shared).await.map(|told| told >= ROUND as usize)
}

/// Brings in so many incidents at most, and says how many there were.
pub(crate) async fn bring_in(shared: &Arc<Shared>, limit: u32) -> Result<usize, StoreError> {
    let stale = shared.store.read(|conn| Box::pin(kpis::stale(conn, limit))).await?;
    if stale.is_empty() {
        return Ok(0);
    }
    let now = shared.world.now();
    let ids: Vec<IncidentId> = stale.iter().map(|stale| stale.incident).collect();
    let mut found = clocks::known(shared, &ids).await?;
    let brought = stale.iter().map(|stale| {
        let facts = found.remove(&stale.incident).filter(|found| found.counts);
        let facts = facts.map(|found| Facts::of(&found.known, now));
        let due = facts.as_ref().map(|facts| shared.settings.targets.due(facts));
        let breach_at = due.and_then(|due| due.first().map(|due| due.at));
        Brought { stale: *stale, facts, breach_at }
    });
    let brought: Arc<Vec<Brought>> = Arc::new(brought.collect());
    let count = brought.len();
    shared
        .store
        .write(move |tx| {
            let brought = brought.clone();
            Box::pin(async move { write(tx, &brought).await })
        })
        .await?;
    Ok(count)
}

async fn write(tx: &mut Tx<'_>, all: &[Brought]) -> Result<(), StoreError> {
    kpis::lock(tx).await?;
    let mut cells: BTreeMap<Cell, Tally> = BTreeMap::new();
    for Brought { stale, facts, breach_at } in all {
        if !kpis::claim(tx, stale).await? {
            continue;
        }
        let id = stale.incident;
        let before = if stale.done == 0 { None } else { kpis::facts(tx, id).await? };
        if before == *facts {
            continue;
        }
        if let Some(before) = &before {
            each_cell(before, |cell| cells.entry(cell).or_default().remove(before));
        }
        match facts {
            Some(facts) => {
                each_cell(facts, |cell| cells.entry(cell).or_default().add(facts));
                kpis::put_facts(tx, id, facts, *breach_at).await?;
            }
            None => kpis::drop_facts(tx, id).await?,
        }
    }
    for (cell, change) in cells {
        let mut tally = kpis::tally(tx, &cell).await?;
        tally.merge(&change);
        kpis::put_tally(tx, &cell, &tally).await?;
    }
    Ok(())
}

fn each_cell(facts: &Facts, mut take: impl FnMut(Cell)) {
    for (dimension, value) in facts.dimensions() {
        for period in Period::ALL {
            let start_at = period.start_of(facts.opened_at);
            take(Cell { dimension, value: value.to_owned(), period, start_at });
        }
    }
}

/// Pages for the targets that were missed since the last look, and says for how many incidents.
async fn tell_missed(shared: &Arc<Shared>) -> Result<usize, StoreError> {
    let now = shared.world.now();
    let missed = shared.store.read(|conn| Box::pin(kpis::missed(conn, now, ROUND))).await?;
    let count = missed.len();
    for (incident, breach_at, facts) in missed {
        let due = shared.settings.targets.due(&facts);
        let next = due.iter().map(|due| due.at).find(|at| *at > now);
        // What was missed long ago is news only because the target is new.
        let is_news = |at: Timestamp| at <= now && now.ms_since(at) < limits::TARGET_NEWS_MS;
        let new = due.iter().filter(|due| is_news(due.at)).map(|due| {
            let message = format!(
                "the target is missed: {} of an incident of severity {} may take {}",
                due.title.to_lowercase(),
                facts.severity.as_str(),
                due.target
            );
            let key = format!("target/{incident}/{}", due.name);
            let to = vec!["role:responder".to_owned()];
            let mut page = shared.page(key, to, "target_missed", message);
            page.incident = Some(incident);
            page
        });
        let new: Arc<Vec<pages::Page>> = Arc::new(new.collect());
        shared
            .store
            .write(move |tx| {
                let new = new.clone();
                Box::pin(async move {
                    if kpis::watch(tx, incident, breach_at, next).await? {
                        for page in new.iter() {
                            pages::raise(tx, page).await?;
                        }
                    }
                    Ok(())
                })
            })
            .await?;
    }
    if count > 0 {
        shared.paging.notify_one();
    }
    Ok(count)
}
