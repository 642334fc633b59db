//! Drives a simulation to its end: says what people say, and puts the clock to where something
//! happens next.

use anyhow::Context as _;
use serde_json::{Map, Value};
use stanch_engine_core::approval::{Answer, ApprovalStatus, Rule};
use stanch_engine_core::command::{Verb, WaitSignalArgs};
use stanch_engine_core::id::RunId;
use stanch_engine_core::journal::Entry;
use stanch_engine_core::run::RunStatus;
use stanch_engine_core::run_state::RunState;
use stanch_engine_core::time::{Clock as _, Timestamp};
use stanch_engine_runtime::Runtime;
use stanch_engine_runtime::approvals::{Say as Decision, decide};
use stanch_engine_runtime::people::Caller;
use stanch_engine_runtime::runs as asks;
use stanch_engine_runtime::system::SystemClock;
use stanch_engine_store::approvals::{self, Approval};
use stanch_engine_store::runs::{self, Filter, Run};
use stanch_engine_store::{StoreError, journal};

use super::stage::Stage;
use crate::args::{Say, Simulate};
use crate::cmd::serve::stop_signal;

/// The pause between two looks, in milliseconds.
const LOOK_MS: i64 = 10;

/// Looks in a row that show the same before it counts.
const LOOKS: u32 = 3;

/// Runs that are looked at: a playbook has no more of them under way.
const RUNS: u32 = 10_000;

/// How long it may really take, in milliseconds: more than anybody waits for it.
const PATIENCE_MS: i64 = 5 * 60 * 1_000;

/// How often a run may begin anew.
const GENERATIONS: u32 = 50;

/// Entries that are read at a time.
const ENTRIES: u32 = 10_000;

/// Why a simulation is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing goes on.
    Ended,
    /// A run waits for what nobody gives it.
    Waits(String),
    /// More time would have to pass than may.
    OutOfTime(Timestamp),
    /// A run begins anew again and again.
    Endless(String),
    /// A person, or their patience, has stopped it.
    Stopped,
}

/// What is said in a simulation.
struct Script {
    say: Say,
    form: Value,
    /// Each is given once.
    signals: Vec<(String, Value)>,
}

/// Where a run stands.
struct Standing {
    run: Run,
    state: RunState,
}

impl Standing {
    /// Whether nothing happens in it by itself before time passes.
    fn is_at_rest(&self) -> bool {
        let waits = |wake_at: Option<Timestamp>, waits_for: Option<&String>| {
            wake_at.is_some() || waits_for.is_some()
        };
        let mut open = self.state.open.values();
        match self.run.status {
            RunStatus::Waiting => true,
            RunStatus::Running => {
                !self.state.open.is_empty()
                    && open.all(|step| waits(step.wake_at, step.waits_for.as_ref()))
            }
            _ => false,
        }
    }

    fn wakes_at(&self) -> Option<Timestamp> {
        let of_steps = self.state.open.values().filter_map(|step| step.wake_at);
        of_steps.chain(self.run.wake_at).min()
    }
}

/// Goes on until it is over, or stopped.
pub(super) async fn to_the_end(stage: &Stage, args: &Simulate) -> anyhow::Result<End> {
    let stop = stop_signal();
    tokio::select! {
        end = go_on(stage, args) => end,
        () = stop => Ok(End::Stopped),
        () = SystemClock.sleep_until(SystemClock.now().plus_ms(PATIENCE_MS)) => Ok(End::Stopped),
    }
}

async fn go_on(stage: &Stage, args: &Simulate) -> anyhow::Result<End> {
    let mut script = Script::read(args)?;
    let runtime = &stage.node.runtime;
    let last = stage.clock.now().plus_ms(args.within.ms);
    let (mut before, mut still) = (Vec::new(), 0);
    loop {
        let standings = standings(runtime).await?;
        if standings.iter().all(|standing| has_ended(standing.run.status)) {
            return Ok(End::Ended);
        }
        if let Some(Standing { run, .. }) =
            standings.iter().find(|standing| standing.run.generation > GENERATIONS)
        {
            return Ok(End::Endless(run.playbook.clone()));
        }
        let now: Vec<_> = standings.iter().map(|s| (s.run.id, s.state.next_seq)).collect();
        still = if before == now { still + 1 } else { 0 };
        before = now;
        let mut open = standings.iter().filter(|standing| !has_ended(standing.run.status));
        if still < LOOKS
            || !open.all(|standing| standing.is_at_rest() && is_whole(standing, &standings))
        {
            look_again().await;
            continue;
        }
        if script.speak(runtime, &standings).await? {
            before.clear();
            continue;
        }
        match standings.iter().filter_map(Standing::wakes_at).min() {
            // It is being woken.
            Some(at) if at <= stage.clock.now() => {
                runtime.nudge();
                look_again().await;
            }
            Some(at) if at > last => return Ok(End::OutOfTime(at)),
            Some(at) => {
                stage.clock.put_to(at);
                runtime.nudge();
            }
            None => return Ok(End::Waits(what_is_waited_for(&standings))),
        }
    }
}

/// Whether the runs are there that a run waits for: they were read one after the other.
fn is_whole(standing: &Standing, all: &[Standing]) -> bool {
    let waited_for = standing.state.open.values().filter_map(|step| step.waits_for.as_deref());
    let mut runs = waited_for.filter(|id| id.starts_with("run_"));
    runs.all(|id| all.iter().any(|other| other.run.id.to_string() == id))
}

/// The machine's time: that of the simulation is put ahead by others.
async fn look_again() {
    SystemClock.sleep_until(SystemClock.now().plus_ms(LOOK_MS)).await;
}

