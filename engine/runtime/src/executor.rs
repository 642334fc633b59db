//! Carries jobs out: calls actions, looks, collects, keeps. It owns deadlines; retries are the
//! journal's.

mod collect;
mod content;
mod evidence;
pub(crate) mod large;
mod look;
mod origin;
mod owners;
mod secrets;
mod tell;
pub(crate) mod undo;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use stanch_engine_core::alert::Alert;
use stanch_engine_core::effect::Effect;
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::span::Span;
use stanch_engine_core::step::{ErrorKind, StepError};
use stanch_plugins_sdk::{
    Action, ActionContext, ActionError, BoxFuture, CallRecord, Done, Outcome, Patience, Sink,
    Urgency,
};
use tracing::Instrument as _;

use crate::approvals;
use crate::intake;
use crate::job::{Call, Job, JobOutcome, Work};
use crate::metrics;
use crate::rails;
use crate::shared::Shared;

/// The future of a job. That of a call, which nearly every job is, holds no room for what others
/// need.
pub(crate) fn work(shared: Arc<Shared>, job: Job) -> BoxFuture<'static, JobOutcome> {
    let span = log_span(&job);
    let working = async move {
        let began = std::time::Instant::now();
        let came = match &job.work {
            Work::Action(call) => act(&shared, &job, call).await,
            _ => Box::pin(other_work(&shared, &job)).await,
        };
        metrics::worked(&shared, &job, &came, began.elapsed());
        came
    };
    Box::pin(working.instrument(span))
}

/// What every line of the log says that is written while a job is worked on.
fn log_span(job: &Job) -> tracing::Span {
    let incident_id = job.incident.map(tracing::field::display);
    tracing::error_span!("step", run_id = %job.run, incident_id, step = %job.key)
}

async fn other_work(shared: &Arc<Shared>, job: &Job) -> JobOutcome {
    match &job.work {
        Work::Action(call) => act(shared, job, call).await,
        Work::LookUp(call, probe) => look::look_up(shared, job, call, probe.as_ref()).await,
        Work::Probe(probe) => look::look(shared, job, probe).await,
        Work::Collect(args) => collect::collect(shared, job, args).await,
        Work::Evidence { label, value, caveats } => {
            evidence::keep(shared, job, (label, value), caveats).await
        }
        Work::RaiseAlert(alert) => raise(shared, alert).await,
        Work::Notify { to, message } => tell::tell(shared, job, to, message).await,
        Work::UndoPlan(args) => undo::plan(shared, job, args).await,
        Work::Owners { plan, tags } => owners::find(shared, job, plan, tags).await,
    }
}

/// Calls an action. Before a change the kill switch is looked at where it lies, so that it works
/// at once on every node, and AWS is asked what the change would touch.
async fn act(shared: &Arc<Shared>, job: &Job, call: &Call) -> JobOutcome {
    if call.effect.is_guarded()
        && let Err(error) = Box::pin(guard(shared, job, call)).await
    {
        return JobOutcome::failed(error);
    }
    match invoke(shared, job, call).await {
        Ok(Outcome::Done(done)) => large::done(shared, job, call, done).await,
        Ok(Outcome::Again { state, after }) => {
            JobOutcome::Again { state: Json::canonical(&state), after }
        }
        Err(error) => JobOutcome::Failed {
            call: call_record(&error.call),
            error: error.into(),
            projections: Vec::new(),
        },
    }
}

/// What may have come up since the run was let go on.
async fn guard(shared: &Shared, job: &Job, call: &Call) -> Result<(), StepError> {
    match shared.look_at_halt().await {
        Ok(false) => {}
        Ok(true) => {
            let why = stanch_engine_core::guard::WhyNot::Halted;
            return Err(StepError::denied(why.code(), why.explanation()));
        }
        Err(error) => {
            let message = format!("the kill switch can't be looked at: {error}");
            return Err(StepError::new(ErrorKind::Transient, "store", message));
        }
    }
    // What is under way is only looked at.
    if job.state.is_some() {
        return Ok(());
    }
    approvals::still_stands(shared, call.approval).await?;
    rails::survey(shared, call, &context(shared, job, call)).await?;
    rails::count(shared, job, call).await
}

/// Nothing is kept of a call that says nothing of itself.
fn call_record(call: &CallRecord) -> Option<Json> {
    (*call != CallRecord::default()).then(|| Json::of(call))
}

