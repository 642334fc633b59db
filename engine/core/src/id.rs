//! Prefixed identifiers, ordered by time: `run_01JD…`.
//!
//! A new id is made from a time and a random number that the caller brings.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::time::Timestamp;

/// A text that is no id of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of the form {prefix}_…")]
pub struct NotAnId {
    /// The prefix that was expected.
    pub prefix: &'static str,
    /// What stood there instead.
    pub text: String,
}

fn write_id(f: &mut fmt::Formatter<'_>, prefix: &str, ulid: Ulid) -> fmt::Result {
    let mut buffer = [0_u8; ulid::ULID_LEN];
    write!(f, "{prefix}_{}", ulid.array_to_str(&mut buffer))
}

fn read_id(prefix: &'static str, text: &str) -> Result<Ulid, NotAnId> {
    let bad = || NotAnId { prefix, text: text.chars().take(80).collect() };
    let rest = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or_else(bad)?;
    Ulid::from_string(rest).map_err(|_| bad())
}

macro_rules! prefixed_ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Ulid);

        impl $name {
            /// The prefix of this kind of id, without its underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id: the time makes it sortable, the random bits make it unique.
            pub fn new(at: Timestamp, random: u128) -> Self {
                Self(Ulid::from_parts(u64::try_from(at.millis()).unwrap_or(0), random))
            }

            /// 128 bits that are this id, for hashing and sharding.
            pub fn bits(self) -> u128 {
                self.0.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_id(f, $prefix, self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                read_id($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

prefixed_ids! {
    /// One alert, however often it is delivered.
    AlertId = "alr";
    /// One incident.
    IncidentId = "inc";
    /// One run of a playbook.
    RunId = "run";
    /// One question put to people.
    ApprovalId = "apr";
    /// One captured item.
    EvidenceId = "evd";
    /// One page to a person.
    PageId = "pag";
    /// One fact on its way into a run.
    InboxId = "ibx";
    /// One process that takes part.
    NodeId = "nod";
    /// One API token.
    TokenId = "tok";
    /// One payload that could not be read.
    DeadLetterId = "ded";
    /// One person's absence.
    AbsenceId = "abs";
    /// What is kept quiet for a while.
    SuppressionId = "sup";
    /// What was contained and still stands.
    ContainmentId = "ctn";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_survive_text() {
        let early = RunId::new(Timestamp::from_micros(1_000_000), u128::MAX);
        let late = RunId::new(Timestamp::from_micros(2_000_000), 0);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(late.to_string().parse::<RunId>().unwrap(), late);
        assert!(late.to_string().starts_with("run_"));
    }

    #[test]
    fn the_wrong_prefix_is_refused() {
        let run = RunId::new(Timestamp::default(), 7).to_string();
        let error = run.parse::<AlertId>().unwrap_err();
        assert_eq!(error.prefix, "alr");
        assert!("run_".parse::<RunId>().is_err());
    }
}
