//! Which node works on which run.

use stanch_engine_core::run::{ParkReason, RunStatus};
use stanch_engine_store::runs::{self, Standing};
use stanch_engine_store::{Options, Store, StoreError};

use crate::both::{
    Appender, at, both, claim, commit, entry, insert, new_run, node, run_id, status,
};

fn waiting(wake_at: Option<i64>) -> Option<Box<Standing>> {
    let wake_at = wake_at.map(at);
    let (status, at) = (RunStatus::Waiting, at(5));
    Some(Box::new(Standing { status, parked: None, wake_at, outcome: None, at }))
}

async fn take_over(store: &Store, before: i64) -> u64 {
    store
        .write(move |tx| Box::pin(async move { runs::take_over(tx, at(before)).await }))
        .await
        .unwrap()
}

both! {
    a_node_has_the_leases_that_it_took_and_did_not_let_go(fresh) {
        let store = &fresh.store;
        for number in 1..=3 {
            insert(store, new_run(number)).await.unwrap();
        }
        let held = async |by| {
            store.read(move |conn| Box::pin(runs::held(conn, node(by)))).await.unwrap()
        };
        let claimed = claim(store, node(1), at(100), 2).await;
        let mut took: Vec<_> = claimed.iter().map(|run| (run.id, run.epoch)).collect();
        took.sort();
        assert_eq!((held(1).await, held(2).await), (took.clone(), vec![]));
        let (run, epoch) = took.remove(0);
        let let_go = store.write(move |tx| Box::pin(async move {
            runs::release(tx, run, epoch).await
        }));
        let_go.await.unwrap();
        assert_eq!(held(1).await, took);
    }

    a_run_is_claimed_once_whoever_asks(fresh) {
        for number in 1..=30 {
            insert(&fresh.store, new_run(number)).await.unwrap();
        }
        let mut tasks = Vec::new();
        for by in 1..=4 {
            let store = match fresh.url.starts_with("postgres") {
                true => Store::open(Options::new(&fresh.url)).await.unwrap(),
                false => fresh.store.clone(),
            };
            tasks.push(tokio::spawn(async move { claim(&store, node(by), at(100), 10).await }));
        }
        let mut claimed = Vec::new();
        for task in tasks {
            claimed.extend(task.await.unwrap().into_iter().map(|run| run.id));
        }
        claimed.sort();
        let each_once = claimed.len();
        claimed.dedup();
        assert_eq!((each_once, claimed.len()), (30, 30));
    }

    the_oldest_are_claimed_first_and_no_more_than_asked_for(fresh) {
        for number in 1..=5 {
            insert(&fresh.store, new_run(number)).await.unwrap();
        }
        let ids: Vec<_> = claim(&fresh.store, node(1), at(100), 3).await.iter().map(|r| r.id).collect();
        assert_eq!(ids, [run_id(1), run_id(2), run_id(3)]);
    }

    a_waiting_run_is_claimed_when_it_is_due_and_not_before(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        claim(&fresh.store, node(1), at(10), 1).await;
        let mut appender = Appender::of(&fresh.store);
        let mut commit = commit(1, 1, vec![entry(1)]);
        commit.standing = waiting(Some(50));
        appender.append_one(commit).await.unwrap();
        assert_eq!(claim(&fresh.store, node(1), at(49), 1).await, []);
        let next = fresh.store.read(|conn| Box::pin(runs::next_wake(conn))).await.unwrap();
        assert_eq!(next, Some(at(50)));
        let claimed = claim(&fresh.store, node(2), at(50), 1).await;
        assert_eq!((claimed.len(), claimed[0].epoch), (1, 2));
        let next = fresh.store.read(|conn| Box::pin(runs::next_wake(conn))).await.unwrap();
        assert_eq!(next, None);
    }

    a_dead_nodes_runs_are_taken_over_and_the_dead_can_not_write(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        claim(&fresh.store, node(1), at(10), 1).await;
        assert_eq!(take_over(&fresh.store, 20).await, 0, "the lease still holds");
        assert_eq!(take_over(&fresh.store, 21).await, 1);
        let again = claim(&fresh.store, node(2), at(21), 1).await;
        assert_eq!((again[0].epoch, again[0].recoveries), (2, 1));
        let mut appender = Appender::of(&fresh.store);
        let zombie = appender.append_one(commit(1, 1, vec![entry(1)])).await;
        assert!(matches!(zombie, Err(StoreError::Fenced)));
        appender.append_one(commit(1, 2, vec![entry(1)])).await.unwrap();
    }

    what_a_dead_node_has_is_taken_over_before_its_leases_lapse(fresh) {
        for number in 1..=3 {
            insert(&fresh.store, new_run(number)).await.unwrap();
        }
        claim(&fresh.store, node(1), at(10), 2).await;
        claim(&fresh.store, node(2), at(10), 1).await;
        let taken = || fresh.store.write(|tx| Box::pin(runs::take_over_from(tx, node(1))));
        assert_eq!(taken().await.unwrap(), 2);
        assert_eq!(taken().await.unwrap(), 0);
        let again = claim(&fresh.store, node(3), at(11), 3).await;
        let counts: Vec<_> = again.iter().map(|run| (run.epoch, run.recoveries)).collect();
        assert_eq!(counts, [(2, 1), (2, 1)], "the other node has its own still");
    }

    recoveries_count_only_while_a_run_gets_no_further(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        let mut appender = Appender::of(&fresh.store);
        let mut recoveries = Vec::new();
        for round in 1..=5_i64 {
            let now = at(round * 100);
            recoveries.push(claim(&fresh.store, node(1), now, 1).await[0].recoveries);
            if round == 3 {
                appender.append_one(commit(1, round, vec![entry(1)])).await.unwrap();
            }
            take_over(&fresh.store, round * 100 + 11).await;
        }
        assert_eq!(recoveries, [0, 1, 2, 1, 2]);
    }

    a_renewed_lease_holds(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        claim(&fresh.store, node(1), at(10), 1).await;
        fresh.store.write(|tx| Box::pin(async move { runs::renew(tx, node(1), at(40)).await })).await.unwrap();
        assert_eq!(take_over(&fresh.store, 30).await, 0);
    }

    a_released_run_is_queued_and_only_by_its_holder(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        claim(&fresh.store, node(1), at(10), 1).await;
        let release = |epoch| fresh.store.write(move |tx| {
            Box::pin(async move { runs::release(tx, run_id(1), epoch).await })
        });
        release(0).await.unwrap();
        assert_eq!(status(&fresh.store, 1).await, RunStatus::Running);
        release(1).await.unwrap();
        assert_eq!(status(&fresh.store, 1).await, RunStatus::Queued);
    }

    there_is_one_open_run_of_a_playbook_about_a_thing(fresh) {
        let about = |number, subject: &str| {
            let mut run = new_run(number);
            run.subject = Some(subject.to_owned());
            run
        };
        insert(&fresh.store, about(1, "key")).await.unwrap();
        let second = insert(&fresh.store, about(2, "key")).await;
        assert!(matches!(second, Err(StoreError::Conflict(_))), "{second:?}");
        insert(&fresh.store, about(3, "other")).await.unwrap();
        claim(&fresh.store, node(1), at(10), 10).await;
        let mut appender = Appender::of(&fresh.store);
        let mut end = commit(1, 1, vec![entry(1)]);
        end.standing = Some(Box::new(Standing {
            status: RunStatus::Failed, parked: None, wake_at: None, outcome: None, at: at(5),
        }));
        appender.append_one(end).await.unwrap();
        insert(&fresh.store, about(4, "key")).await.unwrap();
    }

    a_parked_run_says_why(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        claim(&fresh.store, node(1), at(10), 1).await;
        let mut park = commit(1, 1, vec![entry(1)]);
        park.standing = Some(Box::new(Standing {
            status: RunStatus::Parked, parked: Some(ParkReason::Diverged), wake_at: None,
            outcome: Some(stanch_engine_core::json::Json::null()), at: at(5),
        }));
        Appender::of(&fresh.store).append_one(park).await.unwrap();
        let run = fresh.store.read(|c| Box::pin(async move { runs::get(c, run_id(1)).await })).await;
        let run = run.unwrap().unwrap();
        assert_eq!((run.status, run.parked_reason), (RunStatus::Parked, Some(ParkReason::Diverged)));
    }
}
