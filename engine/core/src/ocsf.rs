//! What happened, as events of the Open Cybersecurity Schema Framework
//! (<https://schema.ocsf.io/1.3.0/>): a record of a custody chain gives none, one or two.

pub mod lake;

use serde_json::{Map, Value, json};

use crate::alert::{Alert, AlertStatus};
use crate::custody::{CustodyAction, Record};
use crate::id::{AlertId, IncidentId};
use crate::incident::{IncidentStatus, Verdict};
use crate::severity::Severity;
use crate::time::Timestamp;

/// The version of the schema.
pub const VERSION: &str = "1.3.0";

/// Alerts that an event of an incident lists, at most.
const LISTED: usize = 100;

/// A class of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// An alert came, changed, or no longer holds.
    DetectionFinding,
    /// An incident was opened, was judged, or was closed.
    IncidentFinding,
    /// A change was made, or was not.
    RemediationActivity,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 3] =
        [Self::DetectionFinding, Self::IncidentFinding, Self::RemediationActivity];

    /// Its number, its name, and the number and name of its category.
    const fn named(self) -> (u32, &'static str, u32, &'static str) {
        match self {
            Self::DetectionFinding => (2004, "Detection Finding", 2, "Findings"),
            Self::IncidentFinding => (2005, "Incident Finding", 2, "Findings"),
            Self::RemediationActivity => (7001, "Remediation Activity", 7, "Remediation"),
        }
    }
}

/// The incident of a record, as it stands.
#[derive(Clone, Debug)]
pub struct About {
    /// Its id.
    pub id: IncidentId,
    /// One line.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// Where it stands.
    pub status: IncidentStatus,
    /// Its account.
    pub account: Option<String>,
    /// What it was.
    pub verdict: Option<Verdict>,
    /// Why.
    pub verdict_reason: Option<String>,
    /// Who took it.
    pub assignee: Option<String>,
    /// Whether it is a detector's sample.
    pub is_sample: bool,
    /// Where it can be looked at.
    pub url: String,
    /// Its alerts, and when each first came.
    pub alerts: Vec<(AlertId, Timestamp, Alert)>,
}

/// The events that a record gives, each with its class. `detail` is the text beside it, and `version`
/// that of this program.
pub fn events(
    record: &Record,
    detail: &Value,
    about: &About,
    version: &str,
) -> Vec<(Class, Value)> {
    let events = Events { record, detail, about, version };
    match record.action {
        CustodyAction::Received => {
            let opened = (record.seq == 0).then(|| events.incident(1, "Create"));
            opened.into_iter().chain(events.alert()).collect()
        }
        CustodyAction::Decided => events.decision().into_iter().collect(),
        CustodyAction::Changed => vec![events.change(1, "Success")],
        CustodyAction::ChangeFailed | CustodyAction::ChangeRefused => {
            vec![events.change(2, "Failure")]
        }
        CustodyAction::ChangeDoubted => vec![events.change(0, "Unknown")],
        _ => Vec::new(),
    }
}

struct Events<'a> {
    record: &'a Record,
    detail: &'a Value,
    about: &'a About,
    version: &'a str,
}

