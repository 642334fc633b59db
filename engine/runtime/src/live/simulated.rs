//! Simulation: one run over nodes that crash, lose their leases and come back, while calls fail, answers
//! get lost, facts come twice and the clock jumps. All of it comes of a seed, and a seed that fails is
//! printed and fails again.
//!
//! `STANCH_TEST_SEEDS=100000` plays more of them, `STANCH_TEST_SEED` one.

mod ledger;
mod nodes;
pub(crate) mod surroundings;

use std::collections::BTreeSet;
use std::rc::Rc;

use serde_json::{Value, json};
use stanch_engine_core::journal::{Entry, Event};
use stanch_engine_core::run::RunStatus;
use stanch_engine_core::run_state::RunState;
use stanch_engine_script::Program;
use stanch_tests::chance::Chance;
use stanch_tests::variable_if_set;

use self::ledger::Ledger;
use self::nodes::{Row, Simulation};
use self::surroundings::Surroundings;

/// What is played; each action says by which rule it may be repeated.
const PLAYBOOK: &str = r#"
const PLAYBOOK = #{ name: "simulated", title: "Simulated", mode: "auto" };
let first = action("world.do", #{ n: 0, safety: "token" });
let both = parallel([
    || action("world.do", #{ n: 1, safety: "natural" }),
    || action("world.do", #{ n: 2, safety: "never" }),
]);
let items = each([3, 4, 5], #{ max_concurrency: 2 }, |n| action("world.do", #{ n: n, safety: "lookup" }));
defer(|end| { action("world.do", #{ n: 8, safety: "token" }); });
sleep("20s");
let caught = "nothing";
try { action("world.do", #{ n: 6, safety: "refused" }); } catch (error) { caught = error.code; }
let said = wait_signal("go", #{ timeout: "1000h" }).data;
let last = action("world.do", #{ n: 7, safety: "never" });
[first, both, items.map(|item| item.value), caught, said, last]
"#;

/// Actions that have an effect.
const EFFECTS: [u64; 8] = [0, 1, 2, 3, 4, 5, 7, 8];

/// Those that must not happen twice, whatever their callee makes of tokens.
const ONCE: [u64; 5] = [2, 3, 4, 5, 7];

/// Seeds that are played unless it is said how many.
const SEEDS: u64 = 1_000;

/// Of one in so many the journal is read at every prefix.
const WHOLE: u64 = 20;

/// Disturbed turns of a simulation, before it is left to come to its end.
const TURNS: usize = 160;

fn expected() -> Value {
    json!([0, [10, 20], [30, 40, 50], "refused", "said", 70])
}

/// Plays one seed to its end, and says how often it was disturbed.
fn play(around: &Surroundings, program: &Rc<Program>, seed: u64) -> usize {
    let mut chance = Chance::of(seed);
    let mut simulation = Simulation::new(around, program.clone());
    for _ in 0..TURNS {
        simulation.disturbed_turn(&mut chance);
    }
    simulation.come_to_an_end(&mut chance);
    let Simulation { row, ledger, disturbances, .. } = simulation;
    ended_well(&row);
    journal_is_right(&row.journal, seed);
    effects_are_right(&ledger, &row.journal);
    disturbances
}

fn ended_well(row: &Row) {
    let Some(Event::Ended(ended)) = row.journal.last().map(|entry| &entry.event) else {
        panic!("it has not ended: {:?}", row.journal.last())
    };
    assert_eq!(ended.status, RunStatus::Succeeded, "{ended:?}");
    assert_eq!(ended.result.as_ref().map(|result| result.value()), Some(expected()));
}

/// It can be read, of one in so many seeds from any of its prefixes, and each step ends once.
fn journal_is_right(journal: &[Entry], seed: u64) {
    RunState::of(journal).unwrap();
    let mut ended = BTreeSet::new();
    for (index, entry) in journal.iter().enumerate() {
        assert_eq!(entry.seq as usize, index);
        if seed.is_multiple_of(WHOLE) {
            RunState::of(&journal[..=index]).unwrap();
        }
        if let Event::StepSucceeded(_) | Event::StepFailed(_) = &entry.event {
            let key = entry.event.step().unwrap().clone();
            assert!(ended.insert(key.clone()), "{key} ended twice");
        }
    }
}

fn effects_are_right(ledger: &Ledger, journal: &[Entry]) {
    for n in EFFECTS {
        let tokens = ledger.tokens(n);
        assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), 1, "{n}: one token: {tokens:?}");
        if ONCE.contains(&n) {
            assert_eq!(tokens.len(), 1, "{n} happened {} times: {journal:?}", tokens.len());
        }
    }
    assert!(ledger.tokens(6).is_empty(), "what is refused has no effect");
}

fn number(name: &str) -> Option<u64> {
    variable_if_set(name).map(|text| text.parse().unwrap())
}

#[tokio::test]
async fn every_schedule_of_failures_comes_to_the_same_end() {
    let around = Surroundings::open().await;
    let program = around.compile(PLAYBOOK);
    let seeds = match number("STANCH_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("STANCH_TEST_SEEDS").unwrap_or(SEEDS),
    };
    let (mut played, mut disturbances) = (0, 0);
    for seed in seeds {
        let said = Said(seed);
        disturbances += play(&around, &program, seed);
        std::mem::forget(said);
        played += 1;
    }
    println!("{played} seeds with {disturbances} disturbances, each with the same end");
    assert!(disturbances > played * 10, "{disturbances} disturbances are too few to mean anything");
}

/// Says which seed it was, when it is dropped over a failure.
struct Said(u64);

impl Drop for Said {
    fn drop(&mut self) {
        println!("STANCH_TEST_SEED={}", self.0);
    }
}
