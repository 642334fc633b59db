//! An SSM command, followed to its end: the first attempt sends it, later ones look at it, and the
//! last gathers what each instance said.
//!
//! `SendCommand` takes no idempotency token. The step's token stands in the command's comment, by
//! which a command whose answer was lost is found again
//! (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html>).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use stanch_plugins_sdk::core::effect::Effect;
use stanch_plugins_sdk::core::span::Span;
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::{ActionContext, ActionError, CallRecord, Done, LookUp, Outcome};

use super::input::{Input, Require};
use super::standing::Standing;
use crate::client::{Answer, Client, Failure, Pages};
use crate::model::Named;
use crate::secrets;

/// The pause before the first look; it doubles up to [`PAUSE_MAX`]. Most commands take seconds.
const PAUSE: Span = Span::from_secs(1);
const PAUSE_MAX: Span = Span::from_secs(15);

/// Looks within which an invocation may still be unknown to the API that tells its output.
const LOOKS_UNTIL_KNOWN: u32 = 5;

/// Instances whose output is gathered: each takes a call of its own.
const OUTPUTS: usize = 50;

/// Characters that the API gives of an output and of an error output
/// (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetCommandInvocation.html>).
const CUT_OFF: [(&str, usize); 2] =
    [("StandardOutputContent", 24_000), ("StandardErrorContent", 8_000)];

/// Characters of a comment.
const COMMENT: usize = 100;

/// What is remembered between two looks.
#[derive(Serialize, Deserialize)]
struct State {
    command_id: String,
    since: Timestamp,
    looks: u32,
}

impl State {
    fn again(self) -> (Value, Span) {
        let doubled = PAUSE.ms.saturating_mul(1_i64 << self.looks.min(10));
        let after = Span::from_ms(doubled.min(PAUSE_MAX.ms));
        (json!(Self { looks: self.looks + 1, ..self }), after)
    }

    fn outcome(self) -> Outcome {
        let (state, after) = self.again();
        Outcome::Again { state, after }
    }
}

/// Whether an operation sends a command.
pub(super) fn is_one(named: Named) -> bool {
    &*named.model.name == "ssm" && &*named.operation.name == "SendCommand"
}

/// Where calls about a command are made.
struct Place<'a> {
    client: &'a Client,
    context: &'a ActionContext,
    standing: &'a Standing,
}

impl Place<'_> {
    async fn ask(&self, operation: &str, params: Value) -> Result<Answer, Failure> {
        Ok(Box::pin(self.ask_all(operation, params)).await?.answer)
    }

    /// Asks for every page, and says what lacks where there are too many.
    async fn ask_all(&self, operation: &str, params: Value) -> Result<Pages, Failure> {
        let named = self.client.models.operation(&format!("ssm:{operation}"));
        let named = named.map_err(|error| Failure::Unsendable(error.to_string()))?;
        let wanted = self.standing.wanted(self.context, named, &params);
        let mut pages = match named.paginator {
            Some(paginator) => Box::pin(self.client.call_pages(wanted, paginator, None)).await?,
            None => Pages { answer: Box::pin(self.client.call(wanted)).await?, caveat: None },
        };
        secrets::hide(named, &mut pages.answer.value);
        Ok(pages)
    }
}

/// Sends the command, or looks at the one that was sent.
///
/// # Errors
/// `command_failed` when it did not succeed where it had to, `command_timeout` when it took longer
/// than it may.
pub(super) async fn step(
    client: &Client,
    context: &ActionContext,
    standing: &Standing,
    input: &mut Input,
) -> Result<Outcome, ActionError> {
    let place = Place { client, context, standing };
    let Some(state) = &context.state else {
        mark(input, context)?;
        let wanted = standing.wanted(context, input.named, &input.params);
        let sent = Box::pin(client.call(wanted)).await;
        let sent = sent.map_err(|failure| failure.into_error(Effect::Change))?;
        let command_id = text(&sent.value, "/Command/CommandId").to_owned();
        return Ok(State { command_id, since: context.now, looks: 0 }.outcome());
    };
    let state = State::deserialize(state).map_err(|error| {
        ActionError::permanent("bad_state", format!("what was remembered can't be read: {error}"))
    })?;
    Box::pin(look(&place, state, input)).await
}

/// Puts the step's token into the command's comment.
fn mark(input: &mut Input, context: &ActionContext) -> Result<(), ActionError> {
    let Value::Object(params) = &mut input.params else { return Ok(()) };
    let own = params.get("Comment").and_then(Value::as_str).unwrap_or_default();
    let comment = format!("{own} stanch:{}", context.token).trim_start().to_owned();
    if comment.chars().count() > COMMENT {
        let room = COMMENT - (comment.chars().count() - own.chars().count());
        let why = format!(
            "the comment of a command may have {room} characters: the rest is the step's token"
        );
        return Err(ActionError::permanent("bad_parameters", why));
    }
    params.insert("Comment".to_owned(), comment.into());
    Ok(())
}

