//! An alert while a source puts it together.

use serde_json::Value;
use stanch_engine_core::alert::{Actor, Alert, AlertStatus, Resource};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::json::Json;
use stanch_engine_core::limits;
use stanch_engine_core::severity::Severity;
use stanch_engine_core::time::Timestamp;

use crate::SourceError;

/// What a source knows of an alert so far. [`Draft::alert`] makes it one.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The detector's own id.
    pub id: String,
    /// The detector's type.
    pub kind: String,
    /// One line for people; the type where the sender has none.
    pub title: Option<String>,
    /// More lines for people.
    pub description: Option<String>,
    /// The label.
    pub severity: Severity,
    /// The score; the lowest of the label where the sender has only the word.
    pub severity_score: Option<u8>,
    /// The AWS account.
    pub account: Option<String>,
    /// The AWS region.
    pub region: Option<String>,
    /// What it is about.
    pub resources: Vec<Resource>,
    /// Who did it.
    pub actor: Option<Actor>,
    /// The first malicious event.
    pub occurred_at: Option<Timestamp>,
    /// When the detector made it.
    pub detected_at: Option<Timestamp>,
    /// When the detector last changed it.
    pub updated_at: Option<Timestamp>,
    /// How often the detector saw it.
    pub count: Option<u64>,
    /// Whether it still holds.
    pub status: AlertStatus,
    /// Where to look at it.
    pub url: Option<String>,
}

impl Draft {
    /// A draft that knows nothing but what it is.
    pub fn new(id: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind: kind.into(),
            title: None,
            description: None,
            severity: Severity::Informational,
            severity_score: None,
            account: None,
            region: None,
            resources: Vec::new(),
            actor: None,
            occurred_at: None,
            detected_at: None,
            updated_at: None,
            count: None,
            status: AlertStatus::Active,
            url: None,
        }
    }

    /// The alert. Its key is the source, the detector's id, the account and the region, so that
    /// the same finding has the same key by whichever way it comes.
    ///
    /// # Errors
    /// [`SourceError`] when a name is longer than the database can look up.
    pub fn alert(self, source: &str, raw: &Value) -> Result<Alert, SourceError> {
        let id = fits("id", clean(self.id))?;
        let kind = fits("type", clean(self.kind))?;
        let account = self.account.map(|it| fits("account", clean(it))).transpose()?;
        let region = self.region.map(|it| fits("region", clean(it))).transpose()?;
        let part = |part: &Option<String>| part.clone().unwrap_or_default();
        let score = self.severity_score.unwrap_or(self.severity.least_score());
        Ok(Alert {
            source: source.to_owned(),
            dedup_key: key(format!("{source}:{id}:{}:{}", part(&account), part(&region))),
            title: self.title.as_deref().and_then(line).unwrap_or_else(|| kind.clone()),
            description: self.description.map(clean).filter(|text| !text.trim().is_empty()),
            severity: self.severity,
            severity_score: score.clamp(self.severity.least_score(), self.severity.most_score()),
            resources: resources(self.resources)?,
            actor: self.actor.and_then(actor),
            occurred_at: self.occurred_at,
            detected_at: self.detected_at,
            updated_at: self.updated_at,
            count: self.count,
            status: self.status,
            url: self.url.map(clean),
            raw: Json::canonical_exact(raw),
            id,
            kind,
            account,
            region,
        })
    }
}

/// An id for what has none of its own: the hash of what it says, so that the same again is the
/// same.
pub fn id_of_content(value: &Value) -> String {
    // `serde_json`'s map is ordered by name: the same members are the same text.
    format!("sha256:{}", Sha256::of(value.to_string()))
}

