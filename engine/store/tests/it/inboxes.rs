//! Facts reach runs, and none is lost between a run that falls asleep and the fact that wakes it.

use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::id::InboxId;
use stanch_engine_core::json::Json;
use stanch_engine_core::run::RunStatus;
use stanch_engine_store::inbox::{self, Fact, FactKind};
use stanch_engine_store::runs::Standing;
use stanch_engine_store::{Options, Store, StoreError};
use tokio::sync::Notify;

use crate::both::{
    Appender, at, both, claim, commit, entry, insert, new_run, node, run_id, status,
};

fn fact(number: u128) -> Fact {
    Fact {
        id: InboxId::new(at(7), number),
        run: run_id(1),
        at: at(7),
        kind: FactKind::Signal,
        body: Json::of(&json!({"n": 1})),
    }
}

async fn put(store: &Store, fact: Fact) -> Result<(), StoreError> {
    store
        .write(move |tx| {
            let fact = fact.clone();
            Box::pin(async move { inbox::put(tx, &fact).await })
        })
        .await
}

async fn facts(store: &Store) -> Vec<Fact> {
    store.read(|c| Box::pin(async move { inbox::of_run(c, run_id(1)).await })).await.unwrap()
}

fn standing(status: RunStatus) -> Option<Box<Standing>> {
    let standing = Standing { status, parked: None, wake_at: None, outcome: None, at: at(9) };
    Some(Box::new(standing))
}

both! {
    facts_of_one_moment_keep_the_order_in_which_they_came(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        for number in [3, 1, 2] {
            put(&fresh.store, fact(number)).await.unwrap();
        }
        assert_eq!(facts(&fresh.store).await, [fact(3), fact(1), fact(2)]);
        claim(&fresh.store, node(1), at(10), 1).await;
        let of_node = fresh.store.read(|c| Box::pin(inbox::of_node(c, node(1)))).await.unwrap();
        assert_eq!(of_node, [fact(3), fact(1), fact(2)]);
    }

    a_fact_wakes_a_run_that_waits(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        claim(&fresh.store, node(1), at(10), 1).await;
        let mut sleep = commit(1, 1, vec![entry(1)]);
        sleep.standing = standing(RunStatus::Waiting);
        Appender::of(&fresh.store).append_one(sleep).await.unwrap();
        put(&fresh.store, fact(1)).await.unwrap();
        assert_eq!(status(&fresh.store, 1).await, RunStatus::Queued);
        assert_eq!(facts(&fresh.store).await, [fact(1)]);
    }

    a_run_that_falls_asleep_over_a_fact_is_queued_at_once(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        claim(&fresh.store, node(1), at(10), 1).await;
        put(&fresh.store, fact(1)).await.unwrap();
        assert_eq!(status(&fresh.store, 1).await, RunStatus::Running);
        let of_node = fresh.store.read(|c| Box::pin(inbox::of_node(c, node(1)))).await.unwrap();
        assert_eq!(of_node, [fact(1)]);
        let mut sleep = commit(1, 1, vec![entry(1)]);
        sleep.standing = standing(RunStatus::Waiting);
        Appender::of(&fresh.store).append_one(sleep).await.unwrap();
        assert_eq!(status(&fresh.store, 1).await, RunStatus::Queued);
    }

    a_fact_is_taken_out_with_the_entry_that_takes_it_in(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        claim(&fresh.store, node(1), at(10), 1).await;
        put(&fresh.store, fact(1)).await.unwrap();
        let mut appender = Appender::of(&fresh.store);
        let mut stale = commit(1, 0, vec![entry(1)]);
        stale.consumed = vec![fact(1).id];
        assert!(appender.append_one(stale).await.is_err());
        assert_eq!(facts(&fresh.store).await.len(), 1, "nothing was journaled, so nothing is taken");
        let mut sleep = commit(1, 1, vec![entry(1)]);
        sleep.consumed = vec![fact(1).id];
        sleep.standing = standing(RunStatus::Waiting);
        appender.append_one(sleep).await.unwrap();
        assert_eq!(facts(&fresh.store).await, []);
        assert_eq!(status(&fresh.store, 1).await, RunStatus::Waiting);
    }

    a_run_that_goes_on_takes_its_facts_out_with_its_entries_or_not_at_all(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        claim(&fresh.store, node(1), at(10), 1).await;
        for number in 1..=3 {
            put(&fresh.store, fact(number)).await.unwrap();
        }
        let taking = |epoch, seqs: std::ops::RangeInclusive<u32>, facts: &[u128]| {
            let mut takes = commit(1, epoch, seqs.map(entry).collect());
            takes.consumed = facts.iter().map(|number| fact(*number).id).collect();
            takes
        };
        let mut appender = Appender::of(&fresh.store);
        let stale = appender.append_one(taking(0, 1..=1, &[1])).await;
        assert!(matches!(stale, Err(StoreError::Fenced)), "{stale:?}");
        assert_eq!(facts(&fresh.store).await.len(), 3, "nothing was journaled, so nothing is taken");
        appender.append_one(taking(1, 1..=1, &[2])).await.unwrap();
        assert_eq!(facts(&fresh.store).await, [fact(1), fact(3)]);
        let twice = appender.append_one(taking(1, 1..=2, &[1])).await;
        assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
        assert_eq!(facts(&fresh.store).await.len(), 2);
        // Three rows in a statement of four.
        appender.append_one(taking(1, 2..=4, &[1, 3])).await.unwrap();
        assert_eq!(facts(&fresh.store).await, []);
        assert_eq!(status(&fresh.store, 1).await, RunStatus::Running);
    }

    a_run_that_has_ended_takes_nothing(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        claim(&fresh.store, node(1), at(10), 1).await;
        let mut end = commit(1, 1, vec![entry(1)]);
        end.standing = standing(RunStatus::Succeeded);
        Appender::of(&fresh.store).append_one(end).await.unwrap();
        put(&fresh.store, fact(1)).await.unwrap();
        assert_eq!(facts(&fresh.store).await, []);
        assert_eq!(status(&fresh.store, 1).await, RunStatus::Succeeded);
    }
}

