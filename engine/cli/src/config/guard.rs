//! What is protected, whatever playbooks and people say.

use std::collections::BTreeMap;

use serde::Deserialize;
use stanch_engine_core::guard::limits::{self, Limits};
use stanch_engine_core::guard::own::SelfPreservation;
use stanch_engine_core::guard::pattern::ArnPattern;
use stanch_engine_core::guard::rails::{Rails, Rule};

use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;

use super::{Config, ConfigError};

/// What is protected.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Guard {
    /// Rules of one's own.
    pub protect: Vec<Protect>,
    /// Roles and users for emergencies: patterns of ARNs, or of names.
    pub break_glass: Vec<String>,
    /// Accounts in which logs are kept.
    pub log_archive_accounts: Vec<String>,
    /// Buckets in which evidence is kept, beside `evidence_bucket` of `[config]`.
    pub evidence_buckets: Vec<String>,
    /// Keys that evidence is encrypted with, as patterns of ARNs. Without any, the buckets are asked
    /// for theirs before a change to a key.
    pub evidence_keys: Vec<String>,
    /// What Stanch runs on, as patterns of ARNs: instances, services, its database.
    pub own_resources: Vec<String>,
    /// Whose the limits below are; `whoever administers Stanch` unless it is said.
    pub owner: Option<String>,
    /// How many resources may be touched at once before people are asked, in any mode.
    pub ask_above: Option<u32>,
    /// How many calls that destroy there may be in 24 hours.
    pub destroy_per_day: Option<u32>,
    /// How many calls that destroy there may be in one incident.
    pub destroy_per_incident: Option<u32>,
    /// How long a thing that another run has changed rests, unless people approve.
    pub cooldown: Option<Span>,
    /// Whether evidence must have been captured in the incident before something is destroyed.
    pub evidence_first: bool,
    /// Windows in which less is done.
    pub freeze: Vec<Freeze>,
}

/// A window in which less is done.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// What people call it.
    pub name: String,
    /// Why it is.
    pub reason: String,
    /// Whose rule it is.
    pub owner: String,
    /// From when, such as `2026-12-20T00:00:00Z`.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// In these accounts; in all when there are none.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Whether nothing is changed whoever approves; else people are asked.
    #[serde(default)]
    pub strict: bool,
}

/// Something that is protected.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protect {
    /// What people call it.
    pub name: String,
    /// Why it is.
    pub reason: String,
    /// Whose rule it is.
    pub owner: String,
    /// Resources, as patterns of ARNs.
    #[serde(default)]
    pub arns: Vec<String>,
    /// Resources with one of these tags; `*` stands for anything in a value.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Everything in these accounts.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// Everything in the accounts of these organizational units.
    #[serde(default)]
    pub ous: Vec<String>,
}

impl Config {
    /// What is wrong with the rules, if anything is.
    pub(super) fn check_guard(&self) -> Result<(), ConfigError> {
        for rule in &self.guard.protect {
            let Protect { name, arns, tags, accounts, ous, .. } = rule;
            let wrong =
                |what: &str| Err(ConfigError(format!("[[guard.protect]] `{name}`: {what}")));
            if arns.is_empty() && tags.is_empty() && accounts.is_empty() && ous.is_empty() {
                return wrong("it protects nothing: give it `arns`, `tags`, `accounts` or `ous`");
            }
            if let Some(arn) = arns.iter().find(|arn| !is_pattern(arn)) {
                let like = "arn:aws:rds:*:*:db:payments-*";
                return wrong(&format!("`{arn}` is no pattern of ARNs, such as {like}"));
            }
            if let Some(account) = accounts.iter().find(|account| !is_account(account)) {
                return wrong(&format!("`{account}` is no account: an account is 12 digits"));
            }
        }
        let Guard { evidence_keys, own_resources, .. } = &self.guard;
        for (what, arns) in [("evidence_keys", evidence_keys), ("own_resources", own_resources)] {
            if let Some(arn) = arns.iter().find(|arn| !is_pattern(arn)) {
                return Err(ConfigError(format!(
                    "`guard.{what}`: `{arn}` is no pattern of ARNs, such as \
                     arn:aws:kms:*:*:key/0123 or arn:aws:ec2:*:*:instance/i-0123"
                )));
            }
        }
        for Freeze { name, starts_at, ends_at, accounts, .. } in &self.guard.freeze {
            let wrong = |what: &str| Err(ConfigError(format!("[[guard.freeze]] `{name}`: {what}")));
            if starts_at >= ends_at {
                return wrong("it ends before it starts");
            }
            if let Some(account) = accounts.iter().find(|account| !is_account(account)) {
                return wrong(&format!("`{account}` is no account: an account is 12 digits"));
            }
        }
        match self.guard.log_archive_accounts.iter().find(|account| !is_account(account)) {
            None => Ok(()),
            Some(account) => Err(ConfigError(format!(
                "`guard.log_archive_accounts`: `{account}` is no account: an account is 12 digits"
            ))),
        }
    }

