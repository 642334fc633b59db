//! Reading typed values out of rows. A row that does not hold what it must names itself.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use stanch_engine_core::json::Json;
use stanch_engine_core::time::Timestamp;

use crate::error::StoreError;

/// A row of a table that is known by name.
pub(crate) struct Row<'r> {
    table: &'static str,
    row: &'r AnyRow,
}

type Read<T> = Result<T, StoreError>;

impl<'r> Row<'r> {
    pub(crate) fn of(table: &'static str, row: &'r AnyRow) -> Self {
        Self { table, row }
    }

    fn wrong(&self, column: &'static str, what: impl Display) -> StoreError {
        StoreError::Inconsistent { table: self.table, column, what: what.to_string() }
    }

    pub(crate) fn text(&self, column: &'static str) -> Read<String> {
        self.row.try_get(column).map_err(|error| self.wrong(column, error))
    }

    pub(crate) fn text_opt(&self, column: &'static str) -> Read<Option<String>> {
        self.row.try_get(column).map_err(|error| self.wrong(column, error))
    }

    pub(crate) fn int(&self, column: &'static str) -> Read<i64> {
        self.row.try_get(column).map_err(|error| self.wrong(column, error))
    }

    pub(crate) fn int_opt(&self, column: &'static str) -> Read<Option<i64>> {
        self.row.try_get(column).map_err(|error| self.wrong(column, error))
    }

    /// A number that is never negative and never large.
    pub(crate) fn count(&self, column: &'static str) -> Read<u32> {
        u32::try_from(self.int(column)?).map_err(|error| self.wrong(column, error))
    }

    pub(crate) fn flag(&self, column: &'static str) -> Read<bool> {
        Ok(self.int(column)? != 0)
    }

    pub(crate) fn time(&self, column: &'static str) -> Read<Timestamp> {
        self.int(column).map(Timestamp::from_micros)
    }

    pub(crate) fn time_opt(&self, column: &'static str) -> Read<Option<Timestamp>> {
        Ok(self.int_opt(column)?.map(Timestamp::from_micros))
    }

    /// A word of an enum, an id, a digest.
    pub(crate) fn word<T: FromStr<Err: Display>>(&self, column: &'static str) -> Read<T> {
        self.text(column)?.parse().map_err(|error| self.wrong(column, error))
    }

    pub(crate) fn word_opt<T: FromStr<Err: Display>>(
        &self,
        column: &'static str,
    ) -> Read<Option<T>> {
        let text = self.text_opt(column)?;
        text.map(|text| text.parse().map_err(|error| self.wrong(column, error))).transpose()
    }

    pub(crate) fn json(&self, column: &'static str) -> Read<Json> {
        Json::parse(self.text(column)?).map_err(|error| self.wrong(column, error))
    }

    pub(crate) fn json_opt(&self, column: &'static str) -> Read<Option<Json>> {
        let text = self.text_opt(column)?;
        text.map(|text| Json::parse(text).map_err(|error| self.wrong(column, error))).transpose()
    }

    /// A column of JSON as one of the engine's types.
    pub(crate) fn parsed<T: DeserializeOwned>(&self, column: &'static str) -> Read<T> {
        serde_json::from_str(&self.text(column)?).map_err(|error| self.wrong(column, error))
    }
}
