//! Watches sources that must not fall silent: one that has said nothing for its time raises an
//! alert and pages; when it is heard again, the alert is resolved.

use std::collections::BTreeSet;
use std::sync::Arc;

use stanch_engine_core::alert::{Alert, AlertStatus};
use stanch_engine_core::silence::{self, Heard};
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::{StoreError, Tx, heard_sources, pages};
use tokio::sync::watch;

use crate::intake::{Hand, Taking};
use crate::shared::Shared;

/// How often the sources are looked at when none is due sooner.
const LOOK: Span = Span::from_secs(60);

/// Notes which sources said something. `door` is where the alerts were sent to.
pub(crate) async fn heard(
    tx: &mut Tx<'_>,
    taking: &Taking<'_>,
    door: Option<&str>,
    alerts: &[Alert],
) -> Result<(), StoreError> {
    let watched = &taking.shared.settings.silent_after;
    if watched.is_empty() {
        return Ok(());
    }
    let named = alerts.iter().map(|alert| alert.source.as_str()).chain(door);
    let said: BTreeSet<&str> = named.filter(|source| watched.contains_key(*source)).collect();
    for source in said {
        let (Some(after), now) = (watched.get(source), taking.now) else { continue };
        let before = heard_sources::get(tx, source).await?;
        if let Some(silent) = before.filter(|heard| heard.alarmed_at.is_some()) {
            let over = silence::alert(source, &silent, *after, AlertStatus::Resolved, now);
            taking.take_one(tx, &over).await?;
            pages::take_by_key(tx, &page_key(source, &silent), source, now).await?;
        }
        // A sender of many alerts a second is not noted with each of them.
        let pause_ms = (after.ms / 20).min(LOOK.ms);
        let is_fresh =
            |heard: Heard| heard.alarmed_at.is_none() && now.ms_since(heard.last_at) < pause_ms;
        if !before.is_some_and(is_fresh) {
            heard_sources::hear(tx, source, now).await?;
        }
    }
    Ok(())
}

/// Raises alerts about silences, until it is told to stop.
pub(crate) async fn work(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    if shared.settings.silent_after.is_empty() {
        return;
    }
    while !*stop.borrow() {
        let next = match look(&shared).await {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(%error, "silent sources can't be looked for");
                shared.world.now().plus_ms(LOOK.ms)
            }
        };
        tokio::select! {
            () = shared.world.clock.sleep_until(next) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Looks at every source once, and says when to look again.
async fn look(shared: &Arc<Shared>) -> Result<Timestamp, StoreError> {
    let now = shared.world.now();
    let mut next = now.plus_ms(LOOK.ms);
    for (source, after) in &shared.settings.silent_after {
        let named = source.clone();
        let heard = shared
            .store
            .read(|conn| Box::pin(async move { heard_sources::get(conn, &named).await }))
            .await?;
        match heard.map(|heard| (heard, heard.due_at(*after))) {
            None => begin(shared, source, now).await?,
            Some((heard, Some(due))) if due <= now => alarm(shared, source, heard, *after).await?,
            Some((_, Some(due))) => next = next.min(due),
            Some((_, None)) => {}
        }
    }
    Ok(next)
}

async fn begin(shared: &Arc<Shared>, source: &str, now: Timestamp) -> Result<(), StoreError> {
    let source = source.to_owned();
    shared
        .store
        .write(move |tx| {
            let source = source.clone();
            Box::pin(async move { heard_sources::wait_for(tx, &source, now).await })
        })
        .await
}

async fn alarm(
    shared: &Arc<Shared>,
    source: &str,
    heard: Heard,
    after: Span,
) -> Result<(), StoreError> {
    let (raiser, source) = (shared.clone(), source.to_owned());
    let about = format!("silence of {source}");
    shared
        .store
        .write_beside(&about, move |tx| {
            let (shared, source) = (raiser.clone(), source.clone());
            Box::pin(async move {
                let taking = Taking::begin(tx, &shared, Hand::Person).await?;
                if !heard_sources::alarm(tx, &source, &heard, taking.now).await? {
                    return Ok(());
                }
                let alert = silence::alert(&source, &heard, after, AlertStatus::Active, taking.now);
                let received = taking.take_one(tx, &alert).await?;
                let key = page_key(&source, &heard);
                let to = vec!["role:responder".to_owned()];
                let mut page = shared.page(key, to, "silent_source", alert.title.clone());
                page.incident = received.incident_id;
                pages::raise(tx, &page).await.map(drop)
            })
        })
        .await?;
    shared.nudge();
    Ok(())
}

fn page_key(source: &str, heard: &Heard) -> String {
    format!("silent/{source}/{}", heard.last_at.micros())
}
