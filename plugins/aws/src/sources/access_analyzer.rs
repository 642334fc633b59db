//! IAM Access Analyzer: what others may reach, what nobody uses, and how a preview went
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/access-analyzer-eventbridge.html>).
//!
//! It has no severity: public is high, shared with somebody outside is medium, everything else is
//! low.

use serde_json::Value;
use stanch_plugins_sdk::core::alert::{Alert, AlertStatus, Resource};
use stanch_plugins_sdk::core::severity::Severity;
use stanch_plugins_sdk::payload::{at, items, text, time};
use stanch_plugins_sdk::{Around, Draft, Source, SourceError};

use super::event::Event;
use super::kind;
use stanch_plugins_sdk::payload::arn;

const NAME: &str = "access_analyzer";

/// IAM Access Analyzer.
pub(crate) struct AccessAnalyzer;

impl Source for AccessAnalyzer {
    fn name(&self) -> &str {
        NAME
    }

    fn recognises(&self, payload: &Value) -> bool {
        let event = Event::of(payload);
        let of_analyzer = || {
            event.detail.get("analyzedAt").is_some() && event.detail.get("resourceType").is_some()
        };
        let has = |name: &str| event.detail.get(name).is_some();
        let is_known = has("resource") || has("accessPreviewId") || has("resourceType");
        event.is_from("aws.access-analyzer").unwrap_or_else(of_analyzer) && is_known
    }

    fn read(&self, payload: &Value, around: &Around) -> Vec<Result<Alert, SourceError>> {
        let event = Event::of(payload);
        let is_preview = event.detail.get("accessPreviewId").is_some();
        vec![if is_preview { preview(&event, around) } else { read(&event, around) }]
    }
}

fn read(event: &Event<'_>, around: &Around) -> Result<Alert, SourceError> {
    let detail = event.detail;
    let said = |name: &str| text(detail, &[name]);
    let id = ["id", "findingId"].iter().find_map(|name| said(name));
    let id = id.ok_or_else(|| event.missing("id", "a text"))?;
    let analyzer = said("analyzerArn").or_else(|| event.resources().next().map(str::to_owned));
    let kind = said("findingType").or_else(|| event.detail_type().map(str::to_owned));
    let kind = kind.unwrap_or_else(|| "Access Analyzer Finding".to_owned());
    let moment = |name: &str| at(detail, &[name]).and_then(time);
    let resource = said("resource");
    let about = resource.as_deref().map_or("a resource", arn::own_part);
    let draft = Draft {
        title: Some(title(detail, &kind, about)),
        description: said("error").or_else(|| principal(detail)),
        severity: severity(detail, &kind),
        account: event.account(&["accountId", "resourceOwnerAccount"], resource.as_deref(), around),
        region: event.region(&["region"], analyzer.as_deref(), around),
        resources: resource.as_deref().map(|id| named(id, detail)).into_iter().collect(),
        detected_at: moment("createdAt"),
        updated_at: moment("updatedAt").or_else(|| moment("analyzedAt")).or_else(|| event.time()),
        status: status(detail),
        ..Draft::new(id, kind)
    };
    draft.alert(NAME, event.whole)
}

fn status(detail: &Value) -> AlertStatus {
    let deleted = at(detail, &["isDeleted"]) == Some(&Value::Bool(true));
    match text(detail, &["status"]).as_deref() {
        Some("RESOLVED") => AlertStatus::Resolved,
        Some("ARCHIVED") => AlertStatus::Suppressed,
        _ if deleted => AlertStatus::Resolved,
        _ => AlertStatus::Active,
    }
}

fn is_public(detail: &Value) -> bool {
    at(detail, &["isPublic"]) == Some(&Value::Bool(true))
}

fn severity(detail: &Value, kind: &str) -> Severity {
    let is_outside = kind == "ExternalAccess" || kind == "Access Analyzer Finding";
    match (is_public(detail), is_outside) {
        (true, _) => Severity::High,
        (false, true) if at(detail, &["error"]).is_none() => Severity::Medium,
        _ => Severity::Low,
    }
}

fn title(detail: &Value, kind: &str, about: &str) -> String {
    if is_public(detail) {
        return format!("{about} is public");
    }
    match text(detail, &["error"]) {
        Some(error) => format!("{about} can't be analyzed: {error}"),
        None if at(detail, &["principal"]).is_some() => format!("{about} is open to others"),
        None => format!("{kind}: {about}"),
    }
}

/// Who may do what.
fn principal(detail: &Value) -> Option<String> {
    let who = at(detail, &["principal"]).and_then(Value::as_object)?;
    let who: Vec<_> = who.iter().map(|(kind, who)| format!("{kind} {}", plain(who))).collect();
    let actions: Vec<_> = items(detail, &["action"]).iter().filter_map(Value::as_str).collect();
    Some(format!("{}: {}", who.join(", "), actions.join(", ")))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn named(id: &str, detail: &Value) -> Resource {
    let said = text(detail, &["resourceType"]).map(|kind| kind::of_cloudformation(&kind));
    let found = arn::resource(id).unwrap_or_else(|| arn::plain("Other", id, None));
    let kind = said.filter(|kind| kind != "Other").unwrap_or(found.kind);
    Resource { kind, ..found }
}

/// A preview that somebody asked for: it says how far it is.
fn preview(event: &Event<'_>, around: &Around) -> Result<Alert, SourceError> {
    let detail = event.detail;
    let (id, status) = (event.needed("accessPreviewId")?, event.needed("status")?);
    let configured = items(detail, &["configuredResources"]).iter().filter_map(Value::as_str);
    let draft = Draft {
        title: Some(format!("an access preview is {status}")),
        description: text(detail, &["statusReason", "code"]),
        severity: if status == "FAILED" { Severity::Low } else { Severity::Informational },
        account: event.account(&["accountId"], event.resources().next(), around),
        region: event.region(&["region"], event.resources().next(), around),
        resources: configured.filter_map(arn::resource).collect(),
        detected_at: at(detail, &["createdAt"]).and_then(time),
        updated_at: event.time(),
        status: if status == "COMPLETED" { AlertStatus::Resolved } else { AlertStatus::Active },
        ..Draft::new(id, event.detail_type().unwrap_or("Access Preview State Change"))
    };
    draft.alert(NAME, event.whole)
}
