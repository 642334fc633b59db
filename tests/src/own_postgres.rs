//! A Postgres that one test has for itself: it may crash, speak TLS, and ask for passwords.

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Command;

use crate::environment::variable;
use crate::postgres::Database;
use crate::process::Process;
use crate::waiting::eventually;

/// A server. It is gone with this value.
#[derive(Debug)]
pub struct OwnPostgres {
    url: String,
    // It stops when its input ends.
    _process: Process,
}

impl OwnPostgres {
    /// Starts one; the arguments are those of `cargo xtask postgres`.
    pub async fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(variable("STANCH_TEST_XTASK"));
        let mut process = Process::start(command.arg("postgres").args(arguments));
        let url = process.wait_for_line(|line| line.starts_with("postgres://")).await;
        Self { url, _process: process }
    }

    /// Its first database, as the one who may do everything.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A fresh database on it.
    pub async fn database(&self) -> Database {
        Database::create_at(&self.url).await
    }
}

/// Crashes the server of a database: every connection is cut, what was not committed is gone, and it
/// recovers from its log and serves again.
///
/// One of its own processes is killed, upon which it trusts none of the others.
pub async fn crash(database: &Database) {
    let pid = "select pid from pg_stat_activity where backend_type = 'checkpointer'";
    let before = database.query(pid).await;
    let pid = before.parse().ok().and_then(Pid::from_raw).expect("the checkpointer has a number");
    kill_process(pid, Signal::KILL).expect("it can be killed");
    let is_new = "select pid <> %1 from pg_stat_activity where backend_type = 'checkpointer'";
    let is_new = is_new.replace("%1", &before);
    eventually("the end of the recovery", async || {
        (database.try_query(&is_new).await.as_deref() == Some("t")).then_some(())
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_crash_keeps_what_was_committed_and_serves_again() {
        let server = OwnPostgres::start(&["--set", "max_connections=20"]).await;
        let database = server.database().await;
        assert_eq!(database.query("show max_connections").await, "20");
        database.query("create table t as select 1 as a").await;
        crash(&database).await;
        assert_eq!(database.query("select a from t").await, "1");
    }
}
