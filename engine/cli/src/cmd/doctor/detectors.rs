//! The detectors of a region, and the rules that send what they find.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::by_hand::{Caller, items, text, told};
use super::report::Report;

/// Who detects, as EventBridge names it; whether one account hears it for all; and whether a region
/// without its rule is blind.
const DETECTORS: [(&str, bool, bool); 8] = [
    ("aws.guardduty", true, true),
    ("aws.securityhub", true, true),
    ("aws.config", false, false),
    ("aws.signin", false, false),
    ("aws.health", false, false),
    ("aws.inspector2", true, false),
    ("aws.macie", true, false),
    ("aws.access-analyzer", false, false),
];

/// What was seen in a region of an account.
#[derive(Debug, Default)]
pub(super) struct Region {
    account: String,
    region: String,
    /// The sources that some rule sends on, and the rules that do.
    sent: BTreeMap<String, BTreeSet<String>>,
    /// Rules that send, with a target that has no dead-letter queue.
    without_dead_letters: BTreeSet<String>,
    guardduty: Option<bool>,
    security_hub: Option<bool>,
    /// What could not be asked.
    unknown: Vec<String>,
}

/// Looks at a region.
pub(super) async fn look(caller: &Caller, account: &str, region: &str) -> Region {
    let mut seen =
        Region { account: account.to_owned(), region: region.to_owned(), ..Region::default() };
    seen.guardduty = match guardduty(caller, region).await {
        Ok(is_on) => Some(is_on),
        Err(why) => seen.note("GuardDuty", why),
    };
    seen.security_hub = match security_hub(caller, region).await {
        Ok(is_on) => Some(is_on),
        Err(why) => seen.note("Security Hub", why),
    };
    if let Err(why) = rules(caller, &mut seen).await {
        seen.note::<()>("EventBridge", why);
    }
    seen
}

impl Region {
    fn note<T>(&mut self, what: &str, why: String) -> Option<T> {
        self.unknown.push(format!("{what}: {why}"));
        None
    }
}

