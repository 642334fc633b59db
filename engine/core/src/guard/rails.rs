//! What is protected, whatever a playbook or a person who approves it says.

use std::collections::BTreeMap;

use wildmatch::WildMatch;

use super::own::{self, SelfPreservation};
use super::pattern::{ArnPattern, holds};
use super::target::{Surveyed, Targets, Wants};
use crate::step::StepError;

/// The code of a refusal.
pub const PROTECTED: &str = "protected";

/// The code of a refusal because what must be known could not be read.
pub const UNKNOWN: &str = "protection_unknown";

/// Something that is protected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// What people call it.
    pub name: String,
    /// Why it is.
    pub reason: String,
    /// Whose rule it is.
    pub owner: String,
    /// Resources.
    pub arns: Vec<ArnPattern>,
    /// Resources with one of these tags; `*` stands for anything in a value.
    pub tags: Vec<(String, String)>,
    /// Everything in these accounts.
    pub accounts: Vec<String>,
    /// Everything in the accounts of these organizational units.
    pub ous: Vec<String>,
    /// Whether something new may be added all the same.
    pub takes_additions: bool,
    /// Whether it is built in.
    pub is_built_in: bool,
    /// Of a rule that is built in: the settings that name what it protects, if any do.
    pub named_in: &'static str,
}

/// Everything that is protected.
#[derive(Clone, Debug, Default)]
pub struct Rails {
    rules: Vec<Rule>,
    /// Buckets of evidence of which nobody said what they are encrypted with.
    encrypted: Vec<String>,
    /// The organizational unit of accounts of which the configuration says it.
    ou_of: BTreeMap<String, String>,
    /// The tags of accounts, which are those of everything in them.
    tags_of: BTreeMap<String, Vec<(String, String)>>,
}

impl Rails {
    /// Self-preservation, and the rules of the configuration.
    pub fn new(
        own: &SelfPreservation,
        rules: Vec<Rule>,
        ou_of: BTreeMap<String, String>,
        tags_of: BTreeMap<String, Vec<(String, String)>>,
    ) -> Self {
        let rules = own::rules(own).into_iter().chain(rules).collect();
        let asked = own.evidence_buckets.iter().filter(|_| own.evidence_keys.is_empty());
        Self { rules, encrypted: asked.cloned().collect(), ou_of, tags_of }
    }

    /// The tags that the configuration gives an account, which are those of everything in it.
    pub fn tags_of(&self, account: &str) -> &[(String, String)] {
        self.tags_of.get(account).map_or(&[], Vec::as_slice)
    }

    /// What must be found out before [`Rails::refuses_surveyed`] can be asked about a call.
    pub fn wants(&self, targets: &Targets) -> Wants {
        let here = targets.account.as_deref().unwrap_or_default();
        let adds_to = |rule: &&Rule| rule.takes_additions && named_by(rule, targets).is_some();
        let encrypted = if own::names_a_key(targets) { &*self.encrypted } else { &[] };
        Wants {
            replaced: targets.only_adds && self.rules.iter().any(|rule| adds_to(&rule)),
            encrypted: encrypted.to_vec(),
            ous: !self.ou_of.contains_key(here) && self.rules.iter().any(|r| !r.ous.is_empty()),
            paths: self.rules.iter().flat_map(|r| &r.arns).any(ArnPattern::wants_paths),
            tags: self.rules.iter().any(|rule| !rule.tags.is_empty()),
        }
    }

    /// What may have to be found out about any call.
    pub fn may_want(&self) -> Wants {
        Wants {
            replaced: self.rules.iter().any(|rule| rule.takes_additions && !rule.arns.is_empty()),
            encrypted: self.encrypted.clone(),
            ous: self.rules.iter().any(|rule| !rule.ous.is_empty()),
            paths: self.rules.iter().flat_map(|rule| &rule.arns).any(ArnPattern::wants_paths),
            tags: self.rules.iter().any(|rule| !rule.tags.is_empty()),
        }
    }

