//! Which node decides on a tick.

use stanch_engine_store::schedules::{self, ScheduleKey, ScheduleState, Tick, TickOutcome};
use stanch_engine_store::{Options, Store};

use crate::both::{at, both, run_id};

fn key() -> ScheduleKey {
    ScheduleKey { playbook: "sweep".into(), name: "often".into() }
}

async fn opened(store: &Store) -> ScheduleState {
    let open = store.write(|tx| Box::pin(async move { schedules::open(tx, &key(), at(1)).await }));
    open.await.unwrap();
    let get = store.read(|conn| Box::pin(async move { schedules::get(conn, &key()).await }));
    get.await.unwrap().unwrap()
}

/// Moves the schedule on and starts a tick, as a node does; says whether it was this one.
async fn decide(store: &Store, mut state: ScheduleState, number: u128) -> bool {
    state.decided_until = at(2);
    let write = store.write(move |tx| {
        let state = state.clone();
        Box::pin(async move {
            if !schedules::advance(tx, &state).await? {
                return Ok(false);
            }
            let outcome = TickOutcome::Started(run_id(number));
            let tick = Tick { tick_at: at(2), cause: "clock".into(), outcome, decided_at: at(3) };
            schedules::decide(tx, &key(), &tick).await
        })
    });
    write.await.unwrap()
}

both! {
    of_many_that_decide_on_a_tick_one_is_first(fresh) {
        let state = opened(&fresh.store).await;
        let mut nodes = Vec::new();
        for number in 1..=8 {
            let store = match fresh.url.starts_with("postgres") {
                true => Store::open(Options::new(&fresh.url)).await.unwrap(),
                false => fresh.store.clone(),
            };
            let state = state.clone();
            nodes.push(tokio::spawn(async move { decide(&store, state, number).await }));
        }
        let mut firsts = 0;
        for node in nodes {
            firsts += usize::from(node.await.unwrap());
        }
        let recent = fresh.store.read(|c| Box::pin(async move { schedules::recent(c, &key(), 9).await }));
        assert_eq!((firsts, recent.await.unwrap().len()), (1, 1));
    }

    a_tick_is_decided_once_whoever_asks_for_it(fresh) {
        let state = opened(&fresh.store).await;
        assert!(decide(&fresh.store, state.clone(), 1).await);
        let moved = ScheduleState { revision: state.revision + 1, ..state };
        assert!(!decide(&fresh.store, moved, 2).await);
        let recent = fresh.store.read(|c| Box::pin(async move { schedules::recent(c, &key(), 9).await }));
        assert_eq!(recent.await.unwrap()[0].outcome, TickOutcome::Started(run_id(1)));
    }
}
