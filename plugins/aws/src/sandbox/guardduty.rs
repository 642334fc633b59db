//! GuardDuty: findings, how they are found, archived and judged
//! (<https://docs.aws.amazon.com/guardduty/latest/APIReference/API_ListFindings.html>).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::demo::DETECTOR;
use super::ec2::set;
use super::page::page;
use super::reply::Refusal;
use super::request::Asked;
use super::world::World;
use crate::client::value;

type Answered = Result<Value, Refusal>;

/// Findings of a page.
const PAGE: usize = 50;

/// Answers for GuardDuty.
pub(super) fn answer(
    world: &mut World,
    operation: &str,
    asked: &Asked,
    now: Timestamp,
) -> Option<Answered> {
    Some(match operation {
        "ListDetectors" => Ok(json!({"DetectorIds": [DETECTOR]})),
        "GetFindings" => Ok(json!({"Findings": wanted(world, asked)})),
        "ListFindings" => list(world, asked),
        "GetFindingsStatistics" => return statistics(world, asked),
        "ArchiveFindings" => change(world, asked, now, "Archived", &json!(true)),
        "UnarchiveFindings" => change(world, asked, now, "Archived", &json!(false)),
        "UpdateFindingsFeedback" => {
            let feedback = asked.params.get("Feedback").cloned().unwrap_or_default();
            change(world, asked, now, "UserFeedback", &feedback)
        }
        "CreateSampleFindings" => Ok(sample(world, asked, now)),
        _ => return None,
    })
}

fn wanted(world: &World, asked: &Asked) -> Vec<Value> {
    let wanted = asked.texts("FindingIds");
    let is_wanted = |finding: &&Value| {
        finding.get("Id").and_then(Value::as_str).is_some_and(|id| wanted.contains(&id))
    };
    world.findings.iter().filter(is_wanted).cloned().collect()
}

/// The findings that fit the criteria.
fn chosen<'w>(world: &'w World, asked: &Asked) -> Vec<&'w Value> {
    let criteria = asked.params.pointer("/FindingCriteria/Criterion").and_then(Value::as_object);
    let fits_all = |finding: &&Value| {
        criteria.is_none_or(|all| all.iter().all(|(path, one)| fits(finding, path, one)))
    };
    world.findings.iter().filter(fits_all).collect()
}

/// How many there are of each type; what else they may be grouped by is not played.
fn statistics(world: &World, asked: &Asked) -> Option<Answered> {
    if asked.text("GroupBy") != Some("FINDING_TYPE") {
        return None;
    }
    let mut groups: BTreeMap<&str, (u64, &Value)> = BTreeMap::new();
    for finding in chosen(world, asked) {
        let kind = finding.get("Type").and_then(Value::as_str).unwrap_or_default();
        let at = finding.get("UpdatedAt").unwrap_or(&Value::Null);
        let group = groups.entry(kind).or_insert((0, at));
        *group = (group.0 + 1, at);
    }
    let groups = groups.into_iter().map(|(kind, (count, at))| {
        json!({"FindingType": kind, "TotalFindings": count, "LastGeneratedAt": at})
    });
    let groups: Vec<_> = groups.collect();
    Some(Ok(json!({"FindingStatistics": {"GroupedByFindingType": groups}})))
}

fn list(world: &World, asked: &Asked) -> Answered {
    let mut found = chosen(world, asked);
    if let Some(path) = asked.params.pointer("/SortCriteria/AttributeName").and_then(Value::as_str)
    {
        let number = |finding: &&Value| at(finding, path).and_then(number).unwrap_or_default();
        found.sort_by(|a, b| number(a).total_cmp(&number(b)));
        let order = asked.params.pointer("/SortCriteria/OrderBy").and_then(Value::as_str);
        if order == Some("DESC") {
            found.reverse();
        }
    }
    let ids = found.into_iter().filter_map(|finding| finding.get("Id").cloned()).collect();
    let (ids, next) = page(asked, ids, PAGE)?;
    Ok(json!({"FindingIds": ids, "NextToken": next}))
}

