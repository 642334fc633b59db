//! Databases that must not be opened, and what is said about them.

use sqlx::Connection as _;
use stanch_engine_store::{OpenError, Options, Store, sqlite_url};

use crate::both::{self, both};

/// A migration that this version does not know.
const PRETEND: &str = "INSERT INTO _sqlx_migrations \
    (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, '', 0)";

/// Carries out a statement behind the store's back.
async fn run(url: &str, statement: String) {
    let mut connection = sqlx::AnyConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
}

async fn refusal(url: &str) -> OpenError {
    match Store::open(Options::new(url)).await {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => error,
    }
}

both! {
    a_database_opens_again_with_all_that_is_in_it(fresh) {
        let store = Store::open(Options::new(&fresh.url)).await.unwrap();
        assert_eq!(store.commits(), 0);
        store.close().await;
    }

    a_database_of_a_newer_version_is_not_touched(fresh) {
        fresh.store.write(|tx| Box::pin(async move {
            stanch_engine_store::settings::set(tx, "k", "v").await
        })).await.unwrap();
        run(&fresh.url, PRETEND.to_owned()).await;
        let error = refusal(&fresh.url).await;
        assert!(matches!(error, OpenError::Newer(9_999)), "{error}");
        assert_eq!(error.code().code, "ST0502");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(
        &path,
        "these are notes, and not a database, and they are long enough".repeat(100),
    )
    .unwrap();
    let error = refusal(&sqlite_url(&path)).await;
    assert!(matches!(error, OpenError::Unreachable(_)), "{error}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("these are notes"));
}

#[tokio::test]
async fn a_url_of_something_else_is_refused() {
    assert!(matches!(refusal("mysql://root@localhost/x").await, OpenError::Url(_)));
    assert!(matches!(refusal("nonsense").await, OpenError::Url(_)));
    let missing = refusal("sqlite:///nowhere/at/all/stanch.db").await;
    assert!(matches!(missing, OpenError::Unreachable(_)), "{missing}");
}

#[tokio::test]
async fn a_path_with_odd_characters_is_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b%20c#d?e.db");
    Store::open(Options::new(sqlite_url(&path))).await.unwrap();
    assert!(path.exists());
}

#[tokio::test]
async fn a_postgres_that_would_forget_is_refused() {
    let fresh = both::postgres().await;
    let name = fresh.url.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    run(&fresh.url, format!("ALTER DATABASE \"{name}\" SET synchronous_commit = off")).await;
    let error = refusal(&fresh.url).await;
    assert!(
        matches!(&error, OpenError::NotDurable(why) if why.contains("synchronous_commit")),
        "{error}"
    );
    assert_eq!(error.code().code, "ST0503");
}