    /// Whether a call is refused by what its parameters say.
    ///
    /// # Errors
    /// The refusal: it names the rule, whose it is, and how it is changed.
    pub fn refuses(&self, targets: &Targets) -> Result<(), StepError> {
        let here = targets.account.as_deref();
        let ou = here.and_then(|here| self.ou_of.get(here));
        let tags = here.and_then(|here| self.tags_of.get(here)).map(Vec::as_slice);
        for rule in self.rules.iter().filter(|rule| !(rule.takes_additions && targets.only_adds)) {
            let what = named_by(rule, targets)
                .or_else(|| account_of(rule, targets))
                .or_else(|| ou.filter(|ou| rule.ous.contains(ou)).cloned())
                .or_else(|| tag_of(rule, tags.unwrap_or_default()));
            if let Some(what) = what {
                return Err(refusal(rule, targets, &what));
            }
        }
        let may_be_reached = |rule: &&Rule| {
            let is_own = !rule.is_built_in || rule.name == own::HOST;
            is_own && (!rule.tags.is_empty() || rule.arns.iter().any(ArnPattern::is_of_machines))
        };
        match self.rules.iter().find(may_be_reached).filter(|_| targets.is_open) {
            Some(Rule { name, .. }) => {
                let why = format!(
                    "it goes to whatever fits its targets, and what the rule `{name}` protects may \
                     be among that: name the instances"
                );
                Err(unknown(targets, &why))
            }
            None => Ok(()),
        }
    }

    /// Whether a call is refused by what AWS says of its targets.
    ///
    /// # Errors
    /// The refusal.
    pub fn refuses_surveyed(&self, targets: &Targets, found: &Surveyed) -> Result<(), StepError> {
        if let Some((rule, what)) = own::refuses(targets, found) {
            return Err(refusal(&rule, targets, &what));
        }
        for rule in &self.rules {
            let in_ou = || rule.ous.iter().find(|ou| found.ous.contains(ou)).cloned();
            let by_path = || {
                let fits = |arn: &&String| rule.arns.iter().any(|p| p.fits_arn(arn));
                found.arns.iter().chain(&found.reached).find(fits).cloned()
            };
            if let Some(what) = tag_of(rule, &found.tags).or_else(in_ou).or_else(by_path) {
                return Err(refusal(rule, targets, &what));
            }
        }
        Ok(())
    }
}

/// What can't be found out is a no.
pub fn unknown(targets: &Targets, why: &str) -> StepError {
    let operation = &targets.operation;
    StepError::denied(
        UNKNOWN,
        format!(
            "{operation} is refused: whether it touches something protected can't be told: {why}. \
             Give the role that reads what lacks, or take the rule out of [[guard.protect]] in \
             stanch.toml where it is one of yours"
        ),
    )
}

fn refusal(rule: &Rule, targets: &Targets, what: &str) -> StepError {
    let Rule { name, reason, owner, .. } = rule;
    let how = if rule.is_built_in {
        let named_in = match rule.named_in {
            "" => String::new(),
            settings => format!("; what it protects is named by {settings} in stanch.toml"),
        };
        format!(
            "The rule is built in: it is not taken out{named_in}. Do it by hand where it must be"
        )
    } else {
        format!("Ask {owner}, or change [[guard.protect]] `{name}` in stanch.toml and restart")
    };
    let operation = &targets.operation;
    let message = format!(
        "{operation} is refused: `{what}` is protected by the rule `{name}` of {owner}: {reason}. {how}"
    );
    StepError::denied(PROTECTED, message)
}

fn named_by(rule: &Rule, targets: &Targets) -> Option<String> {
    let fits_arn = |arn: &&String| rule.arns.iter().any(|pattern| pattern.fits_arn(arn));
    let fits_word =
        |word: &&String| rule.arns.iter().any(|pattern| pattern.fits_word(word, targets));
    let found = targets.arns.iter().find(fits_arn);
    found.or_else(|| targets.words.iter().find(fits_word)).map(|what| shortened(what))
}

/// A document is not shown whole.
fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

fn account_of(rule: &Rule, targets: &Targets) -> Option<String> {
    let is_meant =
        |account: &&String| targets.account.as_ref() == Some(account) || is_named(targets, account);
    rule.accounts.iter().find(is_meant).cloned()
}

/// Whether the parameters name something as a whole word.
pub(super) fn is_named(targets: &Targets, name: &str) -> bool {
    let pattern = ArnPattern::new(name);
    let is_arn = name.starts_with("arn:");
    targets.arns.iter().any(|arn| if is_arn { pattern.fits_arn(arn) } else { holds(arn, name) })
        || targets.words.iter().any(|word| match is_arn {
            true => pattern.fits_word(word, targets),
            false => holds(word, name),
        })
}

