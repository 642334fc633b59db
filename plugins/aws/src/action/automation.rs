//! An SSM automation, followed to its end: the first attempt starts it, later ones look at it.
//!
//! It is started with the step's idempotency token, so that an attempt whose answer was lost is
//! repeated and finds the same execution
//! (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StartAutomationExecution.html>).

use aws_sdk_ssm::operation::RequestId as _;
use aws_sdk_ssm::types::{AutomationExecution, AutomationExecutionStatus as Status, StepExecution};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::span::Span;
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::{ActionContext, ActionError, CallRecord, Done, Outcome};

use super::input::Input;
use super::standing::{Breadth, Standing};
use crate::client::{Client, Failure};
use crate::model::Named;

/// The pause before the first look; it doubles up to [`PAUSE_MAX`]. Runbooks take minutes.
const PAUSE: Span = Span::from_secs(2);
const PAUSE_MAX: Span = Span::from_secs(15);

/// What is remembered between two looks.
#[derive(Serialize, Deserialize)]
struct State {
    execution_id: String,
    looks: u32,
    /// When it was started; absent in what was remembered before this was.
    #[serde(default)]
    since: Option<Timestamp>,
}

impl State {
    fn again(self) -> Outcome {
        let doubled = PAUSE.ms.saturating_mul(1_i64 << self.looks.min(10));
        let after = Span::from_ms(doubled.min(PAUSE_MAX.ms));
        let state = json!(Self { looks: self.looks + 1, ..self });
        Outcome::Again { state, after }
    }
}

/// Whether an operation starts an automation.
pub(super) fn is_one(named: Named) -> bool {
    &*named.model.name == "ssm" && &*named.operation.name == "StartAutomationExecution"
}

/// The parameter of a runbook that names the role which it acts with.
const ROLE: &str = "AutomationAssumeRole";

/// Says which role a runbook acts with, where it takes one and its playbook names none: that of the
/// account, if there is one. Without a role it acts with the session that starts it
/// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup.html>), which
/// then may do what its role may.
pub(super) fn act_with(
    client: &Client,
    context: &ActionContext,
    input: &mut Input,
    takes: &[String],
) -> Breadth {
    if !is_one(input.named) {
        return Breadth::Plan;
    }
    let said = input.params.pointer(&format!("/Parameters/{ROLE}/0")).and_then(Value::as_str);
    if said.is_some_and(|role| !role.is_empty()) {
        return Breadth::Plan;
    }
    let takes_one = takes.iter().any(|name| name == ROLE);
    let role = context.account.as_deref().and_then(|account| client.roles.automation(account));
    let (Some(role), Value::Object(params)) = (role.filter(|_| takes_one), &mut input.params)
    else {
        return Breadth::Role;
    };
    let parameters = params.entry("Parameters").or_insert_with(|| json!({}));
    if let Value::Object(parameters) = parameters {
        parameters.insert(ROLE.to_owned(), json!([role]));
    }
    Breadth::Plan
}

/// Starts the automation, or looks at the one that was started.
///
/// # Errors
/// `automation_failed` when it came to another end than success.
pub(super) async fn step(
    client: &Client,
    context: &ActionContext,
    standing: &Standing,
    input: &Input,
) -> Result<Outcome, ActionError> {
    let Some(state) = &context.state else {
        let execution_id = Box::pin(start(client, context, standing, input)).await?;
        let since = Some(context.now);
        return Ok(State { execution_id, looks: 0, since }.again());
    };
    let state = State::deserialize(state).map_err(|error| {
        ActionError::permanent("bad_state", format!("what was remembered can't be read: {error}"))
    })?;
    let timeout = context.timeout.duration();
    let config = client.sdk_config("SSM", &standing.region, timeout, &standing.credentials);
    let ssm = aws_sdk_ssm::Client::new(&Box::pin(config).await);
    let waited = state.since.map_or(0, |since| context.now.ms_since(since));
    let over = input.timeout.filter(|timeout| waited >= timeout.ms);
    Box::pin(look(&ssm, state, standing, over)).await
}

