//! What a database is like that was restored from a backup.

use stanch_engine_core::run::RunStatus;
use stanch_engine_store::runs::{self, Claimed, Standing};
use stanch_engine_store::{Store, StoreError, restored, settings};

use crate::both::{
    Appender, at, both, claim, commit, entry, insert, new_run, node, run_id, status,
};

async fn mark(store: &Store) -> restored::Marked {
    let marked = store
        .write(|tx| Box::pin(async move { restored::mark(tx, at(60), "stanch restore").await }));
    marked.await.unwrap()
}

async fn unhalt(store: &Store) {
    let cleared =
        store.write(|tx| Box::pin(async move { settings::clear(tx, settings::HALT).await }));
    assert!(cleared.await.unwrap());
}

async fn has_work(store: &Store) -> bool {
    store.read(|conn| Box::pin(runs::has_work(conn, at(100)))).await.unwrap()
}

async fn claim_one(store: &Store, number: u128) -> Option<Claimed> {
    let claimed = store.write(move |tx| {
        Box::pin(
            async move { runs::claim_one(tx, run_id(number), node(3), at(200), at(100)).await },
        )
    });
    claimed.await.unwrap()
}

both! {
    whoever_held_a_run_before_the_restore_writes_no_more(fresh) {
        for number in 1..=2 {
            insert(&fresh.store, new_run(number)).await.unwrap();
        }
        assert_eq!(claim(&fresh.store, node(1), at(50), 1).await[0].epoch, 1);
        let marked = mark(&fresh.store).await;
        assert_eq!((marked.unfinished, marked.open_incidents), (2, 0));
        assert_eq!(marked.known_until, Some(at(50)));
        assert_eq!(status(&fresh.store, 1).await, RunStatus::Queued);
        let mut appender = Appender::of(&fresh.store);
        // The epochs of the old installation went on after the backup.
        for epoch in 1..=5 {
            let late = appender.append_one(commit(1, epoch, vec![entry(1)])).await;
            assert!(matches!(late, Err(StoreError::Fenced)), "{epoch}: {late:?}");
        }
        unhalt(&fresh.store).await;
        let again = claim(&fresh.store, node(2), at(100), 9).await;
        assert_eq!(again.len(), 2);
        assert!(again.iter().all(|run| run.epoch > 1_000_000_000), "{again:?}");
        assert!(again.iter().all(|run| run.restored_at == Some(at(60))), "{again:?}");
        appender.append_one(commit(1, again[0].epoch, vec![entry(1)])).await.unwrap();
    }

    what_a_backup_holds_rests_until_the_kill_switch_is_taken_back(fresh) {
        for number in 1..=2 {
            insert(&fresh.store, new_run(number)).await.unwrap();
        }
        claim(&fresh.store, node(1), at(10), 1).await;
        let mut sleeps = commit(1, 1, vec![entry(1)]);
        let (status, wake_at) = (RunStatus::Waiting, Some(at(55)));
        let standing = Standing { status, parked: None, wake_at, outcome: None, at: at(11) };
        sleeps.standing = Some(Box::new(standing));
        Appender::of(&fresh.store).append_one(sleeps).await.unwrap();
        mark(&fresh.store).await;
        assert!(!has_work(&fresh.store).await);
        assert_eq!(fresh.store.read(|conn| Box::pin(runs::next_wake(conn))).await.unwrap(), None);
        assert_eq!(claim(&fresh.store, node(1), at(100), 9).await, []);
        assert_eq!(claim_one(&fresh.store, 2).await, None);

        // What begins now may run, though nothing it wants to change is changed.
        insert(&fresh.store, new_run(3)).await.unwrap();
        assert!(has_work(&fresh.store).await);
        let claimed = claim(&fresh.store, node(1), at(100), 9).await;
        assert_eq!(claimed.iter().map(|run| run.id).collect::<Vec<_>>(), [run_id(3)]);
        assert_eq!(claimed[0].restored_at, None);

        unhalt(&fresh.store).await;
        assert!(claim_one(&fresh.store, 2).await.is_some());
        let claimed = claim(&fresh.store, node(1), at(100), 9).await;
        assert_eq!(claimed.iter().map(|run| run.id).collect::<Vec<_>>(), [run_id(1)]);
    }

    a_database_can_be_marked_twice(fresh) {
        assert_eq!(mark(&fresh.store).await.known_until, None);
        insert(&fresh.store, new_run(1)).await.unwrap();
        mark(&fresh.store).await;
        mark(&fresh.store).await;
        let halt = fresh.store.read(|conn| Box::pin(settings::get(conn, settings::HALT))).await;
        let halt = halt.unwrap().unwrap();
        assert!(halt.contains("stanch restore") && halt.contains("restored from a backup"), "{halt}");
        let found = fresh.store.read(|conn| Box::pin(restored::restored_at(conn))).await;
        assert_eq!(found.unwrap(), Some(at(60)));
    }
}
