//! SSM's Run Command: commands on instances, which take their time
//! (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html>).

use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::reply::Refusal;
use super::request::Asked;
use super::world::World;

type Answered = Result<Value, Refusal>;

/// How long a command waits, and how long it takes in all, when nobody looks.
const WAITS_MS: i64 = 2_000;
const TAKES_MS: i64 = 20_000;

/// A command.
#[derive(Clone, Debug)]
pub(super) struct Command {
    id: String,
    region: String,
    document: String,
    comment: Option<String>,
    parameters: Value,
    instances: Vec<String>,
    sent_at: Timestamp,
    seen_at: Timestamp,
    looks: u32,
    cancelled: bool,
}

impl Command {
    /// The status, from the time that passed and from how often somebody looked.
    fn status(&self) -> &'static str {
        let age_ms = self.seen_at.ms_since(self.sent_at);
        match (self.cancelled, self.looks) {
            (true, _) => "Cancelled",
            (false, looks) if looks > 2 || age_ms >= TAKES_MS => "Success",
            (false, looks) if looks > 0 || age_ms >= WAITS_MS => "InProgress",
            _ => "Pending",
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.status(), "Cancelled" | "Success")
    }
}

/// Answers for Run Command.
pub(super) fn answer(
    world: &mut World,
    operation: &str,
    asked: &Asked,
    now: Timestamp,
) -> Option<Answered> {
    Some(match operation {
        "SendCommand" => send(world, asked, now),
        "GetCommandInvocation" => invocation(world, asked),
        "ListCommands" => list(world, asked, described),
        "ListCommandInvocations" => list_invocations(world, asked),
        "CancelCommand" => cancel(world, asked),
        "DescribeInstanceInformation" => Ok(information(world, asked, now)),
        _ => return None,
    })
}

/// Lets commands go on until then.
pub(super) fn go_on(world: &mut World, now: Timestamp) {
    for command in &mut world.commands {
        command.seen_at = now;
    }
}

fn send(world: &mut World, asked: &Asked, now: Timestamp) -> Answered {
    let targets = asked.params.get("Targets").and_then(Value::as_array).into_iter().flatten();
    let of_targets = targets.filter(|t| t.get("Key").is_some_and(|key| key == "InstanceIds"));
    let of_targets = of_targets.filter_map(|target| target.get("Values")?.as_array()).flatten();
    let named = asked.texts("InstanceIds").into_iter();
    let instances: Vec<String> =
        named.chain(of_targets.filter_map(Value::as_str)).map(str::to_owned).collect();
    let is_there = |id: &str| {
        world.instances.iter().any(|own| {
            own.region == asked.region && own.value.get("InstanceId").is_some_and(|own| own == id)
        })
    };
    let missing = instances.iter().find(|id| !world.instances.is_empty() && !is_there(id));
    if let Some(missing) = missing {
        let why = format!("Instances [[{missing}]] not in a valid state for account");
        return Err(Refusal::new(400, "InvalidInstanceId", why));
    }
    let command = Command {
        id: world.next_uuid(),
        region: asked.region.clone(),
        document: asked.text("DocumentName").unwrap_or_default().to_owned(),
        comment: asked.text("Comment").map(str::to_owned),
        parameters: asked.params.get("Parameters").cloned().unwrap_or_else(|| json!({})),
        instances,
        sent_at: now,
        seen_at: now,
        looks: 0,
        cancelled: false,
    };
    let answer = json!({"Command": described(&command)});
    world.commands.push(command);
    Ok(answer)
}

fn described(command: &Command) -> Value {
    let count = command.instances.len();
    json!({
        "CommandId": command.id,
        "DocumentName": command.document,
        "DocumentVersion": "$DEFAULT",
        "Comment": command.comment,
        "Parameters": command.parameters,
        "InstanceIds": command.instances,
        "RequestedDateTime": command.sent_at,
        "ExpiresAfter": command.sent_at.plus_ms(3_600_000),
        "Status": command.status(),
        "StatusDetails": command.status(),
        "TargetCount": count,
        "CompletedCount": if command.is_over() { count } else { 0 },
        "ErrorCount": 0,
    })
}

