//! What a step costs in the script alone: left standing where it waits, or run from its first line each
//! time that it is wanted; and what a run costs that stands.

use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use stanch_engine_core::command::Command;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::{Entry, Event, Head, Started, StepSucceeded};
use stanch_engine_core::json::Json;
use stanch_engine_core::playbook::{Bundle, LANGUAGE};
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::system;
use stanch_engine_script::{Answer, Delivery, Hot, Interrupt, Issued, Program, Turn, advance};

use super::steps::PLAYBOOK;
use super::waiting::status;

/// Lengths of runs.
const STEPS: [u32; 3] = [10, 1_000, 10_000];

/// Steps in all of each length: a tenth of a second or so.
const STEPS_IN_ALL: u32 = 50_000;

/// Runs that stand at the same time.
const STANDING: u32 = 2_000;

pub(super) fn run() -> anyhow::Result<Value> {
    let bundle = Bundle { main: PLAYBOOK.to_owned(), imports: Default::default() };
    let program = Program::compile(&bundle, &Interrupt::default())?;
    let mut lengths = Vec::new();
    for steps in STEPS {
        let rounds = STEPS_IN_ALL / steps;
        let (mut hot_us, mut journal) = (0.0, Vec::new());
        for _ in 0..rounds {
            let (took_us, entries) = left_standing(&program, steps)?;
            (hot_us, journal) = (hot_us + took_us, entries);
        }
        let per_step = |total_us: f64| (total_us * 100.0).round() / 100.0;
        lengths.push(json!({
            "steps": steps,
            "left_standing_us_per_step": per_step(hot_us / f64::from(rounds * steps)),
            "replayed_us_per_step": per_step(replayed(&program, &journal)?),
        }));
    }
    let stands = standing_kib(&program)?;
    Ok(json!({"lengths": lengths, "standing_runs": STANDING, "kib_per_standing_run": stands}))
}

fn run_id() -> RunId {
    system::world().id(RunId::new)
}

fn started(steps: u32) -> Entry {
    let scope = json!({"alert": null, "incident": null, "inputs": {"steps": steps}, "config": {}});
    let event = Event::Started(Started {
        playbook: "bench".to_owned(),
        digest: Sha256::of(PLAYBOOK),
        language: LANGUAGE,
        generation: 1,
        requester: "bench".to_owned(),
        scope: Json::of(&scope),
        deadline_at: Timestamp::from_micros(i64::MAX / 2),
    });
    Entry { seq: 0, at: Timestamp::from_micros(0), event }
}

fn asked(turn: Turn) -> Option<Command> {
    turn.issued.into_iter().find_map(|issued| match issued {
        Issued::Command(command) => Some(command),
        Issued::Fact(..) => None,
    })
}

fn answer_to(command: &Command) -> anyhow::Result<Json> {
    let input = command.args.value().get("input").cloned();
    Ok(Json::canonical(&input.context("the playbook asks for an action")?))
}

/// The time of all steps of a run that is left standing, in microseconds, and its journal.
fn left_standing(program: &Rc<Program>, steps: u32) -> anyhow::Result<(f64, Vec<Entry>)> {
    let (run, now) = (run_id(), Timestamp::from_micros(0));
    let mut journal = vec![started(steps)];
    let (mut hot, turn) = Hot::begin(program, run, &journal, now)?;
    let (mut command, mut took_us) = (asked(turn), 0.0);
    while let Some(asks) = command {
        let result = answer_to(&asks)?;
        let delivery = Delivery::Answer(asks.key.clone(), Answer::Result(result.clone()));
        let begun = Instant::now();
        let turn = hot.resume([delivery], now);
        took_us += begun.elapsed().as_secs_f64() * 1e6;
        let head = Some(Head { verb: asks.verb, args: asks.args, position: asks.position });
        let event = StepSucceeded { key: asks.key, head, result, call: None };
        let seq = u32::try_from(journal.len())?;
        journal.push(Entry { seq, at: now, event: Event::StepSucceeded(event) });
        command = asked(turn);
    }
    if journal.len() != steps as usize + 1 {
        bail!("a run of {steps} steps took {}", journal.len() - 1);
    }
    Ok((took_us, journal))
}

/// What each step would cost if the script were run from its first line for it: half of what the whole
/// journal costs, which is the mean over all lengths that it has on the way.
fn replayed(program: &Rc<Program>, journal: &[Entry]) -> anyhow::Result<f64> {
    let but_the_last = journal.get(..journal.len() - 1).unwrap_or_default();
    let rounds = (STEPS_IN_ALL / u32::try_from(journal.len())?).clamp(3, 1_000);
    let begun = Instant::now();
    for _ in 0..rounds {
        advance(program, run_id(), but_the_last, Timestamp::from_micros(0))?;
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / f64::from(rounds) / 2.0)
}

/// Resident memory of each of many runs that stand at their first step, in KiB.
fn standing_kib(program: &Rc<Program>) -> anyhow::Result<f64> {
    let before = status("VmRSS")?;
    let journal = [started(10)];
    let mut standing = Vec::new();
    for _ in 0..STANDING {
        standing.push(Hot::begin(program, run_id(), &journal, Timestamp::from_micros(0))?);
    }
    let grown = i32::try_from(status("VmRSS")? - before)?;
    Ok((f64::from(grown) / f64::from(STANDING) * 10.0).round() / 10.0)
}
