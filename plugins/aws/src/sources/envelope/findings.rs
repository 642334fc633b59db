//! Answers that list findings, such as `GetFindings` of GuardDuty, Security Hub, Inspector and
//! Macie; and CloudWatch's and Config's lists.

use serde_json::Value;
use stanch_plugins_sdk::{Envelope, Part};

/// What AWS's answers call their lists of what alerts are made of.
const LISTS: [&str; 7] = [
    "CompositeAlarms",
    "Events",
    "Findings",
    "InvestigationDetails",
    "MetricAlarms",
    "events",
    "findings",
];

/// A list of findings under one of these names, in an answer.
pub(crate) struct Findings;

impl Envelope for Findings {
    fn open<'v>(&self, payload: &'v Value) -> Option<Vec<Part<'v>>> {
        let members = payload.as_object()?;
        // `LookupEvents` of CloudTrail answers each record as text.
        if let Some(record) = members.get("CloudTrailEvent") {
            return Some(vec![Part::of("CloudTrailEvent", record)]);
        }
        let is_event = members.contains_key("detail") || members.contains_key("version");
        if is_event || members.contains_key("Type") {
            return None;
        }
        let lists = LISTS.iter().filter_map(|name| Some((*name, members.get(*name)?.as_array()?)));
        let parts: Vec<_> = lists
            .flat_map(|(name, items)| {
                let part = move |(at, item)| Part::of(format!("{name}[{at}]"), item);
                items.iter().enumerate().map(part)
            })
            .collect();
        let holds_a_list = LISTS.iter().any(|name| members.get(*name).is_some_and(Value::is_array));
        holds_a_list.then_some(parts)
    }
}
