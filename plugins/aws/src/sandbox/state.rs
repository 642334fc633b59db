//! What a script puts into the sandbox.

use serde::Deserialize;
use serde_json::Value;
use stanch_plugins_sdk::core::time::Timestamp;

use super::compliance::Verdict;
use super::fault::{Fault, FaultKind};
use super::script::Rule;
use super::world::Placed;
use super::{Inside, trail, users};
use crate::model::ModelStore;

/// How far the clock may be put ahead at once: a year.
pub(super) const FARTHEST_MS: i64 = 366 * 24 * 3_600 * 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    #[serde(default)]
    answers: Vec<Value>,
    #[serde(default)]
    faults: Vec<Order>,
    #[serde(default)]
    state: State,
}

/// A fault as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    operation: String,
    kind: FaultKind,
    #[serde(default = "once")]
    times: u32,
}

fn once() -> u32 {
    1
}

/// What there is in the account beside what was there before.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// Findings, as `guardduty:GetFindings` answers them.
    #[serde(default)]
    findings: Vec<Value>,
    /// Findings, as `securityhub:GetFindings` answers them.
    #[serde(default)]
    security_hub: Vec<Value>,
    /// Findings in OCSF, as `securityhub:GetFindingsV2` answers them.
    #[serde(default)]
    security_hub_v2: Vec<Value>,
    /// Events, as CloudTrail writes them to its files.
    #[serde(default)]
    trail: Vec<Value>,
    /// Names of users.
    #[serde(default)]
    users: Vec<String>,
    /// Instances, as `ec2:DescribeInstances` answers them, with a `Region` of their own.
    #[serde(default)]
    instances: Vec<Value>,
    /// Security groups, as `ec2:DescribeSecurityGroups` answers them, with a `Region` of their own.
    #[serde(default)]
    security_groups: Vec<Value>,
    /// What Config says of resources.
    #[serde(default)]
    compliance: Vec<Verdict>,
}

/// Where a thing lies that says nothing of it.
const REGION: &str = "us-east-1";

fn placed(mut value: Value) -> Placed {
    let region = value.as_object_mut().and_then(|members| members.remove("Region"));
    let region = region.as_ref().and_then(Value::as_str).unwrap_or(REGION).to_owned();
    Placed { region, value }
}

/// Takes a script, or nothing of it.
///
/// # Errors
/// In words, when it can't be one.
pub(super) fn load(
    models: &ModelStore,
    inside: &mut Inside,
    script: Value,
    now: Timestamp,
) -> Result<(), String> {
    let script: Script = serde_json::from_value(script).map_err(|error| error.to_string())?;
    let rules = script.answers.into_iter().map(|rule| Rule::read(models, rule));
    let rules = rules.collect::<Result<Vec<_>, _>>()?;
    let faults = script.faults.into_iter().map(|order| {
        let Order { operation, kind, times } = order;
        let operation = match &*operation {
            "*" => operation,
            name => models.operation(name).map_err(|error| error.to_string())?.to_string(),
        };
        Ok(Fault { operation, kind, times })
    });
    let faults = faults.collect::<Result<Vec<_>, String>>()?;
    let state = script.state;
    let events = trail::of_records(state.trail)?;
    inside.rules.extend(rules);
    inside.faults.extend(faults);
    let world = &mut inside.world;
    world.findings.extend(state.findings);
    world.hub.extend(state.security_hub);
    world.hub_v2.extend(state.security_hub_v2);
    world.verdicts.extend(state.compliance);
    world.instances.extend(state.instances.into_iter().map(placed));
    world.groups.extend(state.security_groups.into_iter().map(placed));
    for name in state.users {
        let user = users::plain(&world.account, &name, "/", now, Value::Array(Vec::new()));
        world.users.insert(name, user);
    }
    let trail = world.trail_mut();
    trail.extend(events);
    trail::newest_first(trail);
    Ok(())
}
