//! Alerts that a playbook raises: taken in as any other, and kept from raising each other for ever.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::alert::{Actor, Alert, AlertStatus, Resource};
use crate::id::RunId;
use crate::json::Json;
use crate::limits;
use crate::severity::Severity;
use crate::step::{StepError, StepKey};
use crate::time::Timestamp;

/// The source of alerts that playbooks raise, as triggers name it.
pub const SOURCE: &str = "playbook";

/// What `raise_alert` is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RaiseAlertArgs {
    /// Its type, which triggers match.
    #[serde(rename = "type")]
    pub kind: String,
    /// One line for people.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// More lines for people.
    #[serde(default)]
    pub description: Option<String>,
    /// Equal for what is the same alert: raised again, it starts nothing twice. Without one, every
    /// step raises an alert of its own.
    #[serde(default)]
    pub id: Option<String>,
    /// The account; else that of the run's alert.
    #[serde(default)]
    pub account: Option<String>,
    /// The region; else that of the run's alert.
    #[serde(default)]
    pub region: Option<String>,
    /// What it is about.
    #[serde(default)]
    pub resources: Vec<RaisedResource>,
    /// Who did it.
    #[serde(default)]
    pub actor: Option<RaisedActor>,
    /// The first malicious event.
    #[serde(default)]
    pub occurred_at: Option<Timestamp>,
    /// Where to look at it.
    #[serde(default)]
    pub url: Option<String>,
    /// Whatever else people should see of it.
    #[serde(default)]
    pub details: Value,
}

/// A thing in an account, as a playbook names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaisedResource {
    /// The ASFF name of its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its ARN.
    #[serde(default)]
    pub arn: Option<String>,
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// Who did it, as a playbook names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaisedActor {
    /// The address it came from.
    #[serde(default)]
    pub ip: Option<String>,
    /// The identity that was used.
    #[serde(default)]
    pub user: Option<String>,
    /// The program that was used.
    #[serde(default)]
    pub user_agent: Option<String>,
}

/// The run that raised an alert, as the alert remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaisedBy {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepKey,
    /// The playbook, which is not started by what it raises itself.
    pub playbook: String,
    /// How many alerts that runs raised lead to this one, itself included.
    pub depth: u32,
}

/// What the run knows that raises an alert.
#[derive(Clone, Debug)]
pub struct Raiser<'a> {
    /// Who it is.
    pub by: RaisedBy,
    /// The account of the run's own alert.
    pub account: Option<&'a str>,
    /// Its region.
    pub region: Option<&'a str>,
    /// Whether that is a detector's sample: then so is this.
    pub is_sample: bool,
    /// When the step began.
    pub at: Timestamp,
}

impl RaiseAlertArgs {
    /// The alert.
    ///
    /// # Errors
    /// When it would be one too many in a chain of alerts that raise each other.
    pub fn alert(self, raiser: Raiser<'_>) -> Result<Alert, StepError> {
        let Raiser { by, account, region, is_sample, at } = raiser;
        if by.depth > limits::RAISE_DEPTH {
            let message = format!(
                "this run was started by an alert that a run raised, {} times over: it is taken for a loop",
                limits::RAISE_DEPTH
            );
            return Err(StepError::denied("alert_loop", message));
        }
        let mark = if is_sample && !self.title.starts_with("[SAMPLE]") { "[SAMPLE] " } else { "" };
        let id = self.id.unwrap_or_else(|| format!("{}/{}", by.run, by.step));
        let account = self.account.or(account.map(str::to_owned));
        let region = self.region.or(region.map(str::to_owned));
        let place = |place: &Option<String>| place.clone().unwrap_or_else(|| "-".to_owned());
        let dedup_key = format!("{SOURCE}:{id}:{}:{}", place(&account), place(&region));
        let resources = self.resources.into_iter().map(|resource| {
            let RaisedResource { kind, id, arn, name, tags } = resource;
            Resource { kind, id, arn, name, tags }
        });
        let actor = self.actor.map(|actor| {
            let RaisedActor { ip, user, user_agent } = actor;
            Actor { ip, user, user_agent }
        });
        Ok(Alert {
            source: SOURCE.to_owned(),
            id,
            dedup_key,
            kind: self.kind,
            title: format!("{mark}{}", self.title),
            description: self.description,
            severity: self.severity,
            severity_score: self.severity.least_score(),
            account,
            region,
            resources: resources.collect(),
            actor,
            occurred_at: self.occurred_at,
            detected_at: Some(at),
            updated_at: Some(at),
            count: Some(1),
            status: AlertStatus::Active,
            url: self.url,
            raw: Json::of(&json!({"raised_by": by, "details": self.details})),
        })
    }
}

impl Alert {
    /// The run that raised it, if one did.
    pub fn raised_by(&self) -> Option<RaisedBy> {
        if self.source != SOURCE {
            return None;
        }
        serde_json::from_value(self.raw.value().get_mut("raised_by")?.take()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raiser(depth: u32) -> Raiser<'static> {
        let run = RunId::new(Timestamp::from_micros(5), 7);
        let by = RaisedBy { run, step: "3".into(), playbook: "hunt".into(), depth };
        let at = Timestamp::from_micros(9);
        Raiser { by, account: Some("111122223333"), region: None, is_sample: false, at }
    }

    fn args(more: Value) -> RaiseAlertArgs {
        let mut args = json!({"type": "Hunt:IAMUser/Found", "title": "found", "severity": "high"});
        args.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(args).unwrap()
    }

    #[test]
    fn it_is_an_alert_about_the_runs_account_and_remembers_its_run() {
        let alert = args(json!({"resources": [{"type": "AwsIamUser", "id": "ann"}]}));
        let alert = alert.alert(raiser(1)).unwrap();
        assert_eq!(alert.account.as_deref(), Some("111122223333"));
        assert_eq!(alert.severity_score, 70);
        assert_eq!(alert.raised_by().unwrap(), raiser(1).by);
        assert_eq!(
            alert,
            args(json!({"resources": [{"type": "AwsIamUser", "id": "ann"}]}))
                .alert(raiser(1))
                .unwrap()
        );
    }

    #[test]
    fn an_id_makes_it_the_same_alert_in_every_run() {
        let key = |more, step: &str| {
            let mut raiser = raiser(1);
            raiser.by.step = step.into();
            args(more).alert(raiser).unwrap().dedup_key
        };
        assert_eq!(key(json!({"id": "ann"}), "1"), key(json!({"id": "ann"}), "2"));
        assert_ne!(key(json!({}), "1"), key(json!({}), "2"));
    }

    #[test]
    fn a_chain_that_is_too_long_is_a_loop() {
        assert!(args(json!({})).alert(raiser(limits::RAISE_DEPTH)).is_ok());
        let error = args(json!({})).alert(raiser(limits::RAISE_DEPTH + 1)).unwrap_err();
        assert_eq!(error.code, "alert_loop");
    }

    #[test]
    fn what_a_sample_leads_to_is_a_sample() {
        let raiser = Raiser { is_sample: true, ..raiser(1) };
        assert!(args(json!({})).alert(raiser).unwrap().is_sample());
    }

    #[test]
    fn nobody_else_can_say_that_a_run_raised_it() {
        let alert = args(json!({})).alert(raiser(1)).unwrap();
        assert_eq!(Alert { source: "guardduty".into(), ..alert }.raised_by(), None);
    }
}