fn tag_of(rule: &Rule, tags: &[(String, String)]) -> Option<String> {
    let fits = |(key, value): &&(String, String)| {
        rule.tags.iter().any(|(k, v)| k == key && WildMatch::new(v).matches(value))
    };
    tags.iter().find(fits).map(|(key, value)| format!("{key}={value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "111122223333";

    fn rails() -> Rails {
        let own = SelfPreservation {
            roles: vec!["arn:aws:iam::*:role/stanch-contain".to_owned()],
            break_glass: vec!["break-glass-*".to_owned()],
            log_archive_accounts: vec!["999988887777".to_owned()],
            evidence_buckets: vec!["stanch-evidence".to_owned()],
            ..SelfPreservation::default()
        };
        let rule = Rule {
            name: "payments".to_owned(),
            reason: "the shop stands on it".to_owned(),
            owner: "team payments".to_owned(),
            arns: vec![ArnPattern::new("arn:aws:rds:*:*:db:payments-*")],
            tags: vec![("stage".to_owned(), "prod*".to_owned())],
            ous: vec!["ou-ab12-prod".to_owned()],
            ..Rule::default()
        };
        let ou_of = [("444455556666".to_owned(), "ou-ab12-prod".to_owned())].into();
        let prod = vec![("stage".to_owned(), "production".to_owned())];
        let tags_of = [("777788889999".to_owned(), prod)].into();
        Rails::new(&own, vec![rule], ou_of, tags_of)
    }

    fn call(account: &str, arns: &[&str], words: &[&str]) -> Targets {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Targets {
            operation: "x:Y".to_owned(),
            service: Some("x".to_owned()),
            account: Some(account.to_owned()),
            arns: owned(arns),
            words: owned(words),
            is_open: false,
            only_adds: false,
            new_objects: Vec::new(),
        }
    }

    fn refused(targets: &Targets) -> Option<String> {
        rails().refuses(targets).err().map(|error| error.message)
    }

    #[test]
    fn stanch_does_not_cut_off_itself_nor_those_who_come_after_it() {
        for (arn, rule) in [
            ("arn:aws:iam::111122223333:role/stanch-contain", "own-roles"),
            ("arn:aws:iam::111122223333:role/AWSServiceRoleForSupport", "service-linked-roles"),
            (
                "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/y",
                "service-linked-roles",
            ),
            ("arn:aws:iam::111122223333:role/OrganizationAccountAccessRole", "organization-access"),
            ("arn:aws:iam::111122223333:user/break-glass-1", "break-glass"),
            ("arn:aws:s3:::stanch-evidence/inc/1", "evidence"),
            ("arn:aws:kms:us-east-1:999988887777:key/1", "log-archive"),
        ] {
            let message = refused(&call(ACCOUNT, &[arn], &[])).unwrap_or_else(|| panic!("{arn}"));
            assert!(message.contains(rule) && message.contains("built in"), "{message}");
            let name = arn.rsplit('/').next().unwrap();
            if rule != "evidence" && rule != "log-archive" && name != "y" {
                assert!(refused(&call(ACCOUNT, &[], &[name])).is_some(), "{name}");
            }
        }
        assert!(refused(&call("999988887777", &[], &[])).unwrap().contains("log-archive"));
        assert_eq!(refused(&call(ACCOUNT, &["arn:aws:iam::111122223333:user/ann"], &[])), None);
    }

    #[test]
    fn evidence_may_be_added_and_nothing_else() {
        let bucket = ["arn:aws:s3:::stanch-evidence"];
        let adds = Targets { only_adds: true, ..call(ACCOUNT, &bucket, &[]) };
        assert_eq!(refused(&adds), None);
        assert!(refused(&call(ACCOUNT, &bucket, &[])).is_some());
    }

    #[test]
    fn a_rule_is_named_with_its_owner_and_how_it_is_changed() {
        let arn = "arn:aws:rds:us-east-1:111122223333:db:payments-1";
        let message = refused(&call(ACCOUNT, &[arn], &[])).unwrap();
        for word in [arn, "payments", "team payments", "the shop stands on it", "stanch.toml"] {
            assert!(message.contains(word), "{message}");
        }
        assert!(refused(&call("444455556666", &[], &[])).unwrap().contains("ou-ab12-prod"));
        assert!(refused(&call("777788889999", &[], &[])).unwrap().contains("stage=production"));
    }

    #[test]
    fn what_aws_says_of_a_target_is_judged_too() {
        let rails = rails();
        let call = call(ACCOUNT, &["arn:aws:iam::111122223333:role/runner"], &["AKIA1"]);
        let found = |found: Surveyed| rails.refuses_surveyed(&call, &found).is_err();
        assert!(!found(Surveyed::default()));
        assert!(found(Surveyed {
            tags: vec![("stage".into(), "prod".into())],
            ..Default::default()
        }));
        assert!(found(Surveyed { ous: vec!["ou-ab12-prod".into()], ..Default::default() }));
        assert!(found(Surveyed { runner: vec!["AKIA1".into()], ..Default::default() }));
        let arn = "arn:aws:iam::111122223333:role/runner".to_owned();
        assert!(found(Surveyed { runner: vec![arn], ..Default::default() }));
        assert!(rails.wants(&call).tags && rails.wants(&call).ous && !rails.wants(&call).paths);
    }
}
