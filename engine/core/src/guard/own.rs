//! Self-preservation: what nobody takes away from Stanch, and from those who come after it. These
//! rules are built in.

use super::pattern::ArnPattern;
use super::rails::{Rule, is_named};
use super::target::{Surveyed, Targets};

/// What keeps Stanch from cutting off itself, and those who come after it.
#[derive(Clone, Debug, Default)]
pub struct SelfPreservation {
    /// The roles that it takes, as patterns of ARNs.
    pub roles: Vec<String>,
    /// What it runs on, as patterns of ARNs.
    pub own_resources: Vec<String>,
    /// Roles and users for emergencies, as patterns of ARNs or of names.
    pub break_glass: Vec<String>,
    /// Accounts in which logs are kept.
    pub log_archive_accounts: Vec<String>,
    /// Buckets in which evidence is kept.
    pub evidence_buckets: Vec<String>,
    /// Keys that evidence is encrypted with, as patterns of ARNs. Without any, the buckets are
    /// asked for theirs.
    pub evidence_keys: Vec<String>,
}

fn built(name: &str, reason: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        reason: reason.to_owned(),
        owner: "Stanch".to_owned(),
        is_built_in: true,
        ..Rule::default()
    }
}

/// The rules that are judged by what a call names.
pub(super) fn rules(own: &SelfPreservation) -> Vec<Rule> {
    let patterns = |texts: &[String]| texts.iter().map(|text| ArnPattern::new(text)).collect();
    let linked = ["arn:*:iam::*:role/aws-service-role/*", "AWSServiceRoleFor*"];
    let buckets: Vec<_> = own.evidence_buckets.iter().map(|b| format!("arn:*:s3:::{b}")).collect();
    vec![
        Rule {
            arns: patterns(&own.roles),
            named_in: "`read_role` and `contain_role` of [accounts] and by [aws.roles]",
            ..built("own-roles", "Stanch takes this role: without it nothing can be undone")
        },
        Rule { arns: patterns(&own.own_resources), ..own_host() },
        Rule {
            arns: patterns(&linked.map(str::to_owned)),
            ..built("service-linked-roles", "AWS's own services work with this role")
        },
        Rule {
            arns: patterns(&["OrganizationAccountAccessRole".to_owned()]),
            ..built("organization-access", "the organization gets into the account with this role")
        },
        Rule {
            arns: patterns(&own.break_glass),
            named_in: "`break_glass` of [guard]",
            ..built("break-glass", "people get in with it when nothing else works")
        },
        Rule {
            accounts: own.log_archive_accounts.clone(),
            named_in: "`log_archive_accounts` of [guard]",
            ..built("log-archive", "the logs of every account are kept there")
        },
        Rule {
            arns: patterns(&buckets),
            takes_additions: true,
            ..evidence("evidence is kept there")
        },
        Rule { arns: patterns(&own.evidence_keys), ..evidence_key() },
    ]
}

/// The name of the rule about what Stanch runs on.
pub(super) const HOST: &str = "own-host";

fn own_host() -> Rule {
    Rule {
        named_in: "the session that AWS gave Stanch, and by `own_resources` of [guard]",
        ..built(HOST, "Stanch itself runs on it")
    }
}

fn evidence(reason: &str) -> Rule {
    Rule {
        named_in: "`evidence_bucket` of [config] and `evidence_buckets` of [guard]",
        ..built("evidence", reason)
    }
}

fn evidence_key() -> Rule {
    Rule {
        named_in: "the evidence buckets, or by `evidence_keys` of [guard]",
        ..built("evidence-key", "evidence can't be read without this key")
    }
}

/// Whether a call may be about a key that there is.
pub(super) fn names_a_key(targets: &Targets) -> bool {
    let creates = targets.operation.starts_with("kms:Create") && targets.arns.is_empty();
    targets.service.as_deref() == Some("kms") && !creates
}

/// Whether a call would cut off Stanch, by what AWS says of it and of the call: the rule, and what
/// it protects.
pub(super) fn refuses(targets: &Targets, found: &Surveyed) -> Option<(Rule, String)> {
    let is_reached = |own: &str| {
        let own = ArnPattern::new(own);
        found.reached.iter().any(|arn| own.fits_arn(arn))
    };
    let touched = |own: &&String| is_named(targets, own) || is_reached(own);
    if let Some(own) = found.runner.iter().find(touched) {
        return Some((built("self", "it is what Stanch itself calls AWS with"), own.clone()));
    }
    if let Some(host) = found.hosts.iter().find(|host| is_touched(targets, found, host)) {
        return Some((own_host(), host.clone()));
    }
    if let Some(key) = found.evidence_keys.iter().find(|key| is_named(targets, key)) {
        return Some((evidence_key(), key.clone()));
    }
    if let Some(object) = found.replaced.first() {
        let why = "this evidence is there already, and is not replaced: take another key";
        return Some((evidence(why), object.clone()));
    }
    let is_home = |id: &&String| found.home.contains(id) || id.starts_with("r-");
    let home = found.reached.iter().find(is_home).filter(|_| !found.home.is_empty())?;
    let why = "the account that Stanch runs in lies there, and a policy there would reach it";
    Some((built("own-account", why), home.clone()))
}

