//! What an entry of a journal changes elsewhere, in the same commit.

use stanch_engine_core::approval::ApprovalStatus;
use stanch_engine_core::containment::OneStep;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::{ApprovalId, IncidentId, RunId};
use stanch_engine_core::incident::{IncidentEvent, IncidentStatus, Milestone, Verdict};
use stanch_engine_core::journal::Started;
use stanch_engine_core::severity::Severity;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::approvals;
use stanch_engine_store::custody::{self, NewRecord};
use stanch_engine_store::evidence::{self, Item};
use stanch_engine_store::inbox::{self, Fact};
use stanch_engine_store::pages::{self, Page};
use stanch_engine_store::runs::{self, NewRun};
use stanch_engine_store::{StoreError, Tx, incidents, milestones, run_items, trail_audits};

use crate::approvals::{Asked, ask};
use crate::containments::{self, Begun};

/// One change elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Projection {
    /// People are asked.
    Ask(Box<Asked>),
    /// An approval ran out: that is a no. It fails when somebody decided in the same moment.
    Expire(ApprovalId, Timestamp),
    /// A run no longer asks anything.
    WithdrawAll(RunId, Timestamp),
    /// A milestone is reached.
    Mark { incident: IncidentId, milestone: Milestone, at: Timestamp, source: String },
    /// Something happened to the incident's status.
    Status(IncidentId, IncidentEvent),
    /// People made something of it.
    Verdict(IncidentId, Verdict, String),
    /// It is worse or better than it was thought.
    Severity(IncidentId, Severity),
    /// A new phase began.
    Phase(IncidentId, String),
    /// A person is paged.
    Raise(Box<Page>),
    /// A page is over.
    TakePage { key: String, by: String, at: Timestamp },
    /// An item was captured.
    Keep(Box<Item>),
    /// The journal of a run names bytes in the evidence store.
    Need(Sha256, RunId),
    /// A record goes into the custody chain.
    Record(Box<NewRecord>),
    /// Another playbook runs.
    Begin(Box<NewRun>, Box<Started>),
    /// The run begins again, from `base_seq` of its journal on.
    Generation { run: RunId, generation: u32, base_seq: u32 },
    /// Another run hears of it.
    Tell(Box<Fact>),
    /// Something stands for a while.
    Contain(Box<Begun>),
    /// A run has taken back what another did, or one step of it; what stands again does so until then.
    Undone { by: RunId, one: Option<OneStep>, at: Timestamp, expires_at: Timestamp },
    /// A run has ended, and is held against CloudTrail then.
    Audit { run: RunId, incident: IncidentId, due_at: Timestamp },
    /// What KPIs are made of has changed.
    Recount(IncidentId),
}

/// Which rows a projection changes that others change, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rows {
    Incidents,
    Others,
    Runs,
}

impl Projection {
    const fn rows(&self) -> Rows {
        match self {
            Self::Mark { .. }
            | Self::Status(..)
            | Self::Verdict(..)
            | Self::Severity(..)
            | Self::Phase(..)
            | Self::Recount(_) => Rows::Incidents,
            Self::Generation { .. } | Self::Tell(_) => Rows::Runs,
            _ => Rows::Others,
        }
    }
}

/// Projections in the order in which everybody changes rows: an alert has its incident before it tells a run.
/// Who took the run first would wait for the incident, and the alert for the run.
fn in_order(projections: &[Projection]) -> Vec<&Projection> {
    let mut all: Vec<&Projection> = projections.iter().collect();
    all.sort_by_key(|projection| projection.rows());
    all
}

/// Carries the projections of a run out, by which rows they change, and else in order.
pub(crate) async fn apply(
    tx: &mut Tx<'_>,
    run: RunId,
    projections: &[Projection],
) -> Result<(), StoreError> {
    let all = in_order(projections);
    let (last, first): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.rows() == Rows::Runs);
    for projection in first {
        apply_one(tx, projection).await?;
    }
    let told = last.iter().filter_map(|projection| match projection {
        Projection::Tell(fact) => Some(fact.run),
        _ => None,
    });
    let mut held: Vec<RunId> = told.collect();
    // A run that tells another may be told something by it in the same moment, on another node.
    if !held.is_empty() {
        held.push(run);
        runs::hold(tx, &held).await?;
    }
    for projection in last {
        apply_one(tx, projection).await?;
    }
    Ok(())
}