async fn look(place: &Place<'_>, state: State, input: &Input) -> Result<Outcome, ActionError> {
    let told = |failure: Failure| failure.into_error(Effect::Read);
    let id = json!({"CommandId": state.command_id});
    let listed = place.ask("ListCommands", id.clone()).await.map_err(told)?;
    let command = listed.value.pointer("/Commands/0").cloned().unwrap_or_default();
    if !matches!(text(&command, "/Status"), "Success" | "Cancelled" | "Failed" | "TimedOut") {
        let waited = place.context.now.ms_since(state.since);
        return match input.timeout {
            Some(timeout) if waited >= timeout.ms => Err(ActionError::permanent(
                "command_timeout",
                format!(
                    "the command {} is {} after {timeout}, and may go on: ssm:CancelCommand stops it",
                    state.command_id,
                    Some(text(&command, "/Status")).filter(|s| !s.is_empty()).unwrap_or("unknown"),
                ),
            )),
            _ => Ok(state.outcome()),
        };
    }
    let found = place.ask("ListCommandInvocations", id).await.map_err(told)?;
    let found = found.value.get("CommandInvocations").and_then(Value::as_array).cloned();
    let mut ends = Vec::new();
    for (at, invocation) in found.unwrap_or_default().iter().enumerate() {
        match output(place, &state, invocation, at).await {
            Ok(Some(end)) => ends.push(end),
            Ok(None) => return Ok(state.outcome()),
            Err(failure) => return Err(told(failure)),
        }
    }
    judge(&command, &ends, input.require).map_err(|why| {
        let mut error = ActionError::permanent("command_failed", why);
        error.call.request_id.clone_from(&listed.request_id);
        error
    })?;
    let mut call = CallRecord { request_id: listed.request_id, ..place.standing.record() };
    call.caveats.extend(caveats(&ends));
    Ok(Outcome::Done(Done {
        value: json!({"Command": command, "Invocations": ends}),
        secrets: Vec::new(),
        call,
    }))
}

/// How the command ended on one instance, and what it said there; nothing while that is not known
/// yet.
async fn output(
    place: &Place<'_>,
    state: &State,
    invocation: &Value,
    at: usize,
) -> Result<Option<Value>, Failure> {
    let instance = text(invocation, "/InstanceId");
    let asked = json!({"CommandId": state.command_id, "InstanceId": instance});
    let seen = match at < OUTPUTS {
        true => place.ask("GetCommandInvocation", asked).await,
        false => return Ok(Some(end(instance, invocation, &Value::Null))),
    };
    match seen {
        Ok(answer) => Ok(Some(end(instance, invocation, &answer.value))),
        Err(failure) if failure.code() == "InvocationDoesNotExist" => {
            let is_early = state.looks < LOOKS_UNTIL_KNOWN;
            Ok((!is_early).then(|| end(instance, invocation, &Value::Null)))
        }
        Err(failure) => Err(failure),
    }
}

fn end(instance: &str, invocation: &Value, seen: &Value) -> Value {
    let mut end = Map::from_iter([("InstanceId".to_owned(), instance.into())]);
    for name in ["Status", "StatusDetails"] {
        end.insert(name.to_owned(), invocation.get(name).cloned().unwrap_or_default());
    }
    let of_output = ["ResponseCode", "StandardOutputUrl", "StandardErrorUrl"];
    for name in of_output.into_iter().chain(CUT_OFF.map(|(name, _)| name)) {
        end.insert(name.to_owned(), seen.get(name).cloned().unwrap_or_default());
    }
    let is_cut = |(name, most): (&str, usize)| {
        seen.get(name).and_then(Value::as_str).is_some_and(|text| text.chars().count() >= most)
    };
    end.insert("cut_off".to_owned(), CUT_OFF.into_iter().any(is_cut).into());
    Value::Object(end)
}

/// What the outputs lack.
fn caveats(ends: &[Value]) -> Vec<String> {
    let cut = ends.iter().filter(|end| end["cut_off"] == true).map(|end| {
        let whole = match text(end, "/StandardOutputUrl") {
            "" => "the rest is lost: give a `bucket` to keep it",
            url => url,
        };
        format!("AWS cut off the output of {}: {whole}", text(end, "/InstanceId"))
    });
    let many = format!("the output of the first {OUTPUTS} instances is here, and no other");
    cut.chain((ends.len() > OUTPUTS).then_some(many)).collect()
}

