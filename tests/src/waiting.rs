//! Waiting for what another program does in its own time.

use std::time::Duration;

use tokio::time::{interval, timeout};

use crate::process::DEADLINE;

/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Looks until there is something to see, and gives it.
///
/// # Panics
/// When it does not come within [`DEADLINE`].
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        let mut looks = interval(LOOK);
        loop {
            looks.tick().await;
            if let Some(seen) = look().await {
                return seen;
            }
        }
    };
    let seen = timeout(DEADLINE, looking).await;
    seen.unwrap_or_else(|_| panic!("it does not come: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_looks_until_it_sees() {
        let mut looks = 0;
        let seen = eventually("the third look", async || {
            looks += 1;
            (looks == 3).then_some("seen")
        });
        assert_eq!(seen.await, "seen");
        assert_eq!(looks, 3);
    }
}
