//! Events as a file of Parquet (<https://parquet.apache.org/docs/file-format/>): one group of rows, each
//! column in pages of plain values packed by Zstandard, and a footer that says where everything is.
//! `docs/adr/0016` says why no library writes it.

mod page;
mod shred;
mod thrift;

use serde_json::Value;
use stanch_engine_core::ocsf::lake::{Column, Kind};

use page::Chunk;
use shred::Leaf;
use thrift::Out;

/// What a file begins and ends with.
const MAGIC: &[u8; 4] = b"PAR1";

/// Numbers that the format has for what is written here.
mod number {
    pub(super) const BOOLEAN: i64 = 0;
    pub(super) const INT32: i64 = 1;
    pub(super) const INT64: i64 = 2;
    pub(super) const BYTE_ARRAY: i64 = 6;
    pub(super) const OPTIONAL: i64 = 1;
    pub(super) const REPEATED: i64 = 2;
    pub(super) const UTF8: i64 = 0;
    pub(super) const LIST: i64 = 3;
    pub(super) const PLAIN: i64 = 0;
    pub(super) const RLE: i64 = 3;
    pub(super) const ZSTD: i64 = 6;
    pub(super) const DATA_PAGE: i64 = 0;
}

/// A file of events, in the order in which they are given.
///
/// # Errors
/// When the packer fails, or there is more than the format's numbers hold.
pub(super) fn write(columns: &[Column], events: &[Value]) -> std::io::Result<Vec<u8>> {
    let leaves = shred::shred(columns, events);
    let mut file = MAGIC.to_vec();
    let mut chunks = Vec::new();
    for leaf in &leaves {
        let chunk = page::write(leaf)?;
        let at = file.len();
        file.extend_from_slice(&chunk.bytes);
        chunks.push((leaf, chunk, at));
    }
    let footer = footer(columns, events.len(), &chunks);
    let length = u32::try_from(footer.len()).map_err(std::io::Error::other)?;
    file.extend_from_slice(&footer);
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(MAGIC);
    Ok(file)
}

/// A column's leaf, its pages, and where they begin.
type Placed<'v> = (&'v Leaf<'v>, Chunk, usize);

