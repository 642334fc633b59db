//! `[notify]`, `[people]` and `[oncall]`: whom to tell what, and how.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use stanch_engine_core::notify::Route;
use stanch_engine_core::scope::Scope;
use stanch_engine_core::severity::Severity;
use stanch_engine_core::span::Span;
use stanch_engine_core::suggest;
use stanch_engine_runtime::people::Role;
use stanch_engine_runtime::settings::{NotifySettings, PersonSettings};
use stanch_plugins_notify::Security;

use super::{Config, ConfigError, Reference};

/// Whom to tell what, and how.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// The SNS topic of each role or person.
    pub topics: BTreeMap<String, String>,
    /// The topic of everybody else.
    pub default_topic: Option<String>,
    /// Who is paged when nobody answers, one after the other.
    pub escalate: Vec<String>,
    /// The pause until a page goes out again.
    pub repeat_every: Option<Span>,
    /// Ways to reach people, by name.
    pub channels: BTreeMap<String, ChannelConfig>,
    /// Which of them carry what, the first that fits.
    pub routes: Vec<Route>,
}

/// One way to reach people.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ChannelConfig {
    /// A topic of SNS.
    Sns {
        /// Its ARN.
        topic: String,
    },
    /// A channel of Slack.
    Slack {
        /// The bot's token.
        token: Reference,
        /// The channel's id.
        channel: String,
        /// Another address of Slack's API.
        base_url: Option<String>,
    },
    /// A service of PagerDuty.
    Pagerduty {
        /// Its integration key.
        routing_key: Reference,
        /// Another address of the Events API, such as that of another region.
        base_url: Option<String>,
    },
    /// A receiver of JSON.
    Webhook {
        /// Its address.
        url: String,
        /// What it is signed with, several while they are rotated.
        secrets: Vec<Reference>,
    },
    /// The API of Amazon SES.
    Ses {
        /// From whom: an identity that SES has verified.
        from: String,
        /// To whom, beside the people whose addresses are known.
        #[serde(default)]
        to: Vec<String>,
        /// The region of the identity.
        region: Option<String>,
        /// What SES watches deliveries by.
        configuration_set: Option<String>,
    },
    /// A server that takes mail.
    Email {
        /// Its name.
        host: String,
        /// Its port.
        port: Option<u16>,
        /// `tls`, `starttls` or `none`.
        #[serde(default)]
        security: Security,
        /// A file with certificates in PEM that are trusted, too.
        roots: Option<PathBuf>,
        /// Who signs in.
        user: Option<String>,
        /// With what.
        password: Option<Reference>,
        /// From whom.
        from: String,
        /// To whom, beside the people whose addresses are known.
        #[serde(default)]
        to: Vec<String>,
    },
}

/// A person: where they are reached, and what they may decide there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Person {
    /// Their roles in Slack and by links.
    pub roles: Vec<String>,
    /// To which accounts those reach; to all, unless it is said.
    pub accounts: Vec<String>,
    /// To which playbooks; `*` stands for anything.
    pub playbooks: Vec<String>,
    /// Up to which severity.
    pub max_severity: Option<Severity>,
    /// Their id in Slack, such as `U0123456789`.
    pub slack: Option<String>,
    /// Their address.
    pub email: Option<String>,
    /// Their id in PagerDuty.
    pub pagerduty: Option<String>,
}

/// A duty that people are paged for as `oncall:NAME`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Duty {
    /// Who has it, and who has it when PagerDuty can't be asked.
    pub people: Vec<String>,
    /// The schedule of PagerDuty that says who has it.
    pub pagerduty_schedule: Option<String>,
    /// A key of its REST API that may read.
    pub pagerduty_token: Option<Reference>,
    /// Another address of its REST API, such as that of another region.
    pub base_url: Option<String>,
}

impl Person {
    fn scope(&self) -> Scope {
        Scope {
            accounts: self.accounts.clone(),
            playbooks: self.playbooks.clone(),
            max_severity: self.max_severity,
        }
    }
}

impl Config {
    /// What the runtime is told.
    pub(crate) fn notify_settings(&self) -> NotifySettings {
        let topic = |(name, channel): (&String, &ChannelConfig)| match channel {
            ChannelConfig::Sns { topic } => Some((name.clone(), topic.clone())),
            _ => None,
        };
        let person = |person: &Person| PersonSettings {
            roles: person.roles.clone(),
            scope: person.scope(),
            slack: person.slack.clone(),
            email: person.email.clone(),
            pagerduty: person.pagerduty.clone(),
        };
        let notify = &self.notify;
        NotifySettings {
            topics: notify.topics.clone(),
            default_topic: notify.default_topic.clone(),
            escalate: notify.escalate.clone(),
            repeat_every: notify.repeat_every,
            routes: notify.routes.clone(),
            topic_channels: notify.channels.iter().filter_map(topic).collect(),
            on_call: self.oncall.iter().map(|(n, duty)| (n.clone(), duty.people.clone())).collect(),
            people: self.people.iter().map(|(n, who)| (n.clone(), person(who))).collect(),
        }
    }

    /// Whether anybody can be told anything.
    pub fn reaches_somebody(&self) -> bool {
        let notify = &self.notify;
        notify.default_topic.is_some() || !notify.topics.is_empty() || !notify.routes.is_empty()
    }

