//! Who did what a finding is about.

use serde_json::Value;
use stanch_plugins_sdk::core::alert::Actor;
use stanch_plugins_sdk::payload::{at, items, member, text};

/// Who did it, as far as the finding says.
pub(super) fn of(finding: &Value) -> Option<Actor> {
    let action = at(finding, &["service", "action"]);
    let actor = Actor {
        ip: action.and_then(address).or_else(|| address_of_sequence(finding)),
        user: user(finding),
        user_agent: action.and_then(program),
    };
    let known = actor.ip.is_some() || actor.user.is_some() || actor.user_agent.is_some();
    known.then_some(actor)
}

/// The actions that have a remote side.
const ACTIONS: [&str; 4] = [
    "awsApiCallAction",
    "kubernetesApiCallAction",
    "networkConnectionAction",
    "rdsLoginAttemptAction",
];

fn address(action: &Value) -> Option<String> {
    let direct = ACTIONS.iter().find_map(|name| address_of(member(action, name)?));
    let probes = || items(action, &["portProbeAction", "portProbeDetails"]);
    let in_cluster = || items(action, &["kubernetesApiCallAction", "sourceIps"]);
    direct
        .or_else(|| probes().iter().find_map(address_of))
        .or_else(|| in_cluster().iter().find_map(Value::as_str).map(str::to_owned))
}

fn address_of(side: &Value) -> Option<String> {
    let remote = member(side, "remoteIpDetails")?;
    ["ipAddressV4", "ipAddressV6"].iter().find_map(|version| text(remote, &[version]))
}

/// The address of an attack sequence, if all of it came from one.
fn address_of_sequence(finding: &Value) -> Option<String> {
    match items(finding, &["service", "detection", "sequence", "endpoints"]) {
        [endpoint] => text(endpoint, &["ip"]),
        _ => None,
    }
}

/// The identity that was used. A sample has blocks of every kind: only the one that fits the
/// resource says who it was.
fn user(finding: &Value) -> Option<String> {
    let resource = member(finding, "resource")?;
    let kind = text(resource, &["resourceType"]);
    match kind.as_deref() {
        Some("AttackSequence") => {
            match items(finding, &["service", "detection", "sequence", "actors"]) {
                [actor] => text(actor, &["user", "name"]),
                _ => None,
            }
        }
        Some("AccessKey" | "S3Bucket" | "S3Object" | "Lambda") | None => {
            text(resource, &["accessKeyDetails", "userName"])
        }
        Some("EKSCluster" | "KubernetesCluster") => {
            text(resource, &["kubernetesDetails", "kubernetesUserDetails", "username"])
        }
        Some("RDSDBInstance" | "RDSLimitlessDB") => text(resource, &["rdsDbUserDetails", "user"]),
        Some(_) => None,
    }
}

fn program(action: &Value) -> Option<String> {
    ["awsApiCallAction", "kubernetesApiCallAction"]
        .iter()
        .find_map(|name| text(action, &[name, "userAgent"]))
}
