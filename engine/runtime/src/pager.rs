//! Sends pages, again and higher up, until somebody takes them, and tells the channels how they
//! stand then.
//!
//! Each try is written down before it is made (`store/src/deliveries.rs`): after a crash the page
//! goes out again, and a channel that is told a second time knows the message by its key.

mod deliver;
mod facts;
mod follow;

pub(crate) use facts::{people_of, wants_sign_in};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use stanch_engine_core::limits;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::StoreError;
use stanch_engine_store::pages::{self, Page};
use tokio::sync::watch;

use crate::shared::Shared;
use deliver::Turn;

/// The longest pause between two looks: another node may have raised a page.
const POLL_MS: i64 = 2_000;

/// How long a node may take to send a page that it has claimed.
const CLAIM_MS: i64 = 60_000;

/// Pages that are sent in one round.
const ROUND: u32 = 50;

/// Incidents whose pages are sent at the same time, so that a slow channel holds up no other.
const AT_ONCE: usize = 8;

/// How long channels may still take to answer when the node stops.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

/// Tries of one sending before it counts as one that nobody heard.
const TRIES: u32 = 4;

/// Sends pages until it is told to stop.
pub(crate) async fn work(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let mut rounds = Box::pin(rounds(&shared));
        tokio::select! {
            biased;
            () = &mut rounds => {}
            _ = stop.changed() => {
                // What is not answered by then goes out again, from here or from another node.
                let _ = tokio::time::timeout(LAST_ANSWERS, &mut rounds).await;
                return;
            }
        }
        let poll = shared.world.now().plus_ms(POLL_MS);
        let next = next(&shared).await.ok().flatten();
        let until = next.map_or(poll, |next| next.min(poll));
        tokio::select! {
            () = shared.paging.notified() => {}
            () = shared.world.clock.sleep_until(until) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn rounds(shared: &Shared) {
    if let Err(error) = round(shared).await {
        tracing::error!(%error, "pages can't be read");
    }
    if let Err(error) = follow::round(shared).await {
        tracing::error!(%error, "pages can't be followed");
    }
}

async fn next(shared: &Shared) -> Result<Option<Timestamp>, StoreError> {
    let next = shared.store.read(|conn| {
        Box::pin(async move { Ok([pages::next(conn).await?, pages::follow::next(conn).await?]) })
    });
    Ok(next.await?.into_iter().flatten().min())
}

async fn round(shared: &Shared) -> Result<(), StoreError> {
    let now = shared.world.now();
    let due = shared.store.read(|conn| Box::pin(pages::due(conn, now, ROUND))).await?;
    // What is about one incident goes out in its order: the first message opens the thread.
    let mut groups: BTreeMap<u128, Vec<Page>> = BTreeMap::new();
    for page in due {
        let about = page.incident.map_or(page.id.bits(), |incident| incident.bits());
        groups.entry(about).or_default().push(page);
    }
    let sent = futures_util::stream::iter(groups.into_values())
        .map(|pages| Box::pin(send_all(shared, pages)))
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>();
    sent.await.into_iter().collect()
}

async fn send_all(shared: &Shared, pages: Vec<Page>) -> Result<(), StoreError> {
    for page in pages {
        let began = shared.world.now();
        if claim(shared, &page).await? {
            let turn = Box::pin(deliver::deliver(shared, &page)).await?;
            settle(shared, &page, turn, began).await?;
        }
    }
    Ok(())
}

/// Notes how a sending went that began then, and when the page goes out next.
async fn settle(
    shared: &Shared,
    page: &Page,
    turn: Turn,
    began: Timestamp,
) -> Result<(), StoreError> {
    let id = page.id;
    if let Turn::Again { error, tries } = turn {
        let at = shared.world.now().plus_ms(pause_ms(tries));
        tracing::warn!(page.id = %id, %error, tries, "a page is sent again");
        return shared
            .store
            .write(move |tx| {
                let error = error.clone();
                Box::pin(async move { pages::retry(tx, id, &error, at).await })
            })
            .await;
    }
    let is_spent = page.deliveries + 1 >= limits::PAGE_DELIVERIES;
    let mut error = if let Turn::Missed { error } = turn { Some(error) } else { None };
    if error.is_none() && is_spent {
        error = Some(format!("it went out {} times, and nobody took it", limits::PAGE_DELIVERIES));
    }
    if let Some(error) = &error {
        tracing::error!(page.id = %id, page.message = %page.message, %error, "a page reaches nobody");
    }
    let next_at = (!is_spent).then(|| began.plus_ms(page.repeat_ms));
    let level = page.level + 1;
    shared
        .store
        .write(move |tx| {
            let error = error.clone();
            Box::pin(async move { pages::sent(tx, id, level, error, next_at).await })
        })
        .await
}

/// The pause after so many tries: 2 s, 8 s, 32 s, and ten minutes at most.
fn pause_ms(tries: u32) -> i64 {
    let factor = 4_i64.saturating_pow(tries.saturating_sub(1));
    factor.saturating_mul(2_000).min(600_000)
}

async fn claim(shared: &Shared, page: &Page) -> Result<bool, StoreError> {
    let (page, until) = (Arc::new(page.clone()), shared.world.now().plus_ms(CLAIM_MS));
    shared
        .store
        .write(move |tx| {
            let page = page.clone();
            Box::pin(async move { pages::claim(tx, &page, until).await })
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound() {
        let pauses: Vec<i64> = (0..4).map(pause_ms).collect();
        assert_eq!(pauses, [2_000, 2_000, 8_000, 32_000]);
        assert_eq!(pause_ms(u32::MAX), 600_000);
    }
}
