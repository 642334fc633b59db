//! What the benchmark's commands claim, where it is more than speed.

use crate::server::Folder;

#[tokio::test]
async fn ten_thousand_runs_that_wait_cost_rows_and_neither_threads_nor_memory() {
    let folder = Folder::new();
    let ran = folder.run(&["bench", "waiting", "--database", "sqlite://waiting.db"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let measured = ran.json();
    assert_eq!(measured["runs"], 10_000);
    assert_eq!(measured["runs_in_memory"], 0);
    assert!(measured["grown_kib"].as_i64().unwrap() < 20 * 1024, "{measured}");
    // The database's own few connections may come between.
    let threads = |name: &str| measured[name].as_i64().unwrap();
    assert!(threads("waiting_threads") - threads("idle_threads") < 10, "{measured}");
}
