//! What detectors are told of their findings, once people have judged an incident or closed it.

use serde::Serialize;
use serde_json::Value;

use crate::alert::Alert;
use crate::id::IncidentId;
use crate::incident::Verdict;

/// Findings of one incident that are written back, at most: each takes some five steps of a run.
pub const FINDINGS: usize = 500;

/// Characters of a note that Security Hub takes.
const NOTE_CHARS: usize = 512;

/// The operations that write back: who switches it on wants these calls, without being asked for
/// each of them.
pub const OPERATIONS: [&str; 4] = [
    "guardduty:ArchiveFindings",
    "guardduty:UpdateFindingsFeedback",
    "securityhub:BatchUpdateFindings",
    "securityhub:BatchUpdateFindingsV2",
];

/// Whom findings are written back to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteBack {
    /// Security Hub.
    pub security_hub: bool,
    /// GuardDuty.
    pub guardduty: bool,
    /// The account in which it is done; that of the finding unless it is said.
    pub account: Option<String>,
}

/// A finding, as the playbook that writes back needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The source that read it.
    pub source: String,
    /// The account in which it is changed.
    pub account: String,
    /// Its region.
    pub region: String,
    /// The detector's id of it.
    pub id: String,
    /// The product, which Security Hub wants beside the id.
    pub product_arn: Option<String>,
    /// Its names in OCSF, if it is of Security Hub's second version.
    pub ocsf: Option<OcsfNames>,
    /// How often it was seen, as far as we know.
    pub count: Option<u64>,
}

/// By what a finding in OCSF is known: its own id, or, where it has none, the account and the product
/// beside the id of what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OcsfNames {
    /// `metadata.uid`.
    pub uid: Option<String>,
    /// `cloud.account.uid`.
    pub account: Option<String>,
    /// `metadata.product.uid`.
    pub product: Option<String>,
}

impl WriteBack {
    /// The finding of an alert, if it is one that is written back to. A sample never is.
    pub fn finding(&self, alert: &Alert) -> Option<Finding> {
        let (product_arn, ocsf) = match alert.source.as_str() {
            "guardduty" if self.guardduty => (None, None),
            "security_hub" if self.security_hub => names_in_hub(&alert.raw.value())?,
            _ => return None,
        };
        if alert.is_sample() {
            return None;
        }
        Some(Finding {
            source: alert.source.clone(),
            account: self.account.clone().or_else(|| alert.account.clone())?,
            region: alert.region.clone()?,
            id: alert.id.clone(),
            product_arn,
            ocsf,
            count: alert.count,
        })
    }
}

/// By what Security Hub knows a finding: the product of one in its own format, or the names of one in
/// OCSF, which its second version speaks.
fn names_in_hub(raw: &Value) -> Option<(Option<String>, Option<OcsfNames>)> {
    let detail = raw.get("detail").unwrap_or(raw);
    let of_event = || detail.get("findings")?.get(0);
    let finding = of_event().unwrap_or(detail);
    let arn = ["ProductArn", "productArn"].iter().find_map(|name| finding.get(name)?.as_str());
    if let Some(arn) = arn {
        return Some((Some(arn.to_owned()), None));
    }
    let text = |path: &str| finding.pointer(path)?.as_str().map(str::to_owned);
    let names = OcsfNames {
        uid: text("/metadata/uid"),
        account: text("/cloud/account/uid"),
        product: text("/metadata/product/uid"),
    };
    let is_known = names.uid.is_some() || (names.account.is_some() && names.product.is_some());
    is_known.then_some((None, Some(names)))
}

/// What is said beside the status.
pub fn note(incident: IncidentId, verdict: Option<Verdict>, reason: Option<&str>) -> String {
    let what = verdict.map_or("closed", Verdict::as_str);
    let why = reason.map(str::trim).filter(|reason| !reason.is_empty());
    let text = match why {
        Some(why) => format!("{what} ({incident}): {why}"),
        None => format!("{what} ({incident})"),
    };
    text.chars().take(NOTE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::alert::tests::alert;
    use crate::json::Json;
    use crate::time::Timestamp;

    fn all() -> WriteBack {
        WriteBack { security_hub: true, guardduty: true, account: None }
    }

    #[test]
    fn only_what_is_switched_on_and_no_sample() {
        assert_eq!(all().finding(&alert()).unwrap().id, "f1");
        assert_eq!(WriteBack::default().finding(&alert()), None);
        assert_eq!(all().finding(&Alert { title: "[SAMPLE] x".into(), ..alert() }), None);
        let elsewhere = WriteBack { account: Some("999988887777".into()), ..all() };
        assert_eq!(elsewhere.finding(&alert()).unwrap().account, "999988887777");
        assert_eq!(all().finding(&Alert { source: "macie".into(), ..alert() }), None);
    }

    #[test]
    fn a_hubs_finding_is_known_by_its_product_too() {
        let arn = "arn:aws:securityhub:us-east-1::product/aws/macie";
        let of =
            |raw: Value| Alert { source: "security_hub".into(), raw: Json::of(&raw), ..alert() };
        for raw in
            [json!({"detail": {"findings": [{"ProductArn": arn}]}}), json!({"ProductArn": arn})]
        {
            assert_eq!(all().finding(&of(raw)).unwrap().product_arn.as_deref(), Some(arn));
        }
        assert_eq!(all().finding(&of(json!({"class_uid": 2004}))), None);
        let by_uid = json!({"detail": {"findings": [{"metadata": {"uid": "u"}}]}});
        let names = all().finding(&of(by_uid)).unwrap().ocsf.unwrap();
        assert_eq!((names.uid.as_deref(), names.product), (Some("u"), None));
        let account = json!({"account": {"uid": "111122223333"}});
        let by_name = json!({"cloud": account, "metadata": {"product": {"uid": arn}}});
        let names = all().finding(&of(by_name)).unwrap().ocsf.unwrap();
        assert_eq!((names.uid, names.product.as_deref()), (None, Some(arn)));
        assert_eq!(all().finding(&of(json!({"cloud": account, "metadata": {}}))), None);
    }

    #[test]
    fn a_note_is_short_enough() {
        let id = IncidentId::new(Timestamp::default(), 1);
        let long = note(id, Some(Verdict::FalsePositive), Some(&"é".repeat(2_000)));
        assert!(long.chars().count() == 512 && long.starts_with("false_positive (inc_"));
        assert!(note(id, None, Some(" ")).starts_with("closed (inc_"));
    }
}
