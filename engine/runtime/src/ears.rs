//! What people do elsewhere and services tell on lines that this side opens, for networks that let
//! nothing in. A line that ends is opened again.

use std::sync::Arc;

use serde_json::Value;
use stanch_engine_core::span::Span;
use stanch_plugins_sdk::{BoxFuture, Ear, Take};
use tokio::sync::watch;

use crate::runtime::Runtime;
use crate::slack;

/// The least pause between two lines, and the longest after several that could not be opened.
const PAUSE: (Span, Span) = (Span::from_secs(1), Span::from_secs(60));

struct Taker(Runtime);

impl Take for Taker {
    fn take(&self, payload: Value) -> BoxFuture<'_, bool> {
        Box::pin(async move {
            let taken = slack::press(&self.0, &payload).await;
            if let Err(error) = &taken {
                tracing::error!(%error, "what somebody did in Slack is not written down");
            }
            taken.is_ok()
        })
    }
}

/// Listens until it is told to stop.
pub(crate) async fn work(runtime: Runtime, ear: Arc<dyn Ear>, mut stop: watch::Receiver<bool>) {
    let kind = ear.kind();
    let clock = runtime.world().clock.clone();
    let taker = Taker(runtime);
    let mut pause = PAUSE.0;
    while !*stop.borrow() {
        let ended = tokio::select! {
            ended = ear.listen(&taker) => ended,
            _ = stop.changed() => return,
        };
        pause = match ended {
            Ok(()) => {
                tracing::info!(kind, "a line has ended and is opened again");
                PAUSE.0
            }
            Err(error) => {
                tracing::warn!(kind, %error, "a line can't be kept open");
                Span::from_ms((pause.ms * 2).min(PAUSE.1.ms))
            }
        };
        let until = clock.now().plus_ms(pause.ms);
        tokio::select! {
            () = clock.sleep_until(until) => {}
            _ = stop.changed() => return,
        }
    }
}
