//! Databases of the Postgres that `cargo xtask test` runs.

use std::path::PathBuf;
use std::process::Output;

use crate::environment::variable;

/// A fresh, empty database. It is dropped with this value.
#[derive(Debug)]
pub struct Database {
    name: String,
    url: String,
    server: Server,
}

/// The server, by way of `psql`, since the driver's home is the store.
#[derive(Debug)]
struct Server {
    psql: PathBuf,
    url: String,
}

impl Database {
    /// Makes one on the server that all tests share.
    pub async fn create() -> Self {
        Self::create_at(&variable("STANCH_TEST_POSTGRES_URL")).await
    }

    /// Makes one on the server whose first database this is.
    pub async fn create_at(url: &str) -> Self {
        let psql = PathBuf::from(variable("STANCH_TEST_PG_BIN")).join("psql");
        let server = Server { psql, url: url.to_owned() };
        let number = getrandom::u64().expect("the system has randomness");
        let name = format!("stanch_test_{number:016x}");
        let (start, _) = server.url.rsplit_once('/').expect("a URL has a path");
        let url = format!("{start}/{name}");
        server.query(&server.url, &format!("create database {name}")).await;
        Self { name, url, server }
    }

    /// Where it is: `postgres://…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs a statement and returns its rows, a line each, columns split by `|`.
    pub async fn query(&self, sql: &str) -> String {
        self.server.query(&self.url, sql).await
    }

    /// Like [`Database::query`]; nothing while the server takes no questions.
    pub async fn try_query(&self, sql: &str) -> Option<String> {
        self.server.try_query(&self.url, sql).await.ok()
    }

    /// Cuts all connections to it, as a restart of the server would.
    pub async fn cut_connections(&self) {
        let sql = format!(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = '{}'",
            self.name
        );
        self.server.query(&self.server.url, &sql).await;
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("drop database if exists {} with (force)", self.name);
        let mut psql = std::process::Command::new(&self.server.psql);
        // What can't be dropped goes with the server.
        let _ = psql.args(arguments(&self.server.url, &sql)).output();
    }
}

impl Server {
    async fn query(&self, url: &str, sql: &str) -> String {
        self.try_query(url, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    async fn try_query(&self, url: &str, sql: &str) -> Result<String, String> {
        let output = tokio::process::Command::new(&self.psql).args(arguments(url, sql)).output();
        let Output { status, stdout, stderr } = output.await.expect("psql can be started");
        if !status.success() {
            return Err(String::from_utf8_lossy(&stderr).into_owned());
        }
        Ok(String::from_utf8_lossy(&stdout).trim_end().to_owned())
    }
}

/// Neither a person's `.psqlrc` nor anything but rows.
fn arguments<'a>(url: &'a str, sql: &'a str) -> [&'a str; 6] {
    ["-XqAt", "-v", "ON_ERROR_STOP=1", "-c", sql, url]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_database_is_its_own_and_goes_when_it_is_dropped() {
        let first = Database::create().await;
        let second = Database::create().await;
        first.query("create table t as select 1 as a, 2 as b").await;
        assert_eq!(first.query("select * from t").await, "1|2");
        assert_eq!(second.query("select to_regclass('t') is null").await, "t");

        let name = first.name.clone();
        drop(first);
        let sql = format!("select count(*) from pg_database where datname = '{name}'");
        assert_eq!(second.query(&sql).await, "0");
    }

    #[tokio::test]
    async fn the_server_has_the_settings_of_production() {
        let database = Database::create().await;
        let sql = "select name, setting from pg_settings \
                   where name in ('fsync', 'full_page_writes', 'synchronous_commit') order by name";
        let expected = "fsync|on\nfull_page_writes|on\nsynchronous_commit|on";
        assert_eq!(database.query(sql).await, expected);
    }

    #[tokio::test]
    async fn connections_can_be_cut() {
        let database = Database::create().await;
        let query = tokio::process::Command::new(&database.server.psql)
            .args(arguments(database.url(), "select pg_sleep(60)"))
            .kill_on_drop(true)
            .spawn();
        let mut query = query.unwrap();
        let sql = "select count(*) from pg_stat_activity where query = 'select pg_sleep(60)'";
        while database.query(sql).await == "0" {}
        database.cut_connections().await;
        assert!(!query.wait().await.unwrap().success());
    }
}
