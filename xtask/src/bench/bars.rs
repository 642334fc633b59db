//! The bars that the engine is held against, measured one by one.
//!
//! Some are ratios of two measurements of one run; those hold on every machine, and `--check` asks
//! for them. The others are speeds of this machine.

use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{COMPARED, Report, STEPS, Steps, Store, ask, ask_in, runs, share};
use crate::interrupt::Interrupt;

/// Runs of a lone slot.
const ALONE_RUNS: u64 = 100;

/// Steps of the longest run that there may be.
const LONG_STEPS: u64 = 10_000;

/// Steps of the short runs beside it, and how many of those.
const SHORT: (u64, u64) = (10, 200);

/// One figure, and what it must be.
#[derive(Debug)]
pub(super) struct Bar {
    what: String,
    is: f64,
    bar: f64,
    /// Whether more is better.
    is_least: bool,
    /// Whether it holds whatever the machine is.
    pub(super) is_robust: bool,
}

impl Bar {
    fn most(what: &str, is: f64, bar: f64) -> Self {
        Self { what: what.to_owned(), is, bar, is_least: false, is_robust: false }
    }

    fn least(what: &str, is: f64, bar: f64) -> Self {
        Self { is_least: true, ..Self::most(what, is, bar) }
    }

    fn robust(self) -> Self {
        Self { is_robust: true, ..self }
    }

    pub(super) fn holds(&self) -> bool {
        if self.is_least { self.is >= self.bar } else { self.is <= self.bar }
    }
}

#[derive(Debug, Deserialize)]
struct Waiting {
    grown_kib: f64,
    runs_in_memory: f64,
}

#[derive(Debug, Deserialize)]
struct Decisions {
    p99_ms: f64,
}

#[derive(Debug, Deserialize)]
struct Restart {
    going_again_s: f64,
}

#[derive(Debug, Deserialize)]
struct Alerts {
    acknowledged_per_s: f64,
    store_per_s: f64,
    steady_p99_ms: f64,
    first_step_p99_ms: f64,
}

#[derive(Debug, Deserialize)]
struct Nodes {
    one_steps_per_s: f64,
    three_steps_per_s: f64,
    one_cpu_us_per_step: f64,
    three_cpu_us_per_step: f64,
    decision_p99_ms: f64,
    going_again_s: f64,
}

#[derive(Debug, Deserialize)]
struct Sleeping {
    find_p99_ms: f64,
}

#[derive(Debug, Deserialize)]
struct Kpis {
    p95_ms: f64,
    plain_scan_of_one_kpi_ms: f64,
}

#[derive(Debug, Deserialize)]
struct Evidence {
    ratio: f64,
}

/// Measures what the report does not hold yet, and holds all of it against the bars.
pub(super) fn measure(
    report: &Report,
    program: &Path,
    interrupt: &Interrupt,
    fresh: &mut dyn FnMut() -> Result<String>,
) -> Result<Vec<Bar>> {
    let mut bars = speeds(report);
    let mut asked = Asked { report, program, interrupt, fresh };
    let bare: Store = asked.for_("store", &[("--rows", 2_000), ("--producers", 1)])?;
    let alone: Steps = asked.steps(ALONE_RUNS, STEPS)?;
    let ratio = alone.p50_ms / bare.p50_ms;
    bars.push(Bar::most("a step alone ÷ BEGIN, INSERT, COMMIT (p50)", ratio, 1.3).robust());
    let commits = alone.commits.saturating_sub(2 * ALONE_RUNS);
    let commits = share(commits, ALONE_RUNS * STEPS);
    bars.push(Bar::most("commits of a step, alone", commits, 1.01).robust());
    let (short, long) = (asked.steps(SHORT.1, SHORT.0)?, asked.steps(1, LONG_STEPS)?);
    let ratio = long.p50_ms / short.p50_ms;
    bars.push(Bar::most("a step of a run of 10,000 ÷ of one of 10 (p50)", ratio, 2.0).robust());
    let waiting: Waiting = asked.for_("waiting", &[("--runs", 100_000)])?;
    bars.push(Bar::most("MB above idle, 100,000 runs waiting", waiting.grown_kib / 1_024.0, 30.0));
    bars.push(Bar::most("of those in memory", waiting.runs_in_memory, 0.0).robust());
    let decisions: Decisions = asked.for_("decisions", &[("--runs", 1_000)])?;
    bars.push(Bar::most("ms from a decision to the next step (p99)", decisions.p99_ms, 5.0));
    let restart: Restart = asked.for_("restart", &[("--runs", 10_000)])?;
    bars.push(Bar::most("s after kill -9 until 10,000 runs go on", restart.going_again_s, 5.0));
    let sleeping: Sleeping = asked.for_("sleeping", &[("--runs", 1_000_000)])?;
    bars.push(Bar::most("ms to find due ones of 1,000,000 (p99)", sleeping.find_p99_ms, 5.0));
    bars.extend(asked.alerts()?);
    bars.push(asked.kpis()?);
    if report.database == "Postgres" {
        bars.extend(asked.nodes()?);
    }
    Ok(bars)
}

