//! Digests: KPIs that people are told of each week and each month.
//!
//! What is told goes out by a run of a playbook of its own, so that it is journaled, tried again and
//! seen like everything else that is said to people.

use std::fmt::Write as _;

use serde_json::json;
use stanch_engine_core::kpi::{Dimension, Period};
use stanch_engine_core::limits;
use stanch_engine_core::report::document::length;
use stanch_engine_core::schedule::{Day, Zone};
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::{StoreError, settings};
use tokio::sync::watch;

use super::{Figures, Filter, Question, QuestionError, Report, Window, report_of};
use crate::runs::{self, RunsError, StartRequest};
use crate::runtime::Runtime;

/// The playbook that tells it.
pub const PLAYBOOK: &str = "kpi-digest";

/// How often it is looked whether something is due, in milliseconds.
const LOOK_MS: i64 = 5 * 60 * 1_000;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Whom to tell, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestSettings {
    /// Whom: `role:NAME` or a person.
    pub to: String,
    /// Whether each Monday.
    pub is_weekly: bool,
    /// Whether on the first of each month.
    pub is_monthly: bool,
    /// From which hour of that day on.
    pub hour: u32,
    /// On whose clocks weeks, months and hours are counted.
    pub zone: Zone,
}

/// Why a digest did not go out.
#[derive(Debug, thiserror::Error)]
enum DigestError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Question(#[from] QuestionError),
    #[error(transparent)]
    Run(#[from] RunsError),
}

/// A kind of digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Week,
    Month,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first day of the week or month that a time is in.
    fn first_day(self, zone: &Zone, at: Timestamp) -> Option<Day> {
        match self {
            Self::Week => zone.week_of(at),
            Self::Month => zone.month_of(at),
        }
    }
}

impl Runtime {
    /// Begins to tell people their KPIs, as the settings say. To be called once.
    pub fn send_digests(&self) {
        let Some(digest) = self.settings().digest.clone() else { return };
        let stopping = self.stopping();
        self.keep(tokio::task::spawn(work(self.clone(), digest, stopping)));
    }
}

async fn work(runtime: Runtime, digest: DigestSettings, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        for (kind, is_wanted) in [(Kind::Week, digest.is_weekly), (Kind::Month, digest.is_monthly)]
        {
            if is_wanted && let Err(error) = look(&runtime, &digest, kind).await {
                tracing::error!(%error, digest = kind.word(), "a digest did not go out; it is tried again");
            }
        }
        let clock = runtime.world().clock.clone();
        tokio::select! {
            () = clock.sleep_until(clock.now().plus_ms(LOOK_MS)) => {}
            _ = stop.changed() => {}
        }
    }
}

/// Tells what is due: of the whole week or month before the one that it is. The first week and month are
/// not told of: they were not whole.
async fn look(runtime: &Runtime, digest: &DigestSettings, kind: Kind) -> Result<(), DigestError> {
    let now = runtime.world().now();
    let Some(begun) = kind.first_day(&digest.zone, now) else { return Ok(()) };
    let until = begun.begins_at;
    let Some(before) = kind.first_day(&digest.zone, until.plus_ms(-1)) else { return Ok(()) };
    // By its date, whatever zone it is: another zone in the configuration does not tell it again.
    let (name, period) = (format!("digest_{}", kind.word()), format!("{}T00:00:00Z", begun.date));
    let asked = name.clone();
    let told = runtime
        .store()
        .read(|conn| Box::pin(async move { settings::get(conn, &asked).await }))
        .await?;
    let is_due = now >= until.plus_ms(i64::from(digest.hour) * 3_600_000);
    if told.as_ref().is_some_and(|told| *told >= period) || !is_due {
        return Ok(());
    }
    if told.is_some() {
        send(runtime, digest, kind, (before.begins_at, until), &period).await?;
    }
    let told = runtime.store().write(move |tx| {
        let (name, period) = (name.clone(), period.clone());
        Box::pin(async move { settings::set(tx, &name, &period).await })
    });
    Ok(told.await?)
}

