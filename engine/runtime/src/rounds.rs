//! Loops of a node that look at what is due, and again when the next is.

use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::StoreError;
use tokio::sync::watch;

use crate::shared::Shared;

/// Goes round until it is told to stop. A round says when the next thing is due; after the longest pause
/// it is looked all the same, since another node may have made something due. A round that has begun is
/// waited for. `longest` goes with the words for what can't be done when the database says no.
pub(crate) async fn work<Round>(
    shared: &Shared,
    mut stop: watch::Receiver<bool>,
    (longest, why): (Span, &'static str),
    round: impl Fn() -> Round,
) where
    Round: Future<Output = Result<Option<Timestamp>, StoreError>>,
{
    while !*stop.borrow() {
        let done = round().await;
        let later = shared.world.now().plus_ms(longest.ms);
        let next = match done {
            Ok(next) => next.map_or(later, |next| next.min(later)),
            Err(error) => {
                tracing::warn!(%error, why);
                later
            }
        };
        tokio::select! {
            () = shared.world.clock.sleep_until(next) => {}
            _ = stop.changed() => {}
        }
    }
}
