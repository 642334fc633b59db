//! The writer shares its core with SQLite's thread.

use std::collections::BTreeMap;

use stanch_engine_store::{Options, Store, settings, sqlite_url};

/// The cores of each thread of this process, by its name.
fn cores() -> BTreeMap<String, Vec<String>> {
    let mut cores: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let task = task.unwrap().path();
        // A thread may end while it is looked at.
        let (Ok(name), Ok(status)) = (
            std::fs::read_to_string(task.join("comm")),
            std::fs::read_to_string(task.join("status")),
        ) else {
            continue;
        };
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        cores.entry(name.trim().to_owned()).or_default().push(list.unwrap().trim().to_owned());
    }
    cores
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_and_the_thread_that_it_waits_for_are_on_one_core() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(Options::new(sqlite_url(&folder.path().join("s.db")))).await.unwrap();
    store.write(|tx| Box::pin(settings::set(tx, "a", "b"))).await.unwrap();
    let cores = cores();
    let [writer] = cores["stanch-writer"].as_slice() else { panic!("{cores:?}") };
    assert!(writer.parse::<u32>().is_ok(), "it is on {writer}");
    let workers = cores.iter().filter(|(name, _)| name.starts_with("sqlx-sqlite"));
    let with_it = workers.flat_map(|(_, on)| on).filter(|on| *on == writer).count();
    // Those that read go where they like, unless there is but one core.
    let is_alone = std::thread::available_parallelism().is_ok_and(|n| n.get() > 1);
    assert!(if is_alone { with_it == 1 } else { with_it > 0 }, "{cores:?}");
    store.close().await;
}
