//! SSM: the runbook `AWSSupport-ContainEC2Instance`, which goes one step further each time that
//! somebody looks at it
//! (<https://docs.aws.amazon.com/systems-manager-automation-runbooks/latest/userguide/automation-awssupport-containec2instance.html>).

use serde_json::{Map, Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::command;
use super::document;
use super::ec2::set_groups;
use super::reply::Refusal;
use super::request::Asked;
use super::trust::{self, Rights};
use super::world::{Placed, World};

/// The runbook.
pub(super) const DOCUMENT: &str = "AWSSupport-ContainEC2Instance";

/// What the runbook takes.
pub(super) const PARAMETERS: [&str; 11] = [
    "Action",
    "AutomationAssumeRole",
    "BackupS3BucketName",
    "BackupS3KeyName",
    "CreateAMIBackup",
    "DryRun",
    "EgressTrafficRules",
    "IngressTrafficRules",
    "InstanceId",
    "KmsKey",
    "TagIdentifier",
];

/// What it does, to contain and to release.
const CONTAIN: [&str; 5] = [
    "ValidateInstance",
    "BackupSecurityGroups",
    "AttachAllAccessSecurityGroup",
    "AttachContainmentSecurityGroup",
    "ReportContain",
];
const RELEASE: [&str; 3] = ["ValidateInstance", "RestoreSecurityGroups", "ReportRelease"];

/// An automation.
#[derive(Clone, Debug)]
pub(super) struct Execution {
    /// Whether it only looks as if it did something.
    pub(super) hollow: bool,
    /// What it may do; everything, unless it is known.
    rights: Option<Rights>,
    id: String,
    region: String,
    parameters: Value,
    started: Timestamp,
    done: usize,
    failure: Option<String>,
    stopped: bool,
}

type Answered = Result<Value, Refusal>;

/// Answers for SSM.
pub(super) fn answer(
    world: &mut World,
    operation: &str,
    asked: &Asked,
    now: Timestamp,
) -> Option<Answered> {
    match operation {
        "StartAutomationExecution" => Some(start(world, asked, now)),
        "GetAutomationExecution" => Some(look(world, asked)),
        "StopAutomationExecution" => Some(stop(world, asked)),
        "DescribeAutomationExecutions" => Some(list(world, asked)),
        "DescribeAutomationStepExecutions" => Some(list_steps(world, asked)),
        "DescribeDocument" => Some(document::describe(world, asked)),
        _ => command::answer(world, operation, asked, now),
    }
}

fn start(world: &mut World, asked: &Asked, now: Timestamp) -> Answered {
    let name = asked.text("DocumentName").unwrap_or_default();
    if name != DOCUMENT {
        let why = format!("Automation definition with name {name} not found.");
        return Err(Refusal::new(400, "AutomationDefinitionNotFoundException", why));
    }
    let parameters = asked.params.get("Parameters").cloned().unwrap_or_default();
    check(&parameters)?;
    let rights = match first(&parameters, "AutomationAssumeRole").filter(|role| !role.is_empty()) {
        None => trust::rights(world, asked),
        Some(role) => {
            let hands_over = trust::rights(world, asked).map(|own| own.require("iam:PassRole"));
            let denied = |why| Refusal::new(403, "AccessDeniedException", why);
            hands_over.unwrap_or(Ok(())).map_err(denied)?;
            let unknown = || {
                let why = format!("The defined assume role is unable to be assumed: {role}");
                Refusal::new(400, "InvalidAutomationExecutionParametersException", why)
            };
            Some(trust::rights_of(world, role).ok_or_else(unknown)?)
        }
    };
    let id = world.next_uuid();
    world.executions.push(Execution {
        hollow: false,
        rights,
        id: id.clone(),
        region: asked.region.clone(),
        parameters,
        started: now,
        done: 0,
        failure: None,
        stopped: false,
    });
    Ok(json!({"AutomationExecutionId": id}))
}

fn check(parameters: &Value) -> Result<(), Refusal> {
    let invalid =
        |why: String| Err(Refusal::new(400, "InvalidAutomationExecutionParametersException", why));
    let given = parameters.as_object().into_iter().flat_map(Map::keys);
    if let Some(unknown) = given.into_iter().find(|name| !PARAMETERS.contains(&name.as_str())) {
        return invalid(format!("Parameter {unknown} is not one of {DOCUMENT}"));
    }
    if first(parameters, "InstanceId").is_none() {
        return invalid("Parameter InstanceId is required".to_owned());
    }
    match first(parameters, "Action") {
        Some("Contain" | "Release") => Ok(()),
        _ => invalid("Parameter Action must be Contain or Release".to_owned()),
    }
}

fn first<'p>(parameters: &'p Value, name: &str) -> Option<&'p str> {
    parameters.get(name)?.get(0)?.as_str()
}

