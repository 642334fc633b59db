//! One sending of a page: by each chain of channels, and on each by the next one where one is dead.

use std::sync::Arc;
use std::time::Duration;

use stanch_engine_core::notify::About;
use stanch_engine_core::span::Span;
use stanch_engine_core::step::ErrorKind;
use stanch_engine_store::StoreError;
use stanch_engine_store::deliveries::{self, Delivery, DeliveryStatus, Key};
use stanch_engine_store::pages::{self, Page};
use stanch_plugins_sdk::{ActionError, Message, Receipt};
use tokio::time::Instant;
use uuid::Uuid;

use super::TRIES;
use super::facts::Facts;
use crate::notify::{self, Way};
use crate::shared::Shared;

/// How long one channel may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long all of them may take: less than the claim on the page holds.
const IN_ALL: Duration = Duration::from_secs(50);

/// How a sending went.
pub(super) enum Turn {
    /// Somebody was told.
    Reached,
    /// Not everybody was, and it is tried again soon.
    Again { error: String, tries: u32 },
    /// Nobody was.
    Missed { error: String },
}

/// Sends a page to the one whose turn it is; the last of the chain hears it again and again.
pub(super) async fn deliver(shared: &Shared, page: &Page) -> Result<Turn, StoreError> {
    let last = page.chain.len().saturating_sub(1);
    let to = page.chain.get((page.level as usize).min(last));
    let to = to.map_or("role:responder", String::as_str);
    let facts = Facts::of(shared, page).await?;
    let (severity, playbook) = (facts.severity(), facts.playbook());
    let about = About { to, severity, playbook, at: shared.world.now() };
    let chains = notify::chains(shared, &about);
    if chains.is_empty() {
        return Ok(Turn::Missed { error: notify::no_way(to) });
    }
    let turn = page.deliveries + 1;
    let id = page.id;
    let before = shared.store.read(move |conn| Box::pin(deliveries::of_page(conn, id))).await?;
    let sending = Sending {
        shared,
        page,
        message: facts.message(shared, to, turn).await?,
        before: before.into_iter().filter(|delivery| delivery.turn == turn).collect(),
        until: Instant::now() + IN_ALL,
    };
    let (mut reached, mut missed) = (0, Vec::new());
    for chain in &chains {
        match sending.along(chain).await? {
            Ok(()) => reached += 1,
            Err(errors) => missed.extend(errors),
        }
    }
    let error = missed.iter().map(|(name, error)| format!("{name}: {error}")).collect::<Vec<_>>();
    let error = error.join("; ");
    let tries = 1 + sending.before.iter().map(|delivery| delivery.attempts).max().unwrap_or(0);
    let passes = missed.iter().any(|(_, error)| passes(error.kind));
    Ok(match (missed.is_empty(), passes && tries < TRIES, reached) {
        (true, _, _) => Turn::Reached,
        (false, true, _) => Turn::Again { error, tries },
        (false, false, 0) => Turn::Missed { error },
        (false, false, _) => Turn::Reached,
    })
}

/// Whether an error may pass by itself.
fn passes(kind: ErrorKind) -> bool {
    !matches!(kind, ErrorKind::Permanent | ErrorKind::Denied)
}

struct Sending<'s> {
    shared: &'s Shared,
    page: &'s Page,
    message: Message,
    /// What became of this sending before, when it is tried again.
    before: Vec<Delivery>,
    until: Instant,
}

type Errors = Vec<(String, ActionError)>;

impl Sending<'_> {
    /// Sends it to the first of a chain that takes it, unless one took it before.
    async fn along(&self, chain: &[Way]) -> Result<Result<(), Errors>, StoreError> {
        let sent = |way: &Way| {
            let is_it = |row: &&Delivery| row.channel == way.name;
            self.before.iter().find(is_it).is_some_and(|row| row.status == DeliveryStatus::Sent)
        };
        if chain.iter().any(sent) {
            return Ok(Ok(()));
        }
        let mut errors = Errors::new();
        for way in chain {
            match Box::pin(self.by(way)).await? {
                Ok(()) => return Ok(Ok(())),
                Err(error) => errors.push((way.name.clone(), error)),
            }
        }
        Ok(Err(errors))
    }

    /// Sends it one way, with what is meant written down before and what came of it after.
    async fn by(&self, way: &Way) -> Result<Result<(), ActionError>, StoreError> {
        let Self { shared, page, message, .. } = self;
        let key = Key { page: page.id, turn: message.turn, channel: way.name.clone() };
        let begun = Arc::new((key.clone(), message.to.clone(), shared.world.now()));
        let noted = shared.store.write(move |tx| {
            let begun = begun.clone();
            Box::pin(async move { deliveries::begin(tx, &begun.0, &begun.1, begun.2).await })
        });
        noted.await?;
        let left = self.until.saturating_duration_since(Instant::now()).min(PATIENCE);
        let timeout = Span::from_ms(i64::try_from(left.as_millis()).unwrap_or(0).max(1));
        let token = Uuid::from_u128(page.id.bits());
        let about = (page.incident, page.run);
        let context = notify::context(shared, about, (token, message.turn), timeout);
        let thread = self.thread(&way.name).await?;
        let sent = notify::send(shared, way, &context, message, thread.as_ref()).await;
        self.note(key, &sent).await?;
        Ok(sent.map(drop))
    }

    async fn thread(&self, channel: &str) -> Result<Option<serde_json::Value>, StoreError> {
        let Some(incident) = self.page.incident else { return Ok(None) };
        let channel = channel.to_owned();
        let found = self.shared.store.read(move |conn| {
            Box::pin(async move { deliveries::thread(conn, incident, &channel).await })
        });
        found.await
    }

    async fn note(&self, key: Key, sent: &Result<Receipt, ActionError>) -> Result<(), StoreError> {
        let sent = sent.clone().map_err(|error| error.to_string());
        let parts = Arc::new((key, sent, self.shared.world.now()));
        let noted = self.shared.store.write(move |tx| {
            let parts = parts.clone();
            Box::pin(async move {
                let (key, sent, now) = &*parts;
                match sent {
                    Ok(Receipt { place, is_followed }) => {
                        deliveries::sent(tx, key, place, *is_followed, *now).await?;
                        pages::follow::if_taken(tx, key.page, *now).await
                    }
                    Err(error) => deliveries::failed(tx, key, error, *now).await,
                }
            })
        });
        noted.await
    }
}
