//! The custody chain of an incident: each record names the hash of the one before it.
//!
//! What was said and asked is not in the record but beside it, and the record has its hash: a chain
//! can be shown, and proved, without it.

pub mod answers;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::chain::{ChainFault, Head, Link, Walked, walk};
use crate::digest::Sha256;
use crate::id::IncidentId;
use crate::time::Timestamp;

/// One event of custody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The incident whose chain it is in.
    pub incident: IncidentId,
    /// Its place in the chain, from 0 and without gaps.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who: a run and step, or a person.
    pub actor: String,
    /// What was done.
    pub action: CustodyAction,
    /// To what: the hash of an item, if it is about one.
    pub item: Option<Sha256>,
    /// The hash of the text beside the record that says why, and how: labels, requests, tool and
    /// version, caveats. Nothing in a record that has that text in itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail_sha256: Option<Sha256>,
    /// That text, in records that were sealed before it was beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
    /// The hash of the record before it; 64 zeros for the first.
    pub prev: Sha256,
}

/// The text beside a record. `chance` makes two that say the same two texts, so that nobody learns
/// from its hash what was said by trying what could have been.
pub fn detail_text(detail: &Value, chance: Option<u128>) -> String {
    let mut detail = detail.clone();
    if let (Some(members), Some(chance)) = (detail.as_object_mut(), chance) {
        members.insert("salt".to_owned(), Value::String(format!("{chance:032x}")));
    }
    detail.to_string()
}

/// What can be done to evidence, or be a part of its story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CustodyAction {
    /// An alert was received; the item is its payload.
    Received,
    /// An item was captured.
    Captured,
    /// An item was to be captured and was not.
    CaptureFailed,
    /// An item was read by a person.
    Accessed,
    /// A person decided something.
    Decided,
    /// A change was made in an account.
    Changed,
    /// A change was sent, and it failed: AWS refused it, or a person says that it did not happen.
    ChangeFailed,
    /// A guard rail refused a change: it was not sent.
    ChangeRefused,
    /// Nobody knows whether a change was made.
    ChangeDoubted,
    /// The chain and its items left in a bundle.
    Exported,
    /// A legal hold was laid on the incident: nothing of it is moved or deleted by retention.
    Held,
    /// A legal hold was lifted.
    Released,
    /// An item was moved to another place: its bytes were the same there before they went here.
    Moved,
    /// Retention deleted an item: its bytes are gone, and that it was there is still in the chain.
    DeletedByRetention,
    /// The database was restored from a backup: what came after it is in another chain.
    Restored,
}

impl Link for Record {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn prev(&self) -> Sha256 {
        self.prev
    }
}

/// Walks an incident's chain of records as they are stored and compares its end with what was
/// signed.
///
/// # Errors
/// [`ChainFault`] names the first record that was changed, removed, added or reordered.
pub fn verify_chain<'a>(
    bodies: impl IntoIterator<Item = &'a str>,
    incident: IncidentId,
    signed: Head,
) -> Result<Vec<Walked<Record>>, ChainFault> {
    walk(bodies, signed, |record: &Record| {
        if record.detail.is_some() == record.detail_sha256.is_some() {
            return Err("it has other members");
        }
        if record.incident != incident {
            return Err("it belongs to another incident");
        }
        Ok(())
    })
}

