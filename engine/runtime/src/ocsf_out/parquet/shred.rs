//! Events taken apart into columns. Each value says how deep its path is there (`def`), and at which
//! list on its path it goes on (`rep`); so what is absent, what is empty and what is nested comes back
//! as it was (<https://research.google/pubs/pub36632/>).

use serde_json::Value;
use stanch_engine_core::ocsf::lake::{Column, Kind};

use super::{LIST_NAMES, number};

/// What a leaf holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Text,
    Int,
    Long,
    Flag,
}

impl Scalar {
    /// What a kind holds, if it holds no other.
    pub(super) const fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Text => Some(Self::Text),
            Kind::Int => Some(Self::Int),
            Kind::Long => Some(Self::Long),
            Kind::Flag => Some(Self::Flag),
            Kind::Group(_) | Kind::List(_) => None,
        }
    }

    /// The number that the format has for it.
    pub(super) const fn number(self) -> i64 {
        match self {
            Self::Text => number::BYTE_ARRAY,
            Self::Int => number::INT32,
            Self::Long => number::INT64,
            Self::Flag => number::BOOLEAN,
        }
    }

    /// The value, if it is one of this kind.
    fn read(self, value: &Value) -> Option<Cell<'_>> {
        match self {
            Self::Text => value.as_str().map(Cell::Text),
            Self::Int => value.as_i64().and_then(|it| i32::try_from(it).ok()).map(Cell::Int),
            Self::Long => value.as_i64().map(Cell::Long),
            Self::Flag => value.as_bool().map(Cell::Flag),
        }
    }
}

/// A value of a leaf.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'v> {
    Text(&'v str),
    Int(i32),
    Long(i64),
    Flag(bool),
}

/// A place of a leaf, with its value where there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Entry<'v> {
    pub(super) rep: u8,
    pub(super) def: u8,
    pub(super) cell: Option<Cell<'v>>,
}

/// A column that holds values.
pub(super) struct Leaf<'v> {
    pub(super) path: Vec<&'static str>,
    pub(super) kind: Scalar,
    /// The largest `rep`: the number of lists on its path.
    pub(super) max_rep: u8,
    /// The largest `def`, which values have.
    pub(super) max_def: u8,
    pub(super) entries: Vec<Entry<'v>>,
}

/// The leaves of columns, in their order, with what they hold of each event.
pub(super) fn shred<'v>(columns: &[Column], events: &'v [Value]) -> Vec<Leaf<'v>> {
    let mut leaves = Vec::new();
    for column in columns {
        grow(column.kind, vec![column.name], (0, 0), &mut leaves);
    }
    for event in events {
        members(columns, Some(event), Level::default(), &mut leaves);
    }
    leaves
}

/// Adds the leaves of a kind.
fn grow(kind: Kind, path: Vec<&'static str>, (rep, def): (u8, u8), leaves: &mut Vec<Leaf<'_>>) {
    let under = |more: &[&'static str]| [path.as_slice(), more].concat();
    match kind {
        Kind::Group(columns) => {
            for column in columns {
                grow(column.kind, under(&[column.name]), (rep, def + 1), leaves);
            }
        }
        Kind::List(of) => grow(*of, under(&LIST_NAMES), (rep + 1, def + 2), leaves),
        _ => {
            let Some(kind) = Scalar::of(kind) else { return };
            leaves.push(Leaf { path, kind, max_rep: rep, max_def: def + 1, entries: Vec::new() });
        }
    }
}

/// Where a value stands: at which list it goes on, how much of its path is there, and in how many
/// lists it lies.
#[derive(Clone, Copy, Default)]
struct Level {
    rep: u8,
    def: u8,
    lists: u8,
}

impl Level {
    const fn deeper(self, by: u8) -> Self {
        Self { def: self.def + by, ..self }
    }
}

/// Writes members into the first leaves, which are theirs, and gives the number of those.
fn members<'v>(
    columns: &[Column],
    value: Option<&'v Value>,
    level: Level,
    leaves: &mut [Leaf<'v>],
) -> usize {
    let mut done = 0;
    for column in columns {
        let member = value.and_then(|value| value.get(column.name));
        done += put(column.kind, member, level, leaves.get_mut(done..).unwrap_or_default());
    }
    done
}

/// Writes a value into the first leaves, which are its own, and gives the number of those.
fn put<'v>(kind: Kind, value: Option<&'v Value>, level: Level, leaves: &mut [Leaf<'v>]) -> usize {
    match kind {
        Kind::Group(columns) => match value.filter(|value| value.is_object()) {
            Some(value) => members(columns, Some(value), level.deeper(1), leaves),
            None => members(columns, None, level, leaves),
        },
        Kind::List(of) => match value.and_then(Value::as_array).map(Vec::as_slice) {
            None => put(*of, None, level, leaves),
            Some([]) => put(*of, None, level.deeper(1), leaves),
            Some(items) => {
                let lists = level.lists + 1;
                let mut own = 0;
                for (place, item) in items.iter().enumerate() {
                    let rep = if place == 0 { level.rep } else { lists };
                    let level = Level { rep, lists, ..level.deeper(2) };
                    own = put(*of, Some(item), level, leaves);
                }
                own
            }
        },
        _ => {
            if let Some(leaf) = leaves.first_mut() {
                let cell = value.and_then(|value| leaf.kind.read(value));
                let def = level.def + u8::from(cell.is_some());
                leaf.entries.push(Entry { rep: level.rep, def, cell });
            }
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const INNER: &[Column] = &[
        Column { name: "uid", kind: Kind::Text },
        Column { name: "types", kind: Kind::List(&Kind::Text) },
    ];
    const COLUMNS: &[Column] = &[
        Column { name: "time", kind: Kind::Long },
        Column { name: "found", kind: Kind::List(&Kind::Group(INNER)) },
    ];

    fn levels(leaf: &Leaf<'_>) -> Vec<(u8, u8)> {
        leaf.entries.iter().map(|entry| (entry.rep, entry.def)).collect()
    }

    #[test]
    fn what_is_absent_empty_and_nested_is_told_apart() {
        let events = [
            json!({"time": 7, "found": [{"uid": "a", "types": ["x", "y"]}, {"types": []}, {}]}),
            json!({"found": []}),
            json!({"time": "noon"}),
        ];
        let leaves = shred(COLUMNS, &events);
        let [time, uid, types] = leaves.as_slice() else { panic!("{}", leaves.len()) };
        assert_eq!(
            time.entries.iter().map(|it| it.cell).collect::<Vec<_>>(),
            [Some(Cell::Long(7)), None, None]
        );
        assert_eq!((time.max_rep, time.max_def), (0, 1));
        assert_eq!(uid.path, ["found", "list", "element", "uid"]);
        assert_eq!((uid.max_rep, uid.max_def), (1, 4));
        assert_eq!(levels(uid), [(0, 4), (1, 3), (1, 3), (0, 1), (0, 0)]);
        assert_eq!(types.path, ["found", "list", "element", "types", "list", "element"]);
        assert_eq!((types.max_rep, types.max_def), (2, 6));
        assert_eq!(levels(types), [(0, 6), (2, 6), (1, 4), (1, 3), (0, 1), (0, 0)]);
    }
}