/// Whether a call touches something, by its id or by an ARN that ends with it.
fn is_touched(targets: &Targets, found: &Surveyed, id: &str) -> bool {
    is_named(targets, id) || found.reached.iter().any(|arn| arn.rsplit('/').next() == Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::rails::Rails;

    fn call(operation: &str, arns: &[&str], words: &[&str]) -> Targets {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Targets {
            operation: operation.to_owned(),
            service: operation.split(':').next().map(str::to_owned),
            account: Some("111122223333".to_owned()),
            arns: owned(arns),
            words: owned(words),
            ..Targets::default()
        }
    }

    fn rule(targets: &Targets, found: &Surveyed) -> Option<String> {
        let rails = Rails::new(&own(), Vec::new(), Default::default(), Default::default());
        let error = rails.refuses_surveyed(targets, found).err()?;
        assert!(error.message.contains("built in"), "{}", error.message);
        error.message.split('`').nth(3).map(str::to_owned)
    }

    fn own() -> SelfPreservation {
        SelfPreservation {
            roles: vec!["arn:aws:iam::*:role/stanch-contain".to_owned()],
            own_resources: vec!["arn:aws:ecs:*:*:service/c/stanch".to_owned()],
            break_glass: vec!["break-glass-*".to_owned()],
            evidence_buckets: vec!["evidence".to_owned()],
            ..SelfPreservation::default()
        }
    }

    #[test]
    fn what_a_policy_or_a_group_reaches_is_touched() {
        let policy = "arn:aws:iam::111122223333:policy/p";
        let edit = call("iam:CreatePolicyVersion", &[policy], &[]);
        let reaches = |arn: &str| Surveyed { reached: vec![arn.to_owned()], ..Default::default() };
        assert_eq!(rule(&edit, &reaches("arn:aws:iam::111122223333:role/worker")), None);
        let contain = reaches("arn:aws:iam::111122223333:role/stanch-contain");
        assert_eq!(rule(&edit, &contain).as_deref(), Some("own-roles"));
        let glass = reaches("arn:aws:iam::111122223333:user/break-glass-1");
        assert_eq!(rule(&edit, &glass).as_deref(), Some("break-glass"));
        let runner = "arn:aws:iam::111122223333:role/runner".to_owned();
        let own = Surveyed { runner: vec![runner.clone()], ..reaches(&runner) };
        assert_eq!(rule(&edit, &own).as_deref(), Some("self"));
    }

    #[test]
    fn what_stanch_runs_on_is_not_touched() {
        let host = Surveyed { hosts: vec!["i-0abc".to_owned()], ..Surveyed::default() };
        let stop = |id: &str| {
            let arn = format!("arn:aws:ec2:us-east-1:111122223333:instance/{id}");
            call("ec2:StopInstances", &[&arn], &[])
        };
        assert_eq!(rule(&stop("i-0abc"), &host).as_deref(), Some("own-host"));
        assert_eq!(rule(&stop("i-0abcd"), &host), None);
        let cut = call("ec2:DisassociateIamInstanceProfile", &[], &["iip-assoc-1"]);
        let reached = vec!["arn:aws:ec2:us-east-1:111122223333:instance/i-0abc".to_owned()];
        let host = Surveyed { reached, ..host };
        assert_eq!(rule(&cut, &host).as_deref(), Some("own-host"));
    }

    #[test]
    fn a_policy_of_the_organization_does_not_reach_home() {
        let attach = call("organizations:AttachPolicy", &[], &[]);
        let home = ["999988887777", "ou-ab12-tools001", "r-ab12"].map(str::to_owned).to_vec();
        for (reached, expected) in [
            ("999988887777", Some("own-account")),
            ("ou-ab12-tools001", Some("own-account")),
            ("r-ab12", Some("own-account")),
            ("444455556666", None),
            ("ou-ab12-quarant1", None),
        ] {
            let reached = vec![reached.to_owned()];
            let found = Surveyed { home: home.clone(), reached, ..Surveyed::default() };
            assert_eq!(rule(&attach, &found).as_deref(), expected);
        }
    }

    #[test]
    fn evidence_is_not_replaced_nor_its_key_taken_away() {
        let put = call("s3:PutObject", &["arn:aws:s3:::evidence"], &[]);
        let object = "arn:aws:s3:::evidence/inc-1/a".to_owned();
        let put = Targets { only_adds: true, new_objects: vec![object.clone()], ..put };
        let rails = Rails::new(&own(), Vec::new(), Default::default(), Default::default());
        assert!(rails.refuses(&put).is_ok() && rails.wants(&put).replaced);
        assert_eq!(rule(&put, &Surveyed::default()), None);
        let there = Surveyed { replaced: vec![object], ..Surveyed::default() };
        assert_eq!(rule(&put, &there).as_deref(), Some("evidence"));

        let key = "arn:aws:kms:us-east-1:111122223333:key/k-1";
        let delete = call("kms:ScheduleKeyDeletion", &[key], &[]);
        assert_eq!(rails.wants(&delete).encrypted, ["evidence"]);
        assert!(rails.wants(&call("kms:CreateKey", &[], &[])).encrypted.is_empty());
        let keys = |key: &str| Surveyed { evidence_keys: vec![key.into()], ..Default::default() };
        assert_eq!(rule(&delete, &keys(key)).as_deref(), Some("evidence-key"));
        assert_eq!(rule(&delete, &keys("k-1")).as_deref(), Some("evidence-key"));
        assert_eq!(rule(&delete, &keys("arn:aws:kms:us-east-1:111122223333:key/k-2")), None);
        let said = SelfPreservation { evidence_keys: vec![key.to_owned()], ..own() };
        let rails = Rails::new(&said, Vec::new(), Default::default(), Default::default());
        assert!(rails.refuses(&delete).is_err() && rails.wants(&delete).encrypted.is_empty());
    }
}