/// How long a step takes when nobody looks.
const STEP_MS: i64 = 30_000;

/// Lets automations go on until then.
pub(super) fn go_on(world: &mut World, now: Timestamp) {
    for at in 0..world.executions.len() {
        let Some(execution) = world.executions.get(at).cloned() else { continue };
        let due = now.ms_since(execution.started).div_euclid(STEP_MS);
        let due = usize::try_from(due).unwrap_or(0);
        let mut execution = execution;
        while execution.done < due && execution.is_going_on() {
            advance(world, &mut execution);
        }
        if let Some(kept) = world.executions.get_mut(at) {
            *kept = execution;
        }
    }
}

fn advance(world: &mut World, execution: &mut Execution) {
    if let Some(step) = steps_of(execution).get(execution.done) {
        match take_step(world, execution, step) {
            Ok(()) => execution.done += 1,
            Err(why) => execution.failure = Some(why),
        }
    }
}

impl Execution {
    fn is_going_on(&self) -> bool {
        self.failure.is_none() && !self.stopped && self.done < steps_of(self).len()
    }
}

fn find(world: &World, asked: &Asked) -> Result<Execution, Refusal> {
    let id = asked.text("AutomationExecutionId").unwrap_or_default();
    let is_it = |e: &&Execution| e.id == id && e.region == asked.region;
    world.executions.iter().find(is_it).cloned().ok_or_else(|| {
        let why = format!("There is no automation execution {id}");
        Refusal::new(400, "AutomationExecutionNotFoundException", why)
    })
}

/// Ends it where it stands, whatever the type of the wish is.
fn stop(world: &mut World, asked: &Asked) -> Answered {
    let id = find(world, asked)?.id;
    for execution in world.executions.iter_mut().filter(|e| e.id == id && e.is_going_on()) {
        execution.stopped = true;
    }
    Ok(Value::Null)
}

fn list(world: &World, asked: &Asked) -> Answered {
    let filters = asked.params.get("Filters").and_then(Value::as_array);
    let here = world.executions.iter().filter(|e| e.region == asked.region);
    let all = here.map(|e| described(e, steps_of(e))).filter(|execution| {
        filters.into_iter().flatten().all(|filter| {
            let member = match filter.get("Key").and_then(Value::as_str).unwrap_or_default() {
                "ExecutionId" => "AutomationExecutionId",
                "ExecutionStatus" => "AutomationExecutionStatus",
                "DocumentNamePrefix" => "DocumentName",
                _ => return true,
            };
            let own = execution.get(member).and_then(Value::as_str).unwrap_or_default();
            let wanted = filter.get("Values").and_then(Value::as_array).into_iter().flatten();
            wanted.filter_map(Value::as_str).any(|wanted| own.starts_with(wanted))
        })
    });
    let names = [
        "AutomationExecutionId",
        "DocumentName",
        "DocumentVersion",
        "AutomationExecutionStatus",
        "ExecutionStartTime",
        "Outputs",
        "FailureMessage",
        "Mode",
    ];
    let short = all.map(|whole| {
        let members = names
            .iter()
            .map(|name| ((*name).to_owned(), whole.get(name).cloned().unwrap_or_default()));
        Value::Object(members.collect())
    });
    Ok(json!({"AutomationExecutionMetadataList": short.collect::<Vec<_>>()}))
}

fn list_steps(world: &World, asked: &Asked) -> Answered {
    let execution = find(world, asked)?;
    let whole = described(&execution, steps_of(&execution));
    Ok(json!({"StepExecutions": whole.get("StepExecutions")}))
}

fn look(world: &mut World, asked: &Asked) -> Answered {
    let id = asked.text("AutomationExecutionId").unwrap_or_default();
    let is_it = |e: &Execution| e.id == id && e.region == asked.region;
    let mut execution = find(world, asked)?;
    let steps = steps_of(&execution);
    if execution.is_going_on() {
        advance(world, &mut execution);
    }
    if let Some(kept) = world.executions.iter_mut().find(|e| is_it(e)) {
        *kept = execution.clone();
    }
    Ok(json!({"AutomationExecution": described(&execution, steps)}))
}

fn steps_of(execution: &Execution) -> &'static [&'static str] {
    match first(&execution.parameters, "Action") {
        Some("Contain") => &CONTAIN,
        _ => &RELEASE,
    }
}