    /// # Errors
    /// [`ConfigError`] names the key.
    pub(super) fn check_notify(&self) -> Result<(), ConfigError> {
        let notify = &self.notify;
        let error = |text: String| Err(ConfigError(text));
        for (at, route) in notify.routes.iter().enumerate() {
            let number = at + 1;
            if route.channels.is_empty() {
                return error(format!("[[notify.routes]] {number} names no `channels`"));
            }
            let missing = route.channels.iter().find(|name| !notify.channels.contains_key(*name));
            if let Some(name) = missing {
                let names = notify.channels.keys().map(String::as_str);
                let hint = suggest::hint(name, names);
                return error(format!(
                    "[[notify.routes]] {number}: there is no channel `{name}`{hint}: describe it \
                     under [notify.channels.{name}]"
                ));
            }
        }
        // What no route fits would go nowhere, and that must not first be seen at night.
        let is_open = |route: &Route| route.is_open() && !route.and_on;
        if !notify.routes.is_empty()
            && notify.default_topic.is_none()
            && !notify.routes.last().is_some_and(is_open)
        {
            let why = "the last of [[notify.routes]] must have no conditions, or `default_topic` be \
                       set: what no route fits would reach nobody";
            return error(why.to_owned());
        }
        self.check_people()
    }

    fn check_people(&self) -> Result<(), ConfigError> {
        let known = Role::ALL.map(Role::as_str);
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, person) in &self.people {
            let mut written = person.roles.iter().filter(|role| !self.roles.contains_key(*role));
            let slip = written.find_map(|r| Some((r, suggest::slip(r, known)?)));
            if let Some((written, meant)) = slip {
                let why = format!("[people.{name}] `{written}`: did you mean `{meant}`?");
                return Err(ConfigError(why));
            }
            if let Err(why) = person.scope().check() {
                return Err(ConfigError(format!("[people.{name}] `accounts`: {why}")));
            }
            let ids = [("slack", &person.slack), ("pagerduty", &person.pagerduty)];
            for (key, id) in ids.into_iter().filter_map(|(key, id)| Some((key, id.as_deref()?))) {
                if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric()) {
                    return Err(ConfigError(format!(
                        "[people.{name}] `{key}` must be an id, such as U0123456789, and no name"
                    )));
                }
                // Two people with one account would be one voice that counts twice.
                if let Some(other) = seen.insert(id, name) {
                    return Err(ConfigError(format!(
                        "[people.{name}] `{key}`: `{id}` is {other}'s already"
                    )));
                }
            }
        }
        for (duty, who) in &self.oncall {
            if who.pagerduty_schedule.is_some() != who.pagerduty_token.is_some() {
                return Err(ConfigError(format!(
                    "[oncall.{duty}] `pagerduty_schedule` and `pagerduty_token` go together"
                )));
            }
            if who.pagerduty_schedule.is_none() && who.people.is_empty() {
                return Err(ConfigError(format!(
                    "[oncall.{duty}] names nobody: give it `people` or a `pagerduty_schedule`"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    const SLACK: &str =
        "[notify.channels.ops]\nkind = \"slack\"\ntoken = \"env:T\"\nchannel = \"C1\"\n";

    #[test]
    fn channels_routes_and_people_are_read() {
        let text = format!(
            "{SLACK}[notify.channels.topic]\nkind = \"sns\"\ntopic = \"arn:aws:sns:us-east-1:1:t\"\n\
             [[notify.routes]]\nseverity = \"high\"\nduring = \"* 9-17 * * MON-FRI\"\n\
             zone = \"Europe/Berlin\"\nchannels = [\"ops\", \"topic\"]\n\
             [[notify.routes]]\nchannels = [\"ops\"]\n\
             [people.mia]\nslack = \"U1\"\nroles = [\"responder\", \"incident-lead\"]\n\
             accounts = [\"111122223333\"]\nplaybooks = [\"iam-*\"]\nmax_severity = \"high\"\n\
             [oncall.first]\npeople = [\"mia\"]\n"
        );
        let settings = load(&text, &[]).unwrap().notify_settings();
        assert_eq!(settings.routes.len(), 2);
        assert_eq!(settings.topic_channels["topic"], "arn:aws:sns:us-east-1:1:t");
        assert_eq!(settings.people["mia"].slack.as_deref(), Some("U1"));
        assert_eq!(settings.people["mia"].scope.playbooks, ["iam-*"]);
        assert_eq!(settings.on_call["first"], ["mia"]);
    }

    #[test]
    fn what_can_not_be_is_named() {
        let route = "[[notify.routes]]\nchannels = [\"ops\"]\n";
        for (text, word) in [
            ("[[notify.routes]]\nchannels = []".to_owned(), "names no `channels`"),
            (format!("{SLACK}[[notify.routes]]\nchannels = [\"op\"]"), "did you mean `ops`"),
            (format!("{SLACK}{route}severity = \"high\""), "no conditions"),
            (format!("{SLACK}{route}and_on = true"), "no conditions"),
            (format!("{SLACK}{route}zone = \"Berlin\""), "time zone"),
            (format!("{SLACK}{route}during = \"9-17\""), "cron"),
            (format!("{SLACK}colour = \"red\""), "colour"),
            ("[notify.channels.x]\nkind = \"pigeon\"".to_owned(), "pigeon"),
            ("[people.mia]\nslack = \"@mia\"".to_owned(), "must be an id"),
            ("[people.mia]\nslack = \"U1\"\n[people.lea]\nslack = \"U1\"".to_owned(), "already"),
            ("[people.mia]\nroles = [\"respnder\"]".to_owned(), "responder"),
            ("[people.mia]\naccounts = [\"42\"]".to_owned(), "12 digits"),
            ("[oncall.x]\npagerduty_schedule = \"P1\"".to_owned(), "go together"),
            ("[oncall.x]".to_owned(), "names nobody"),
        ] {
            let error = load(&text, &[]).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