async fn start(
    client: &Client,
    context: &ActionContext,
    standing: &Standing,
    input: &Input,
) -> Result<String, ActionError> {
    let wanted = standing.wanted(context, input.named, &input.params);
    let started = Box::pin(client.call(wanted)).await;
    let started = started.map_err(|failure| failure.into_error(Effect::Change))?;
    let id = started.value.get("AutomationExecutionId").and_then(Value::as_str);
    id.map(str::to_owned).ok_or_else(|| {
        let why = "AWS started an automation and did not say which";
        ActionError::new(ErrorKind::InDoubt, "response_unreadable", why)
    })
}

async fn look(
    ssm: &aws_sdk_ssm::Client,
    state: State,
    standing: &Standing,
    over: Option<Span>,
) -> Result<Outcome, ActionError> {
    let look = ssm.get_automation_execution().automation_execution_id(&state.execution_id);
    let seen =
        Box::pin(look.send()).await.map_err(|error| Failure::of(error).into_error(Effect::Read))?;
    let request_id = seen.request_id().map(str::to_owned);
    let Some(execution) = seen.automation_execution() else { return Ok(state.again()) };
    match execution.automation_execution_status() {
        Some(Status::Success | Status::CompletedWithSuccess) => {
            let call = CallRecord { request_id, ..standing.record() };
            Ok(Outcome::Done(Done { value: told(execution), secrets: Vec::new(), call }))
        }
        Some(status) if is_failed(status) => {
            let mut error =
                ActionError::permanent("automation_failed", why_failed(execution, status));
            error.call.request_id = request_id;
            Err(error)
        }
        status => match over {
            None => Ok(state.again()),
            Some(timeout) => Err(ActionError::permanent(
                "automation_timeout",
                format!(
                    "the automation {} is {} after {timeout}, and goes on: \
                     ssm:StopAutomationExecution stops it",
                    state.execution_id,
                    status.map_or("unknown", Status::as_str)
                ),
            )),
        },
    }
}

fn is_failed(status: &Status) -> bool {
    matches!(
        status,
        Status::Cancelled
            | Status::ChangeCalendarOverrideRejected
            | Status::CompletedWithFailure
            | Status::Exited
            | Status::Failed
            | Status::Rejected
            | Status::Timedout
    )
}

fn why_failed(execution: &AutomationExecution, status: &Status) -> String {
    let id = execution.automation_execution_id().unwrap_or("?");
    let why = execution.failure_message().unwrap_or("it gives no reason");
    let ill = |step: &&StepExecution| {
        let status = step.step_status();
        status.is_some_and(|status| matches!(status.as_str(), "Failed" | "TimedOut" | "Cancelled"))
    };
    let step = execution.step_executions().iter().find(ill);
    let step = step.map_or_else(String::new, |step| {
        let said = step.failure_message().filter(|said| !why.contains(said));
        let said = said.map(|said| format!(": {said}")).unwrap_or_default();
        format!(" (step {}{said})", step.step_name().unwrap_or("?"))
    });
    format!("the automation {id} ended as {}{step}: {why}", status.as_str())
}

fn told(execution: &AutomationExecution) -> Value {
    let steps: Vec<Value> = execution.step_executions().iter().map(told_step).collect();
    json!({
        "AutomationExecutionId": execution.automation_execution_id(),
        "AutomationExecutionStatus": execution.automation_execution_status().map(Status::as_str),
        "DocumentName": execution.document_name(),
        "DocumentVersion": execution.document_version(),
        "Outputs": execution.outputs().cloned().unwrap_or_default(),
        "StepExecutions": steps,
    })
}

/// The answer to an automation that was not started, its members null, if the operation starts one.
pub(crate) fn blank(named: Named) -> Option<Value> {
    let mut blank = is_one(named).then(|| told(&AutomationExecution::builder().build()))?;
    blank.as_object_mut()?.values_mut().for_each(|value| *value = Value::Null);
    Some(blank)
}

fn told_step(step: &StepExecution) -> Value {
    json!({
        "StepName": step.step_name(),
        "Action": step.action(),
        "StepStatus": step.step_status().map(Status::as_str),
        "FailureMessage": step.failure_message(),
    })
}
