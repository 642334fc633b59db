//! Security Hub: findings in ASFF, and what becomes of them
//! (<https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html>).

use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::ec2::{set, texts};
use super::page::page;
use super::reply::Refusal;
use super::request::Asked;
use super::world::World;

type Answered = Result<Value, Refusal>;

/// Findings of a page.
const PAGE: usize = 100;

/// Filters, and the paths that they look at.
const FILTERS: [(&str, &str); 18] = [
    ("Id", "Id"),
    ("ProductArn", "ProductArn"),
    ("ProductName", "ProductName"),
    ("AwsAccountId", "AwsAccountId"),
    ("Region", "Region"),
    ("GeneratorId", "GeneratorId"),
    ("Title", "Title"),
    ("Type", "Types.*"),
    ("RecordState", "RecordState"),
    ("VerificationState", "VerificationState"),
    ("SeverityLabel", "Severity.Label"),
    ("WorkflowStatus", "Workflow.Status"),
    ("ComplianceStatus", "Compliance.Status"),
    ("ResourceId", "Resources.*.Id"),
    ("ResourceType", "Resources.*.Type"),
    ("UpdatedAt", "UpdatedAt"),
    ("NoteText", "Note.Text"),
    ("NoteUpdatedBy", "Note.UpdatedBy"),
];

/// What a person may say of a finding.
const SAID: [&str; 8] = [
    "Note",
    "Severity",
    "VerificationState",
    "Confidence",
    "Criticality",
    "Types",
    "UserDefinedFields",
    "Workflow",
];

/// Answers for Security Hub.
pub(super) fn answer(
    world: &mut World,
    operation: &str,
    asked: &Asked,
    now: Timestamp,
) -> Option<Answered> {
    Some(match operation {
        "GetFindings" => get(world, asked),
        "BatchUpdateFindings" => Ok(update(world, asked, now)),
        "BatchImportFindings" => Ok(import(world, asked)),
        _ => return None,
    })
}

fn get(world: &World, asked: &Asked) -> Answered {
    let mut found = world.hub.clone();
    let filters = asked.params.get("Filters").and_then(Value::as_object);
    for (name, conditions) in filters.into_iter().flatten() {
        let (_, path) = FILTERS.iter().find(|(known, _)| known == name).ok_or_else(|| {
            let why = format!("the sandbox does not filter by {name}");
            Refusal::new(400, "InvalidInputException", why)
        })?;
        found.retain(|finding| fits(&texts(finding, path), conditions));
    }
    let (found, next) = page(asked, found, PAGE)?;
    Ok(json!({"Findings": found, "NextToken": next}))
}

/// Of conditions that ask for something one must fit, of those that rule something out each.
fn fits(own: &[String], conditions: &Value) -> bool {
    let conditions = conditions.as_array().into_iter().flatten();
    let (mut asks, mut one_fits) = (false, false);
    for condition in conditions {
        let part = |name: &str| condition.get(name).and_then(Value::as_str).unwrap_or_default();
        let value = part("Value");
        if let (Some(from), Some(to)) = (moment(condition, "Start"), moment(condition, "End")) {
            asks = true;
            let times = own.iter().filter_map(|own| Timestamp::parse(own).ok());
            one_fits |= times.into_iter().any(|at| at >= from && at <= to);
            continue;
        }
        let holds = match part("Comparison").trim_start_matches("NOT_") {
            "PREFIX" | "PREFIX_NOT_EQUALS" => own.iter().any(|own| own.starts_with(value)),
            "CONTAINS" => own.iter().any(|own| own.contains(value)),
            _ => own.iter().any(|own| own == value),
        };
        if part("Comparison").contains("NOT_") {
            if holds {
                return false;
            }
        } else {
            asks = true;
            one_fits |= holds;
        }
    }
    one_fits || !asks
}

fn moment(condition: &Value, name: &str) -> Option<Timestamp> {
    Timestamp::parse(condition.get(name)?.as_str()?).ok()
}

fn is_same(one: &Value, other: &Value) -> bool {
    ["Id", "ProductArn"].iter().all(|name| one.get(name) == other.get(name))
}

fn update(world: &mut World, asked: &Asked, now: Timestamp) -> Value {
    let identifiers = asked.params.get("FindingIdentifiers").and_then(Value::as_array);
    let (mut processed, mut unprocessed) = (Vec::new(), Vec::new());
    for identifier in identifiers.into_iter().flatten() {
        let Some(finding) = world.hub.iter_mut().find(|own| is_same(own, identifier)) else {
            unprocessed.push(json!({
                "FindingIdentifier": identifier, "ErrorCode": "FindingNotFound",
                "ErrorMessage": "Finding Not Found",
            }));
            continue;
        };
        for name in SAID {
            let Some(said) = asked.params.get(name).filter(|said| !said.is_null()) else {
                continue;
            };
            let mut said = said.clone();
            if name == "Note" {
                set(&mut said, "UpdatedAt", now.to_string().into());
            }
            set(finding, name, said);
        }
        processed.push(identifier.clone());
    }
    json!({"ProcessedFindings": processed, "UnprocessedFindings": unprocessed})
}

/// A product may not say again what people have said since.
fn import(world: &mut World, asked: &Asked) -> Value {
    let given = asked.params.get("Findings").and_then(Value::as_array);
    let mut count = 0;
    for finding in given.into_iter().flatten() {
        count += 1;
        let mut finding = finding.clone();
        if let Some(own) = world.hub.iter_mut().find(|own| is_same(own, &finding)) {
            for name in ["Note", "Workflow", "UserDefinedFields", "VerificationState"] {
                if let Some(kept) = own.get(name) {
                    set(&mut finding, name, kept.clone());
                }
            }
            *own = finding;
        } else {
            if finding.get("Workflow").is_none() {
                set(&mut finding, "Workflow", json!({"Status": "NEW"}));
            }
            if finding.get("RecordState").is_none() {
                set(&mut finding, "RecordState", "ACTIVE".into());
            }
            world.hub.push(finding);
        }
    }
    json!({"SuccessCount": count, "FailedCount": 0, "FailedFindings": []})
}