async fn guardduty(caller: &Caller, region: &str) -> Result<bool, String> {
    let all = caller.call("guardduty:ListDetectors", json!({}), Some(region)).await;
    let all = all.map_err(|error| told(&error))?.value;
    for id in items(&all, "/DetectorIds") {
        let params = json!({"DetectorId": id});
        let one = caller.call("guardduty:GetDetector", params, Some(region)).await;
        if text(&one.map_err(|error| told(&error))?.value, "/Status") == "ENABLED" {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn security_hub(caller: &Caller, region: &str) -> Result<bool, String> {
    match caller.call("securityhub:DescribeHub", json!({}), Some(region)).await {
        Ok(done) => Ok(!text(&done.value, "/HubArn").is_empty()),
        // What it says in an account that is not subscribed to it.
        Err(error)
            if ["InvalidAccessException", "ResourceNotFoundException"].contains(&&*error.code) =>
        {
            Ok(false)
        }
        Err(error) => Err(told(&error)),
    }
}

/// The rules of the usual bus that are on and send somewhere.
async fn rules(caller: &Caller, seen: &mut Region) -> Result<(), String> {
    let region = seen.region.clone();
    let all = caller.call("events:ListRules", json!({}), Some(&region)).await;
    let all = all.map_err(|error| told(&error))?.value;
    for rule in items(&all, "/Rules") {
        let sources = sources(text(rule, "/EventPattern"));
        let name = text(rule, "/Name").to_owned();
        if sources.is_empty() || text(rule, "/State") == "DISABLED" {
            continue;
        }
        let targets =
            caller.call("events:ListTargetsByRule", json!({"Rule": name}), Some(&region)).await;
        let targets = targets.map_err(|error| told(&error))?.value;
        let targets = items(&targets, "/Targets");
        if targets.is_empty() {
            continue;
        }
        if targets.iter().any(|target| text(target, "/DeadLetterConfig/Arn").is_empty()) {
            seen.without_dead_letters.insert(name.clone());
        }
        for source in sources {
            seen.sent.entry(source).or_default().insert(name.clone());
        }
    }
    Ok(())
}

/// The detectors that a pattern takes.
fn sources(pattern: &str) -> Vec<String> {
    let pattern: Value = serde_json::from_str(pattern).unwrap_or_default();
    let named = items(&pattern, "/source").iter().filter_map(Value::as_str);
    let is_detector = |name: &&str| DETECTORS.iter().any(|(detector, ..)| detector == name);
    named.filter(is_detector).map(str::to_owned).collect()
}

/// Says what the regions lack. What one account hears for all is asked of no other.
pub(super) fn judge(regions: &[Region], report: &mut Report) {
    for seen in regions {
        let place = format!("{} {}", seen.account, seen.region);
        let before = report.0.len();
        for why in &seen.unknown {
            let mend = "allow the role that reads what deploy/aws gives it under `Node`";
            report.warn("detectors", &place, format!("could not be asked: {why}"), mend);
        }
        if seen.guardduty == Some(false) {
            let mend =
                "switch it on for the organization: `aws guardduty create-detector --enable`";
            report.missing("guardduty", &place, "GuardDuty is off", mend);
        }
        if seen.security_hub == Some(false) {
            let mend = "switch it on: `aws securityhub enable-security-hub`";
            report.warn("security_hub", &place, "Security Hub is off", mend);
        }
        judge_rules(seen, regions, &place, report);
        if report.0.len() == before {
            let found = format!(
                "{} detectors are sent on, GuardDuty and Security Hub are on",
                seen.sent.len()
            );
            report.ok("detectors", &place, found);
        }
    }
}

fn judge_rules(seen: &Region, regions: &[Region], place: &str, report: &mut Report) {
    if seen.unknown.iter().any(|why| why.starts_with("EventBridge")) {
        return;
    }
    let mend = "deploy/aws/cloudformation/regional.yaml makes the rules (docs/deploy.md)";
    for (detector, is_heard_for_all, is_vital) in DETECTORS {
        let is_sent = |region: &Region| region.sent.contains_key(detector);
        let by_another =
            || regions.iter().any(|other| other.region == seen.region && is_sent(other));
        if is_sent(seen) || is_heard_for_all && by_another() {
            continue;
        }
        let found = format!("no rule sends what {detector} says");
        match is_vital {
            true => report.missing("rules", place, found, mend),
            false => report.warn("rules", place, found, mend),
        }
    }
    for rule in &seen.without_dead_letters {
        let found = format!("a target of the rule {rule} has no dead-letter queue");
        let mend = "name one: what can't be delivered for a day is gone otherwise";
        report.warn("rules", place, found, mend);
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Health;
    use super::*;

    fn region(account: &str, detectors: &[&str]) -> Region {
        let sent = detectors.iter().map(|it| ((*it).to_owned(), BTreeSet::from(["r".to_owned()])));
        Region {
            account: account.to_owned(),
            region: "eu-west-1".to_owned(),
            sent: sent.collect(),
            guardduty: Some(true),
            security_hub: Some(true),
            ..Region::default()
        }
    }

    fn missing(regions: &[Region]) -> Vec<String> {
        let mut report = Report::default();
        judge(regions, &mut report);
        let missing = report.0.into_iter().filter(|check| check.health == Health::Missing);
        missing.map(|check| format!("{}: {}", check.of, check.found)).collect()
    }

    #[test]
    fn what_the_administrator_hears_for_all_is_asked_of_no_other() {
        let member = || region("111122223333", &["aws.config"]);
        let administrator = || region("444455556666", &["aws.guardduty", "aws.securityhub"]);
        assert_eq!(missing(&[member(), administrator()]), [""; 0]);
        let blind = missing(&[member()]);
        assert_eq!(blind.len(), 2, "{blind:?}");
        assert!(blind[0].contains("111122223333 eu-west-1") && blind[0].contains("aws.guardduty"));
        let elsewhere = Region { region: "us-east-1".to_owned(), ..administrator() };
        assert_eq!(missing(&[member(), elsewhere]).len(), 2);
    }

    #[test]
    fn a_detector_that_is_off_is_missing_and_one_that_could_not_be_asked_is_told() {
        let off =
            Region { guardduty: Some(false), ..region("1", &["aws.guardduty", "aws.securityhub"]) };
        assert_eq!(missing(&[off]), ["1 eu-west-1: GuardDuty is off"]);
        let mut report = Report::default();
        let unknown =
            Region { unknown: vec!["EventBridge: denied".to_owned()], ..region("1", &[]) };
        judge(&[unknown], &mut report);
        assert_eq!(report.0.len(), 1, "{report:?}");
        assert!(report.0[0].found.contains("EventBridge: denied"));
    }

    #[test]
    fn a_pattern_is_read_by_its_sources() {
        assert_eq!(sources(r#"{"source":["aws.guardduty","own.thing"]}"#), ["aws.guardduty"]);
        assert_eq!(sources(r#"{"detail-type":["x"]}"#), [""; 0]);
        assert_eq!(sources(""), [""; 0]);
    }
}
