//! Whose turn it is, and limits that runs share.

use stanch_engine_core::id::{InboxId, NodeId, RunId};
use stanch_engine_core::json::Json;
use stanch_engine_core::run::RunStatus;
use stanch_engine_core::turn::{Gate, Turn};
use stanch_engine_store::inbox::{self, Fact, FactKind};
use stanch_engine_store::runs::{self, Claimed, NewRun, Standing};
use stanch_engine_store::{Options, Store};

use crate::both::{Appender, at, both, claim, commit, insert, new_run, node, run_id, status};

fn limited(number: u128, gate: &str, max: u32) -> NewRun {
    let gate = Some(Gate { name: gate.to_owned(), max });
    NewRun { turn: Turn { level: 0, gate }, ..new_run(number) }
}

fn of(number: u128, playbook: &str, level: u32) -> NewRun {
    let turn = Turn { level, gate: None };
    NewRun { playbook: playbook.to_owned(), turn, ..new_run(number) }
}

async fn insert_all(store: &Store, new: impl IntoIterator<Item = NewRun>) {
    for new in new {
        insert(store, new).await.unwrap();
    }
}

async fn admit(store: &Store) -> u64 {
    let admitted = store.write(|tx| Box::pin(async move { runs::admit(tx, at(100)).await }));
    admitted.await.unwrap()
}

async fn has_admissible(store: &Store) -> bool {
    store.read(|conn| Box::pin(runs::has_admissible(conn))).await.unwrap()
}

/// Admits and claims, as a node does at each look.
async fn look(store: &Store, by: NodeId) -> Vec<Claimed> {
    admit(store).await;
    claim(store, by, at(100), 100).await
}

fn ids(claimed: &[Claimed]) -> Vec<RunId> {
    claimed.iter().map(|run| run.id).collect()
}

async fn end(store: &Store, number: u128, epoch: i64) {
    let (status, at) = (RunStatus::Succeeded, at(101));
    let standing = Standing { status, parked: None, wake_at: None, outcome: None, at };
    let mut ends = commit(number, epoch, vec![crate::both::entry(1)]);
    ends.standing = Some(Box::new(standing));
    Appender::of(store).append_one(ends).await.unwrap();
}

/// Puts a fact into the inbox of a run.
async fn tell(store: &Store, number: u128, kind: FactKind, fact: u128) {
    let told = store.write(move |tx| {
        Box::pin(async move {
            let (id, run, body) = (InboxId::new(at(50), fact), run_id(number), Json::null());
            inbox::put(tx, &Fact { id, run, at: at(50), kind, body }).await
        })
    });
    told.await.unwrap();
}

