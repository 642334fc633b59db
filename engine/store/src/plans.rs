//! How both databases go about the statements that must not look at all rows: by an index, and without
//! sorting what they find.

use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use crate::dialect::Dialect;
use crate::open::{self, Options};
use crate::sql::Sql;
use crate::{retention, runs};

/// Five thousand runs that wait at three gates, five thousand that have ended, each with a journal.
const FILLED: &[&str] = &[
    "INSERT INTO runs (id, playbook, digest, status, depth, requester, epoch, recoveries, created_at, \
     updated_at, level, gate, gate_max) \
     WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
     SELECT 'run_w' || CAST(i AS TEXT), 'p', 'd', 'queued', 0, 't', 0, 0, i, i, 0, \
     'gate' || CAST(i % 3 AS TEXT), 2 FROM n",
    "INSERT INTO runs (id, playbook, digest, status, depth, requester, epoch, recoveries, created_at, \
     updated_at, finished_at) \
     WITH RECURSIVE n (i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
     SELECT 'run_e' || CAST(i AS TEXT), 'p', 'd', 'succeeded', 0, 't', 0, 0, i, i, i FROM n",
    "INSERT INTO journal (run_id, seq, at, kind, body) SELECT id, 0, 0, 'started', '{}' FROM runs",
    "ANALYZE",
];

fn named(statements: &[(&'static str, Sql)], name: &str) -> Sql {
    statements.iter().find(|(known, _)| *known == name).map(|(_, sql)| *sql).unwrap()
}

async fn filled(url: &str) -> AnyConnection {
    let mut connection = open::open(&Options::new(url)).await.unwrap().writer;
    for statement in FILLED {
        sqlx::raw_sql(*statement).execute(&mut connection).await.unwrap();
    }
    connection
}

/// The plan of a statement, a step a line.
async fn plan(connection: &mut AnyConnection, sql: Sql, dialect: Dialect) -> String {
    let text = sql.text(dialect).replace("$1", "2500").replace("$2", "100");
    let (explain, column) = match dialect {
        Dialect::Sqlite => ("EXPLAIN QUERY PLAN", 3),
        // What a recursion looks up is not planned before it is carried out.
        Dialect::Postgres => ("EXPLAIN (ANALYZE, COSTS OFF)", 0),
    };
    let statement = AssertSqlSafe(format!("{explain} {text}"));
    let rows = sqlx::query(statement).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(column) + "\n").collect()
}

async fn go_by_an_index(url: &str, dialect: Dialect) {
    let mut connection = filled(url).await;
    let (turns, retention) = (runs::turns::STATEMENTS, retention::STATEMENTS);
    for (statements, name, index) in [
        (turns, "HAS_ADMISSIBLE", "runs_gate_most"),
        (turns, "ADMISSIBLE", "runs_at_gate"),
        (retention, "DUE", "runs_to_archive"),
    ] {
        let plan = plan(&mut connection, named(statements, name), dialect).await;
        assert!(plan.contains(index), "{name}:\n{plan}");
        for slow in ["SCAN runs", "TEMP B-TREE", "Seq Scan on runs", "Sort"] {
            assert!(!plan.contains(slow), "{name}: {slow}:\n{plan}");
        }
    }
}

#[tokio::test]
async fn turns_and_retention_go_by_an_index_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    go_by_an_index(&open::sqlite_url(&folder.path().join("s.db")), Dialect::Sqlite).await;
}

#[tokio::test]
async fn turns_and_retention_go_by_an_index_on_postgres() {
    let database = stanch_tests::postgres::Database::create().await;
    go_by_an_index(database.url(), Dialect::Postgres).await;
}