/// Whether it succeeded where it had to.
fn judge(command: &Value, ends: &[Value], require: Require) -> Result<(), String> {
    let is_well = |end: &&Value| text(end, "/Status") == "Success";
    let well = ends.iter().filter(is_well).count();
    let holds = match require {
        Require::All => well == ends.len() && !ends.is_empty(),
        Require::Any => well > 0,
        Require::None => true,
    };
    if holds {
        return Ok(());
    }
    let (id, status) = (text(command, "/CommandId"), text(command, "/Status"));
    if ends.is_empty() {
        return Err(format!("the command {id} ended as {status} and ran on no instance"));
    }
    let others = ends.iter().filter(|end| !is_well(end)).take(10).map(|end| {
        let details = Some(text(end, "/StatusDetails")).filter(|details| !details.is_empty());
        let details = details.unwrap_or_else(|| text(end, "/Status"));
        let code = end.get("ResponseCode").and_then(Value::as_i64).filter(|code| *code > 0);
        let code = code.map(|code| format!(" (exit code {code})")).unwrap_or_default();
        format!("{} {details}{code}", text(end, "/InstanceId"))
    });
    let others: Vec<String> = others.collect();
    Err(format!(
        "the command {id} succeeded on {well} of {} instances: {}",
        ends.len(),
        others.join(", ")
    ))
}

fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// Looks for the command with the step's token, and goes on to follow it. The time since it was
/// sent goes on too. Where there are more commands than are read, it may be among the others.
pub(super) async fn find(
    client: &Client,
    context: &ActionContext,
    standing: &Standing,
    input: &Input,
) -> Result<LookUp, Failure> {
    let document = text(&input.params, "/DocumentName");
    let params = json!({"Filters": [{"key": "DocumentName", "value": document}]});
    let place = Place { client, context, standing };
    let Pages { answer, caveat } = Box::pin(place.ask_all("ListCommands", params)).await?;
    let token = context.token.to_string();
    let commands = answer.value.get("Commands").and_then(Value::as_array);
    let mut commands = commands.into_iter().flatten();
    Ok(match commands.find(|command| text(command, "/Comment").contains(&token)) {
        None if caveat.is_some() => LookUp::Unknown,
        None => LookUp::DidNotHappen,
        Some(command) => {
            let command_id = text(command, "/CommandId").to_owned();
            let sent_at = Timestamp::parse(text(command, "/RequestedDateTime"));
            let since = sent_at.map_or(context.now, |sent_at| sent_at.min(context.now));
            let (state, after) = State { command_id, since, looks: 0 }.again();
            LookUp::UnderWay { state, after }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: &str, details: &str, code: i64) -> Value {
        let invocation = json!({"Status": status, "StatusDetails": details});
        end("i-1", &invocation, &json!({"ResponseCode": code, "StandardOutputContent": "x"}))
    }

    #[test]
    fn a_command_is_judged_by_where_it_had_to_succeed() {
        let command = json!({"CommandId": "c", "Status": "Failed"});
        let well = ended("Success", "Success", 0);
        let ill = ended("Failed", "Failed", 3);
        let lost = ended("TimedOut", "Undeliverable", -1);
        let both = [well.clone(), ill, lost];
        assert_eq!(judge(&command, std::slice::from_ref(&well), Require::All), Ok(()));
        assert_eq!(judge(&command, &both, Require::Any), Ok(()));
        assert_eq!(judge(&command, &both[1..], Require::None), Ok(()));
        let why = judge(&command, &both, Require::All).unwrap_err();
        assert!(
            why.contains("1 of 3 instances: i-1 Failed (exit code 3), i-1 Undeliverable"),
            "{why}"
        );
        assert!(judge(&command, &both[1..], Require::Any).is_err());
        assert!(judge(&command, &[], Require::All).unwrap_err().contains("no instance"));
    }

    #[test]
    fn an_output_that_aws_cut_off_says_where_the_whole_is() {
        let long = "x".repeat(24_000);
        let seen = json!({"StandardOutputContent": long, "StandardOutputUrl": "s3://b/k"});
        let cut = end("i-1", &json!({"Status": "Success"}), &seen);
        assert_eq!(cut["cut_off"], true);
        assert_eq!(caveats(&[cut]), ["AWS cut off the output of i-1: s3://b/k"]);
        let seen = json!({"StandardErrorContent": "x".repeat(8_000), "StandardOutputUrl": ""});
        let cut = end("i-2", &json!({"Status": "Success"}), &seen);
        assert!(caveats(&[cut])[0].contains("give a `bucket`"));
        assert!(caveats(&[ended("Success", "Success", 0)]).is_empty());
    }
}
