//! What a node counts of its own work, and how that is told: `docs/observability.md` says what each
//! number means.

use std::time::Duration;

use stanch_engine_core::journal::{Entry, Event};
use stanch_engine_core::limits;
use stanch_engine_core::metric::{Counter, Exposition, Family, Histogram};
use stanch_engine_core::span::Span;
use stanch_engine_core::step::ErrorKind;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::StoreError;
use stanch_engine_store::gauges::{self, Gauges};

use crate::intake::Received;
use crate::job::{Call, Job, JobOutcome, Work};
use crate::kpis::{self, Filter, Question, Report};
use crate::runtime::Runtime;
use crate::shared::Shared;
use crate::trace;

/// What a node counts. It begins at zero when the node starts.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// By source and what became of them.
    alerts: Family<Counter>,
    /// From the first byte that was read to the commit.
    intake: Histogram,
    /// By playbook.
    runs_started: Family<Counter>,
    /// By playbook and status.
    runs_ended: Family<Counter>,
    /// By how they ended.
    steps: Family<Counter>,
    /// By kind.
    attempts: Family<Histogram>,
    /// By kind and outcome.
    outcomes: Family<Counter>,
    /// By AWS's service.
    aws: Family<Histogram>,
    /// By AWS's service and outcome.
    aws_outcomes: Family<Counter>,
    /// Runs that were taken over from a node that is dead or asleep.
    pub(crate) lapses: Counter,
}

/// What became of alerts that were taken.
fn became(received: &Received) -> &'static str {
    match received {
        Received { duplicate: true, .. } => "duplicate",
        Received { suppressed_by: Some(_), .. } => "suppressed",
        Received { incident_id: None, .. } => "over",
        _ => "new",
    }
}

fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Throttle => "throttled",
        ErrorKind::Transient => "transient",
        ErrorKind::Permanent => "permanent",
        ErrorKind::Denied => "denied",
        ErrorKind::InDoubt => "in_doubt",
    }
}

/// A job was done: it is counted, and stands in the trace of its run.
pub(crate) fn worked(shared: &Shared, job: &Job, came: &JobOutcome, took: Duration) {
    shared.metrics.worked(job, came, took);
    if let JobOutcome::Failed { error, .. } = came
        && !error.kind.passes()
    {
        let code = error.code.as_str();
        tracing::info!(code, outcome = word(error.kind), "an attempt did not succeed");
    }
    if let Some(spans) = &shared.settings.spans {
        let now = shared.world.now();
        let took_us = i64::try_from(took.as_micros()).unwrap_or(0);
        let began_at = Timestamp::from_micros(now.micros().saturating_sub(took_us));
        let (kind, outcome) = (kind(&job.work), outcome(came));
        spans.take(trace::of_job(job, kind, outcome, (began_at, now)));
    }
}

fn outcome(outcome: &JobOutcome) -> &'static str {
    match outcome {
        JobOutcome::Done { .. } => "ok",
        JobOutcome::Again { .. } => "under_way",
        JobOutcome::Failed { error, .. } => word(error.kind),
        JobOutcome::HadNotHappened => "had_not_happened",
        JobOutcome::CanNotTell(_) | JobOutcome::CanNotTellYet(_) => "can_not_tell",
    }
}

/// The kind of a job.
fn kind(work: &Work) -> &'static str {
    match work {
        Work::Action(call) if service(call).is_some() => "aws",
        Work::Action(_) => "action",
        Work::LookUp(..) => "look_up",
        Work::Probe(_) => "probe",
        Work::Collect(_) => "collect",
        Work::Evidence { .. } => "evidence",
        Work::RaiseAlert(_) => "raise_alert",
        Work::Notify { .. } => "notify",
        Work::UndoPlan(_) => "undo_plan",
        Work::Owners { .. } => "owners",
    }
}

/// AWS's service that a call goes to.
fn service(call: &Call) -> Option<&str> {
    let operation = call.input.get("operation").and_then(|operation| operation.as_str());
    match call.action.as_str() {
        "aws.call" => operation?.split_once(':').map(|(service, _)| service),
        "aws.sns_publish" => Some("sns"),
        action if action.starts_with("aws.ssm") => Some("ssm"),
        _ => None,
    }
}

