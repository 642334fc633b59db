//! What the benchmark's commands claim, where it is more than speed.

use stanch_tests::postgres::Database;

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

#[tokio::test]
async fn a_capture_is_measured_beside_a_copy_and_a_large_item_goes_through_and_leaves_nothing() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("disk")).unwrap();
    let ran = folder.run(&["bench", "evidence", "--dir", "disk", "--mib", "4"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.json()["ratio"].as_f64().unwrap() > 0.0, "{ran:?}");
    let ran = folder.run(&["bench", "evidence", "--dir", "disk", "--large", "96"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let measured = ran.json();
    assert_eq!(measured["item_bytes"], 96 << 20);
    assert!(measured["bundle_bytes"].as_u64().unwrap() > 96 << 20, "as it is, and all of it");
    let number = |name: &str| measured[name].as_i64().unwrap();
    assert!(number("peak_mib") - number("idle_mib") < 48, "{measured}");
    assert_eq!(std::fs::read_dir(folder.path().join("disk")).unwrap().count(), 0);
    let ran = folder.run(&["bench", "evidence", "--dir", "disk", "--large", "999999999999"]).await;
    assert!(ran.code == 1 && ran.err.contains("MiB free"), "{ran:?}");
}

#[tokio::test]
async fn kpis_are_measured_beside_the_plain_scan_on_both_databases() {
    let (folder, postgres) = (Folder::new(), Database::create().await);
    for url in ["sqlite://kpis.db", postgres.url()] {
        let flags = ["--incidents", "2000", "--rounds", "2"];
        let ran = folder.run(&[&["bench", "kpis", "--database", url], &flags[..]].concat()).await;
        assert_eq!(ran.code, 0, "{ran:?}");
        let measured = ran.json();
        assert_eq!(measured["incidents"], 2_000);
        for figure in ["p95_ms", "plain_scan_of_one_kpi_ms"] {
            assert!(measured[figure].as_f64().unwrap() > 0.0, "{measured}");
        }
    }
}
