//! Echoes: an alert about what one of our own runs did goes into the incident that the run is a part
//! of, and starts nothing.

use serde_json::json;
use stanch_engine_core::alert::Alert;
use stanch_engine_core::echo::{self, Claim, Named};
use stanch_engine_core::effect::Effect;
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::json::Json;
use stanch_engine_store::incidents::{self, Incident};
use stanch_engine_store::runs::{self, Run};
use stanch_engine_store::{StoreError, Tx, journal, pages};

use super::place::Found;
use super::taking::Taking;
use crate::retention::is_archived;

/// What starts a runbook: what the runbook does then, it does with our session, and no journal has it.
const RUNBOOK: &str = "StartAutomationExecution";

/// How many merges are followed from an incident to the one that it is a part of now.
const MERGES: usize = 16;

impl Taking<'_> {
    /// The incident that an alert is an echo of. `own` is the one that it is in already.
    pub(super) async fn echo_of(
        &self,
        tx: &mut Tx<'_>,
        alert: &Alert,
        own: Option<IncidentId>,
    ) -> Result<Option<Found>, StoreError> {
        let roles = &self.shared.settings.own_roles;
        if roles.is_empty() {
            return Ok(None);
        }
        let Some(claim) = echo::claim(alert).filter(|claim| roles.has(claim)) else {
            return Ok(None);
        };
        let Some(named) = claim.named() else { return Ok(None) };
        let run = runs::get(tx, named.run).await?;
        let Some(run) = run.filter(|run| run.incident == Some(named.incident)) else {
            self.misused(tx, alert, &claim, None).await?;
            return Ok(None);
        };
        if !self.is_of_run(tx, alert, &claim, &run).await? {
            return Ok(None);
        }
        let Some(incident) = self.stands_in(tx, own.unwrap_or(named.incident)).await? else {
            return Ok(None);
        };
        incidents::seen(tx, incident.id, incident.severity, self.now).await?;
        let why = json!({"echo": {"run": named.run, "session": claim.session, "role": claim.role,
            "call": claim.call}});
        Ok(Some(Found { incident, joined: Some(Json::of(&why)), starts_runs: false }))
    }

    /// Whether a run did what an alert is about. What it did not ask for, somebody else did in its
    /// name.
    async fn is_of_run(
        &self,
        tx: &mut Tx<'_>,
        alert: &Alert,
        claim: &Claim,
        run: &Run,
    ) -> Result<bool, StoreError> {
        let is_in_time = echo::is_within(alert.occurred_at, run.created_at, run.finished_at);
        if is_in_time && self.only_looks(alert, claim) {
            return Ok(true);
        }
        let asked = journal::that_name(tx, run.id, &claim.call).await?;
        if is_in_time && echo::asked_for(&asked, claim, alert) {
            return Ok(true);
        }
        // What can't be known is an alert like any other.
        let is_known = run.base_seq == 0 && !is_archived(run);
        if is_known && journal::that_name(tx, run.id, RUNBOOK).await?.is_empty() {
            let named = claim.named();
            self.misused(tx, alert, claim, named).await?;
        }
        Ok(false)
    }

    /// The reads of the guard and of probes are not all in the journal.
    fn only_looks(&self, alert: &Alert, claim: &Claim) -> bool {
        let service = alert.kind.split_once(':').map_or("", |(service, _)| service);
        let operation = format!("{service}:{}", claim.call);
        let effect = self.shared.catalogue.operations().effect(&operation);
        alert.source == "cloudtrail" && effect == Ok(Effect::Read)
    }

    /// A role of ours did what no run of ours asked for.
    async fn misused(
        &self,
        tx: &mut Tx<'_>,
        alert: &Alert,
        claim: &Claim,
        named: Option<Named>,
    ) -> Result<(), StoreError> {
        let Claim { role, session, call, account, .. } = claim;
        let message = format!(
            "the session {session} of {role} in {account} did {call}, and no run of ours asked for that: \
             unless a colleague did it, revoke the sessions of the role ({})",
            alert.title
        );
        let key = format!("own-session/{account}/{session}");
        let to = vec!["role:responder".to_owned()];
        let mut page = self.shared.page(key, to, "own_session_misused", message);
        page.incident = named.map(|named| named.incident);
        page.run = named.map(|named| named.run);
        pages::raise(tx, &page).await.map(drop)
    }

    /// An incident, or the one that it was merged into.
    async fn stands_in(
        &self,
        tx: &mut Tx<'_>,
        id: IncidentId,
    ) -> Result<Option<Incident>, StoreError> {
        let mut found = incidents::get(tx, id).await?;
        for _ in 0..MERGES {
            match found.as_ref().and_then(|incident| incident.merged_into) {
                Some(into) => found = incidents::get(tx, into).await?,
                None => break,
            }
        }
        Ok(found)
    }
}