const fn has_ended(status: RunStatus) -> bool {
    matches!(
        status,
        RunStatus::Succeeded
            | RunStatus::Failed
            | RunStatus::Cancelled
            | RunStatus::Parked
            | RunStatus::Paused
    )
}

async fn standings(runtime: &Runtime) -> anyhow::Result<Vec<Standing>> {
    let mut all = Vec::new();
    for run in every_run(runtime).await? {
        let entries = match has_ended(run.status) {
            true => Vec::new(),
            false => entries(runtime, &run).await?,
        };
        let state =
            RunState::of(&entries).map_err(|error| anyhow::anyhow!("{}: {error}", run.id))?;
        all.push(Standing { run, state });
    }
    Ok(all)
}

/// Every run of the simulation, the oldest first.
pub(super) async fn every_run(runtime: &Runtime) -> Result<Vec<Run>, StoreError> {
    let filter = Filter { limit: RUNS, ..Filter::default() };
    let listed = runtime.store().read(|conn| {
        let filter = filter.clone();
        Box::pin(async move { runs::list(conn, &filter).await })
    });
    let mut found = listed.await?;
    found.reverse();
    Ok(found)
}

/// The journal of a run, from where it still holds.
pub(super) async fn entries(runtime: &Runtime, run: &Run) -> Result<Vec<Entry>, StoreError> {
    let (id, mut from, mut all) = (run.id, run.base_seq, Vec::new());
    loop {
        let read =
            runtime.store().read(move |conn| Box::pin(journal::load(conn, id, from, ENTRIES)));
        let page = read.await?;
        let is_last = page.len() < ENTRIES as usize;
        from = page.last().map_or(from, |entry| entry.seq + 1);
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

fn what_is_waited_for(standings: &[Standing]) -> String {
    let steps = standings.iter().flat_map(|standing| {
        let run = &standing.run;
        standing.state.open.values().map(move |step| {
            let (verb, args) = (step.head.verb, step.head.args.value());
            format!("{}: {}", run.playbook, stanch_engine_core::command::summary(verb, &args))
        })
    });
    steps.collect::<Vec<_>>().join("; ")
}

impl Script {
    fn read(args: &Simulate) -> anyhow::Result<Self> {
        let mut form = Map::new();
        for pair in &args.form {
            let (name, value) = pair
                .split_once('=')
                .with_context(|| format!("`--form {pair}`: write NAME=VALUE"))?;
            form.insert(name.to_owned(), Value::String(value.to_owned()));
        }
        if args.decide == Say::Approve && !form.contains_key("verdict") {
            form.insert("verdict".to_owned(), "true_positive".into());
        }
        let mut signals = Vec::new();
        for pair in &args.signals {
            let (name, data) = pair
                .split_once('=')
                .with_context(|| format!("`--signal {pair}`: write NAME=JSON"))?;
            let data = serde_json::from_str(data)
                .with_context(|| format!("`--signal {name}`: what it says is no JSON"))?;
            signals.push((name.to_owned(), data));
        }
        Ok(Self { say: args.decide, form: form.into(), signals })
    }

    /// Says what there is to say; false when there is nothing.
    async fn speak(&mut self, runtime: &Runtime, standings: &[Standing]) -> anyhow::Result<bool> {
        let mut spoke = false;
        for Standing { run, state } in standings {
            for approval in pending(runtime, run.id).await? {
                spoke |= self.decide(runtime, &approval).await?;
            }
            let waits = state.open.values().filter(|step| step.head.verb == Verb::WaitSignal);
            let names = waits.filter_map(|step| step.head.args.read::<WaitSignalArgs>().ok());
            let wanted: Vec<String> = names.flat_map(|args| args.names).collect();
            if let Some(at) = self.signals.iter().position(|(name, _)| wanted.contains(name)) {
                let (name, data) = self.signals.remove(at);
                asks::signal(runtime, run.id, name, data, "simulation".to_owned()).await?;
                spoke = true;
            }
        }
        Ok(spoke)
    }

    /// Lets as many people decide as are needed.
    async fn decide(&self, runtime: &Runtime, approval: &Approval) -> anyhow::Result<bool> {
        let answer = match self.say {
            Say::Approve => Answer::Approve,
            Say::Reject => Answer::Reject,
            Say::Expire => return Ok(false),
        };
        for (name, roles) in voices(&approval.rules) {
            let caller = Caller { name, roles, from: "simulation".to_owned() };
            let said = Decision {
                answer,
                reason: "it is a simulation".to_owned(),
                form: self.form.clone(),
            };
            if decide(runtime, approval.id, &caller, said).await? != ApprovalStatus::Pending {
                break;
            }
        }
        Ok(true)
    }
}

/// People who meet rules: those that they name, and others with the roles that they name.
fn voices(rules: &[Rule]) -> Vec<(String, Vec<String>)> {
    let (mut voices, mut number): (Vec<(String, Vec<String>)>, u32) = (Vec::new(), 0);
    for rule in rules {
        let (roles, named): (Vec<_>, Vec<_>) =
            rule.of.iter().partition(|of| of.starts_with("role:"));
        let roles: Vec<String> =
            roles.iter().map(|role| role.trim_start_matches("role:").to_owned()).collect();
        let mut named = named.into_iter().filter(|name| voices.iter().all(|(had, _)| had != *name));
        let mut found = Vec::new();
        for _ in 0..rule.count {
            let name = named.next().cloned().unwrap_or_else(|| {
                number += 1;
                format!("simulated-{number}")
            });
            found.push((name, roles.clone()));
        }
        voices.extend(found);
    }
    voices
}

async fn pending(runtime: &Runtime, run: RunId) -> Result<Vec<Approval>, StoreError> {
    let read = runtime.store().read(move |conn| Box::pin(approvals::pending_of_run(conn, run)));
    read.await
}