impl Events<'_> {
    /// What every event has.
    fn event(
        &self,
        class: Class,
        (activity, activity_name): (u32, &str),
        severity: Severity,
    ) -> Map<String, Value> {
        let (class_uid, class_name, category_uid, category_name) = class.named();
        let Record { incident, seq, at, .. } = self.record;
        let mut metadata = json!({
            "version": VERSION, "uid": format!("{incident}/{seq}/{class_uid}"),
            "correlation_uid": incident, "logged_time": at.millis(),
            "product": {"name": "Stanch", "vendor_name": "Stanch", "version": self.version},
        });
        if let Some(members) = metadata.as_object_mut().filter(|_| self.about.is_sample) {
            members.insert("labels".to_owned(), json!(["sample"]));
        }
        let event = json!({
            "class_uid": class_uid, "class_name": class_name,
            "category_uid": category_uid, "category_name": category_name,
            "activity_id": activity, "activity_name": activity_name,
            "type_uid": class_uid * 100 + activity, "type_name": format!("{class_name}: {activity_name}"),
            "severity_id": severity_id(severity), "severity": severity_name(severity),
            "time": at.millis(), "metadata": metadata,
        });
        match event {
            Value::Object(members) => members,
            _ => Map::new(),
        }
    }

    fn alert(&self) -> Option<(Class, Value)> {
        let id: AlertId = self.detail.get("alert")?.as_str()?.parse().ok()?;
        let (_, came_at, alert) = self.about.alerts.iter().find(|(known, ..)| *known == id)?;
        let again = self.record.at > *came_at;
        let activity = match alert.status {
            AlertStatus::Active if !again => (1, "Create"),
            AlertStatus::Active => (2, "Update"),
            AlertStatus::Resolved | AlertStatus::Suppressed => (3, "Close"),
        };
        let mut event = self.event(Class::DetectionFinding, activity, alert.severity);
        let (status_id, status) = match alert.status {
            AlertStatus::Active => (1, "New"),
            AlertStatus::Suppressed => (3, "Suppressed"),
            AlertStatus::Resolved => (4, "Resolved"),
        };
        let resources = alert.resources.iter().map(|it| {
            without_nulls(json!({
                "uid": it.arn.as_ref().unwrap_or(&it.id), "type": it.kind, "name": it.name,
                "region": alert.region,
                "owner": alert.account.as_ref().map(|uid| json!({"account": {"uid": uid}})),
            }))
        });
        let more = json!({
            "message": alert.title, "status_id": status_id, "status": status,
            "is_alert": alert.status == AlertStatus::Active, "count": alert.count,
            "finding_info": without_nulls(json!({
                "uid": alert.id, "title": alert.title, "desc": alert.description, "types": [alert.kind],
                "data_sources": [alert.source], "src_url": alert.url,
                "created_time": alert.detected_at.map(Timestamp::millis),
                "modified_time": alert.updated_at.map(Timestamp::millis),
                "first_seen_time": alert.occurred_at.map(Timestamp::millis),
            })),
            "resources": resources.collect::<Vec<_>>(),
            "evidences": alert.actor.as_ref().map(|actor| json!([without_nulls(json!({
                "actor": actor.user.as_ref().map(|name| json!({"user": {"name": name}})),
                "src_endpoint": actor.ip.as_ref().map(|ip| json!({"ip": ip})),
            }))])),
        });
        add(&mut event, more);
        self.place(&mut event, alert.account.as_deref(), alert.region.as_deref());
        Some((Class::DetectionFinding, Value::Object(event)))
    }

    /// What people or rules decided about the incident.
    fn decision(&self) -> Option<(Class, Value)> {
        let word = self.detail.get("decision")?.as_str()?;
        let activity = match word {
            "close" => (3, "Close"),
            "verdict" | "reopen" | "merge" | "split" | "attach" | "detach" | "milestone" => {
                (2, "Update")
            }
            _ => return None,
        };
        Some(self.incident(activity.0, activity.1))
    }

    fn incident(&self, activity: u32, name: &str) -> (Class, Value) {
        let about = self.about;
        let mut event = self.event(Class::IncidentFinding, (activity, name), about.severity);
        let (status_id, status) = match (about.status, &about.assignee) {
            (IncidentStatus::Closed, _) => (5, "Closed"),
            (IncidentStatus::Open, None) => (1, "New"),
            (IncidentStatus::Open | IncidentStatus::Contained, _) => (2, "In Progress"),
        };
        let (verdict_id, verdict) = match about.verdict {
            Some(Verdict::FalsePositive) => (Some(1), Some("False Positive")),
            Some(Verdict::TruePositive) => (Some(2), Some("True Positive")),
            Some(Verdict::BenignPositive) => (Some(5), Some("Benign")),
            None => (None, None),
        };
        let list = about.alerts.iter().take(LISTED).map(
            |(_, _, alert)| json!({"uid": alert.id, "title": alert.title, "types": [alert.kind]}),
        );
        let mut list: Vec<_> = list.collect();
        if list.is_empty() {
            list.push(json!({"uid": about.id, "title": about.title}));
        }
        let group = about.assignee.is_none().then(|| json!({"name": "responder"}));
        let more = json!({
            "message": about.title, "desc": about.title, "status_id": status_id, "status": status,
            "verdict_id": verdict_id, "verdict": verdict, "comment": about.verdict_reason,
            "src_url": about.url, "finding_info_list": list,
            "assignee": about.assignee.as_ref().map(|name| json!({"name": name})),
            "assignee_group": group,
        });
        add(&mut event, more);
        self.place(&mut event, about.account.as_deref(), None);
        (Class::IncidentFinding, Value::Object(event))
    }

    fn change(&self, status_id: u32, status: &str) -> (Class, Value) {
        let detail = self.detail;
        let text = |path: &str| detail.pointer(path).and_then(Value::as_str);
        let operation = text("/operation").or_else(|| text("/input/operation"));
        let operation = operation.or_else(|| text("/action")).unwrap_or("change");
        let class = Class::RemediationActivity;
        // The schema's activities are tactics of D3FEND, which a call alone does not tell.
        let mut event = self.event(class, (99, operation), self.about.severity);
        let more = json!({
            "message": format!("{operation} by {}", self.record.actor),
            "command_uid": format!("{}/{}", self.record.incident, self.record.seq),
            "remediation": {"desc": operation},
            "status_id": status_id, "status": status, "status_code": text("/error/code"),
            "status_detail": text("/error/message"),
        });
        add(&mut event, more);
        self.place(&mut event, text("/account").or(self.about.account.as_deref()), text("/region"));
        (class, Value::Object(event))
    }

    /// The profile that says where.
    fn place(&self, event: &mut Map<String, Value>, account: Option<&str>, region: Option<&str>) {
        let Some(account) = account else { return };
        let cloud = json!({
            "provider": "AWS", "region": region,
            "account": {"uid": account, "type_id": 10, "type": "AWS Account"},
        });
        event.insert("cloud".to_owned(), without_nulls(cloud));
        if let Some(Value::Object(metadata)) = event.get_mut("metadata") {
            metadata.insert("profiles".to_owned(), json!(["cloud"]));
        }
    }
}

