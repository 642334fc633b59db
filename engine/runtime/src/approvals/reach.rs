//! Whether the people that there are could say yes at all, told when they are asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stanch_engine_core::approval::{answers_for, out_of_reach};
use stanch_engine_core::scope::CustomRole;
use stanch_engine_store::approvals::{self, Approval};
use stanch_engine_store::pages::{self, Page};
use stanch_engine_store::tokens::Good;
use stanch_engine_store::{StoreError, Tx, custody, incidents};

use super::own_cause;
use crate::everybody;
use crate::scopes;
use crate::settings::PersonSettings;

/// A question to people, on its way into the database.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) approval: Approval,
    /// What calls people when nobody can answer; nothing where it does not matter.
    pub(crate) alarm: Option<Page>,
    /// People who decide elsewhere, by name.
    pub(crate) elsewhere: BTreeMap<String, PersonSettings>,
    /// Whether who started the run or published its playbook may say yes.
    pub(crate) requester_counts: bool,
    /// Roles of one's own.
    pub(crate) roles: Arc<BTreeMap<String, CustomRole>>,
}

/// Asks. Where all the people that there are could not say enough yeses, that stands on it, and
/// somebody is called.
pub(crate) async fn ask(tx: &mut Tx<'_>, asked: &Asked) -> Result<(), StoreError> {
    let mut approval = asked.approval.clone();
    if asked.alarm.is_some() {
        approval.out_of_reach = why_out_of_reach(tx, asked).await?;
    }
    if let Some(incident) = approval.incident {
        approval.evidence_head = Some(custody::head(tx, incident).await?.hash);
    }
    approvals::insert(tx, &approval).await?;
    if let (Some(why), Some(alarm)) = (&approval.out_of_reach, &asked.alarm) {
        let message = format!(
            "Nobody can approve `{}` ({}): {why}. It is a no at {:.0} unless there are more people by then: `stanch token create`",
            approval.title, approval.id, approval.expires_at
        );
        pages::raise(tx, &Page { message, ..alarm.clone() }).await?;
    }
    match approval.incident {
        Some(incident) => incidents::recount(tx, incident).await,
        None => Ok(()),
    }
}

async fn why_out_of_reach(tx: &mut Tx<'_>, asked: &Asked) -> Result<Option<String>, StoreError> {
    let approval = &asked.approval;
    let subject = scopes::of_approval(tx, approval).await?;
    let mut people = everybody::with(tx, &asked.elsewhere, approval.requested_at).await?;
    if !asked.requester_counts {
        for who in own_cause::of(tx, approval.run).await?.keys() {
            people.remove(who);
        }
    }
    let voice = |(name, tokens): (String, Vec<Good>)| {
        let roles = scopes::roles_of(&asked.roles, (&name, Some(&tokens)), &subject);
        let voice = answers_for(&approval.rules, &name, &roles);
        (name, voice)
    };
    let people: BTreeMap<String, BTreeSet<String>> = people.into_iter().map(voice).collect();
    Ok(out_of_reach(&approval.rules, &people))
}
