//! The reviewed table of operations: `catalogue/operations.tsv`.

use std::collections::HashMap;
use std::sync::LazyLock;

use stanch_plugins_sdk::core::effect::{Effect, RetrySafety};

use crate::model::Named;

/// What somebody has looked up and written down of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reviewed {
    /// How far it reaches.
    pub(crate) effect: Effect,
    /// What may be done when its outcome is unknown.
    pub(crate) safety: RetrySafety,
    /// Codes that say, of a repetition, that the earlier attempt took place; commas between.
    done: &'static str,
    /// The member that takes the idempotency token, where the model does not mark it.
    pub(crate) token: Option<&'static str>,
}

static TABLE: LazyLock<HashMap<&'static str, Reviewed>> = LazyLock::new(|| {
    include_str!("../catalogue/operations.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(row)
        .collect()
});

fn row(line: &'static str) -> Option<(&'static str, Reviewed)> {
    let mut columns = line.split('\t');
    let operation = columns.next()?;
    let effect = match columns.next()? {
        "read" => Effect::Read,
        "notify" => Effect::Notify,
        "change" => Effect::Change,
        "destroy" => Effect::Destroy,
        _ => return None,
    };
    let safety = match columns.next()? {
        "natural" => RetrySafety::Natural,
        "token" => RetrySafety::Token,
        "lookup" => RetrySafety::Lookup,
        "never" => RetrySafety::Never,
        _ => return None,
    };
    let done = columns.next().unwrap_or_default();
    let token = columns.next().filter(|token| !token.is_empty());
    Some((operation, Reviewed { effect, safety, done, token }))
}

/// The operations that something is written down of.
#[cfg(test)]
pub(crate) fn operations() -> impl Iterator<Item = &'static str> {
    TABLE.keys().copied()
}

/// What is written down of an operation, if anything is.
pub(crate) fn of(named: Named) -> Option<Reviewed> {
    TABLE.get(&*named.to_string()).copied()
}

impl Reviewed {
    /// The codes that say, of a repetition, that an earlier attempt took place.
    pub(crate) fn done(&self) -> impl Iterator<Item = &'static str> {
        self.done.split(',').filter(|code| !code.is_empty())
    }

    /// Whether an error of a repetition says that an earlier attempt took place.
    pub(crate) fn is_done(&self, code: &str) -> bool {
        self.done().any(|done| done == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effect;
    use crate::model::ModelStore;

    #[test]
    fn every_row_is_read_and_names_an_operation_as_botocore_does() {
        let store = ModelStore::open(None).unwrap();
        let rows = include_str!("../catalogue/operations.tsv").lines();
        let rows: Vec<_> = rows.filter(|line| !line.starts_with('#')).collect();
        assert!(rows.is_sorted_by(|a, b| a.replace('\t', " ") < b.replace('\t', " ")));
        for line in rows {
            let (operation, reviewed) = row(line).unwrap_or_else(|| panic!("{line}"));
            let named = store.operation(operation).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(named.to_string(), operation);
            if let Some(token) = reviewed.token {
                assert!(named.model.input(named.operation).unwrap().members.contains_key(token));
            }
        }
    }

    #[test]
    fn whatever_responders_change_was_reviewed() {
        let store = ModelStore::open(None).unwrap();
        let listed = include_str!("../catalogue/responders.txt").lines();
        let listed: Vec<_> = listed.filter(|line| !line.starts_with('#')).collect();
        assert!(listed.is_sorted() && listed.len() == 347);
        let changing = listed
            .iter()
            .filter(|operation| effect::of(store.operation(operation).unwrap()) != Effect::Read);
        let missing: Vec<_> = changing.filter(|op| !TABLE.contains_key(**op)).collect();
        assert_eq!(missing, Vec::<&&str>::new(), "write a row of each into operations.tsv");
    }

    #[test]
    fn what_says_token_has_a_member_for_it() {
        let store = ModelStore::open(None).unwrap();
        for (operation, reviewed) in TABLE.iter().filter(|(_, r)| r.safety == RetrySafety::Token) {
            let named = store.operation(operation).unwrap();
            let members = &named.model.input(named.operation).unwrap().members;
            let marked = members.values().any(|member| member.idempotency_token);
            assert!(marked || reviewed.token.is_some(), "{operation}");
        }
    }
}
