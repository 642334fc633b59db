//! What goes into the database when something was captured: the item's row, and the record of its
//! custody.

use serde_json::{Value, json};
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::id::{EvidenceId, IncidentId, RunId};
use stanch_engine_core::json::Json;
use stanch_engine_core::step::StepKey;
use stanch_engine_core::world::World;
use stanch_engine_store::custody::NewRecord;
use stanch_engine_store::evidence::Item;

/// Something whose bytes are kept.
pub(crate) struct Captured<'a> {
    pub(crate) incident: IncidentId,
    pub(crate) run: Option<RunId>,
    pub(crate) step: Option<StepKey>,
    /// What people call it.
    pub(crate) label: &'a str,
    pub(crate) sha256: Sha256,
    pub(crate) bytes: u64,
    pub(crate) media_type: &'a str,
    /// Who captured it: a person, or a run and step.
    pub(crate) by: String,
    /// How: operations, regions, request ids, caveats.
    pub(crate) how: &'a Value,
}

impl Captured<'_> {
    /// Its row and its record, of now.
    pub(crate) fn rows(self, world: &World) -> (Item, NewRecord) {
        let (id, now) = (world.id(EvidenceId::new), world.now());
        let detail = json!({
            "evidence": id, "label": self.label, "bytes": self.bytes, "how": self.how,
            "tool": {"name": "stanch", "version": env!("CARGO_PKG_VERSION")},
        });
        let item = Item {
            id,
            incident: self.incident,
            run: self.run,
            step: self.step,
            label: self.label.to_owned(),
            sha256: self.sha256,
            bytes: i64::try_from(self.bytes).unwrap_or(i64::MAX),
            media_type: self.media_type.to_owned(),
            captured_at: now,
            captured_by: self.by.clone(),
            call: Json::canonical(self.how),
            deleted_at: None,
        };
        let record = NewRecord {
            incident: self.incident,
            at: now,
            actor: self.by,
            action: CustodyAction::Captured,
            item: Some(self.sha256),
            detail,
        };
        (item, record)
    }
}