/// Another node puts a fact while a run falls asleep here: it is in the middle of its transaction when
/// the run's commit comes to the run's row, and ends before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_fact_of_another_node_that_comes_while_a_run_falls_asleep_wakes_it() {
    let database = stanch_tests::postgres::Database::create().await;
    let store = Store::open(Options::new(database.url())).await.unwrap();
    let other = Store::open(Options::new(database.url())).await.unwrap();
    insert(&store, new_run(1)).await.unwrap();
    claim(&store, node(1), at(10), 1).await;
    let (began, asleep) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (begins, falls) = (began.clone(), asleep.clone());
    let putting = tokio::spawn(async move {
        let put = other.write(move |tx| {
            let (begins, falls) = (begins.clone(), falls.clone());
            Box::pin(async move {
                inbox::put(tx, &fact(1)).await?;
                begins.notify_one();
                falls.notified().await;
                Ok(())
            })
        });
        put.await
    });
    began.notified().await;
    let sleeper = store.clone();
    let sleeping = tokio::spawn(async move {
        let mut sleep = commit(1, 1, vec![entry(1)]);
        sleep.standing = standing(RunStatus::Waiting);
        Appender::of(&sleeper).append_one(sleep).await
    });
    let waits = "select count(*) from pg_stat_activity \
                 where datname = current_database() and wait_event_type = 'Lock'";
    while database.query(waits).await == "0" {}
    asleep.notify_one();
    putting.await.unwrap().unwrap();
    sleeping.await.unwrap().unwrap();
    assert_eq!(status(&store, 1).await, RunStatus::Queued);
    assert_eq!(facts(&store).await, [fact(1)]);
}