/// Calls an action within its deadline. What runs out after it may have been sent is in doubt,
/// unless it only looked. What it is given is opened here, and nowhere before.
async fn invoke(shared: &Shared, job: &Job, call: &Call) -> Result<Outcome, ActionError> {
    let action = action(shared, call)?;
    let context = context(shared, job, call);
    let opened = match action.takes_secrets() {
        true => secrets::open(shared, job.run, call)?,
        false => None,
    };
    let input = opened.as_ref().map_or(&call.input, |opened| &opened.input);
    let result = in_time(&context, action.run(&context, input)).await;
    behind(opened.as_ref(), result).unwrap_or_else(|| Err(late(call, &context)))
}

/// The same, with the content of the answer beside it.
async fn invoke_with(
    shared: &Shared,
    job: &Job,
    call: &Call,
    sink: &mut dyn Sink,
) -> Result<Done, ActionError> {
    let action = action(shared, call)?;
    let context = context(shared, job, call);
    let opened = match action.takes_secrets() {
        true => secrets::open(shared, job.run, call)?,
        false => None,
    };
    let input = opened.as_ref().map_or(&call.input, |opened| &opened.input);
    let carried = action.carry(&context, input, None, sink);
    let result = in_time(&context, carried).await.map(|result| result.map(Outcome::Done));
    match behind(opened.as_ref(), result).unwrap_or_else(|| Err(late(call, &context)))? {
        Outcome::Done(done) => Ok(done),
        Outcome::Again { .. } => {
            Err(ActionError::permanent("not_a_look", "it is not over at once"))
        }
    }
}

fn action(shared: &Shared, call: &Call) -> Result<Arc<dyn Action>, ActionError> {
    let found = shared.catalogue.action(&call.action);
    found.cloned().map_err(|message| ActionError::permanent("no_such_action", message))
}

/// What came of a call in time, without the secrets that it was given.
fn behind(
    opened: Option<&secrets::Opened>,
    result: Option<Result<Outcome, ActionError>>,
) -> Option<Result<Outcome, ActionError>> {
    match opened {
        Some(opened) => result.map(|result| opened.behind(result)),
        None => result,
    }
}

fn late(call: &Call, context: &ActionContext) -> ActionError {
    let kind = match call.effect {
        Effect::Read => ErrorKind::Transient,
        Effect::Notify | Effect::Change | Effect::Destroy => ErrorKind::InDoubt,
    };
    ActionError::new(kind, "timeout", format!("no answer came within {}", context.timeout))
}

/// What came of an attempt, unless its time is over first. The time in which it waited for its turn
/// is not counted: nothing was under way then.
pub(crate) async fn in_time<T>(
    context: &ActionContext,
    attempt: impl Future<Output = T>,
) -> Option<T> {
    let mut attempt = std::pin::pin!(attempt);
    // What answers at once needs no timer.
    if let Poll::Ready(result) = poll_fn(|cx| Poll::Ready(attempt.as_mut().poll(cx))).await {
        return Some(result);
    }
    let (began, whole) = (tokio::time::Instant::now(), context.timeout.duration());
    let mut until = began + whole;
    loop {
        if let Ok(result) = tokio::time::timeout_at(until, attempt.as_mut()).await {
            return Some(result);
        }
        let now = tokio::time::Instant::now();
        until = match context.patience.is_waiting() {
            true => now + whole,
            false => began + whole + context.patience.waited(),
        };
        if until <= now {
            return None;
        }
    }
}

fn context(shared: &Shared, job: &Job, call: &Call) -> ActionContext {
    let timeout = call.options.timeout.unwrap_or(Span::from_ms(limits::ATTEMPT_TIMEOUT_MS));
    ActionContext {
        incident: job.incident,
        run: Some(job.run),
        step: job.key.to_string(),
        token: job.token,
        attempt: job.attempt,
        account: call.options.account.clone(),
        region: call.options.region.clone(),
        role: call.options.role.clone(),
        urgency: match job.work {
            Work::Collect(_) => Urgency::Collection,
            _ => Urgency::Response,
        },
        patience: Patience::default(),
        granted: call.effect,
        plan: call.plan.clone(),
        timeout,
        now: shared.world.now(),
        state: job.state.as_ref().map(Json::value),
    }
}

/// Takes an alert in that a run raises, as if a detector had sent it. A second time is a delivery
/// that says nothing new.
async fn raise(shared: &Arc<Shared>, alert: &Alert) -> JobOutcome {
    match intake::take_for(shared, vec![alert.clone()]).await {
        Ok(received) => {
            shared.work.notify_one();
            shared.paging.notify_one();
            JobOutcome::done(received.first().map_or_else(Json::null, Json::of))
        }
        Err(error) => {
            let message = format!("the alert can't be taken in: {error}");
            JobOutcome::failed(StepError::new(ErrorKind::Transient, "store", message))
        }
    }
}