both! {
    a_limit_is_held_until_a_run_has_ended(fresh) {
        let store = &fresh.store;
        insert_all(store, (1..=4).map(|n| limited(n, "a", 2))).await;
        insert_all(store, [limited(5, "b", 1), new_run(6)]).await;
        assert_eq!(ids(&claim(store, node(1), at(100), 100).await), [run_id(6)], "before anybody is admitted");
        assert!(has_admissible(store).await);
        let first = look(store, node(1)).await;
        assert_eq!(ids(&first), [1, 2, 5].map(run_id), "the oldest, of each");
        assert!(first.iter().all(|run| run.is_limited));
        assert!(!has_admissible(store).await);
        assert_eq!(look(store, node(2)).await, []);

        // Whoever works on it dies: the run goes on, and counts all the same.
        let taken = store.write(|tx| Box::pin(async move { runs::take_over(tx, at(5_000)).await }));
        assert_eq!(taken.await.unwrap(), 4);
        assert_eq!(ids(&look(store, node(2)).await), [1, 2, 5, 6].map(run_id));

        end(store, 1, 2).await;
        assert!(has_admissible(store).await);
        assert_eq!(ids(&look(store, node(2)).await), [run_id(3)]);
        assert_eq!(look(store, node(2)).await, []);
    }

    a_run_that_is_cancelled_while_it_waits_is_ended_and_keeps_nobody_out(fresh) {
        let store = &fresh.store;
        insert_all(store, (1..=3).map(|n| limited(n, "a", 1))).await;
        assert_eq!(ids(&look(store, node(1)).await), [run_id(1)]);
        tell(store, 2, FactKind::Cancel, 1).await;
        assert_eq!(ids(&look(store, node(1)).await), [run_id(2)], "only to be ended");
        end(store, 2, 1).await;
        assert_eq!(look(store, node(1)).await, []);
        end(store, 1, 1).await;
        assert_eq!(ids(&look(store, node(1)).await), [run_id(3)]);
    }

    a_run_that_is_paused_while_it_waits_rests_at_once_and_keeps_nobody_out(fresh) {
        let store = &fresh.store;
        insert_all(store, (1..=3).map(|n| limited(n, "a", 1))).await;
        assert_eq!(ids(&look(store, node(1)).await), [run_id(1)]);
        tell(store, 2, FactKind::Pause, 1).await;
        assert_eq!(status(store, 2).await, RunStatus::Paused);
        tell(store, 2, FactKind::Signal, 2).await;
        assert_eq!(status(store, 2).await, RunStatus::Paused, "what it hears does not let it go on");
        end(store, 1, 1).await;
        assert_eq!(ids(&look(store, node(1)).await), [run_id(3)], "it stands in nobody's way");
        end(store, 3, 1).await;
        assert!(!has_admissible(store).await, "nobody waits");
        assert_eq!(look(store, node(1)).await, []);
        tell(store, 2, FactKind::Resume, 3).await;
        assert_eq!(status(store, 2).await, RunStatus::Queued);
        assert_eq!(ids(&look(store, node(1)).await), [run_id(2)]);
    }

    a_run_that_is_paused_while_it_waits_can_be_cancelled(fresh) {
        let store = &fresh.store;
        insert_all(store, (1..=2).map(|n| limited(n, "a", 1))).await;
        assert_eq!(ids(&look(store, node(1)).await), [run_id(1)]);
        tell(store, 2, FactKind::Pause, 1).await;
        tell(store, 2, FactKind::Cancel, 2).await;
        assert_eq!(ids(&look(store, node(1)).await), [run_id(2)], "only to be ended");
    }

    one_that_has_been_admitted_sees_to_its_pause_itself(fresh) {
        let store = &fresh.store;
        insert(store, limited(1, "a", 1)).await.unwrap();
        assert_eq!(admit(store).await, 1);
        tell(store, 1, FactKind::Pause, 1).await;
        assert_eq!(status(store, 1).await, RunStatus::Queued);
        assert_eq!(ids(&claim(store, node(1), at(100), 1).await), [run_id(1)]);
    }

    nodes_that_look_at_the_same_time_admit_no_more_than_the_limit(fresh) {
        insert_all(&fresh.store, (1..=40).map(|n| limited(n, "a", 3))).await;
        let mut tasks = Vec::new();
        for by in 1..=6 {
            let store = match fresh.url.starts_with("postgres") {
                true => Store::open(Options::new(&fresh.url)).await.unwrap(),
                false => fresh.store.clone(),
            };
            tasks.push(tokio::spawn(async move {
                let mut claimed = Vec::new();
                for _ in 0..10 {
                    claimed.extend(look(&store, node(by)).await);
                }
                claimed.len()
            }));
        }
        let mut claimed = 0;
        for task in tasks {
            claimed += task.await.unwrap();
        }
        assert_eq!(claimed, 3);
    }

    the_more_urgent_overtake_and_playbooks_take_turns(fresh) {
        let store = &fresh.store;
        insert_all(store, (1..=20).map(|n| of(n, "sweep", 0))).await;
        insert_all(store, [of(21, "contain", 4), of(22, "other", 0)]).await;
        let first = claim(store, node(1), at(100), 4).await;
        assert_eq!(ids(&first), [1, 2, 21, 22].map(run_id), "the critical, and the others by turns");
        let waiting = store.read(|conn| Box::pin(runs::waiting(conn, at(100)))).await.unwrap();
        assert_eq!(waiting.len(), 1);
        let sweep = &waiting[0];
        assert_eq!((sweep.playbook.as_str(), sweep.count, sweep.since), ("sweep", 18, at(3)));
    }

    a_new_limit_lets_in_those_that_came_with_it_and_ties_go_by_age(fresh) {
        let store = &fresh.store;
        // Two came when the limit was one, and three, at the same moment, after it was made three.
        let tied = |number| NewRun { at: at(9), ..limited(number, "a", 3) };
        insert_all(store, [limited(1, "a", 1), limited(2, "a", 1)]).await;
        insert_all(store, (3..=5).rev().map(tied)).await;
        assert_eq!(ids(&look(store, node(1)).await), [1, 3].map(run_id), "2 holds to its own limit");
        end(store, 1, 1).await;
        assert_eq!(ids(&look(store, node(1)).await), [run_id(4)], "one place is 2's, if it could take it");
        end(store, 3, 1).await;
        end(store, 4, 1).await;
        assert_eq!(ids(&look(store, node(1)).await), [2, 5].map(run_id));
        assert!(!has_admissible(store).await);
    }

    many_gates_are_looked_at_at_once(fresh) {
        let store = &fresh.store;
        insert_all(store, (1..=60).map(|n| limited(n, &format!("gate {}", n % 20), 2))).await;
        assert_eq!(admit(store).await, 40);
        assert_eq!(admit(store).await, 0);
        assert!(!has_admissible(store).await);
        assert_eq!(claim(store, node(1), at(100), 100).await.len(), 40);
    }

    within_a_limit_the_more_urgent_comes_first_unless_the_other_has_waited_long(fresh) {
        let store = &fresh.store;
        let urgent = |number, level| {
            let mut new = limited(number, "a", 1);
            new.turn.level = level;
            new
        };
        // Of levels 0, 0 and 4; the last came some seconds later.
        insert_all(store, [urgent(1, 0), urgent(2, 0), urgent(3, 4), urgent(4_000, 4)]).await;
        for (number, why) in [(3, "critical"), (1, "older"), (2, "older"), (4_000, "an hour later")] {
            assert_eq!(ids(&look(store, node(1)).await), [run_id(number)], "{why}");
            end(store, number, 1).await;
        }
    }
}
