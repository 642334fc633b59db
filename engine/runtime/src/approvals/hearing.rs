//! What a person may say about an approval, by what the database says of them and of others.

use std::collections::{BTreeMap, BTreeSet};

use stanch_engine_core::approval::{
    Answer, Decision, HandOver, Handed, Hearing, Mute, StandIn, Voice,
};
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::approvals::{self, Approval};
use stanch_engine_store::{StoreError, Tx, absences, handovers};

use super::{DecideError, own_cause};
use crate::everybody;
use crate::scopes;
use crate::shared::Shared;

/// What was found out about one person and one approval.
pub(super) struct Heard {
    decisions: Vec<Decision>,
    /// Those who ask, or wrote what asks, and which of these.
    own: BTreeMap<String, &'static str>,
    barred: BTreeSet<String>,
    stand_ins: Vec<StandIn>,
    handed_over: Vec<HandOver>,
}

impl Heard {
    /// Finds it out.
    pub(super) async fn of(
        tx: &mut Tx<'_>,
        shared: &Shared,
        approval: &Approval,
        person: &str,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let own = match shared.settings.requester_counts {
            true => BTreeMap::new(),
            false => own_cause::of(tx, approval.run).await?,
        };
        let barred = own.keys().cloned().collect();
        let decisions = approvals::decisions(tx, approval.id).await?;
        let handed_over = handovers::of(tx, approval.id).await?;
        let stand_ins = stand_ins(tx, shared, (approval, person), now).await?;
        Ok(Self { decisions, own, barred, stand_ins, handed_over })
    }

    fn hearing<'a>(&'a self, approval: &'a Approval) -> Hearing<'a> {
        let Self { decisions, barred, stand_ins, handed_over, .. } = self;
        Hearing { rules: &approval.rules, decisions, barred, stand_ins, handed_over }
    }

    /// All decisions that count when this one was taken, by time, as the database gives them.
    pub(super) fn with(mut self, decision: &Decision) -> Vec<Decision> {
        self.decisions.retain(|earlier| earlier.person != decision.person);
        self.decisions.push(decision.clone());
        self.decisions.sort_by(|a, b| (a.at, &a.person).cmp(&(b.at, &b.person)));
        self.decisions
    }

    /// What a person may say it as.
    pub(super) fn voice(
        &self,
        approval: &Approval,
        (person, roles): (&str, &[String]),
        answer: Answer,
    ) -> Result<Voice, DecideError> {
        self.hearing(approval).voice(person, roles, answer).map_err(|mute| match mute {
            Mute::NotAsked => {
                let (approval, approvers) = (approval.id, approval.approvers.clone());
                DecideError::NotAsked { approval, approvers }
            }
            Mute::OwnCause => {
                let what = self.own.get(person).copied().unwrap_or("asks");
                DecideError::OwnCause { person: person.to_owned(), what }
            }
            Mute::HandedOver(to) => DecideError::HandedOver(to),
            Mute::SpokenFor(by) => DecideError::SpokenFor(by),
        })
    }

    /// What becomes of a hand-over.
    pub(super) fn hand_over(
        &self,
        approval: &Approval,
        (person, roles): (&str, &[String]),
        to: &str,
    ) -> Result<Handed, DecideError> {
        self.hearing(approval).hand_over(person, roles, to).map_err(DecideError::Conflict)
    }
}

/// Those who are away now and have this person stand in, with their roles.
async fn stand_ins(
    tx: &mut Tx<'_>,
    shared: &Shared,
    (approval, delegate): (&Approval, &str),
    now: Timestamp,
) -> Result<Vec<StandIn>, StoreError> {
    let mut away = absences::open(tx, now).await?;
    away.retain(|absence| absence.delegate == delegate);
    if away.is_empty() {
        return Ok(Vec::new());
    }
    let people = everybody::named(tx, &shared.settings, now).await?;
    let subject = scopes::of_approval(tx, approval).await?;
    let with_roles = away.into_iter().map(|absence| {
        let whose = (absence.person.as_str(), people.get(&absence.person));
        let roles = scopes::roles_of(&shared.settings.roles, whose, &subject);
        StandIn { person: absence.person, roles, delegate: absence.delegate }
    });
    Ok(with_roles.collect())
}