/// Databases refuse NUL in text.
fn clean(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

fn line(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    let mut short: String = line.chars().take(limits::ALERT_TITLE_CHARS).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    Some(clean(short))
}

fn fits(name: &str, text: String) -> Result<String, SourceError> {
    if text.is_empty() {
        return Err(SourceError::Member { path: name.to_owned(), expected: "a text" });
    }
    if text.len() > limits::ALERT_NAME_BYTES {
        let most = limits::ALERT_NAME_BYTES;
        return Err(SourceError::Refused(format!(
            "its {name} has {} bytes, and {most} are the most that can be looked up",
            text.len()
        )));
    }
    Ok(text)
}

/// A key that is too long for an index is its hash.
fn key(key: String) -> String {
    if key.len() <= 512 { key } else { format!("sha256:{}", Sha256::of(key)) }
}

/// Each resource once, in the order of the payload.
fn resources(all: Vec<Resource>) -> Result<Vec<Resource>, SourceError> {
    let mut kept: Vec<Resource> = Vec::with_capacity(all.len().min(16));
    let mut seen = std::collections::BTreeMap::new();
    for mut resource in all {
        resource.id = fits("resource's id", clean(resource.id))?;
        resource.kind = fits("resource's type", clean(resource.kind))?;
        resource.arn = resource.arn.map(clean);
        resource.name = resource.name.map(clean);
        let place = (resource.kind.clone(), resource.id.clone());
        match seen.get(&place).and_then(|at: &usize| kept.get_mut(*at)) {
            Some(known) => complete(known, resource),
            None => {
                seen.insert(place, kept.len());
                kept.push(resource);
            }
        }
    }
    if kept.len() > limits::ALERT_RESOURCES {
        let (found, most) = (kept.len(), limits::ALERT_RESOURCES);
        return Err(SourceError::Refused(format!(
            "it names {found} resources, and {most} are the most of one alert"
        )));
    }
    Ok(kept)
}

/// What a second mention of a resource says beyond the first.
fn complete(known: &mut Resource, again: Resource) {
    known.arn = known.arn.take().or(again.arn);
    known.name = known.name.take().or(again.name);
    for (name, value) in again.tags {
        known.tags.entry(name).or_insert(value);
    }
}

fn actor(actor: Actor) -> Option<Actor> {
    let part = |part: Option<String>| part.map(clean).filter(|text| !text.trim().is_empty());
    let (ip, user) = (part(actor.ip), part(actor.user));
    let user_agent = part(actor.user_agent);
    let is_known = ip.is_some() || user.is_some() || user_agent.is_some();
    is_known.then_some(Actor { ip, user, user_agent })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resource(id: &str) -> Resource {
        let (kind, id) = ("AwsS3Bucket".to_owned(), id.to_owned());
        Resource { kind, id, arn: None, name: None, tags: Default::default() }
    }

    #[test]
    fn a_resource_that_is_named_twice_is_one() {
        let again = Resource { name: Some("b".into()), ..resource("b") };
        let draft =
            Draft { resources: vec![resource("b"), again, resource("c")], ..Draft::new("1", "t") };
        let alert = draft.alert("s", &json!({})).unwrap();
        let found: Vec<_> = alert.resources.iter().map(|r| (r.id.as_str(), &r.name)).collect();
        assert_eq!(found, [("b", &Some("b".to_owned())), ("c", &None)]);
    }

    #[test]
    fn what_no_database_takes_is_refused_or_mended() {
        let long = "x".repeat(limits::ALERT_NAME_BYTES + 1);
        assert!(Draft::new(long.clone(), "t").alert("s", &json!({})).is_err());
        assert!(Draft::new("", "t").alert("s", &json!({})).is_err());
        let named = Draft { resources: vec![resource(&long)], ..Draft::new("1", "t") };
        assert!(named.alert("s", &json!({})).is_err());
        let many = (0..=limits::ALERT_RESOURCES).map(|n| resource(&n.to_string())).collect();
        assert!(Draft { resources: many, ..Draft::new("1", "t") }.alert("s", &json!({})).is_err());
        let nul = Draft { title: Some("a\0b\nc".into()), ..Draft::new("1", "t") };
        assert_eq!(nul.alert("s", &json!({})).unwrap().title, "a\u{fffd}b");
        let key = Draft::new("y".repeat(2_000), "t").alert("s", &json!({})).unwrap().dedup_key;
        assert!(key.len() < 100 && key.starts_with("sha256:"));
    }
}
