//! Tells something outside that all is well. When it hears nothing, Stanch is dead, and pages by
//! its own means.

use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::effect::Effect;
use stanch_engine_core::span::Span;
use stanch_engine_store::pages;
use stanch_plugins_sdk::{ActionContext, Patience, Urgency};
use tokio::sync::watch;

use crate::shared::Shared;

/// Calls the heartbeat's URL while the database can be written and pages reach people, until it
/// is told to stop.
pub(crate) async fn work(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let Some(heartbeat) = shared.settings.heartbeat.clone() else { return };
    while !*stop.borrow() {
        let now = shared.world.now();
        match ailment(&shared).await {
            None => {
                if let Err(error) = beat(&shared, &heartbeat.url).await {
                    tracing::warn!(%error, "the heartbeat was not heard");
                }
            }
            Some(why) => tracing::warn!(%why, "no heartbeat"),
        }
        tokio::select! {
            () = shared.world.clock.sleep_until(now.plus_ms(heartbeat.every.ms)) => {}
            _ = stop.changed() => {}
        }
    }
}

/// What is not well, if anything is.
async fn ailment(shared: &Shared) -> Option<String> {
    if let Some(why) = shared.store.failing() {
        return Some(format!("the database can't be written: {why}"));
    }
    match shared.store.read(|conn| Box::pin(pages::undelivered(conn))).await {
        Ok(None) => None,
        Ok(Some(why)) => Some(format!("a page does not reach anybody: {why}")),
        Err(error) => Some(format!("the database can't be read: {error}")),
    }
}

async fn beat(shared: &Shared, url: &str) -> Result<(), String> {
    let action = shared.catalogue.action("http.request")?.clone();
    let context = ActionContext {
        incident: None,
        run: None,
        step: "heartbeat".to_owned(),
        token: uuid::Uuid::from_u128(shared.world.entropy.next()),
        attempt: 1,
        account: None,
        region: None,
        role: None,
        urgency: Urgency::Response,
        patience: Patience::default(),
        granted: Effect::Notify,
        plan: Vec::new(),
        timeout: Span::from_secs(10),
        now: shared.world.now(),
        state: None,
    };
    let input = json!({"method": "GET", "url": url});
    let heard = action.run(&context, &input);
    match tokio::time::timeout(context.timeout.duration(), heard).await {
        Ok(result) => result.map(drop).map_err(|error| error.to_string()),
        Err(_) => Err("no answer came in time".to_owned()),
    }
}