fn no_such() -> Refusal {
    Refusal::new(400, "InvalidCommandId", "there is no such command")
}

fn find<'w>(world: &'w mut World, asked: &Asked) -> Result<&'w mut Command, Refusal> {
    let id = asked.text("CommandId").unwrap_or_default();
    let is_it = |own: &&mut Command| own.id == id && own.region == asked.region;
    world.commands.iter_mut().find(is_it).ok_or_else(no_such)
}

fn invocation(world: &mut World, asked: &Asked) -> Answered {
    let command = find(world, asked)?;
    let instance = asked.text("InstanceId").unwrap_or_default();
    if !command.instances.iter().any(|own| own == instance) {
        let why = "The command ID and instance ID you specified did not match any invocations.";
        return Err(Refusal::new(400, "InvocationDoesNotExist", why));
    }
    command.looks += 1;
    let is_over = command.is_over();
    let status = command.status();
    let output = if status == "Success" { "done by the sandbox\n" } else { "" };
    Ok(json!({
        "CommandId": command.id,
        "InstanceId": instance,
        "Comment": command.comment,
        "DocumentName": command.document,
        "PluginName": "aws:runShellScript",
        "ResponseCode": if status == "Success" { 0 } else { -1 },
        "ExecutionStartDateTime": command.sent_at.to_string(),
        "ExecutionEndDateTime": if is_over { command.seen_at.to_string() } else { String::new() },
        "Status": match status { "Cancelled" => "Cancelled", other => other },
        "StatusDetails": status,
        "StandardOutputContent": output,
        "StandardErrorContent": "",
    }))
}

fn list(world: &World, asked: &Asked, describe: impl Fn(&Command) -> Value) -> Answered {
    let wanted = asked.text("CommandId");
    let fits = |command: &&Command| {
        command.region == asked.region && wanted.is_none_or(|wanted| command.id == wanted)
    };
    let commands: Vec<Value> = world.commands.iter().filter(fits).map(describe).collect();
    if commands.is_empty() && wanted.is_some() {
        return Err(no_such());
    }
    Ok(json!({"Commands": commands}))
}

fn list_invocations(world: &World, asked: &Asked) -> Answered {
    let wanted = (asked.text("CommandId"), asked.text("InstanceId"));
    let commands = world.commands.iter().filter(|command| {
        command.region == asked.region && wanted.0.is_none_or(|wanted| command.id == wanted)
    });
    let each = commands.flat_map(|command| {
        let instances = command.instances.iter();
        instances.filter(|id| wanted.1.is_none_or(|wanted| *id == wanted)).map(move |id| {
            json!({
                "CommandId": command.id, "InstanceId": id, "DocumentName": command.document,
                "Comment": command.comment, "RequestedDateTime": command.sent_at,
                "Status": command.status(), "StatusDetails": command.status(),
            })
        })
    });
    Ok(json!({"CommandInvocations": each.collect::<Vec<_>>()}))
}

/// What is over stays as it is.
fn cancel(world: &mut World, asked: &Asked) -> Answered {
    let command = find(world, asked)?;
    if !command.is_over() {
        command.cancelled = true;
    }
    Ok(Value::Null)
}

fn information(world: &World, asked: &Asked, now: Timestamp) -> Value {
    let here = world.instances.iter().filter(|own| own.region == asked.region);
    let each = here.map(|own| {
        json!({
            "InstanceId": own.value.get("InstanceId"), "PingStatus": "Online",
            "LastPingDateTime": now, "AgentVersion": "3.3.131.0", "PlatformType": "Linux",
            "PlatformName": "Amazon Linux", "PlatformVersion": "2023",
            "ResourceType": "EC2Instance", "IPAddress": own.value.get("PrivateIpAddress"),
        })
    });
    json!({"InstanceInformationList": each.collect::<Vec<_>>()})
}
