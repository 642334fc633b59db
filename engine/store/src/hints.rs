//! Hints between nodes, by Postgres's NOTIFY: there may be something to do.
//!
//! A hint says nothing else, may come twice, and may get lost; whoever relies on one looks for
//! himself now and then. It never travels in a transaction that writes: Postgres holds a lock of
//! the whole server while it commits a NOTIFY.

use sqlx::postgres::PgListener;

use crate::error::StoreError;
use crate::store::Store;

/// The name that nodes of one database listen to.
const CHANNEL: &str = "stanch_work";

/// A connection that hears hints.
pub struct Hints(PgListener);

impl std::fmt::Debug for Hints {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hints")
    }
}

impl Store {
    /// Gives every node a hint, this one too. SQLite has one node, which needs none.
    ///
    /// # Errors
    /// [`StoreError`] of the database.
    pub async fn hint(&self) -> Result<(), StoreError> {
        if self.listen.is_some() {
            sqlx::query("NOTIFY stanch_work").execute(&self.readers).await?;
        }
        Ok(())
    }

    /// Hears hints from now on; nothing on SQLite.
    ///
    /// # Errors
    /// [`StoreError`] when there is no connection to be had.
    pub async fn hints(&self) -> Result<Option<Hints>, StoreError> {
        let Some(listen) = &self.listen else { return Ok(None) };
        let mut listener = PgListener::connect(&listen.url().await?).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(Hints(listener)))
    }
}

impl Hints {
    /// Waits for the next hint. A connection that was lost and is there again counts as one: what
    /// was said meanwhile, nobody heard.
    ///
    /// # Errors
    /// [`StoreError`] when the connection is lost and does not come back.
    pub async fn next(&mut self) -> Result<(), StoreError> {
        self.0.try_recv().await?;
        while self.0.next_buffered().is_some() {}
        Ok(())
    }
}