/// Evidence that is hashed while it is captured, on the disk of a folder, beside a plain copy.
pub(super) fn evidence(program: &Path, interrupt: &Interrupt, folder: &Path) -> Result<Bar> {
    interrupt.check()?;
    eprintln!("evidence");
    let evidence: Evidence = ask_in(program, "evidence", folder)?;
    Ok(Bar::least("capture ÷ plain copy of 1 GiB", evidence.ratio, 0.5).robust())
}

/// Who measures, and where.
struct Asked<'a> {
    report: &'a Report,
    program: &'a Path,
    interrupt: &'a Interrupt,
    fresh: &'a mut dyn FnMut() -> Result<String>,
}

impl Asked<'_> {
    fn for_<T: DeserializeOwned>(&mut self, what: &str, flags: &[(&str, u64)]) -> Result<T> {
        self.interrupt.check()?;
        eprintln!("{}: {what}", self.report.database);
        ask(self.program, what, &(self.fresh)()?, flags)
    }

    /// Alerts by HTTP beside the store alone, and at a steady rate.
    fn alerts(&mut self) -> Result<[Bar; 3]> {
        let alerts: Alerts = self.for_("alerts", &[("--alerts", 20_000), ("--rate", 500)])?;
        let ratio = alerts.acknowledged_per_s / alerts.store_per_s;
        let what = format!(
            "alerts acknowledged at 64 connections ÷ the store alone ({:.0}/s, {:.0}/s)",
            alerts.acknowledged_per_s, alerts.store_per_s
        );
        Ok([
            Bar::least(&what, ratio, 0.5).robust(),
            Bar::most("ms to an acknowledgement at 500 alerts/s (p99)", alerts.steady_p99_ms, 20.0),
            Bar::most(
                "ms from a webhook to the first step at 500 alerts/s (p99)",
                alerts.first_step_p99_ms,
                if self.report.database == "SQLite" { 20.0 } else { 30.0 },
            ),
        ])
    }

    /// KPIs over a million incidents.
    fn kpis(&mut self) -> Result<Bar> {
        let kpis: Kpis = self.for_("kpis", &[("--incidents", 1_000_000)])?;
        let what = format!(
            "ms of a KPI page's questions over 1,000,000 incidents (p95; a plain scan of one KPI {:.0})",
            kpis.plain_scan_of_one_kpi_ms
        );
        Ok(Bar::most(&what, kpis.p95_ms, 200.0))
    }

    /// Several nodes on one Postgres.
    fn nodes(&mut self) -> Result<[Bar; 3]> {
        let nodes: Nodes = self.for_("nodes", &[])?;
        let what = format!(
            "steps/s of three nodes ÷ of one ({:.0}/s, {:.0}/s; processor time of a step {:.1} µs, \
             {:.1} µs)",
            nodes.three_steps_per_s,
            nodes.one_steps_per_s,
            nodes.three_cpu_us_per_step,
            nodes.one_cpu_us_per_step
        );
        Ok([
            Bar::least(&what, nodes.three_steps_per_s / nodes.one_steps_per_s, 1.0),
            Bar::most(
                "ms from a decision to the next step, other node (p99)",
                nodes.decision_p99_ms,
                50.0,
            ),
            Bar::most("s after a node was killed until its runs go on", nodes.going_again_s, 10.0),
        ])
    }

    fn steps(&mut self, runs: u64, steps: u64) -> Result<Steps> {
        self.for_("steps", &[("--runs", runs), ("--steps", steps), ("--concurrency", 1)])
    }
}

fn speeds(report: &Report) -> Vec<Bar> {
    let wanted: &[(u64, f64)] = match report.database {
        "SQLite" => &[(64, 45_000.0), (256, 75_000.0)],
        _ => &[(64, 25_000.0)],
    };
    let mut bars = Vec::new();
    for (concurrency, steps) in &report.steps {
        if let Some((_, bar)) = wanted.iter().find(|(at, _)| at == concurrency) {
            let what = format!("steps/s at {concurrency}");
            bars.push(Bar::least(&what, steps.steps_per_s, *bar));
        }
        if *concurrency == COMPARED {
            let runs = runs(*concurrency);
            let commits = share(steps.commits.saturating_sub(2 * runs), runs * STEPS);
            bars.push(Bar::most("commits of a step, under load", commits, 0.1).robust());
        }
    }
    bars
}

/// The bars in Markdown.
pub(super) fn table(reports: &[(&'static str, Vec<Bar>)]) -> String {
    let mut text = "| database | measure | bar | measured | |\n|---|---|--:|--:|---|\n".to_owned();
    for (database, bars) in reports {
        for bar in bars {
            let Bar { what, is, bar: wanted, is_least, .. } = bar;
            let sign = if *is_least { '≥' } else { '≤' };
            let holds = if bar.holds() { "holds" } else { "misses" };
            text += &format!("| {database} | {what} | {sign} {wanted} | {is:.2} | {holds} |\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_holds_from_its_own_side() {
        assert!(Bar::most("x", 1.3, 1.3).holds() && !Bar::most("x", 1.31, 1.3).holds());
        assert!(Bar::least("x", 45_000.0, 45_000.0).holds());
        assert!(!Bar::least("x", 44_999.0, 45_000.0).holds());
        let text = table(&[("SQLite", vec![Bar::least("steps/s at 64", 1.0, 2.0)])]);
        assert!(text.ends_with("| SQLite | steps/s at 64 | ≥ 2 | 1.00 | misses |\n"), "{text}");
    }
}
