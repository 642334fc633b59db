//! A connection, and a connection inside a writing transaction.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use sqlx::AnyConnection;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use stanch_engine_core::world::Entropy;

use crate::dialect::Dialect;
use crate::error::StoreError;
use crate::sql::Sql;

/// A statement with its values, on its way to the database.
pub(crate) type Bound = Query<'static, sqlx::Any, AnyArguments>;

/// A connection that reads.
pub struct Conn<'c> {
    pub(crate) connection: &'c mut AnyConnection,
    pub(crate) dialect: Dialect,
    /// What nobody can guess, where it is written.
    pub(crate) entropy: Option<Arc<dyn Entropy>>,
}

impl Conn<'_> {
    /// Which database it goes to.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// A statement that values are then bound to.
    pub(crate) fn query(&self, sql: &Sql) -> Bound {
        sqlx::query(sql.text(self.dialect))
    }

    pub(crate) async fn all(&mut self, query: Bound) -> Result<Vec<AnyRow>, StoreError> {
        Ok(query.fetch_all(&mut *self.connection).await?)
    }

    pub(crate) async fn one(&mut self, query: Bound) -> Result<AnyRow, StoreError> {
        Ok(query.fetch_one(&mut *self.connection).await?)
    }

    pub(crate) async fn maybe(&mut self, query: Bound) -> Result<Option<AnyRow>, StoreError> {
        Ok(query.fetch_optional(&mut *self.connection).await?)
    }
}

/// A connection inside a transaction that the writer will commit.
pub struct Tx<'c>(pub(crate) Conn<'c>);

impl Tx<'_> {
    /// What nobody can guess, where the store was given dice.
    pub(crate) fn chance(&self) -> Option<u128> {
        self.0.entropy.as_ref().map(|entropy| entropy.next())
    }

    /// Carries a statement out and says how many rows it touched.
    pub(crate) async fn run(&mut self, query: Bound) -> Result<u64, StoreError> {
        Ok(query.execute(&mut *self.0.connection).await?.rows_affected())
    }
}

impl<'c> Deref for Tx<'c> {
    type Target = Conn<'c>;
    fn deref(&self) -> &Conn<'c> {
        &self.0
    }
}

impl<'c> DerefMut for Tx<'c> {
    fn deref_mut(&mut self) -> &mut Conn<'c> {
        &mut self.0
    }
}