fn footer(columns: &[Column], rows: usize, chunks: &[Placed<'_>]) -> Vec<u8> {
    let (kind, repetition, converted) = Default::default();
    let root = Element { name: "event", kind, repetition, children: columns.len(), converted };
    let mut schema = vec![root];
    columns.iter().for_each(|column| describe(column.name, column.kind, &mut schema));
    let mut out = Out::default();
    out.int(1, 1);
    out.groups(2, &schema, |out, element| element.write(out));
    out.long(3, rows);
    out.groups(4, &[()], |out, _| {
        out.groups(1, chunks, describe_chunk);
        out.long(2, chunks.iter().map(|(_, chunk, _)| chunk.unpacked).sum());
        out.long(3, rows);
    });
    out.text(6, concat!("stanch ", env!("CARGO_PKG_VERSION")));
    out.end()
}

fn describe_chunk(out: &mut Out, (leaf, chunk, at): &Placed<'_>) {
    out.long(2, *at);
    out.group(3, |out| {
        out.int(1, leaf.kind.number());
        out.ints(2, &[number::PLAIN, number::RLE]);
        out.texts(3, &leaf.path);
        out.int(4, number::ZSTD);
        out.long(5, leaf.entries.len());
        out.long(6, chunk.unpacked);
        out.long(7, chunk.bytes.len());
        out.long(9, *at);
    });
}

/// A line of the schema: what holds others says how many of the next are its own.
struct Element {
    name: &'static str,
    kind: Option<i64>,
    repetition: Option<i64>,
    children: usize,
    converted: Option<i64>,
}

impl Element {
    fn write(&self, out: &mut Out) {
        if let Some(kind) = self.kind {
            out.int(1, kind);
        }
        if let Some(repetition) = self.repetition {
            out.int(3, repetition);
        }
        out.text(4, self.name);
        if self.kind.is_none() {
            out.int(5, i64::try_from(self.children).unwrap_or(i64::MAX));
        }
        if let Some(converted) = self.converted {
            out.int(6, converted);
        }
    }
}

fn describe(name: &'static str, kind: Kind, schema: &mut Vec<Element>) {
    let repetition = Some(number::OPTIONAL);
    let holds = |children, converted| Element { name, kind: None, repetition, children, converted };
    match kind {
        Kind::Group(members) => {
            schema.push(holds(members.len(), None));
            members.iter().for_each(|column| describe(column.name, column.kind, schema));
        }
        Kind::List(of) => {
            schema.push(holds(1, Some(number::LIST)));
            let repetition = Some(number::REPEATED);
            let each = Element {
                name: LIST_NAMES[0],
                kind: None,
                repetition,
                children: 1,
                converted: None,
            };
            schema.push(each);
            describe(LIST_NAMES[1], *of, schema);
        }
        Kind::Text | Kind::Int | Kind::Long | Kind::Flag => {
            let scalar = shred::Scalar::of(kind);
            let converted = (kind == Kind::Text).then_some(number::UTF8);
            schema.push(Element {
                name,
                kind: scalar.map(shred::Scalar::number),
                repetition,
                children: 0,
                converted,
            });
        }
    }
}

/// What the two levels within a list are called.
const LIST_NAMES: [&str; 2] = ["list", "element"];

#[cfg(test)]
mod tests {
    use std::process::Command;

    use serde_json::{Map, Value, json};
    use stanch_engine_core::ocsf::{Class, lake};

    use super::*;
    use crate::reconciler::without_nulls;

    /// Another reader's rows, as JSON, and how each column is packed.
    const READ: &str = "
import json, sys, pyarrow.parquet as parquet
file = parquet.ParquetFile(sys.argv[1])
group = file.metadata.row_group(0)
packed = {group.column(i).compression for i in range(group.num_columns)}
print(json.dumps({'rows': file.read().to_pylist(), 'packed': sorted(packed)}))
";

    fn read_by_another(file: &[u8]) -> Value {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.parquet");
        std::fs::write(&path, file).unwrap();
        let ran = Command::new(stanch_tests::python()).args(["-c", READ]).arg(&path).output();
        let ran = ran.unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        serde_json::from_slice(&ran.stdout).unwrap()
    }

    /// The other reader has a null for each member that is absent.
    fn rows_of(read: &Value) -> Vec<Value> {
        read["rows"].as_array().unwrap().iter().cloned().map(without_nulls).collect()
    }

    /// Numbers that look like chance, and are the same each time.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self, sides: u64) -> u64 {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % sides
        }
    }

    fn some(columns: &[Column], dice: &mut Dice) -> Value {
        let mut members = Map::new();
        for column in columns {
            if dice.roll(4) > 0 {
                members.insert(column.name.to_owned(), one(column.kind, dice));
            }
        }
        Value::Object(members)
    }

    fn one(kind: Kind, dice: &mut Dice) -> Value {
        match kind {
            Kind::Text => json!("é\u{1f600}\n\"x".repeat(usize::try_from(dice.roll(3)).unwrap())),
            Kind::Int => json!(i32::MIN + i32::try_from(dice.roll(1 << 30)).unwrap()),
            Kind::Long => json!(i64::MIN + i64::try_from(dice.roll(1 << 30)).unwrap()),
            Kind::Flag => json!(dice.roll(2) == 0),
            Kind::Group(columns) => some(columns, dice),
            Kind::List(of) => (0..dice.roll(4)).map(|_| one(*of, dice)).collect(),
        }
    }

    #[test]
    fn another_reader_reads_every_field_as_it_was() {
        let mut dice = Dice(7);
        for class in Class::ALL {
            let columns = lake::columns(class);
            let events: Vec<_> = (0..300).map(|_| some(&columns, &mut dice)).collect();
            let read = read_by_another(&write(&columns, &events).unwrap());
            assert_eq!(read["packed"], json!(["ZSTD"]));
            let rows = rows_of(&read);
            assert_eq!(rows.len(), events.len());
            for (row, event) in rows.iter().zip(&events) {
                assert_eq!(row, event);
            }
        }
    }

    #[test]
    fn another_reader_reads_columns_of_several_pages() {
        let columns = lake::columns(Class::DetectionFinding);
        let long = "a long story ".repeat(30_000);
        let event = |number: u32| {
            json!({"time": number, "message": format!("{long}{number}"),
            "resources": [{"uid": long}, {"uid": number.to_string()}]})
        };
        let events: Vec<_> = (0..20).map(event).collect();
        let file = write(&columns, &events).unwrap();
        assert!(file.len() < 1024 * 1024, "it is packed: {}", file.len());
        let read = read_by_another(&file);
        let rows = rows_of(&read);
        assert_eq!(rows, events);
    }
}
