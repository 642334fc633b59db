//! Traces: one for each run, with a span for each attempt of a step that does something outside, such
//! as a call of AWS. Ids are made of the run's, so that nothing has to be remembered.

use std::fmt::Debug;
use std::str::FromStr;
use std::sync::Arc;

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::{IncidentId, RunId};
use stanch_engine_core::journal::{Entry, Event};
use stanch_engine_core::run::RunStatus;
use stanch_engine_core::time::Timestamp;

use crate::intake::Received;
use crate::job::{Job, Work};
use crate::live::Identity;
use crate::runtime::Runtime;
use crate::shared::Shared;

/// Takes spans. It must not block, and may drop what it can't take.
pub trait SpanSink: Debug + Send + Sync {
    /// Takes one.
    fn take(&self, span: Span);
    /// How many were dropped.
    fn dropped(&self) -> u64;
}

/// Where spans go, where that is configured.
pub type Spans = Option<Arc<dyn SpanSink>>;

/// Whose work a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// Ours.
    Internal,
    /// An answer of ours to somebody.
    Server,
    /// A question of ours to somebody.
    Client,
}

/// A place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The trace.
    pub trace: u128,
    /// The span.
    pub span: u64,
}

impl FromStr for Place {
    type Err = ();

    /// Reads a `traceparent` (<https://www.w3.org/TR/trace-context/#traceparent-header>).
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.trim().split('-');
        let mut hex = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits).ok_or(())?;
            let is_hex = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            if is_hex { u128::from_str_radix(part, 16).map_err(|_| ()) } else { Err(()) }
        };
        let (version, trace, span, _flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
        let span = u64::try_from(span).map_err(|_| ())?;
        let is_legal = version != 0xff && trace != 0 && span != 0;
        let is_whole = version != 0 || parts.next().is_none();
        if is_legal && is_whole { Ok(Self { trace, span }) } else { Err(()) }
    }
}

impl Place {
    /// The root of a run's trace.
    pub fn of_run(run: RunId) -> Self {
        Self { trace: run.bits(), span: span_id(&run.to_string()) }
    }
}

/// Something that took a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where it is.
    pub place: Place,
    /// What it is a part of, in the same trace.
    pub parent: Option<u64>,
    /// What it is called.
    pub name: String,
    /// Whose work it is.
    pub kind: SpanKind,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// More about it. No secret and nothing of a payload is among it.
    pub attributes: Vec<(&'static str, String)>,
    /// Other places that have to do with it.
    pub links: Vec<Place>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// 64 bits that are the same whenever they are asked for, and never zero.
fn span_id(of: &str) -> u64 {
    let hash = Sha256::of(of);
    let first = hash.bytes().iter().take(8).fold(0_u64, |id, byte| (id << 8) | u64::from(*byte));
    first.max(1)
}

fn about(run: RunId, incident: Option<IncidentId>) -> Vec<(&'static str, String)> {
    let incident = incident.map(|incident| ("stanch.incident", incident.to_string()));
    [("stanch.run", run.to_string())].into_iter().chain(incident).collect()
}

/// The span of a run that has ended. It began when its id was made.
fn of_run(
    run: RunId,
    incident: Option<IncidentId>,
    playbook: &str,
    (status, ended_at): (RunStatus, Timestamp),
) -> Span {
    let began_ms = i64::try_from(run.bits() >> 80).unwrap_or(0);
    let began_at = Timestamp::default().plus_ms(began_ms);
    let mut attributes = about(run, incident);
    attributes.push(("stanch.playbook", playbook.to_owned()));
    attributes.push(("stanch.status", status.as_str().to_owned()));
    Span {
        place: Place::of_run(run),
        parent: None,
        name: playbook.to_owned(),
        kind: SpanKind::Internal,
        began_at,
        ended_at: ended_at.max(began_at),
        attributes,
        links: Vec::new(),
        error: (status == RunStatus::Failed).then(|| status.as_str().to_owned()),
    }
}

/// The span of an attempt of a step.
pub(crate) fn of_job(
    job: &Job,
    kind: &'static str,
    outcome: &'static str,
    (began_at, ended_at): (Timestamp, Timestamp),
) -> Span {
    let root = Place::of_run(job.run);
    // What is under way is looked at again in the same attempt.
    let began = began_at.micros();
    let id = span_id(&format!("{} {} {} {began}", job.run, job.key, job.attempt));
    let mut attributes = about(job.run, job.incident);
    attributes.push(("stanch.step", job.key.to_string()));
    attributes.push(("stanch.attempt", job.attempt.to_string()));
    attributes.push(("stanch.outcome", outcome.to_owned()));
    let mut name = kind.to_owned();
    let mut span_kind = SpanKind::Internal;
    if let Work::Action(call) = &job.work {
        span_kind = SpanKind::Client;
        let operation = call.input.get("operation").and_then(|operation| operation.as_str());
        name = operation.unwrap_or(&call.action).to_owned();
        let place =
            [("cloud.account.id", &call.options.account), ("cloud.region", &call.options.region)];
        attributes.extend(place.into_iter().filter_map(|(key, value)| Some((key, value.clone()?))));
    }
    let is_error = !matches!(outcome, "ok" | "under_way" | "had_not_happened");
    Span {
        place: Place { trace: root.trace, span: id },
        parent: Some(root.span),
        name,
        kind: span_kind,
        began_at,
        ended_at: ended_at.max(began_at),
        attributes,
        links: Vec::new(),
        error: is_error.then(|| outcome.to_owned()),
    }
}

/// A run's journal grew: its end ends its trace.
pub(crate) fn grew(shared: &Shared, who: &Identity, entries: &[Entry]) {
    let Some(spans) = &shared.settings.spans else { return };
    for entry in entries {
        if let Event::Ended(ended) = &entry.event {
            spans.take(of_run(who.id, who.incident, &who.playbook, (ended.status, entry.at)));
        }
    }
}

/// Tells of a payload that came with a place in somebody's trace: it leads to the traces of the runs
/// that it started.
pub fn intake(
    runtime: &Runtime,
    source: &str,
    came_from: Place,
    began_at: Timestamp,
    received: &[Received],
) {
    let Some(spans) = &runtime.settings().spans else { return };
    let now = runtime.world().now();
    let id = span_id(&format!("{:032x}", runtime.world().entropy.next()));
    let runs = received.iter().flat_map(|received| &received.run_ids);
    spans.take(Span {
        place: Place { trace: came_from.trace, span: id },
        parent: Some(came_from.span),
        name: "POST /v1/webhooks/{source}".to_owned(),
        kind: SpanKind::Server,
        began_at,
        ended_at: now.max(began_at),
        attributes: vec![("stanch.source", source.to_owned())],
        links: runs.map(|run| Place::of_run(*run)).collect(),
        error: None,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_trace_is_read_as_w3c_writes_it() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let place: Place = good.parse().unwrap();
        assert_eq!(place.trace, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!(place.span, 0x00f0_67aa_0ba9_02b7);
        // A later version may say more.
        assert!(good.replacen("00", "cc", 1).parse::<Place>().is_ok());
        assert!(format!("{}-more", good.replacen("00", "cc", 1)).parse::<Place>().is_ok());
        for bad in [
            String::new(),
            format!("{good}-more"),
            good.replacen("00", "ff", 1),
            good.to_uppercase(),
            good.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            good.replace("00f067aa0ba902b7", &"0".repeat(16)),
            good.replace("4bf92f", "4bf92"),
        ] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
