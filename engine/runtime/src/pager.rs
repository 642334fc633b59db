//! Sends pages, again and higher up, until somebody takes them.

use std::sync::Arc;

use stanch_engine_core::limits;
use stanch_engine_core::span::Span;
use stanch_engine_store::StoreError;
use stanch_engine_store::pages::{self, Page};
use stanch_plugins_sdk::{ActionContext, Outcome, Patience, Urgency};
use tokio::sync::watch;

use crate::notify;
use crate::shared::Shared;

/// The longest pause between two looks: another node may have raised a page.
const POLL_MS: i64 = 2_000;

/// How long a node may take to send a page that it has claimed.
const CLAIM_MS: i64 = 60_000;

/// Pages that are sent in one round.
const ROUND: u32 = 50;

/// Sends pages until it is told to stop.
pub(crate) async fn work(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = round(&shared).await {
            tracing::error!(%error, "pages can't be read");
        }
        let poll = shared.world.now().plus_ms(POLL_MS);
        let next = shared.store.read(|conn| Box::pin(pages::next(conn))).await.ok().flatten();
        let until = next.map_or(poll, |next| next.min(poll));
        tokio::select! {
            () = shared.paging.notified() => {}
            () = shared.world.clock.sleep_until(until) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn round(shared: &Shared) -> Result<(), StoreError> {
    let now = shared.world.now();
    let due = shared.store.read(|conn| Box::pin(pages::due(conn, now, ROUND))).await?;
    for page in due {
        if !claim(shared, &page).await? {
            continue;
        }
        let is_spent = page.deliveries + 1 >= limits::PAGE_DELIVERIES;
        let mut error = send(shared, &page).await.err();
        if error.is_none() && is_spent {
            error =
                Some(format!("it went out {} times, and nobody took it", limits::PAGE_DELIVERIES));
        }
        if let Some(error) = &error {
            tracing::error!(page.id = %page.id, page.message = %page.message, %error, "a page reaches nobody");
        }
        let next_at = (!is_spent).then(|| now.plus_ms(page.repeat_ms));
        let (id, level) = (page.id, page.level + 1);
        shared
            .store
            .write(move |tx| {
                let error = error.clone();
                Box::pin(async move { pages::sent(tx, id, level, error, next_at).await })
            })
            .await?;
    }
    Ok(())
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

/// Sends a page to the one whose turn it is; the last of the chain hears it again and again.
async fn send(shared: &Shared, page: &Page) -> Result<(), String> {
    let last = page.chain.len().saturating_sub(1);
    let who = page.chain.get((page.level as usize).min(last));
    let who = who.map_or("role:responder", String::as_str);
    let subject = format!("Stanch: {}", page.code);
    let message = match (page.incident, page.run) {
        (Some(incident), Some(run)) => format!("{} [{incident} {run} {}]", page.message, page.id),
        (Some(incident), None) => format!("{} [{incident} {}]", page.message, page.id),
        (None, Some(run)) => format!("{} [{run} {}]", page.message, page.id),
        (None, None) => format!("{} [{}]", page.message, page.id),
    };
    let call = notify::publish(&shared.settings, who, &subject, &message).ok_or_else(|| {
        format!("no channel reaches {who}: set `default_topic` under [notify] in stanch.toml")
    })?;
    let action = shared.catalogue.action(&call.action)?.clone();
    let context = ActionContext {
        incident: page.incident,
        run: page.run,
        step: "page".to_owned(),
        token: uuid::Uuid::from_u128(page.id.bits()),
        attempt: page.deliveries + 1,
        account: call.options.account.clone(),
        region: call.options.region.clone(),
        role: None,
        urgency: Urgency::Response,
        patience: Patience::default(),
        granted: call.effect,
        plan: Vec::new(),
        timeout: Span::from_secs(20),
        now: shared.world.now(),
        state: None,
    };
    let sent = action.run(&context, &call.input);
    match tokio::time::timeout(context.timeout.duration(), sent).await {
        Ok(Ok(Outcome::Done(_) | Outcome::Again { .. })) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer came in time".to_owned()),
    }
}
