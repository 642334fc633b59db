//! Appends and closures share commits, and nobody suffers for a neighbour.

use stanch_engine_core::run::RunStatus;
use stanch_engine_store::runs::Standing;
use stanch_engine_store::{Store, StoreError, journal, settings};

use crate::both::{
    Appender, at, both, claim, commit, entry, insert, new_run, node, run_id, status,
};

async fn entries(store: &Store, number: u128) -> Vec<stanch_engine_core::journal::Entry> {
    store
        .read(|conn| Box::pin(async move { journal::load(conn, run_id(number), 0, 1_000).await }))
        .await
        .unwrap()
}

both! {
    entries_come_back_as_they_went_in(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        claim(&fresh.store, node(1), at(10), 10).await;
        let mut appender = Appender::of(&fresh.store);
        appender.append_one(commit(1, 1, vec![entry(1)])).await.unwrap();
        appender.append_one(commit(1, 1, vec![entry(2), entry(3)])).await.unwrap();
        let loaded = entries(&fresh.store, 1).await;
        assert_eq!(loaded[1..], [entry(1), entry(2), entry(3)]);
        assert_eq!(loaded[0].event.kind(), "started");
    }

    a_write_under_a_lost_lease_touches_nothing(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        claim(&fresh.store, node(1), at(10), 10).await;
        let mut appender = Appender::of(&fresh.store);
        let stale = appender.append_one(commit(1, 0, vec![entry(1)])).await;
        assert!(matches!(stale, Err(StoreError::Fenced)), "{stale:?}");
        let stale = appender.append_one(commit(1, 0, vec![entry(1), entry(2)])).await;
        assert!(matches!(stale, Err(StoreError::Fenced)), "{stale:?}");
        assert_eq!(entries(&fresh.store, 1).await.len(), 1);
    }

    a_batch_of_any_size_is_written_whole(fresh) {
        let sizes = [1, 2, 3, 31, 64, 65, 255, 256, 257, 700];
        for number in 1..=sizes.len() as u128 {
            insert(&fresh.store, new_run(number)).await.unwrap();
        }
        claim(&fresh.store, node(1), at(100), 100).await;
        let rows = |size: u32| (1..=size).map(entry).collect::<Vec<_>>();
        let commits = sizes.iter().zip(1..).map(|(size, number)| commit(number, 1, rows(*size)));
        let mut commits: Vec<_> = commits.collect();
        let together = commits.split_off(5);
        let mut appender = Appender::of(&fresh.store);
        for alone in commits {
            appender.append_one(alone).await.unwrap();
        }
        assert!(appender.append(together).await.iter().all(Result::is_ok));
        for (size, number) in sizes.iter().zip(1..) {
            assert_eq!(entries(&fresh.store, number).await[1..], rows(*size));
        }
    }

    the_same_place_twice_is_a_conflict(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        claim(&fresh.store, node(1), at(10), 10).await;
        let mut appender = Appender::of(&fresh.store);
        appender.append_one(commit(1, 1, vec![entry(1)])).await.unwrap();
        let again = appender.append_one(commit(1, 1, vec![entry(1)])).await;
        assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    }

    nobody_suffers_for_a_neighbour(fresh) {
        for number in 1..=20 {
            insert(&fresh.store, new_run(number)).await.unwrap();
        }
        claim(&fresh.store, node(1), at(100), 100).await;
        let mut appender = Appender::of(&fresh.store);
        let commits = (1..=20).map(|n| commit(n, i64::from(n != 7), vec![entry(1)])).collect();
        let results = appender.append(commits).await;
        for (number, result) in results.iter().enumerate() {
            assert_eq!(result.is_ok(), number != 6, "{number}: {result:?}");
        }
        assert_eq!(entries(&fresh.store, 8).await.len(), 2);
        assert_eq!(entries(&fresh.store, 7).await.len(), 1);
    }

    a_closure_that_fails_leaves_nothing_behind(fresh) {
        let failed: Result<(), _> = fresh.store.write(|tx| Box::pin(async move {
            settings::set(tx, "a", "1").await?;
            Err(StoreError::Fenced)
        })).await;
        assert!(matches!(failed, Err(StoreError::Fenced)));
        let value = fresh.store.read(|conn| Box::pin(settings::get(conn, "a"))).await.unwrap();
        assert_eq!(value, None);
    }

    a_closure_that_came_second_is_tried_again(fresh) {
        let store = fresh.store.clone();
        let tries = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let counted = tries.clone();
        let result = store.write(move |tx| {
            let number = counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Box::pin(async move {
                settings::set(tx, "a", &number.to_string()).await?;
                if number < 2 { Err(StoreError::Conflict("second".into())) } else { Ok(number) }
            })
        }).await;
        assert_eq!(result.unwrap(), 2);
        let value = store.read(|conn| Box::pin(settings::get(conn, "a"))).await.unwrap();
        assert_eq!(value.as_deref(), Some("2"));
    }

    many_at_once_are_all_written_in_few_commits(fresh) {
        let before = fresh.store.commits();
        let tasks: Vec<_> = (0..200).map(|number: u32| {
            let store = fresh.store.clone();
            tokio::spawn(async move {
                store.write(move |tx| Box::pin(async move {
                    settings::set(tx, &format!("k{number}"), "x").await
                })).await.unwrap();
            })
        }).collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(fresh.store.commits() - before < 200, "{}", fresh.store.commits() - before);
        for number in [0, 99, 199] {
            let name = format!("k{number}");
            let value = fresh.store.read(|c| Box::pin(async move { settings::get(c, &name).await })).await;
            assert!(value.unwrap().is_some());
        }
    }

    a_run_is_made_and_ended_by_appends_alone(fresh) {
        let mut new = new_run(1);
        new.claim = Some((node(1), at(100)));
        let mut first = commit(1, 1, vec![entry(0), entry(1)]);
        first.create = Some(Box::new(new));
        let mut appender = Appender::of(&fresh.store);
        appender.append_one(first).await.unwrap();
        assert_eq!(status(&fresh.store, 1).await, RunStatus::Running);
        let mut last = commit(1, 1, vec![entry(2)]);
        last.standing = Some(Box::new(Standing {
            status: RunStatus::Succeeded, parked: None, wake_at: None, outcome: None, at: at(5),
        }));
        appender.append_one(last).await.unwrap();
        assert_eq!(status(&fresh.store, 1).await, RunStatus::Succeeded);
        let after = appender.append_one(commit(1, 1, vec![entry(3)])).await;
        assert!(after.is_ok(), "the epoch still holds; ending is the journal's law, not the fence's");
    }

    a_standing_under_a_lost_lease_undoes_its_entries(fresh) {
        insert(&fresh.store, new_run(1)).await.unwrap();
        let mut appender = Appender::of(&fresh.store);
        let mut queued = commit(1, 0, vec![entry(1)]);
        queued.standing = Some(Box::new(Standing {
            status: RunStatus::Waiting, parked: None, wake_at: None, outcome: None, at: at(5),
        }));
        let result = appender.append_one(queued).await;
        assert!(matches!(result, Err(StoreError::Fenced)), "a run that is not running can't stand elsewhere");
        assert_eq!(entries(&fresh.store, 1).await.len(), 1);
        assert_eq!(status(&fresh.store, 1).await, RunStatus::Queued);
    }
}
