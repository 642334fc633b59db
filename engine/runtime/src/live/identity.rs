//! Which run it is, and what it is about.

use serde::Deserialize as _;
use serde_json::Value;
use stanch_engine_core::alert::Alert;
use stanch_engine_core::containment::OneStep;
use stanch_engine_core::drill;
use stanch_engine_core::id::{AlertId, IncidentId, RunId};
use stanch_engine_core::journal::Started;
use stanch_engine_core::json::plain;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::runs::{Claimed, NewRun, Parent};

/// What is known of a run beside its journal.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) id: RunId,
    pub(crate) epoch: i64,
    pub(crate) playbook: String,
    pub(crate) incident: Option<IncidentId>,
    pub(crate) alert: Option<AlertId>,
    pub(crate) parent: Option<Parent>,
    pub(crate) depth: u32,
    /// Where the part of its journal begins that still holds.
    pub(crate) base_seq: u32,
    /// When its database was restored from a backup that it may have gone on from before.
    pub(crate) restored_at: Option<Timestamp>,
    /// How urgent it is.
    pub(crate) level: u32,
    /// Whether its end makes room for others.
    pub(crate) is_limited: bool,
}

impl Identity {
    pub(crate) fn of_claimed(claimed: Claimed) -> Self {
        Self {
            id: claimed.id,
            epoch: claimed.epoch,
            playbook: claimed.playbook,
            incident: claimed.incident,
            alert: claimed.alert,
            parent: claimed.parent,
            depth: claimed.depth,
            base_seq: claimed.base_seq,
            restored_at: claimed.restored_at,
            level: claimed.level,
            is_limited: claimed.is_limited,
        }
    }

    pub(crate) fn of_new(new: &NewRun) -> Self {
        Self {
            id: new.id,
            epoch: new.epoch(),
            playbook: new.playbook.clone(),
            incident: new.incident,
            alert: new.alert,
            parent: new.parent.clone(),
            depth: new.depth,
            base_seq: 0,
            restored_at: new.restored_at,
            level: new.turn.level,
            is_limited: new.turn.gate.is_some(),
        }
    }
}

/// What a run is about, as far as its steps need to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    pub(crate) account: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) is_sample: bool,
    /// The user that a drill made, which this run may change though it is about a sample.
    pub(crate) drill_user: Option<String>,
    /// How many alerts that runs raised lead to this run.
    pub(crate) raised: u32,
    /// The one step that it is to take back, if it is an undo of no more than that.
    pub(crate) undoes: Option<OneStep>,
}

impl About {
    pub(super) fn of(started: &Started) -> Self {
        let scope = plain(started.scope.value());
        let alert = scope.get("alert").filter(|alert| !alert.is_null());
        let text =
            |name: &str| alert.and_then(|a| a.get(name)).and_then(Value::as_str).map(str::to_owned);
        let whole = alert.and_then(|alert| serde_json::from_value::<Alert>(alert.clone()).ok());
        let drill_user = whole.as_ref().and_then(drill::user_of).map(str::to_owned);
        let is_sample = whole.as_ref().is_some_and(Alert::is_sample);
        let raised = whole.and_then(|alert| alert.raised_by()).map_or(0, |by| by.depth);
        let (account, title) = (text("account"), text("title"));
        // AWS Health says so of what is in no region, and nobody answers there.
        let region = text("region").filter(|region| region != "global");
        let inputs = scope.get("inputs").filter(|inputs| inputs.get("step").is_some());
        let undoes = inputs.and_then(|inputs| OneStep::deserialize(inputs).ok());
        Self { account, region, title, is_sample, drill_user, raised, undoes }
    }
}
