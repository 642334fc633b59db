//! What many senders bring goes beside the writer on Postgres, and comes out as if in one line.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use stanch_engine_core::run::RunStatus;
use stanch_engine_store::inbox::FactKind;
use stanch_engine_store::runs::{self, Standing};
use stanch_engine_store::{Options, Store, StoreError, Tx, settings, writer};
use tokio::sync::Notify;

use crate::both::{
    at, both, claim, commit, entry, insert, new_run, node, postgres, run_id, status,
};

async fn value(store: &Store, name: &'static str) -> Option<String> {
    store.read(|conn| Box::pin(settings::get(conn, name))).await.unwrap()
}

/// Reads a number and writes the next one: two who do so at once must not count as one.
async fn count(tx: &mut Tx<'_>, name: &'static str) -> Result<u32, StoreError> {
    let before = settings::get(tx, name).await?;
    let next = before.map_or(0, |text| text.parse::<u32>().unwrap()) + 1;
    settings::set(tx, name, &next.to_string()).await?;
    Ok(next)
}

both! {
    each_of_many_who_count_at_once_counts(fresh) {
        fresh.store.write(|tx| Box::pin(async move { count(tx, "n").await })).await.unwrap();
        let counting = (0..60).map(|number: u32| {
            let store = fresh.store.clone();
            tokio::spawn(async move {
                let key = format!("key {number}");
                store.write_beside(&key, |tx| Box::pin(count(tx, "n"))).await.unwrap()
            })
        });
        let mut seen: Vec<u32> = join_all(counting).await.into_iter().map(Result::unwrap).collect();
        seen.sort_unstable();
        assert_eq!(seen, (2..=61).collect::<Vec<_>>());
        assert_eq!(value(&fresh.store, "n").await.as_deref(), Some("61"));
    }

    what_is_about_the_same_thing_keeps_its_order(fresh) {
        let writing = (0..20).map(|number: u32| {
            let store = fresh.store.clone();
            async move {
                store.write_beside("one thing", move |tx| Box::pin(async move {
                    let before = settings::get(tx, "order").await?.unwrap_or_default();
                    settings::set(tx, "order", &format!("{before}{number} ")).await
                })).await.unwrap();
            }
        });
        join_all(writing).await;
        let order: String = (0..20).map(|number| format!("{number} ")).collect();
        assert_eq!(value(&fresh.store, "order").await, Some(order));
    }

    what_fails_beside_leaves_nothing_behind(fresh) {
        let failed: Result<(), _> = fresh.store.write_beside("k", |tx| Box::pin(async move {
            settings::set(tx, "a", "1").await?;
            Err(StoreError::Fenced)
        })).await;
        assert!(matches!(failed, Err(StoreError::Fenced)));
        assert_eq!(value(&fresh.store, "a").await, None);
        fresh.store.write_beside("k", |tx| Box::pin(settings::set(tx, "a", "2"))).await.unwrap();
        assert_eq!(value(&fresh.store, "a").await.as_deref(), Some("2"));
    }
}

/// Each loses many races against the other, and none for good.
#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_count_the_same_at_once_lose_nothing() {
    let database = stanch_tests::postgres::Database::create().await;
    let one = Store::open(Options::new(database.url())).await.unwrap();
    let other = Store::open(Options::new(database.url())).await.unwrap();
    one.write(|tx| Box::pin(async move { count(tx, "n").await })).await.unwrap();
    let counting = (0..120).map(|number: u32| {
        let store = if number.is_multiple_of(2) { one.clone() } else { other.clone() };
        tokio::spawn(async move {
            let key = format!("key {number}");
            store.write_beside(&key, |tx| Box::pin(count(tx, "n"))).await.unwrap()
        })
    });
    let mut seen: Vec<u32> = join_all(counting).await.into_iter().map(Result::unwrap).collect();
    seen.sort_unstable();
    assert_eq!(seen, (2..=121).collect::<Vec<_>>());
    assert_eq!(value(&one, "n").await.as_deref(), Some("121"));
}