/// What lies at a path such as `service.archived`, which findings write with capitals.
fn at<'f>(finding: &'f Value, path: &str) -> Option<&'f Value> {
    path.split('.').try_fold(finding, |value, part| {
        let mut letters = part.chars();
        let first = letters.next()?.to_ascii_uppercase();
        value.get(format!("{first}{}", letters.as_str()))
    })
}

fn fits(finding: &Value, path: &str, condition: &Value) -> bool {
    let own = at(finding, path);
    let text = own.map(|own| own.as_str().map_or_else(|| own.to_string(), str::to_owned));
    let conditions = condition.as_object().into_iter().flatten();
    conditions.filter(|(_, wanted)| !wanted.is_null()).all(|(name, wanted)| {
        let among = || {
            let mut listed = wanted.as_array().into_iter().flatten().filter_map(Value::as_str);
            listed.any(|listed| text.as_deref() == Some(listed))
        };
        let compared = || own.and_then(number).zip(wanted.as_f64());
        match name.as_str() {
            "Eq" | "Equals" => among(),
            "Neq" | "NotEquals" => !among(),
            "Gt" | "GreaterThan" => compared().is_some_and(|(own, wanted)| own > wanted),
            "Gte" | "GreaterThanOrEqual" => compared().is_some_and(|(own, wanted)| own >= wanted),
            "Lt" | "LessThan" => compared().is_some_and(|(own, wanted)| own < wanted),
            "Lte" | "LessThanOrEqual" => compared().is_some_and(|(own, wanted)| own <= wanted),
            _ => false,
        }
    })
}

/// A number, or a time as criteria write it: in milliseconds.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| Some(value::timestamp(value)?.as_secs_f64() * 1_000.0))
}

/// Changes a member of the service's part of each finding. Findings that are not there are passed
/// over, as GuardDuty does.
fn change(world: &mut World, asked: &Asked, now: Timestamp, name: &str, to: &Value) -> Answered {
    let wanted = asked.texts("FindingIds");
    for finding in &mut world.findings {
        let id = finding.get("Id").and_then(Value::as_str).unwrap_or_default();
        if wanted.contains(&id) {
            if let Some(service) = finding.get_mut("Service") {
                set(service, name, to.clone());
            }
            set(finding, "UpdatedAt", now.to_string().into());
        }
    }
    Ok(Value::Null)
}

fn sample(world: &mut World, asked: &Asked, now: Timestamp) -> Value {
    let mut types = asked.texts("FindingTypes");
    if types.is_empty() {
        types.push("Recon:EC2/Portscan");
    }
    for kind in types {
        let id = world.next_id("").replace('-', "");
        let account = &world.account;
        let mut finding: Map<String, Value> = Map::new();
        for (name, value) in [
            ("SchemaVersion", json!("2.0")),
            ("Id", json!(id)),
            ("AccountId", json!(account)),
            ("Region", json!(asked.region)),
            ("Partition", json!("aws")),
            (
                "Arn",
                json!(format!(
                    "arn:aws:guardduty:{}:{account}:detector/{DETECTOR}/finding/{id}",
                    asked.region
                )),
            ),
            ("Type", json!(kind)),
            ("Severity", json!(5.0)),
            ("Title", json!(format!("[SAMPLE] {kind}"))),
            ("Description", json!("A sample.")),
            ("CreatedAt", json!(now)),
            ("UpdatedAt", json!(now)),
            (
                "Resource",
                json!({"ResourceType": "Instance", "InstanceDetails": {"InstanceId": "i-99999999"}}),
            ),
            (
                "Service",
                json!({
                    "ServiceName": "guardduty", "DetectorId": DETECTOR, "Archived": false, "Count": 1,
                    "EventFirstSeen": now, "EventLastSeen": now,
                    "AdditionalInfo": {"Value": "{\"sample\":true}", "Type": "default"},
                }),
            ),
        ] {
            finding.insert(name.to_owned(), value);
        }
        world.findings.push(Value::Object(finding));
    }
    Value::Null
}