/// The figures of what is over. Where that is too much to be read, and the zone's days are not those that
/// are added up beforehand, it is told of the days of UTC.
async fn figures_of(
    runtime: &Runtime,
    since: Timestamp,
    until: Timestamp,
) -> Result<Report, QuestionError> {
    let found = asked(runtime, since, until).await;
    match found {
        Err(QuestionError::TooMany) => {
            let day = |at| Period::Day.start_of(at);
            asked(runtime, day(since), day(until)).await
        }
        found => found,
    }
}

async fn asked(
    runtime: &Runtime,
    since: Timestamp,
    until: Timestamp,
) -> Result<Report, QuestionError> {
    let question = Question {
        window: Span::from_ms((until.micros() - since.micros()) / 1_000),
        filter: Filter::default(),
        by: Some(Dimension::Severity),
        facts: limits::KPI_FACTS,
    };
    let window = Window { since, until, is_over: true, facts: question.facts };
    report_of(runtime, &question, window).await
}

async fn send(
    runtime: &Runtime,
    digest: &DigestSettings,
    kind: Kind,
    (since, until): (Timestamp, Timestamp),
    period: &str,
) -> Result<(), DigestError> {
    let found = figures_of(runtime, since, until).await?;
    let text = text(kind, &found, &runtime.settings().public_url);
    let inputs = json!({"to": digest.to, "text": text});
    let request = StartRequest {
        playbook: PLAYBOOK.to_owned(),
        inputs: inputs.as_object().cloned().unwrap_or_default(),
        requester: "stanch".to_owned(),
        // Two nodes that look at once start one.
        subject: Some(format!("{PLAYBOOK}/{}/{period}", kind.word())),
        ..StartRequest::default()
    };
    match runs::start(runtime, request).await {
        Ok(_) | Err(RunsError::TooLate(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn text(kind: Kind, report: &Report, public_url: &str) -> String {
    let figures = &report.figures;
    let (since, until) = (report.since, report.until);
    let mut text = format!(
        "KPIs of a {}, {since:.0} to {until:.0}: {} incidents of {} alerts.",
        kind.word(),
        figures.incidents,
        figures.alerts
    );
    for figure in &figures.kpis {
        let it = &figure.summary;
        if it.count + it.open == 0 {
            continue;
        }
        let _ = write!(text, "\n{}: ", it.definition.title);
        if let (Some(p50), Some(p95)) = (it.p50_ms, it.p95_ms) {
            let _ = write!(text, "half within {}, 95 of 100 within {}; ", length(p50), length(p95));
        }
        let _ = write!(text, "known of {}, open for {}", it.count, it.open);
    }
    for share in figures.shares.iter().filter(|share| share.whole > 0) {
        let (title, part, whole) = (share.definition.title, share.part, share.whole);
        let _ = write!(text, "\n{title}: {part} of {whole}");
    }
    for (severity, figures) in report.groups.iter().flatten() {
        targets(&mut text, severity, figures);
    }
    // A day in which the clocks change is one, too.
    let days = (report.window.ms + DAY_MS / 2) / DAY_MS;
    let _ = write!(text, "\nMore: {public_url}/v1/kpis?window={days}d");
    text
}

/// How far the targets of a severity were kept.
fn targets(text: &mut String, severity: &str, figures: &Figures) {
    for figure in figures.kpis.iter().filter(|figure| figure.summary.count > 0) {
        let (Some(target_ms), Some(within)) = (figure.target_ms, figure.within_target) else {
            continue;
        };
        let (title, count) = (figure.summary.definition.title, figure.summary.count);
        let _ = write!(
            text,
            "\nTarget of {severity}: {title} within {}: kept in {within} of {count}",
            length(target_ms)
        );
    }
}