/// One stays in the middle of its transaction until another has come past it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_about_other_things_waits_for_nobody() {
    let fresh = postgres().await;
    let (began, passed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (store, begins, passes) = (fresh.store.clone(), began.clone(), passed.clone());
    let held = tokio::spawn(async move {
        let held = store.write_beside("thing 0", move |tx| {
            let (begins, passes) = (begins.clone(), passes.clone());
            Box::pin(async move {
                settings::set(tx, "held", "yes").await?;
                begins.notify_one();
                passes.notified().await;
                Ok(())
            })
        });
        held.await
    });
    began.notified().await;
    let others = (1..30).map(|number: u32| {
        let (store, passed) = (fresh.store.clone(), passed.clone());
        async move {
            let (key, name) = (format!("thing {number}"), format!("of {number}"));
            let set = store.write_beside(&key, move |tx| {
                let name = name.clone();
                Box::pin(async move { settings::set(tx, &name, "set").await })
            });
            set.await.unwrap();
            passed.notify_one();
        }
    });
    join_all(others).await;
    held.await.unwrap().unwrap();
    assert_eq!(value(&fresh.store, "held").await.as_deref(), Some("yes"));
}

/// Each of the two waits for what the other has: who is beside gives way.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_beside_gives_way_to_the_writer() {
    let fresh = postgres().await;
    for name in ["a", "b"] {
        fresh.store.write(move |tx| Box::pin(settings::set(tx, name, "0"))).await.unwrap();
    }
    let (has_a, has_b, again) =
        (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (store, took, waits, goes) =
        (fresh.store.clone(), has_a.clone(), has_b.clone(), again.clone());
    let writer = tokio::spawn(async move {
        let written = store.write(move |tx| {
            let (took, waits, goes) = (took.clone(), waits.clone(), goes.clone());
            Box::pin(async move {
                settings::set(tx, "a", "writer").await?;
                took.notify_one();
                waits.notified().await;
                // Not before the other has given way: it would wait for ever.
                goes.notified().await;
                settings::set(tx, "b", "writer").await
            })
        });
        written.await
    });
    has_a.notified().await;
    let tries = Arc::new(AtomicU32::new(0));
    let beside = fresh.store.write_beside("k", move |tx| {
        let (has_b, again) = (has_b.clone(), again.clone());
        let is_again = tries.fetch_add(1, Ordering::SeqCst) > 0;
        Box::pin(async move {
            if is_again {
                again.notify_one();
            }
            settings::set(tx, "b", "beside").await?;
            has_b.notify_one();
            settings::set(tx, "a", "beside").await
        })
    });
    beside.await.unwrap();
    writer.await.unwrap().unwrap();
    assert_eq!(value(&fresh.store, "a").await.as_deref(), Some("beside"));
    assert_eq!(value(&fresh.store, "b").await.as_deref(), Some("beside"));
}

/// A run has its entries written and wants its incident; an alert has the incident and tells the run.
#[tokio::test(flavor = "multi_thread")]
async fn who_tells_a_run_does_not_wait_for_its_commit() {
    let fresh = postgres().await;
    insert(&fresh.store, new_run(1)).await.unwrap();
    claim(&fresh.store, node(1), at(10), 1).await;
    let mut sleep = commit(1, 1, vec![entry(1)]);
    let (parked, wake_at, outcome) = (None, None, None);
    let rests = Standing { status: RunStatus::Waiting, parked, wake_at, outcome, at: at(9) };
    sleep.standing = Some(Box::new(rests));
    let (sleep, wrote, told) = (Arc::new(sleep), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (store, writes, tells) = (fresh.store.clone(), wrote.clone(), told.clone());
    let run = tokio::spawn(async move {
        let written = store.write(move |tx| {
            let (sleep, writes, tells) = (sleep.clone(), writes.clone(), tells.clone());
            Box::pin(async move {
                writer::append_one(tx, &sleep).await?;
                writes.notify_one();
                tells.notified().await;
                settings::set(tx, "incident", "of the run").await?;
                writer::stand_one(tx, &sleep).await
            })
        });
        written.await
    });
    wrote.notified().await;
    let tries = Arc::new(AtomicU32::new(0));
    let tried = tries.clone();
    let alert = fresh.store.write_beside("k", move |tx| {
        tried.fetch_add(1, Ordering::SeqCst);
        let told = told.clone();
        Box::pin(async move {
            settings::set(tx, "incident", "of the alert").await?;
            told.notify_one();
            runs::wake(tx, run_id(1), FactKind::Signal, at(11)).await
        })
    });
    assert!(alert.await.unwrap());
    run.await.unwrap().unwrap();
    assert_eq!(tries.load(Ordering::SeqCst), 1, "the alert did not have to give way");
    assert_eq!(status(&fresh.store, 1).await, RunStatus::Waiting);
    assert_eq!(value(&fresh.store, "incident").await.as_deref(), Some("of the run"));
}
