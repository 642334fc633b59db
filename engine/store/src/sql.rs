//! Statements, as static text in both dialects.

use crate::dialect::Dialect;

/// One statement. Most have one text for both databases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

impl Sql {
    pub(crate) const fn text(&self, dialect: Dialect) -> &'static str {
        match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        }
    }
}

/// Names a module's statements and lists them, so that a test can prepare every one of them on
/// both databases.
macro_rules! statements {
    ($($name:ident = $text:tt;)*) => {
        $(const $name: $crate::sql::Sql = $crate::sql::one!($text);)*
        #[cfg(test)]
        pub(crate) const STATEMENTS: &[(&str, $crate::sql::Sql)] = &[$((stringify!($name), $name)),*];
    };
}

/// A statement of one text, or of two: `{ sqlite: "…", postgres: "…" }`.
///
/// `(among "…", "…")` puts a condition between two texts that holds for the values of the JSON array
/// that is bound first.
macro_rules! one {
    ((among $text:literal $(, $rest:literal)?)) => {
        $crate::sql::Sql {
            sqlite: concat!($text, " IN (SELECT value FROM json_each($1))" $(, $rest)?),
            postgres: concat!(
                $text, " IN (SELECT json_array_elements_text(CAST(CAST($1 AS TEXT) AS json)))" $(, $rest)?
            ),
        }
    };
    ({ sqlite: $sqlite:expr, postgres: $postgres:expr $(,)? }) => {
        $crate::sql::Sql { sqlite: $sqlite, postgres: $postgres }
    };
    ($text:expr) => {
        $crate::sql::Sql { sqlite: $text, postgres: $text }
    };
}

pub(crate) use {one, statements};

#[cfg(test)]
mod tests {
    use sqlx::Executor as _;

    use super::Sql;
    use crate::dialect::Dialect;
    use crate::open::{self, Options};

    const ALL: &[(&str, &[(&str, Sql)])] = &[
        ("absences", crate::absences::STATEMENTS),
        ("alerts", crate::alerts::STATEMENTS),
        ("approvals", crate::approvals::STATEMENTS),
        ("assignments", crate::assignments::STATEMENTS),
        ("audit", crate::audit::STATEMENTS),
        ("bare", crate::bare::STATEMENTS),
        ("containments", crate::containments::STATEMENTS),
        ("cooldowns", crate::cooldowns::STATEMENTS),
        ("broken_glass", crate::broken_glass::STATEMENTS),
        ("custody", crate::custody::STATEMENTS),
        ("dead_letters", crate::dead_letters::STATEMENTS),
        ("deliveries", crate::deliveries::STATEMENTS),
        ("evidence", crate::evidence::STATEMENTS),
        ("guarded", crate::guarded::STATEMENTS),
        ("handovers", crate::handovers::STATEMENTS),
        ("gauges", crate::gauges::STATEMENTS),
        ("heard_sources", crate::heard_sources::STATEMENTS),
        ("holds", crate::holds::STATEMENTS),
        ("inbox", crate::inbox::STATEMENTS),
        ("incidents", crate::incidents::STATEMENTS),
        ("item_deletions", crate::item_deletions::STATEMENTS),
        ("item_holds", crate::item_holds::STATEMENTS),
        ("item_moves", crate::item_moves::STATEMENTS),
        ("journal", crate::journal::STATEMENTS),
        ("kpis", crate::kpis::STATEMENTS),
        ("kpis/plain", crate::kpis::plain::STATEMENTS),
        ("kpis/reading", crate::kpis::reading::STATEMENTS),
        ("ledger", crate::ledger::STATEMENTS),
        ("ledger_stamps", crate::ledger_stamps::STATEMENTS),
        ("milestones", crate::milestones::STATEMENTS),
        ("nodes", crate::nodes::STATEMENTS),
        ("noise", crate::noise::STATEMENTS),
        ("ocsf_out", crate::ocsf_out::STATEMENTS),
        ("pages", crate::pages::STATEMENTS),
        ("pages/follow", crate::pages::follow::STATEMENTS),
        ("parts", crate::parts::STATEMENTS),
        ("payloads", crate::payloads::STATEMENTS),
        ("people", crate::people::STATEMENTS),
        ("playbooks", crate::playbooks::STATEMENTS),
        ("reconciliations", crate::reconciliations::STATEMENTS),
        ("restored", crate::restored::STATEMENTS),
        ("retention", crate::retention::STATEMENTS),
        ("reviews", crate::reviews::STATEMENTS),
        ("run_items", crate::run_items::STATEMENTS),
        ("runs", crate::runs::STATEMENTS),
        ("runs/lease", crate::runs::lease::STATEMENTS),
        ("runs/list", crate::runs::list::STATEMENTS),
        ("runs/new", crate::runs::new::STATEMENTS),
        ("runs/turns", crate::runs::turns::STATEMENTS),
        ("schedules", crate::schedules::STATEMENTS),
        ("settings", crate::settings::STATEMENTS),
        ("storms", crate::storms::STATEMENTS),
        ("suppressions", crate::suppressions::STATEMENTS),
        ("tokens", crate::tokens::STATEMENTS),
        ("updates", crate::updates::STATEMENTS),
        ("trail_audits", crate::trail_audits::STATEMENTS),
        ("used_links", crate::used_links::STATEMENTS),
        ("vouched", crate::vouched::STATEMENTS),
        ("write_backs", crate::write_backs::STATEMENTS),
    ];

    async fn prepare_all(url: &str, dialect: Dialect) {
        let mut opened = open::open(&Options::new(url)).await.unwrap();
        for (module, statements) in ALL {
            for (name, sql) in *statements {
                let prepared =
                    opened.writer.prepare(sqlx::SqlSafeStr::into_sql_str(sql.text(dialect))).await;
                prepared.unwrap_or_else(|error| panic!("{module}::{name}: {error}"));
            }
        }
        for sql in crate::journal::sized() {
            let text = sqlx::SqlSafeStr::into_sql_str(sql.text(dialect));
            opened.writer.prepare(text).await.unwrap();
        }
    }

    #[tokio::test]
    async fn every_statement_is_one_on_sqlite() {
        let folder = tempfile::tempdir().unwrap();
        prepare_all(&open::sqlite_url(&folder.path().join("s.db")), Dialect::Sqlite).await;
    }

    #[tokio::test]
    async fn every_statement_is_one_on_postgres() {
        let database = stanch_tests::postgres::Database::create().await;
        prepare_all(database.url(), Dialect::Postgres).await;
    }
}
