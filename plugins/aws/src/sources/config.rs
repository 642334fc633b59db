//! AWS Config: changes of compliance and of resources, in EventBridge's events, in SNS's messages
//! and in what a rule's function is called with
//! (<https://docs.aws.amazon.com/config/latest/developerguide/notifications-for-AWS-Config.html>).
//!
//! Config has no severity: not compliant is medium, everything else is informational. Compliant
//! again is resolved. What says only that Config did its work is no alert.

mod item;

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus, Resource};
use stanch_plugins_sdk::core::dense;
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{at, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

use super::event::{Event, account};
use super::kind;
use stanch_plugins_sdk::payload::arn;

const NAME: &str = "config";

/// AWS Config.
pub(crate) struct Config;

impl Source for Config {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let event = Event::of(payload);
        let of_rule =
            payload.get("invokingEvent").is_some() && payload.get("configRuleName").is_some();
        of_rule || message_type(event.detail).is_some_and(|kind| is_mine(&kind))
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        vec![match payload.get("invokingEvent") {
            Some(invoking) => of_rule(payload, invoking, around),
            None => {
                let event = Event::of(payload);
                read(event.detail, &Told { event, rule: None, around })
            }
        }]
    }
}

/// What is known of a message beside what it says.
struct Told<'v> {
    event: Event<'v>,
    /// The function's payload, where it was called for a rule.
    rule: Option<&'v Value>,
    around: &'v Around,
}

impl Told<'_> {
    fn account(&self, value: &Value, arn: Option<&str>) -> Option<String> {
        ["awsAccountId", "accountId"]
            .iter()
            .find_map(|name| account(value, &[name]))
            .or_else(|| account(self.rule?, &["accountId"]))
            .or_else(|| self.event.account(&["awsAccountId"], arn, self.around))
    }

    fn region(&self, value: &Value, arn: Option<&str>) -> Option<String> {
        let rule = self.rule.and_then(|rule| text(rule, &["configRuleArn"]));
        text(value, &["awsRegion"])
            .or_else(|| self.event.region(&["awsRegion"], arn, self.around))
            .or_else(|| arn::Arn::parse(rule.as_deref()?)?.region())
    }
}

fn message_type(message: &Value) -> Option<String> {
    text(message, &["messageType"])
}

/// Other services have a `messageType` too.
fn is_mine(kind: &str) -> bool {
    kind == "ScheduledNotification"
        || ["Compliance", "Configuration", "OversizedConfiguration", "ConfigRule", "ConfigExport"]
            .iter()
            .any(|start| kind.starts_with(start))
}

/// A rule's function is called with the message as text.
fn of_rule(payload: &Value, invoking: &Value, around: &Around) -> Result<Alert, SourceError> {
    let bad = || SourceError::Member { path: "invokingEvent".to_owned(), expected: "JSON as text" };
    let message = match invoking {
        Value::String(text) => match dense::refusal(text.as_bytes()) {
            Some(why) => return Err(SourceError::Refused(why)),
            None => serde_json::from_str(text).map_err(|_| bad())?,
        },
        Value::Object(_) => invoking.clone(),
        _ => return Err(bad()),
    };
    read(&message, &Told { event: Event::of(payload), rule: Some(payload), around })
}

fn read(message: &Value, told: &Told<'_>) -> Result<Alert, SourceError> {
    let kind = message_type(message).ok_or_else(|| told.event.missing("messageType", "a text"))?;
    match kind.as_str() {
        "ComplianceChangeNotification" => compliance(message, told),
        "ConfigurationItemChangeNotification" | "OversizedConfigurationItemChangeNotification" => {
            item::read(message, told)
        }
        kind if kind.ends_with("Failed") => failed(message, kind, told),
        kind => Err(SourceError::Refused(format!(
            "a {kind} of AWS Config says that Config did its work, not that anything is wrong"
        ))),
    }
}

fn compliance(message: &Value, told: &Told<'_>) -> Result<Alert, SourceError> {
    let needed =
        |name: &str| text(message, &[name]).ok_or_else(|| told.event.missing(name, "a text"));
    let (rule, kind, id) =
        (needed("configRuleName")?, needed("resourceType")?, needed("resourceId")?);
    let result = |name: &str| text(message, &["newEvaluationResult", name]);
    let now = result("complianceType")
        .ok_or_else(|| told.event.missing("newEvaluationResult.complianceType", "a text"))?;
    let recorded = at(message, &["newEvaluationResult", "resultRecordedTime"]).and_then(time);
    let notified = at(message, &["notificationCreationTime"]).and_then(time);
    let (severity, status) = match now.as_str() {
        "NON_COMPLIANT" => (Severity::Medium, AlertStatus::Active),
        "INSUFFICIENT_DATA" => (Severity::Informational, AlertStatus::Active),
        _ => (Severity::Informational, AlertStatus::Resolved),
    };
    let arn = text(message, &["configRuleARN"]);
    let draft = Draft {
        title: Some(format!("{id} is {now} with {rule}")),
        description: result("annotation"),
        severity,
        account: told.account(message, arn.as_deref()),
        region: told.region(message, arn.as_deref()),
        resources: vec![resource(&kind, &id)],
        detected_at: recorded.or(notified),
        updated_at: recorded.or(notified).or_else(|| told.event.time()),
        status,
        ..Draft::new(
            format!("{rule}/{kind}/{id}"),
            format!("Config Rules Compliance Change/{rule}"),
        )
    };
    draft.alert(NAME, told.event.whole)
}

/// Config could not deliver what it recorded: there is a gap in the evidence.
fn failed(message: &Value, kind: &str, told: &Told<'_>) -> Result<Alert, SourceError> {
    let id = ["configSnapshotId", "s3ObjectKey"].iter().find_map(|name| text(message, &[name]));
    let notified = at(message, &["notificationCreationTime"]).and_then(time);
    let draft = Draft {
        description: text(message, &["errorMessage"]),
        severity: Severity::Low,
        account: told.account(message, None),
        region: told.region(message, None),
        detected_at: notified,
        updated_at: notified,
        ..Draft::new(id.unwrap_or_else(|| stanch_plugins_sdk::id_of_content(message)), kind)
    };
    draft.alert(NAME, told.event.whole)
}

/// A resource by Config's names.
fn resource(kind: &str, id: &str) -> Resource {
    let arn = arn::Arn::parse(id).map(|_| id);
    // Queues are known by their address here.
    let own = id.rsplit('/').next().filter(|_| id.starts_with("https://")).unwrap_or(id);
    arn::plain(&kind::of_cloudformation(kind), arn::own_part(own), arn)
}