    /// How much may be done, how soon again, and when not.
    pub fn limits(&self) -> Limits {
        let guard = &self.guard;
        let freezes = guard.freeze.iter().cloned().map(|it| limits::Freeze {
            name: it.name,
            reason: it.reason,
            owner: it.owner,
            starts_at: it.starts_at,
            ends_at: it.ends_at,
            accounts: it.accounts,
            is_strict: it.strict,
        });
        let owner = || "whoever administers Stanch".to_owned();
        Limits {
            owner: guard.owner.clone().unwrap_or_else(owner),
            ask_above: guard.ask_above,
            destroy_per_day: guard.destroy_per_day,
            destroy_per_incident: guard.destroy_per_incident,
            cooldown: guard.cooldown,
            evidence_first: guard.evidence_first,
            freezes: freezes.collect(),
        }
    }

    /// Everything that is protected.
    pub fn rails(&self) -> Rails {
        let roles = self.accounts.values().flat_map(|account| {
            [&account.read_role, &account.contain_role, &account.automation_role]
        });
        let pattern = &self.aws.roles;
        let pattern = [&pattern.read, &pattern.contain, &pattern.automation];
        let roles = roles.chain(pattern).flatten().map(|role| role.replace("{account}", "*"));
        let bucket = self.config.get("evidence_bucket").and_then(|bucket| bucket.as_str());
        let store = self.bucket_settings();
        let buckets = self.guard.evidence_buckets.iter().cloned().chain(bucket.map(str::to_owned));
        let buckets = buckets.chain(store.as_ref().map(|store| store.bucket.clone()));
        let keys = store.and_then(|store| store.encryption_key);
        let keys = keys.into_iter().chain(self.signing_key().map(str::to_owned));
        let keys = keys.filter(|key| key.starts_with("arn:"));
        let own = SelfPreservation {
            roles: roles.collect(),
            own_resources: self.guard.own_resources.iter().cloned().chain(keys).collect(),
            evidence_keys: self.guard.evidence_keys.clone(),
            break_glass: self.guard.break_glass.clone(),
            log_archive_accounts: self.guard.log_archive_accounts.clone(),
            evidence_buckets: buckets.collect(),
        };
        let known = |number: &String, ou: &Option<String>| Some((number.clone(), ou.clone()?));
        let ou_of = self.accounts.iter().filter_map(|(id, account)| known(id, &account.ou));
        let tags_of = self.accounts.iter().map(|(id, account)| {
            (id.clone(), account.tags.clone().into_iter().collect::<Vec<_>>())
        });
        let rules = self.guard.protect.iter().map(Protect::rule).collect();
        Rails::new(&own, rules, ou_of.collect(), tags_of.collect())
    }
}

impl Protect {
    fn rule(&self) -> Rule {
        Rule {
            name: self.name.clone(),
            reason: self.reason.clone(),
            owner: self.owner.clone(),
            arns: self.arns.iter().map(|arn| ArnPattern::new(arn)).collect(),
            tags: self.tags.clone().into_iter().collect(),
            accounts: self.accounts.clone(),
            ous: self.ous.clone(),
            ..Rule::default()
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_pattern(text: &str) -> bool {
    text.starts_with("arn:")
        && text.splitn(6, ':').filter(|part| !part.is_empty()).count() >= 4
        && text.splitn(6, ':').nth(5).is_some_and(|resource| !resource.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    #[test]
    fn a_rule_that_protects_nothing_is_an_error_that_names_it() {
        let rule = "[[guard.protect]]\nname = \"shop\"\nreason = \"r\"\nowner = \"o\"\n";
        for (more, said) in [
            ("", "protects nothing"),
            ("arns = [\"payments\"]", "`payments` is no pattern"),
            ("accounts = [\"42\"]", "12 digits"),
            ("tag = \"x\"", "tag"),
        ] {
            let error = load(&format!("{rule}{more}"), &[]).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        let config = load(&format!("{rule}arns = [\"arn:aws:s3:::shop\"]"), &[]).unwrap();
        assert_eq!(config.guard.protect[0].name, "shop");
        let error = load("[guard]\nlog_archive_accounts = [\"x\"]", &[]).unwrap_err().to_string();
        assert!(error.contains("log_archive_accounts"), "{error}");
        for key in ["evidence_keys", "own_resources"] {
            let error = load(&format!("[guard]\n{key} = [\"x\"]"), &[]).unwrap_err().to_string();
            assert!(error.contains(key) && error.contains("no pattern of ARNs"), "{error}");
        }
    }
}