/// Holds the texts beside the records of a chain, one a line, against the hashes that these have.
/// The line of a record that has its text in itself is empty.
///
/// # Errors
/// [`ChainFault::Detail`] names the first record whose text was changed, removed or added.
pub fn verify_details<'a>(
    records: &[Walked<Record>],
    details: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<Value>, ChainFault> {
    let (mut details, mut told) = (details.into_iter(), Vec::new());
    for Walked { record, .. } in records {
        let fault = |what| ChainFault::Detail { seq: record.seq, what };
        let text = details.next().ok_or_else(|| fault("is missing"))?;
        let is_right = match record.detail_sha256 {
            Some(hash) => Sha256::of(text) == hash,
            None => text.is_empty(),
        };
        if !is_right {
            return Err(fault("was changed"));
        }
        let own = || serde_json::from_str(text).unwrap_or_default();
        told.push(record.detail.clone().unwrap_or_else(own));
    }
    match details.next() {
        Some(_) => Err(ChainFault::Detail { seq: records.len() as u64, what: "was added" }),
        None => Ok(told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn incident() -> IncidentId {
        IncidentId::new(Timestamp::from_micros(1), 1)
    }

    fn detail(seq: u64) -> String {
        detail_text(&json!({"label": seq}), Some(u128::from(seq)))
    }

    fn chain(n: u64) -> (Vec<String>, Head) {
        let incident = incident();
        let mut head = Head::EMPTY;
        let mut bodies = Vec::new();
        for seq in 0..n {
            let record = Record {
                incident,
                seq,
                at: Timestamp::from_micros(i64::try_from(seq).unwrap()),
                actor: "run".into(),
                action: CustodyAction::Captured,
                item: Some(Sha256::of(seq.to_be_bytes())),
                detail_sha256: Some(Sha256::of(detail(seq))),
                detail: None,
                prev: head.hash,
            };
            let sealed = record.seal();
            head = head.after(&sealed);
            bodies.push(sealed.body);
        }
        (bodies, head)
    }

    fn fault(bodies: &[String], head: Head) -> ChainFault {
        verify_chain(bodies.iter().map(String::as_str), incident(), head).unwrap_err()
    }

    #[test]
    fn a_whole_chain_verifies() {
        let (bodies, head) = chain(5);
        let walked = verify_chain(bodies.iter().map(String::as_str), incident(), head).unwrap();
        assert_eq!((walked.len(), walked[4].hash), (5, head.hash));
        let details: Vec<_> = (0..5).map(detail).collect();
        let told = verify_details(&walked, details.iter().map(String::as_str)).unwrap();
        assert_eq!(told[3]["label"], 3);
    }

    #[test]
    fn a_detail_that_is_changed_removed_or_added_is_named() {
        let (bodies, head) = chain(3);
        let walked = verify_chain(bodies.iter().map(String::as_str), incident(), head).unwrap();
        let fault = |details: &[&str]| {
            let error = verify_details(&walked, details.iter().copied()).unwrap_err();
            error.to_string()
        };
        let [zero, one, two] = [0, 1, 2].map(detail);
        assert_eq!(fault(&[&zero, &two, &one]), "the detail of record 1 was changed");
        assert_eq!(fault(&[&zero, "", &two]), "the detail of record 1 was changed");
        assert_eq!(fault(&[&zero, &one]), "the detail of record 2 is missing");
        assert_eq!(fault(&[&zero, &one, &two, ""]), "the detail of record 3 was added");
        assert_ne!(detail_text(&json!({"a": 1}), Some(1)), detail_text(&json!({"a": 1}), Some(2)));
    }

    #[test]
    fn a_record_that_was_sealed_with_its_detail_in_itself_still_counts() {
        let record = Record {
            incident: incident(),
            seq: 0,
            at: Timestamp::from_micros(1),
            actor: "run".into(),
            action: CustodyAction::Captured,
            item: None,
            detail_sha256: None,
            detail: Some(json!({"label": "old"})),
            prev: Sha256::ZERO,
        };
        let sealed = record.seal();
        let head = Head::EMPTY.after(&sealed);
        let walked = verify_chain([sealed.body.as_str()], incident(), head).unwrap();
        assert_eq!(verify_details(&walked, [""]).unwrap()[0]["label"], "old");
        let both = sealed
            .body
            .replace("\"prev\"", &format!("\"detail_sha256\":\"{0}\",\"prev\"", head.hash));
        assert!(matches!(
            verify_chain([both.as_str()], incident(), head),
            Err(ChainFault::Changed { seq: 0, .. })
        ));
    }

    #[test]
    fn a_chain_of_another_incident_is_named_at_its_first_record() {
        let (bodies, head) = chain(2);
        let other = IncidentId::new(Timestamp::from_micros(1), 2);
        let error = verify_chain(bodies.iter().map(String::as_str), other, head).unwrap_err();
        assert_eq!(error.to_string(), "record 0 was changed: it belongs to another incident");
    }

    #[test]
    fn a_changed_record_is_named_wherever_it_stands() {
        for at in 0..5 {
            let (mut bodies, head) = chain(5);
            bodies[at] = bodies[at].replace("captured", "accessed");
            match fault(&bodies, head) {
                ChainFault::Changed { seq, .. } | ChainFault::Head { seq } => {
                    assert_eq!(seq, at as u64);
                }
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn a_removed_record_is_named_wherever_it_stood_the_last_one_included() {
        for at in 0..5 {
            let (mut bodies, head) = chain(5);
            bodies.remove(at);
            let error = fault(&bodies, head);
            assert!(error.to_string().contains(&format!("record {at}")), "{error}");
        }
    }

    #[test]
    fn records_in_the_wrong_order_are_named() {
        let (mut bodies, head) = chain(5);
        bodies.swap(2, 3);
        assert_eq!(fault(&bodies, head), ChainFault::OutOfOrder { seq: 2, found: 3 });
    }

    #[test]
    fn an_added_record_is_named() {
        let (bodies, _) = chain(6);
        let (_, head) = chain(5);
        assert_eq!(fault(&bodies, head), ChainFault::Length { found: 6, signed: 5 });
    }
}