impl Metrics {
    /// Alerts were taken.
    pub(crate) fn took_alerts<'a>(&self, taken: impl Iterator<Item = (&'a str, &'a Received)>) {
        for (source, received) in taken {
            self.alerts.of(&[source, became(received)]).inc();
        }
    }

    /// A payload could not be read.
    pub(crate) fn kept_unread(&self, door: &str) {
        self.alerts.of(&[door, "unreadable"]).inc();
    }

    /// A payload was stored so long after it came.
    pub(crate) fn acknowledged(&self, after: Duration) {
        self.intake.took(after);
    }

    /// A run's journal grew.
    pub(crate) fn grew(&self, playbook: &str, entries: &[Entry]) {
        for entry in entries {
            match &entry.event {
                Event::Started(_) => self.runs_started.of(&[playbook]).inc(),
                Event::StepSucceeded(_) => self.steps.of(&["succeeded"]).inc(),
                Event::StepFailed(_) => self.steps.of(&["failed"]).inc(),
                Event::StepRetried(_) => self.steps.of(&["retried"]).inc(),
                Event::StepDoubted(_) => self.steps.of(&["doubted"]).inc(),
                Event::Ended(ended) => {
                    self.runs_ended.of(&[playbook, ended.status.as_str()]).inc();
                }
                _ => {}
            }
        }
    }

    /// A job was done.
    pub(crate) fn worked(&self, job: &Job, came: &JobOutcome, took: Duration) {
        let (kind, outcome) = (kind(&job.work), outcome(came));
        self.attempts.of(&[kind]).took(took);
        self.outcomes.of(&[kind, outcome]).inc();
        if let Work::Action(call) = &job.work
            && let Some(service) = service(call)
        {
            self.aws.of(&[service]).took(took);
            self.aws_outcomes.of(&[service, outcome]).inc();
        }
    }
}

/// Everything that a node knows in numbers, as Prometheus reads it.
///
/// # Errors
/// [`StoreError`] of the database.
pub async fn exposition(runtime: &Runtime) -> Result<String, StoreError> {
    let gauges = runtime.store().read(|conn| Box::pin(gauges::read(conn))).await?;
    let question = Question {
        window: Span::from_secs(30 * 86_400),
        filter: Filter::default(),
        by: None,
        facts: limits::KPI_FACTS,
    };
    // Where there is no answer about KPIs, the rest is told all the same.
    let kpis = kpis::report(runtime, &question).await.ok();
    let mut text = Exposition::default();
    counted(&mut text, &runtime.shared.metrics);
    written(&mut text, runtime);
    waiting(&mut text, runtime, &gauges);
    if let Some(kpis) = kpis {
        figures(&mut text, &kpis);
    }
    Ok(text.into_text())
}

fn counted(text: &mut Exposition, of: &Metrics) {
    let name = "stanch_alerts_total";
    let help = "Alerts that came, by source and what became of them.";
    text.counters(name, help, &["source", "outcome"], &of.alerts);
    let name = "stanch_intake_seconds";
    text.histogram(name, "From a payload that came to its commit.", &of.intake);
    let (name, help) = ("stanch_runs_started_total", "Runs that began on this node.");
    text.counters(name, help, &["playbook"], &of.runs_started);
    let (name, help) = ("stanch_runs_ended_total", "Runs that ended on this node.");
    text.counters(name, help, &["playbook", "status"], &of.runs_ended);
    let (name, help) = ("stanch_steps_total", "Steps, by what became of them.");
    text.counters(name, help, &["outcome"], &of.steps);
    let help = "How long one attempt of a step took that does something outside, by kind.";
    text.histograms("stanch_attempt_seconds", help, &["kind"], &of.attempts);
    let (name, help) = ("stanch_attempts_total", "Attempts of such steps, by kind and outcome.");
    text.counters(name, help, &["kind", "outcome"], &of.outcomes);
    let help = "How long calls of AWS took, by service.";
    text.histograms("stanch_aws_call_seconds", help, &["service"], &of.aws);
    let (name, help) = ("stanch_aws_calls_total", "Calls of AWS, by service and outcome.");
    text.counters(name, help, &["service", "outcome"], &of.aws_outcomes);
    let help = "Runs that were taken over from a node that is dead or asleep.";
    text.counter("stanch_lease_lapses_total", help, of.lapses.get());
}

