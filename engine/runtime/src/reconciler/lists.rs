//! How detectors are asked for what they found.

use std::sync::Arc;

use serde_json::{Value, json};
use stanch_engine_core::reconcile::{Lister, Reconcile, Target};
use stanch_engine_core::time::Timestamp;

use super::{Cut, take};
use crate::own_call::OwnCall;
use crate::shared::Shared;

/// Findings of a page: the most that `guardduty:GetFindings` takes, and `securityhub:GetFindings`
/// gives.
const GUARDDUTY_PAGE: u32 = 50;
const HUB_PAGE: u32 = 100;

/// Pages of one list, at most: what is longer goes on where the next look begins.
const PAGES: u32 = 2_000;

/// What Security Hub answers where it is not switched on.
const NOT_SUBSCRIBED: &str = "InvalidAccessException";

/// Goes through all that a detector changed between two moments, page by page.
pub(super) async fn go_through(
    shared: &Arc<Shared>,
    plan: &Reconcile,
    target: &Target,
    window: (Timestamp, Timestamp),
    listed: &mut u64,
) -> Result<(), Cut> {
    let list = List {
        shared,
        aws: OwnCall::looking(shared, "reconcile", (&target.account, &target.region)),
        target,
        window,
    };
    match target.source {
        Lister::GuardDuty => list.guardduty(listed).await,
        Lister::SecurityHub => list.hub(plan.sources.contains(&Lister::GuardDuty), listed).await,
    }
}

struct List<'a> {
    shared: &'a Arc<Shared>,
    aws: OwnCall,
    target: &'a Target,
    window: (Timestamp, Timestamp),
}

impl List<'_> {
    /// <https://docs.aws.amazon.com/guardduty/latest/APIReference/API_ListFindings.html>
    async fn guardduty(&self, listed: &mut u64) -> Result<(), Cut> {
        let answer = self.aws.repeated("guardduty:ListDetectors", json!({})).await?;
        let detectors = texts(&answer, "DetectorIds");
        if detectors.is_empty() {
            return Err(Cut::Off("GuardDuty has no detector there".to_owned()));
        }
        for detector in detectors {
            let mut next = Value::Null;
            for page in 0_u32.. {
                let mut params = json!({
                    "DetectorId": detector, "MaxResults": GUARDDUTY_PAGE,
                    "FindingCriteria": {"Criterion": {
                        "service.archived": {"Equals": ["false"]},
                        "updatedAt": {"GreaterThanOrEqual": self.window.0.millis(),
                            "LessThan": self.window.1.millis()},
                    }},
                    "SortCriteria": {"AttributeName": "updatedAt", "OrderBy": "ASC"},
                });
                go_on(&mut params, &next);
                let answer = self.aws.repeated("guardduty:ListFindings", params).await?;
                let ids = texts(&answer, "FindingIds");
                if !ids.is_empty() {
                    let params = json!({"DetectorId": detector, "FindingIds": ids});
                    let mut found = self.aws.repeated("guardduty:GetFindings", params).await?;
                    self.take(&mut found, listed).await?;
                }
                next = answer.get("NextToken").cloned().unwrap_or_default();
                if is_last(&next) {
                    break;
                }
                enough(page)?;
            }
        }
        Ok(())
    }

    /// <https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html>
    async fn hub(&self, but_guardduty: bool, listed: &mut u64) -> Result<(), Cut> {
        let is = |value: &str| json!({"Value": value, "Comparison": "EQUALS"});
        let mut filters = json!({
            "RecordState": [is("ACTIVE")],
            "WorkflowStatus": [is("NEW"), is("NOTIFIED")],
            "UpdatedAt": [{"Start": self.window.0, "End": self.window.1}],
        });
        // GuardDuty was asked itself: its findings would come twice, from two sources.
        if let Some(members) = filters.as_object_mut().filter(|_| but_guardduty) {
            let not = json!([{"Value": "GuardDuty", "Comparison": "NOT_EQUALS"}]);
            members.insert("ProductName".to_owned(), not);
        }
        let mut next = Value::Null;
        for page in 0_u32.. {
            let mut params = json!({
                "Filters": filters, "MaxResults": HUB_PAGE,
                "SortCriteria": [{"Field": "UpdatedAt", "SortOrder": "asc"}],
            });
            go_on(&mut params, &next);
            let answer = self.aws.repeated("securityhub:GetFindings", params).await;
            let mut answer = answer.map_err(|error| match error.code == NOT_SUBSCRIBED {
                true => Cut::Off(format!("Security Hub is off there: {}", error.message)),
                false => Cut::Aws(error),
            })?;
            self.take(&mut answer, listed).await?;
            next = answer.get("NextToken").cloned().unwrap_or_default();
            if is_last(&next) {
                break;
            }
            enough(page)?;
        }
        Ok(())
    }

    async fn take(&self, answer: &mut Value, listed: &mut u64) -> Result<(), Cut> {
        let found = answer.get_mut("Findings").map(Value::take).unwrap_or_default();
        let Value::Array(found) = found else { return Ok(()) };
        *listed += found.len() as u64;
        Ok(take(self.shared, self.target, found).await?)
    }
}

fn go_on(params: &mut Value, token: &Value) {
    if let Some(members) = params.as_object_mut().filter(|_| !is_last(token)) {
        members.insert("NextToken".to_owned(), token.clone());
    }
}

/// GuardDuty's last page has an empty token.
fn is_last(token: &Value) -> bool {
    token.as_str().is_none_or(str::is_empty)
}

fn enough(page: u32) -> Result<(), Cut> {
    if page + 1 < PAGES {
        return Ok(());
    }
    let error = stanch_plugins_sdk::ActionError::permanent(
        "too_long",
        format!("the list has more than {PAGES} pages: what is behind them was not compared"),
    );
    Err(Cut::Aws(error))
}

fn texts(answer: &Value, name: &str) -> Vec<String> {
    let items = answer.get(name).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}
