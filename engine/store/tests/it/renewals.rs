//! Leases are held by a way of their own on Postgres, which waits for nobody.

use std::sync::Arc;

use stanch_engine_store::inbox::FactKind;
use stanch_engine_store::{Store, StoreError, runs};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::both::{Fresh, at, claim, insert, new_run, node, postgres, run_id};

/// A store with three runs that a node works on until second 20.
async fn three_at_work() -> Fresh {
    let fresh = postgres().await;
    for number in 1..=3 {
        insert(&fresh.store, new_run(number)).await.unwrap();
    }
    assert_eq!(claim(&fresh.store, node(1), at(10), 3).await.len(), 3);
    fresh
}

/// Has the writer stay in the midst of a transaction that has changed a run's row, until it is told to go on.
async fn stay_at(store: &Store, number: u128) -> (Arc<Notify>, JoinHandle<Result<(), StoreError>>) {
    let (began, goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (store, begins, goes) = (store.clone(), began.clone(), goes_on.clone());
    let busy = tokio::spawn(async move {
        let written = store.write(move |tx| {
            let (begins, goes) = (begins.clone(), goes.clone());
            Box::pin(async move {
                runs::wake(tx, run_id(number), FactKind::Signal, at(11)).await?;
                begins.notify_one();
                goes.notified().await;
                Ok(())
            })
        });
        written.await
    });
    began.notified().await;
    (goes_on, busy)
}

#[tokio::test(flavor = "multi_thread")]
async fn leases_are_renewed_while_the_writer_is_busy() {
    let fresh = three_at_work().await;
    let (goes_on, busy) = stay_at(&fresh.store, 2).await;
    let renew = |until: i64| {
        fresh.store.write_apart(move |tx| {
            Box::pin(async move {
                runs::renew(tx, node(1), at(until)).await?;
                runs::passed_over(tx, node(1), at(until)).await
            })
        })
    };
    assert_eq!(renew(40).await.unwrap(), 1, "all but the one whose row the writer has");
    goes_on.notify_one();
    busy.await.unwrap().unwrap();
    assert_eq!(renew(41).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_the_dead_are_taken_over_while_somebody_has_one_of_them() {
    let fresh = three_at_work().await;
    let (goes_on, busy) = stay_at(&fresh.store, 2).await;
    let take_over =
        || fresh.store.write_apart(|tx| Box::pin(async move { runs::take_over(tx, at(21)).await }));
    assert_eq!(take_over().await.unwrap(), 2);
    goes_on.notify_one();
    busy.await.unwrap().unwrap();
    assert_eq!(take_over().await.unwrap(), 1);
}
