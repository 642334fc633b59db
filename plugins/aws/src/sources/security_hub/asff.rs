//! One finding in the AWS Security Finding Format
//! (<https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html>).

use std::collections::BTreeMap;

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Actor, Alert, AlertStatus, Resource};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{at, items, member, number, severity_of_word, text, time};
use stanch_plugins_sdk::{Around, Draft, SourceError};

use super::NAME;
use crate::sources::event::{Event, account};
use stanch_plugins_sdk::payload::arn::{self, Arn};

pub(super) fn read(
    finding: &Value,
    raw: &Value,
    place: &str,
    event: &Event<'_>,
    around: &Around,
) -> Result<Alert, SourceError> {
    let missing =
        |name: &str, expected| SourceError::Member { path: format!("{place}{name}"), expected };
    let id = text(finding, &["id"]).ok_or_else(|| missing("Id", "a text"))?;
    let kind = kind(finding).ok_or_else(|| missing("Types", "a list with a text"))?;
    let (severity, severity_score) =
        severity(finding).ok_or_else(|| missing("Severity.Label", "a severity"))?;
    let product = text(finding, &["productArn"]);
    let resources = items(finding, &["resources"]);
    let first_region = || resources.first().and_then(|resource| text(resource, &["region"]));
    let moment = |name: &str| at(finding, &[name]).and_then(time);
    let field = |name: &str| {
        member(finding, "productFields").and_then(|all| all.get(name)).and_then(Value::as_str)
    };
    let draft = Draft {
        title: text(finding, &["title"]),
        description: text(finding, &["description"]),
        severity,
        severity_score,
        account: account(finding, &["awsAccountId"])
            .or_else(|| Arn::parse(&id)?.account())
            .or_else(|| event.account(&[], None, around)),
        region: text(finding, &["region"])
            .or_else(|| Arn::parse(product.as_deref()?)?.region())
            .or_else(first_region)
            .or_else(|| event.region(&[], Some(&id), around)),
        resources: resources.iter().filter_map(resource).collect(),
        actor: Some(actor(finding, &field)),
        occurred_at: moment("firstObservedAt"),
        detected_at: moment("createdAt"),
        updated_at: moment("updatedAt"),
        count: field("aws/guardduty/service/count").and_then(|count| count.parse().ok()),
        status: status(finding),
        url: text(finding, &["sourceUrl"]),
        ..Draft::new(id.clone(), kind)
    };
    draft.alert(NAME, raw)
}

fn kind(finding: &Value) -> Option<String> {
    let first =
        |path: &[&str]| items(finding, path).iter().find_map(Value::as_str).map(str::to_owned);
    first(&["types"])
        .or_else(|| first(&["findingProviderFields", "types"]))
        .filter(|kind| !kind.is_empty())
        .or_else(|| text(finding, &["generatorId"]))
}

/// The label, and the number where it agrees with it. The hub's own label stands above that of
/// the provider, since people set it.
fn severity(finding: &Value) -> Option<(Severity, Option<u8>)> {
    let hub = member(finding, "severity");
    let provider = at(finding, &["findingProviderFields", "severity"]);
    [hub, provider].into_iter().flatten().find_map(|severity| {
        let score = number(severity, &["normalized"]).filter(|n| (0.0..=100.0).contains(n));
        // Between 0 and 100.
        let score = score.map(|score| score.round() as u8);
        let label = text(severity, &["label"]).and_then(|label| severity_of_word(&label));
        let label = label.or_else(|| score.map(Severity::of_score))?;
        Some((label, score.filter(|score| Severity::of_score(*score) == label)))
    })
}

/// Archived by its product, resolved by people, passed by its control: it is over.
fn status(finding: &Value) -> AlertStatus {
    let said = |path: &[&str]| text(finding, path).unwrap_or_default();
    let workflow = said(&["workflow", "status"]);
    let is_over = workflow == "RESOLVED"
        || said(&["recordState"]) == "ARCHIVED"
        || said(&["compliance", "status"]) == "PASSED";
    match workflow.as_str() {
        "SUPPRESSED" => AlertStatus::Suppressed,
        _ if is_over => AlertStatus::Resolved,
        _ => AlertStatus::Active,
    }
}

fn resource(resource: &Value) -> Option<Resource> {
    let whole = text(resource, &["id"])?;
    let kind = text(resource, &["type"]).unwrap_or_else(|| "Other".to_owned());
    let tags = member(resource, "tags").and_then(Value::as_object);
    let tags: BTreeMap<_, _> = tags
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect();
    let details = at(resource, &["details"]).and_then(|all| all.get(&kind));
    let said = |names: &[&str]| names.iter().find_map(|name| text(details?, &[name]));
    let name =
        said(&["UserName", "PrincipalName", "Name", "RoleName", "FunctionName", "GroupName"]);
    Some(Resource {
        id: own_id(&whole, &kind).to_owned(),
        arn: Arn::parse(&whole).map(|_| whole.clone()),
        name: name.or_else(|| tags.get("Name").cloned()),
        kind,
        tags,
    })
}

/// `AWS::IAM::AccessKey:AKIA…` and `AWS::::Account:1111…` are how ASFF writes what has no ARN.
fn own_id<'i>(id: &'i str, kind: &str) -> &'i str {
    match id.strip_prefix("AWS::").and_then(|rest| rest.rsplit_once(':')) {
        Some((_, own)) if !own.is_empty() => own,
        _ if kind == "AwsS3Object" || Arn::parse(id).is_some() => arn::own_part(id),
        _ => id,
    }
}

fn actor<'f>(finding: &Value, field: &impl Fn(&str) -> Option<&'f str>) -> Actor {
    let action = member(finding, "action");
    let remote = action.and_then(|action| {
        let calls = ["awsApiCallAction", "networkConnectionAction"];
        let direct =
            calls.iter().find_map(|name| text(action, &[name, "remoteIpDetails", "ipAddressV4"]));
        direct.or_else(|| {
            let probes = items(action, &["portProbeAction", "portProbeDetails"]);
            probes.iter().find_map(|probe| text(probe, &["remoteIpDetails", "ipAddressV4"]))
        })
    });
    let inbound = || {
        let network = member(finding, "network")?;
        let is_in = text(network, &["direction"]).as_deref() != Some("OUT");
        let side = if is_in { "source" } else { "destination" };
        ["V4", "V6"].iter().find_map(|version| text(network, &[&format!("{side}Ip{version}")]))
    };
    let guardduty = || {
        [
            "awsApiCallAction",
            "networkConnectionAction",
            "kubernetesApiCallAction",
            "portProbeAction/portProbeDetails:0",
        ]
        .iter()
        .find_map(|action| {
            field(&format!("aws/guardduty/service/action/{action}/remoteIpDetails/ipAddressV4"))
        })
        .map(str::to_owned)
    };
    let keys = items(finding, &["resources"]).iter().filter_map(|resource| {
        let key = at(resource, &["details"])?.get("AwsIamAccessKey")?;
        text(key, &["PrincipalName"]).or_else(|| text(key, &["UserName"]))
    });
    Actor {
        ip: remote.or_else(inbound).or_else(guardduty),
        user: keys.into_iter().next(),
        user_agent: field("aws/guardduty/service/action/awsApiCallAction/userAgent")
            .map(str::to_owned),
    }
}
