//! Tells the channels that took a page how it stands now: somebody looks after it, or it is over.

use stanch_engine_core::span::Span;
use stanch_engine_store::StoreError;
use stanch_engine_store::deliveries::{self, Delivery, DeliveryStatus, Told};
use stanch_engine_store::pages::follow::{self, Due};
use stanch_plugins_sdk::Standing;
use uuid::Uuid;

use super::facts::Facts;
use super::{CLAIM_MS, ROUND, pause_ms};
use crate::notify;
use crate::shared::Shared;

/// Tries before a channel is left with what it knows.
const TRIES: u32 = 12;

/// How long one channel may take.
const PATIENCE: Span = Span::from_secs(15);

pub(super) async fn round(shared: &Shared) -> Result<(), StoreError> {
    let now = shared.world.now();
    let due = shared.store.read(|conn| Box::pin(follow::due(conn, now, ROUND))).await?;
    for due in due {
        let until = shared.world.now().plus_ms(CLAIM_MS);
        let (id, tries, claimed) = (due.page.id, due.tries + 1, due.clone());
        let claim = shared.store.write(move |tx| {
            let due = claimed.clone();
            Box::pin(async move { follow::claim(tx, &due, until).await })
        });
        if !claim.await? {
            continue;
        }
        let error = Box::pin(tell(shared, &due)).await?;
        let at = shared.world.now().plus_ms(pause_ms(tries));
        let goes_on = match &error {
            Some(error) if tries < TRIES => {
                tracing::warn!(page.id = %id, %error, tries, "a channel is told again");
                true
            }
            Some(error) => {
                tracing::error!(page.id = %id, %error, "a channel was not told how a page stands");
                false
            }
            None => false,
        };
        let settled = shared.store.write(move |tx| {
            Box::pin(async move {
                match goes_on {
                    true => follow::again(tx, id, until, at).await,
                    false => follow::done(tx, id, until).await,
                }
            })
        });
        settled.await?;
    }
    Ok(())
}

/// Tells every channel that does not know it yet; why one could not be told, if one could not.
async fn tell(shared: &Shared, due: &Due) -> Result<Option<String>, StoreError> {
    let (page, id) = (&due.page, due.page.id);
    let rows = shared.store.read(move |conn| Box::pin(deliveries::of_page(conn, id))).await?;
    let wants = |row: &&Delivery| row.status == DeliveryStatus::Sent && row.is_followed;
    let rows: Vec<&Delivery> = rows.iter().filter(wants).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let facts = Facts::of(shared, page).await?;
    let told = match facts.standing() {
        Standing::Open => Told::Open,
        Standing::Taken { .. } => Told::Taken,
        Standing::Over { .. } => Told::Over,
    };
    let mut missed = None;
    for row in rows.into_iter().filter(|row| row.told < told) {
        // A channel that is no longer configured is told nothing.
        let Some(channel) = shared.catalogue.channel(&row.channel).cloned() else { continue };
        let message = facts.message(shared, &row.recipient, row.turn).await?;
        let token = (Uuid::from_u128(id.bits()), row.turn);
        let context = notify::context(shared, (page.incident, page.run), token, PATIENCE);
        let heard = channel.follow(&context, &message, &row.place);
        match tokio::time::timeout(PATIENCE.duration(), heard).await {
            Ok(Ok(())) => {
                let key = row.key();
                let noted = shared.store.write(move |tx| {
                    let key = key.clone();
                    Box::pin(async move { deliveries::told(tx, &key, told).await })
                });
                noted.await?;
            }
            Ok(Err(error)) => missed = Some(format!("{}: {error}", row.channel)),
            Err(_) => missed = Some(format!("{}: no answer came in time", row.channel)),
        }
    }
    Ok(missed)
}
