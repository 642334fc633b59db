//! What a chain says of approvals: what was answered to which, and whether it still counts.

use serde_json::{Value, json};

use super::{CustodyAction, Record};

/// The member of a decision that says since when it does not count.
pub const REVOKED_AT: &str = "revoked_at";

/// An answer, as the chain has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// The place of the record in which it was given.
    pub seq: u64,
    /// The id of the approval that it was said to.
    pub approval: String,
    /// The decision, with [`REVOKED_AT`] where it was taken back since.
    pub decision: Value,
}

impl Said {
    /// Who said it.
    pub fn person(&self) -> &str {
        person_of(&self.decision)
    }
}

/// Who gave a decision.
pub fn person_of(decision: &Value) -> &str {
    decision.get("person").and_then(Value::as_str).unwrap_or_default()
}

/// The id of the approval that a record of a decision is about.
pub fn approval_of<'a>(record: &Record, detail: &'a Value) -> Option<&'a str> {
    let is_decided = record.action == CustodyAction::Decided;
    detail.get("approval").and_then(Value::as_str).filter(|_| is_decided)
}

/// The last answer of each person to each approval, after some records of a chain.
#[derive(Clone, Debug, Default)]
pub struct Answers(Vec<Said>);

impl Answers {
    /// Takes in the next record, with the text beside it.
    pub fn hear(&mut self, record: &Record, detail: &Value) {
        let Some(approval) = approval_of(record, detail) else { return };
        let decision = detail.get("decision").unwrap_or(&Value::Null);
        match decision.as_str() {
            None if decision.is_object() => {
                let person = person_of(decision);
                self.0.retain(|said| said.approval != approval || said.person() != person);
                let approval = approval.to_owned();
                self.0.push(Said { seq: record.seq, approval, decision: decision.clone() });
            }
            Some("withdrawn") => {
                self.end(approval, record, |decision| person_of(decision) == record.actor);
            }
            // Who was disabled, or for whom somebody stood in.
            Some("revoked") => {
                let Some(of) = detail.get("of").and_then(Value::as_str) else { return };
                self.end(approval, record, |decision| {
                    let names = decision.get("on_behalf").and_then(Value::as_array);
                    person_of(decision) == of || names.into_iter().flatten().any(|name| name == of)
                });
            }
            _ => {}
        }
    }

    fn end(&mut self, approval: &str, record: &Record, is_it: impl Fn(&Value) -> bool) {
        let is_yes = |decision: &Value| decision.get("answer").is_some_and(|it| it == "approve");
        for said in self.0.iter_mut().filter(|said| said.approval == approval) {
            let counts = is_yes(&said.decision) && said.decision.get(REVOKED_AT).is_none();
            if counts
                && is_it(&said.decision)
                && let Some(members) = said.decision.as_object_mut()
            {
                members.insert(REVOKED_AT.to_owned(), json!(record.at));
            }
        }
    }

    /// All of them, by the place of their records.
    pub fn all(&self) -> &[Said] {
        &self.0
    }

    /// What a person said to an approval.
    pub fn find(&self, approval: &str, person: &str) -> Option<&Said> {
        self.0.iter().find(|said| said.approval == approval && said.person() == person)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Sha256;
    use crate::id::IncidentId;
    use crate::time::Timestamp;

    fn heard(said: &[(&str, Value)]) -> Answers {
        let mut answers = Answers::default();
        for (seq, (actor, detail)) in (0_u8..).zip(said) {
            let record = Record {
                incident: IncidentId::new(Timestamp::from_micros(1), 1),
                seq: u64::from(seq),
                at: Timestamp::from_micros(i64::from(seq)),
                actor: (*actor).to_owned(),
                action: CustodyAction::Decided,
                item: None,
                detail_sha256: None,
                detail: None,
                prev: Sha256::ZERO,
            };
            answers.hear(&record, detail);
        }
        answers
    }

    fn yes(person: &str, for_whom: &[&str]) -> (&'static str, Value) {
        let decision = json!({"person": person, "answer": "approve", "on_behalf": for_whom});
        ("", json!({"approval": "a", "decision": decision}))
    }

    #[test]
    fn the_last_answer_of_a_person_counts_until_it_is_taken_back() {
        let back = ("mia", json!({"approval": "a", "decision": "withdrawn"}));
        let answers = heard(&[yes("mia", &[]), yes("lea", &[]), back.clone()]);
        let [mia, lea] = answers.all() else { panic!("{answers:?}") };
        assert_eq!((mia.person(), mia.seq), ("mia", 0));
        assert_eq!(mia.decision[REVOKED_AT], json!(Timestamp::from_micros(2)));
        assert!(lea.decision.get(REVOKED_AT).is_none());
        let answers = heard(&[yes("mia", &[]), back, yes("mia", &[])]);
        assert_eq!(answers.all().len(), 1);
        let again = answers.find("a", "mia").unwrap();
        assert!(again.seq == 2 && again.decision.get(REVOKED_AT).is_none(), "{again:?}");
        assert!(answers.find("b", "mia").is_none());
    }

    #[test]
    fn who_is_disabled_takes_along_what_was_said_for_them() {
        let gone = ("admin", json!({"approval": "a", "decision": "revoked", "of": "mia"}));
        let no = json!({"person": "max", "answer": "reject", "on_behalf": ["mia"]});
        let no = ("", json!({"approval": "a", "decision": no}));
        let other = ("admin", json!({"approval": "b", "decision": "revoked", "of": "lea"}));
        let answers =
            heard(&[yes("mia", &[]), yes("lea", &["mia"]), no, other, gone, yes("kim", &[])]);
        let gone = |person| answers.find("a", person).unwrap().decision.get(REVOKED_AT).is_some();
        assert_eq!(["mia", "lea", "max", "kim"].map(gone), [true, true, false, false]);
    }
}
