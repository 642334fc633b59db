//! Looking at a database while another process works on it, or none does: no migration is applied,
//! and nothing is written.

use sqlx::AnyPool;
use sqlx::migrate::Migrate as _;

use crate::dialect::Dialect;
use crate::error::{OpenError, StoreError};
use crate::open::{self, Options};
use crate::store::BoxFuture;
use crate::tx::Conn;

/// A database that is only looked at.
pub struct Examined {
    /// The newest migration that was applied; nothing where Stanch never started on it.
    pub applied: Option<i64>,
    /// The newest migration that this version knows.
    pub known: i64,
    /// Why it would not survive a power cut, if it would not.
    pub not_durable: Option<String>,
    dialect: Dialect,
    readers: AnyPool,
}

/// Looks at a database that is there.
///
/// # Errors
/// [`OpenError`] when it is not there, or is no database.
pub async fn examine(options: &Options) -> Result<Examined, OpenError> {
    let (dialect, readers) = open::readers(options).await?;
    let mut connection = readers.acquire().await.map_err(open::unreachable_database)?;
    let applied = connection.list_applied_migrations("_sqlx_migrations").await;
    // The table is not there before the first start; the database itself answered.
    let applied = applied.unwrap_or_default().iter().map(|one| one.version).max();
    let not_durable = match open::read_back(&mut connection, dialect).await {
        Ok(()) => None,
        Err(OpenError::NotDurable(why)) => Some(why),
        Err(other) => return Err(other),
    };
    drop(connection);
    Ok(Examined { applied, known: open::newest(), not_durable, dialect, readers })
}

impl Examined {
    /// Reads, as [`crate::Store::read`] does.
    ///
    /// # Errors
    /// [`StoreError`] of the closure, or when no connection comes free.
    pub async fn read<T: Send>(
        &self,
        body: impl for<'a> FnOnce(&'a mut Conn<'_>) -> BoxFuture<'a, Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let mut conn = Conn { connection: &mut connection, dialect: self.dialect, entropy: None };
        body(&mut conn).await
    }

    /// Lets go of it.
    pub async fn close(self) {
        self.readers.close().await;
    }
}
