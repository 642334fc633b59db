//! What the items of evidence are said to be, held against the chain in both directions: each is as its
//! record has it, and each that was captured is there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use stanch_engine_core::chain::Walked;
use stanch_engine_core::custody::{CustodyAction, Record};

use super::Fault;

/// Compares. `told` are the texts beside the records; without them nothing can be said.
pub(super) fn compare(
    items: &[Value],
    walked: &[Walked<Record>],
    told: &[Value],
) -> Result<(), Fault> {
    let (mut captured, mut deleted) = (BTreeMap::new(), BTreeMap::new());
    for (Walked { record, .. }, detail) in walked.iter().zip(told) {
        let Some(id) = text(detail, "evidence") else { continue };
        match record.action {
            CustodyAction::Captured => {
                captured.insert(id, (record, detail));
            }
            CustodyAction::DeletedByRetention => {
                deleted.insert(id, json!(record.at));
            }
            _ => {}
        }
    }
    for item in items {
        let id = text(item, "id").unwrap_or_default();
        let fault = |what: String| Err(Fault::Evidence(format!("{id} {what}")));
        let Some((record, detail)) = captured.get(id) else {
            return fault("is in no record".to_owned());
        };
        if let Some(name) = differs(item, record, detail) {
            return fault(format!("has another `{name}` than in record {}", record.seq));
        }
        if member(item, "deleted_at") != *deleted.get(id).unwrap_or(&Value::Null) {
            return fault("was deleted, or was not, other than the records say".to_owned());
        }
    }
    let shown: BTreeSet<&str> = items.iter().filter_map(|item| text(item, "id")).collect();
    // The first of them, in the order of the records.
    let missing = captured.iter().filter(|(id, _)| !shown.contains(*id));
    match missing.min_by_key(|(_, (record, _))| record.seq) {
        Some((id, (record, _))) => {
            let seq = record.seq;
            Err(Fault::Evidence(format!("{id} is missing: it is in record {seq}")))
        }
        None => Ok(()),
    }
}

/// The first member of an item that its record has otherwise.
fn differs(item: &Value, record: &Record, detail: &Value) -> Option<&'static str> {
    let said = [
        ("label", member(detail, "label")),
        ("sha256", json!(record.item)),
        ("bytes", member(detail, "bytes")),
        ("captured_at", json!(record.at)),
        ("captured_by", json!(record.actor)),
        ("how", member(detail, "how")),
    ];
    said.into_iter().find_map(|(name, said)| (member(item, name) != said).then_some(name))
}

fn member(of: &Value, name: &str) -> Value {
    of.get(name).cloned().unwrap_or_default()
}

fn text<'a>(of: &'a Value, name: &str) -> Option<&'a str> {
    of.get(name).and_then(Value::as_str)
}
