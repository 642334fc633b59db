//! Config: rules, and what complies with them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stanch_plugins_sdk::core::time::Timestamp;

use super::reply::Refusal;
use super::request::Asked;
use super::world::World;

type Answered = Result<Value, Refusal>;

/// One resource under one rule.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Verdict {
    /// The rule.
    pub(super) rule: String,
    /// Such as `AWS::S3::Bucket`.
    pub(super) resource_type: String,
    /// The resource.
    pub(super) resource_id: String,
    /// `COMPLIANT` or `NON_COMPLIANT`.
    pub(super) compliance: String,
}

/// Answers for Config.
pub(super) fn answer(
    world: &World,
    operation: &str,
    asked: &Asked,
    now: Timestamp,
) -> Option<Answered> {
    if world.verdicts.is_empty() {
        return None;
    }
    Some(match operation {
        "DescribeConfigRules" => rules(world, asked).map(|rules| {
            let rules = rules.into_iter().map(|rule| {
                json!({
                    "ConfigRuleName": rule, "ConfigRuleState": "ACTIVE",
                    "Source": {"Owner": "AWS", "SourceIdentifier": "SANDBOX"},
                })
            });
            json!({"ConfigRules": rules.collect::<Vec<_>>()})
        }),
        "DescribeComplianceByConfigRule" => rules(world, asked).map(|rules| {
            let rules = rules.into_iter().map(|rule| {
                let broken = |v: &&Verdict| v.rule == rule && v.compliance == "NON_COMPLIANT";
                let count = world.verdicts.iter().filter(broken).count();
                let kind = if count == 0 { "COMPLIANT" } else { "NON_COMPLIANT" };
                let contributors = json!({"CappedCount": count.min(25), "CapExceeded": count > 25});
                json!({"ConfigRuleName": rule, "Compliance": {
                    "ComplianceType": kind, "ComplianceContributorCount": contributors,
                }})
            });
            json!({"ComplianceByConfigRules": rules.collect::<Vec<_>>()})
        }),
        "GetComplianceDetailsByConfigRule" => details(world, asked, now),
        "StartConfigRulesEvaluation" => rules(world, asked).map(|_| Value::Null),
        _ => return None,
    })
}

/// The rules that are named, or all.
fn rules(world: &World, asked: &Asked) -> Result<Vec<String>, Refusal> {
    let all: BTreeSet<&str> = world.verdicts.iter().map(|verdict| &*verdict.rule).collect();
    let named = asked.texts("ConfigRuleNames");
    if let Some(unknown) = named.iter().find(|name| !all.contains(*name)) {
        return Err(no_such(unknown));
    }
    let wanted = if named.is_empty() { all.into_iter().collect() } else { named };
    Ok(wanted.into_iter().map(str::to_owned).collect())
}

fn no_such(rule: &str) -> Refusal {
    let why = format!("The ConfigRule '{rule}' provided in the request is invalid.");
    Refusal::new(400, "NoSuchConfigRuleException", why)
}

fn details(world: &World, asked: &Asked, now: Timestamp) -> Answered {
    let rule = asked.text("ConfigRuleName").unwrap_or_default();
    if !world.verdicts.iter().any(|verdict| verdict.rule == rule) {
        return Err(no_such(rule));
    }
    let kinds = asked.texts("ComplianceTypes");
    let fits = |verdict: &&Verdict| {
        verdict.rule == rule && (kinds.is_empty() || kinds.contains(&&*verdict.compliance))
    };
    let results = world.verdicts.iter().filter(fits).map(|verdict| {
        json!({
            "EvaluationResultIdentifier": {"EvaluationResultQualifier": {
                "ConfigRuleName": rule, "ResourceType": verdict.resource_type,
                "ResourceId": verdict.resource_id,
            }},
            "ComplianceType": verdict.compliance,
            "ResultRecordedTime": now,
        })
    });
    Ok(json!({"EvaluationResults": results.collect::<Vec<_>>()}))
}