async fn apply_one(tx: &mut Tx<'_>, projection: &Projection) -> Result<(), StoreError> {
    match projection {
        Projection::Ask(asked) => ask(tx, asked).await,
        Projection::Expire(id, at) => {
            if approvals::settle(tx, *id, ApprovalStatus::Expired, *at).await? {
                return Ok(());
            }
            Err(StoreError::Conflict(format!("{id} was decided in the moment in which it ran out")))
        }
        Projection::WithdrawAll(run, at) => {
            for approval in approvals::pending_of_run(tx, *run).await? {
                approvals::settle(tx, approval.id, ApprovalStatus::Withdrawn, *at).await?;
                let [asks, alarms] = approval_page_keys(approval.id);
                pages::take_by_keys(tx, [&asks, &alarms], "stanch", *at).await?;
            }
            Ok(())
        }
        Projection::Mark { incident, milestone, at, source } => {
            milestones::mark(tx, *incident, *milestone, *at, source).await.map(drop)
        }
        Projection::Status(id, event) => happen(tx, *id, *event).await,
        Projection::Verdict(id, verdict, reason) => {
            incidents::set_verdict(tx, *id, *verdict, reason).await
        }
        Projection::Severity(id, severity) => incidents::set_severity(tx, *id, *severity).await,
        Projection::Phase(id, phase) => incidents::set_phase(tx, *id, phase).await,
        Projection::Raise(page) => pages::raise(tx, page).await.map(drop),
        Projection::TakePage { key, by, at } => pages::take_by_key(tx, key, by, *at).await,
        Projection::Keep(item) => evidence::insert(tx, item).await,
        Projection::Need(item, run) => run_items::need(tx, *item, *run).await,
        Projection::Record(record) => custody::append(tx, record).await.map(drop),
        Projection::Begin(run, started) => runs::insert(tx, run, started).await,
        Projection::Generation { run, generation, base_seq } => {
            runs::set_generation(tx, *run, *generation, *base_seq).await
        }
        Projection::Tell(fact) => inbox::put(tx, fact).await,
        Projection::Contain(begun) => containments::begin(tx, begun).await,
        Projection::Undone { by, one, at, expires_at } => {
            containments::undone(tx, (*by, one.as_ref()), (*at, *expires_at)).await
        }
        Projection::Audit { run, incident, due_at } => {
            trail_audits::want(tx, *run, *incident, *due_at).await
        }
        Projection::Recount(incident) => incidents::recount(tx, *incident).await,
    }
}

/// Moves an incident's status by the table in `core`; an event that is not legal there changes
/// nothing. An incident that is open again is neither contained nor closed: only the next
/// containment that holds, and the next close, are those that count.
pub(crate) async fn happen(
    tx: &mut Tx<'_>,
    id: IncidentId,
    event: IncidentEvent,
) -> Result<(), StoreError> {
    let Some(incident) = incidents::get(tx, id).await? else { return Ok(()) };
    let Some(status) = incident.status.next(event).filter(|next| *next != incident.status) else {
        return Ok(());
    };
    if status == IncidentStatus::Open {
        for milestone in [Milestone::ContainedAt, Milestone::ClosedAt] {
            milestones::unmark(tx, id, milestone).await?;
        }
    }
    incidents::set_status(tx, id, incident.status, status).await
}

/// The page that asks people to decide.
pub(crate) fn approval_page_key(id: ApprovalId) -> String {
    format!("approval/{id}")
}

/// The page that says that nobody can.
pub(crate) fn alarm_key(id: ApprovalId) -> String {
    format!("out-of-reach/{id}")
}

/// What is over when an approval is settled.
pub(crate) fn approval_page_keys(id: ApprovalId) -> [String; 2] {
    [approval_page_key(id), alarm_key(id)]
}

/// The approval that a page with this key asks for, if it asks for one.
pub(crate) fn approval_of_page(key: &str) -> Option<ApprovalId> {
    key.strip_prefix("approval/")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incidents_come_before_runs() {
        let (run, incident) =
            (RunId::new(Timestamp::default(), 1), IncidentId::new(Timestamp::default(), 2));
        let generation = Projection::Generation { run, generation: 2, base_seq: 7 };
        let need = |text: &str| Projection::Need(Sha256::of(text), run);
        let phase = |name: &str| Projection::Phase(incident, name.to_owned());
        let all = [generation.clone(), need("a"), phase("one"), need("b"), phase("two")];
        let expected = [phase("one"), phase("two"), need("a"), need("b"), generation];
        assert!(in_order(&all).into_iter().eq(&expected));
    }
}
