//! The organization: which accounts there are beside those that are configured.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::by_hand::{Caller, items, text, told};
use super::report::Report;
use crate::config::Config;

/// What AWS answers where there is no organization.
const NONE: &str = "AWSOrganizationsNotInUseException";

/// Accounts that a warning names, at most.
const NAMED: usize = 5;

/// The accounts to look at: those that are configured, and, where the roles of `[aws.roles]` reach
/// every account, the active ones of the organization. `asked` may list them.
pub(super) async fn accounts(
    config: &Config,
    asked: Option<&Caller>,
    report: &mut Report,
) -> BTreeSet<String> {
    let configured: BTreeSet<String> = config.accounts.keys().cloned().collect();
    let Some(listed) = active(config, asked, report).await else { return configured };
    let others: BTreeSet<_> = listed.difference(&configured).cloned().collect();
    if others.is_empty() || config.aws.roles.read.is_some() {
        let found = format!(
            "{} accounts are active; {} of them are not under [accounts], and are observed",
            listed.len(),
            others.len()
        );
        report.ok("organization", "accounts", found);
        return configured.union(&others).cloned().collect();
    }
    let first: Vec<_> = others.iter().take(NAMED).map(String::as_str).collect();
    let more = others.len().saturating_sub(first.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let found = format!("no role reads in {}{more}, which are active accounts", first.join(", "));
    let mend = "name a pattern, `[aws.roles] read`, or each account under [accounts]: an alert \
                of another account is taken, and nothing is learnt about it";
    report.warn("organization", "accounts", found, mend);
    configured
}

/// The active accounts of the organization, where there is one and it may be asked.
async fn active(
    config: &Config,
    asked: Option<&Caller>,
    report: &mut Report,
) -> Option<BTreeSet<String>> {
    let mend = "allow organizations:ListAccounts to the base credentials, or name an account whose \
                read role may as `[aws] organization_account`; until then only the accounts under \
                [accounts] are looked at";
    let Some(asked) = asked else {
        let account = config.aws.organization_account.as_deref().unwrap_or_default();
        let found =
            format!("the role that reads in {account}, which is asked for it, can't be taken");
        report.warn("organization", "accounts", found, mend);
        return None;
    };
    match asked.call("organizations:ListAccounts", json!({}), None).await {
        Ok(done) => {
            let is_active = |state: &str| state.is_empty() || state == "ACTIVE";
            let all = items(&done.value, "/Accounts").iter();
            let all =
                all.filter(|one| is_active(text(one, "/Status")) && is_active(text(one, "/State")));
            let ids = all.map(|one| text(one, "/Id").to_owned());
            Some(
                ids.filter(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit())).collect(),
            )
        }
        Err(error) if error.code == NONE => {
            report.ok("organization", "accounts", "the account is in no organization");
            None
        }
        Err(error) => {
            report.warn("organization", "accounts", told(&error), mend);
            None
        }
    }
}
