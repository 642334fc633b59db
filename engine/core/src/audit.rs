//! The audit log: who did what to what, when, from where, why, and how that ended. One chain over the
//! whole installation, hashed as the custody chains are.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::chain::Link;
use crate::digest::Sha256;
use crate::error_code::{self, ErrorCode};
use crate::time::Timestamp;

/// What somebody asks for, before it is known how it ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// When.
    pub at: Timestamp,
    /// The person or program; nothing when the token is none that is known.
    pub actor: Option<String>,
    /// The name of the token that they called with, where it was one.
    pub token: Option<String>,
    /// What, such as `runs.cancel`.
    pub verb: String,
    /// To what: an id or a name.
    pub object: Option<String>,
    /// From where: the address that called, as this node saw it.
    pub from: String,
    /// Why, in their words.
    pub reason: Option<String>,
    /// How, as far as that holds no secret: an object.
    pub detail: Value,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused, and nothing was changed.
    Refused,
    /// It failed.
    Failed,
    /// The node died over it: look at the object.
    Unknown,
}

impl Outcome {
    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// The outcome that a status of HTTP stands for.
    pub const fn of_status(status: u16) -> Self {
        match status {
            0..400 => Self::Done,
            400..500 => Self::Refused,
            _ => Self::Failed,
        }
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its place in the chain, from 0 and without gaps.
    pub seq: u64,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who.
    pub actor: Option<String>,
    /// The name of their token.
    pub token: Option<String>,
    /// What.
    pub verb: String,
    /// To what.
    pub object: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// The status of HTTP, where it was asked for so.
    pub status: Option<u16>,
    /// The code of the error, where it was refused or failed.
    pub code: Option<String>,
    /// From where.
    pub from: String,
    /// Why.
    pub reason: Option<String>,
    /// How.
    pub detail: Value,
    /// The hash of the record before it; 64 zeros for the first.
    pub prev: Sha256,
}

impl Link for Record {
    fn seq(&self) -> u64 {
        self.seq
    }

    fn prev(&self) -> Sha256 {
        self.prev
    }
}

/// How something ended, with what is known of it then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// The status of HTTP.
    pub status: Option<u16>,
    /// The code of the error.
    pub code: Option<String>,
    /// What it was done to, where that was made by it.
    pub object: Option<String>,
}

impl Ended {
    /// It was done, by something else than a call.
    pub const DONE: Self = Self { outcome: Outcome::Done, status: None, code: None, object: None };
    /// Nobody knows.
    pub const UNKNOWN: Self =
        Self { outcome: Outcome::Unknown, status: None, code: None, object: None };

    /// It was refused, or failed where the database did.
    pub fn by(code: ErrorCode) -> Self {
        let outcome = if code == error_code::STORE { Outcome::Failed } else { Outcome::Refused };
        Self { outcome, status: None, code: Some(code.code.to_owned()), object: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::{ChainFault, Head, Walked, walk, walk_some};
    use serde_json::json;

    fn chain(n: u64) -> (Vec<String>, Head) {
        let mut head = Head::EMPTY;
        let mut bodies = Vec::new();
        for seq in 0..n {
            let record = Record {
                seq,
                at: Timestamp::from_micros(7),
                actor: Some("mia".into()),
                token: None,
                verb: "runs.cancel".into(),
                object: None,
                outcome: Outcome::of_status(403),
                status: Some(403),
                code: Some("ST0304".into()),
                from: "10.0.0.1".into(),
                reason: None,
                detail: json!({}),
                prev: head.hash,
            };
            let sealed = record.seal();
            head = head.after(&sealed);
            bodies.push(sealed.body);
        }
        (bodies, head)
    }

    fn walked(bodies: &[String], head: Head) -> Result<Vec<Walked<Record>>, ChainFault> {
        walk(bodies.iter().map(String::as_str), head, |_| Ok(()))
    }

    #[test]
    fn some_records_are_in_order_and_name_those_beside_them() {
        let (whole, _) = chain(6);
        let some = |places: &[usize]| {
            let bodies = places.iter().map(|at| whole[*at].as_str());
            walk_some::<Record>(bodies).map(|walked| walked.len())
        };
        assert_eq!((some(&[0, 1, 3, 4]), some(&[2, 5]), some(&[])), (Ok(4), Ok(2), Ok(0)));
        for (places, named) in [(&[1, 1][..], "record 2"), (&[3, 2], "record 4")] {
            let fault = some(places).unwrap_err().to_string();
            assert!(fault.contains(named) && fault.contains("out of order"), "{fault}");
        }
        let changed = whole[2].replace("mia", "mio");
        let fault = walk_some::<Record>([changed.as_str(), &whole[3]]).unwrap_err().to_string();
        assert!(fault.contains("record 2 was changed"), "{fault}");
        let (other, _) = chain(1);
        let first = other[0].replace(&"0".repeat(64), &"1".repeat(64));
        assert!(walk_some::<Record>([first.as_str()]).is_err(), "nothing is before the first");
    }

    #[test]
    fn one_letter_in_any_record_is_found_there() {
        let (whole, head) = chain(4);
        assert_eq!(walked(&whole, head).unwrap().len(), 4);
        for at in 0..4 {
            let mut bodies = whole.clone();
            bodies[at] = bodies[at].replace("mia", "mio");
            let fault = walked(&bodies, head).unwrap_err().to_string();
            assert!(fault.contains(&format!("record {at}")), "{fault}");
            let mut bodies = whole.clone();
            bodies.remove(at);
            let fault = walked(&bodies, head).unwrap_err().to_string();
            assert!(fault.contains(&format!("record {at}")), "{fault}");
        }
    }
}