fn written(text: &mut Exposition, runtime: &Runtime) {
    let writer = runtime.store().written();
    let (name, help) = ("stanch_commits_total", "Transactions that were committed.");
    text.counter(name, help, runtime.store().commits());
    let help = "How many parts shared a transaction.";
    text.histogram("stanch_commit_parts", help, &writer.parts);
    let (name, help) = ("stanch_commit_seconds", "How long transactions took.");
    text.histogram(name, help, &writer.took);
    let dropped = runtime.settings().spans.as_ref().map_or(0, |spans| spans.dropped());
    let help = "Spans of traces that the collector did not take in time.";
    text.counter("stanch_spans_dropped_total", help, dropped);
    let help = "1 when the last transaction did not come about.";
    let failing = f64::from(u8::from(runtime.store().failing().is_some()));
    text.gauges("stanch_writer_failing", help, [(Vec::new(), failing)]);
}

/// Upper bounds of the age of questions to people, in minutes, and what they are called.
const AGES: &[(i64, &str)] =
    &[(5, "5m"), (15, "15m"), (60, "1h"), (240, "4h"), (1_440, "1d"), (i64::MAX, "longer")];

fn waiting(text: &mut Exposition, runtime: &Runtime, gauges: &Gauges) {
    let now = runtime.world().now();
    let runs = [
        ("queued", gauges.queued),
        ("running", gauges.running),
        ("sleeping", gauges.sleeping),
        ("parked", gauges.parked),
        ("paused", gauges.paused),
    ];
    let help = "Runs that have not ended; sleeping are those that wait until a time.";
    let runs = runs.map(|(status, n)| (vec![("status", status)], n as f64));
    text.gauges("stanch_runs", help, runs);
    let age = gauges.queued_since.map_or(0, |since| now.ms_since(since).max(0));
    let help = "For how long the oldest run in the queue waits.";
    text.gauges("stanch_queue_age_seconds", help, [(Vec::new(), age as f64 / 1_000.0)]);
    let help = "Runs that are in memory on this node.";
    text.gauges("stanch_runs_in_memory", help, [(Vec::new(), runtime.residents() as f64)]);
    let mut ages = vec![0_u32; AGES.len()];
    for since in &gauges.approvals_since {
        let minutes = now.ms_since(*since) / 60_000;
        let place = AGES.iter().position(|(most, _)| minutes < *most);
        if let Some(n) = place.and_then(|place| ages.get_mut(place)) {
            *n += 1;
        }
    }
    let help = "Questions to people that are open, by how long they wait: less than `age`.";
    let ages = AGES.iter().zip(ages).map(|((_, age), n)| (vec![("age", *age)], f64::from(n)));
    text.gauges("stanch_approvals_waiting", help, ages);
    let one = |n: i64| [(Vec::new(), n as f64)];
    text.gauges("stanch_pages_open", "Pages that nobody took.", one(gauges.pages));
    let help = "Payloads that could not be read, and were not replayed.";
    text.gauges("stanch_dead_letters", help, one(gauges.dead_letters));
    let halted = i64::from(runtime.shared.is_halted());
    text.gauges("stanch_halted", "1 while the kill switch is thrown.", one(halted));
}

fn figures(text: &mut Exposition, report: &Report) {
    let figures = &report.figures;
    let known = |ms: Option<i64>| ms.map(|ms| ms as f64 / 1_000.0);
    let (mut lengths, mut numbers) = (Vec::new(), Vec::new());
    for figure in &figures.kpis {
        let summary = &figure.summary;
        let name = summary.definition.name;
        let stats = [
            ("mean", known(summary.mean_ms)),
            ("p50", known(summary.p50_ms)),
            ("p90", known(summary.p90_ms)),
            ("p95", known(summary.p95_ms)),
        ];
        let told = |(stat, seconds): (&'static str, Option<f64>)| {
            Some((vec![("kpi", name), ("stat", stat)], seconds?))
        };
        lengths.extend(stats.into_iter().filter_map(told));
        numbers.push((vec![("kpi", name), ("state", "measured")], summary.count as f64));
        numbers.push((vec![("kpi", name), ("state", "open")], summary.open as f64));
    }
    let help = "KPIs of time over the incidents of 30 days.";
    text.gauges("stanch_kpi_seconds", help, lengths);
    let help = "Incidents that a KPI of time is known of, or still open for.";
    text.gauges("stanch_kpi_incidents", help, numbers);
    let shares = figures.shares.iter();
    let shares = shares.filter_map(|s| Some((vec![("kpi", s.definition.name)], s.value?)));
    text.gauges("stanch_kpi_ratio", "KPIs that are parts of a whole, of 30 days.", shares);
    let help = "Incidents that began within 30 days.";
    text.gauges("stanch_incidents", help, [(Vec::new(), figures.incidents as f64)]);
}