fn described(execution: &Execution, steps: &[&str]) -> Value {
    let status = |at: usize| match (&execution.failure, at) {
        (_, at) if at < execution.done => "Success",
        (Some(_), at) if at == execution.done => "Failed",
        (None, _) if execution.stopped => "Cancelled",
        (None, at) if at == execution.done => "InProgress",
        _ => "Pending",
    };
    let listed = steps.iter().enumerate().map(|(at, name)| {
        json!({"StepName": name, "Action": "aws:executeScript", "StepStatus": status(at)})
    });
    let over = execution.done == steps.len();
    let whole = match &execution.failure {
        Some(_) => "Failed",
        None if over => "Success",
        None if execution.stopped => "Cancelled",
        None => "InProgress",
    };
    let report = steps.last().map(|name| format!("{name}.Output")).unwrap_or_default();
    let instance = first(&execution.parameters, "InstanceId").unwrap_or_default();
    let outputs = if over { json!({report: [format!("{instance}: done")]}) } else { json!({}) };
    json!({
        "AutomationExecutionId": execution.id,
        "DocumentName": DOCUMENT,
        "DocumentVersion": "1",
        "ExecutionStartTime": execution.started,
        "AutomationExecutionStatus": whole,
        "StepExecutions": listed.collect::<Vec<_>>(),
        "Parameters": execution.parameters,
        "Outputs": outputs,
        "FailureMessage": execution.failure,
        "Mode": "Auto",
    })
}

fn take_step(world: &mut World, execution: &Execution, step: &str) -> Result<(), String> {
    let instance = first(&execution.parameters, "InstanceId").unwrap_or_default();
    let here = |placed: &&Placed| {
        placed.region == execution.region
            && placed.value.get("InstanceId").is_some_and(|own| own == instance)
    };
    let found = world.instances.iter().find(here).map(|placed| placed.value.clone());
    let found = found.ok_or_else(|| format!("The instance {instance} does not exist"))?;
    if let Some(rights) = &execution.rights {
        rights.require(needs(step))?;
    }
    let dry = first(&execution.parameters, "DryRun") == Some("true");
    if dry || execution.hollow {
        return Ok(());
    }
    match step {
        "BackupSecurityGroups" => {
            let groups = found.get("SecurityGroups").cloned().unwrap_or_default();
            world.backups.entry(instance.to_owned()).or_insert(groups);
        }
        "AttachAllAccessSecurityGroup" | "AttachContainmentSecurityGroup" => {
            let group = group(world, execution, &found, step);
            set_groups(world, instance, &json!([group]));
        }
        "RestoreSecurityGroups" => {
            let groups = world.backups.remove(instance).ok_or_else(|| {
                format!("There is no backup of the security groups of {instance}")
            })?;
            set_groups(world, instance, &groups);
        }
        _ => {}
    }
    Ok(())
}

/// The action that a step can't do without.
fn needs(step: &str) -> &'static str {
    match step {
        "BackupSecurityGroups" => "s3:PutObject",
        "AttachAllAccessSecurityGroup"
        | "AttachContainmentSecurityGroup"
        | "RestoreSecurityGroups" => "ec2:ModifyNetworkInterfaceAttribute",
        _ => "ec2:DescribeInstances",
    }
}

/// The group that a step moves the instance to; it is made when it is not there.
fn group(world: &mut World, execution: &Execution, instance: &Value, step: &str) -> Value {
    let id = instance.get("InstanceId").and_then(Value::as_str).unwrap_or_default();
    let (prefix, everything) = match step {
        "AttachAllAccessSecurityGroup" => {
            ("all-access", json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]))
        }
        _ => ("containment", json!([])),
    };
    let name = format!("{prefix}-{id}");
    let named = |placed: &&Placed| placed.value.get("GroupName").is_some_and(|own| *own == name);
    let there = world.groups.iter().find(named).and_then(|p| p.value.get("GroupId").cloned());
    let group_id = there.unwrap_or_else(|| {
        let group_id = Value::from(world.next_id("sg-"));
        let value = json!({
            "GroupId": group_id,
            "GroupName": name,
            "Description": format!("{prefix} of {id}"),
            "VpcId": instance.get("VpcId"),
            "OwnerId": world.account,
            "IpPermissions": everything,
            "IpPermissionsEgress": everything,
        });
        world.groups.push(Placed { region: execution.region.clone(), value });
        group_id
    });
    json!({"GroupId": group_id, "GroupName": name})
}