fn add(event: &mut Map<String, Value>, more: Value) {
    if let Value::Object(more) = without_nulls(more) {
        event.extend(more);
    }
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().filter(|(_, value)| !value.is_null()).collect())
        }
        other => other,
    }
}

const fn severity_id(severity: Severity) -> u32 {
    match severity {
        Severity::Informational => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Informational => "Informational",
        Severity::Low => "Low",
        Severity::Medium => "Medium",
        Severity::High => "High",
        Severity::Critical => "Critical",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::tests::alert;
    use crate::digest::Sha256;

    fn record(seq: u64, action: CustodyAction, detail: Value) -> (Record, Value) {
        let record = Record {
            incident: id(),
            seq,
            at: came_at().plus_ms(i64::try_from(seq).unwrap()),
            actor: "mia".into(),
            action,
            item: None,
            detail_sha256: None,
            detail: None,
            prev: Sha256::ZERO,
        };
        (record, detail)
    }

    fn came_at() -> Timestamp {
        Timestamp::from_micros(1_795_489_512_000_000)
    }

    fn id() -> IncidentId {
        IncidentId::new(Timestamp::default(), 1)
    }

    fn alert_id() -> AlertId {
        AlertId::new(Timestamp::default(), 2)
    }

    fn about() -> About {
        About {
            id: id(),
            title: "a key is used".into(),
            severity: Severity::High,
            status: IncidentStatus::Open,
            account: Some("111122223333".into()),
            verdict: None,
            verdict_reason: None,
            assignee: None,
            is_sample: false,
            url: "http://stanch/incidents/1".into(),
            alerts: vec![(alert_id(), came_at(), alert())],
        }
    }

    /// What the schema requires of every event.
    fn is_whole(event: &Value) {
        for name in [
            "activity_id",
            "category_uid",
            "class_uid",
            "metadata",
            "severity_id",
            "time",
            "type_uid",
        ] {
            assert!(!event[name].is_null(), "{name}: {event}");
        }
        let number = |name: &str| event[name].as_u64().unwrap();
        assert_eq!(number("type_uid"), number("class_uid") * 100 + number("activity_id"));
        assert_eq!(number("class_uid") / 1_000, number("category_uid"));
        assert_eq!(event["metadata"]["version"], VERSION);
        assert!(event["metadata"]["product"]["vendor_name"].is_string());
        assert!(event["time"].as_i64().unwrap() > 1_700_000_000_000, "milliseconds");
        if event["metadata"]["profiles"] == json!(["cloud"]) {
            assert!(event["cloud"]["provider"].is_string());
        }
        assert!(!event.to_string().contains("null"), "{event}");
        assert_eq!(lake::stray(event), None, "{event}");
    }

    fn of((record, detail): &(Record, Value), about: &About) -> Vec<Value> {
        let events: Vec<_> =
            events(record, detail, about, "1.0.0").into_iter().map(|(_, it)| it).collect();
        events.iter().for_each(is_whole);
        events
    }

    #[test]
    fn the_first_alert_is_an_incident_and_a_finding() {
        let received = record(0, CustodyAction::Received, json!({"alert": alert_id()}));
        let told = of(&received, &about());
        assert_eq!(told.len(), 2);
        let (incident, finding) = (&told[0], &told[1]);
        assert_eq!((&incident["class_uid"], &incident["status_id"]), (&json!(2005), &json!(1)));
        assert!(incident["finding_info_list"][0]["uid"].is_string());
        assert!(incident["assignee"].is_object() != incident["assignee_group"].is_object());
        assert_eq!((&finding["class_uid"], &finding["activity_id"]), (&json!(2004), &json!(1)));
        assert_eq!(finding["finding_info"]["uid"], "f1");
        assert!(finding["finding_info"]["title"].is_string());
        assert_eq!(finding["resources"][0]["type"], "AwsIamAccessKey");
        assert_ne!(incident["metadata"]["uid"], finding["metadata"]["uid"]);
        let again = record(4, CustodyAction::Received, json!({"alert": alert_id()}));
        assert_eq!(of(&again, &about())[0]["activity_id"], 2);
        let mut over = about();
        over.alerts[0].2.status = AlertStatus::Resolved;
        let received = record(5, CustodyAction::Received, json!({"alert": alert_id()}));
        assert_eq!(of(&received, &over)[0]["status_id"], 4);
    }

    #[test]
    fn a_verdict_and_the_end_are_told_of_the_incident() {
        let judged = About {
            verdict: Some(Verdict::FalsePositive),
            verdict_reason: Some("a scanner".into()),
            status: IncidentStatus::Closed,
            assignee: Some("mia".into()),
            ..about()
        };
        let closed = record(3, CustodyAction::Decided, json!({"decision": "close"}));
        let told = &of(&closed, &judged)[0];
        assert_eq!(
            (&told["activity_id"], &told["status_id"], &told["verdict_id"]),
            (&json!(3), &json!(5), &json!(1))
        );
        let note = record(3, CustodyAction::Decided, json!({"decision": "note"}));
        assert!(of(&note, &judged).is_empty(), "what people say to each other is theirs");
    }

    #[test]
    fn a_change_is_a_remediation_with_its_command() {
        let detail = json!({"operation": "iam:UpdateAccessKey", "region": "us-east-1"});
        let told = &of(&record(7, CustodyAction::Changed, detail.clone()), &about())[0];
        assert_eq!((&told["class_uid"], &told["status_id"]), (&json!(7001), &json!(1)));
        assert!(told["command_uid"].as_str().unwrap().ends_with("/7"));
        assert_eq!(
            (&told["activity_name"], &told["cloud"]["region"]),
            (&json!("iam:UpdateAccessKey"), &json!("us-east-1"))
        );
        for (action, status) in [
            (CustodyAction::ChangeFailed, 2),
            (CustodyAction::ChangeRefused, 2),
            (CustodyAction::ChangeDoubted, 0),
        ] {
            assert_eq!(of(&record(8, action, detail.clone()), &about())[0]["status_id"], status);
        }
    }

    #[test]
    fn a_sample_is_labelled() {
        let sample = About { is_sample: true, ..about() };
        let received = record(0, CustodyAction::Received, json!({"alert": alert_id()}));
        assert!(
            of(&received, &sample).iter().all(|it| it["metadata"]["labels"] == json!(["sample"]))
        );
    }
}
