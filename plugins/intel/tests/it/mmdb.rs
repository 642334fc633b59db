//! Writes small databases in MaxMind's format (<https://maxmind.github.io/MaxMind-DB/>).

use serde_json::Value;

/// Bytes between the tree and the data.
const SEPARATOR: u32 = 16;

/// A tree of records of 24 bits: a record is the number of a node, or points behind the tree.
struct Tree(Vec<[Option<u32>; 2]>);

/// Where a record points into the data, before the size of the tree is known.
const DATA: u32 = 1 << 31;

impl Tree {
    fn add(&mut self, address: [u8; 4], length: u32, data: u32) {
        let (bits, mut node) = (u32::from_be_bytes(address), 0);
        for at in 0..length {
            let side = usize::from((bits >> (31 - at)) & 1 == 1);
            if at + 1 == length {
                self.0[node][side] = Some(DATA | data);
                return;
            }
            let next = match self.0[node][side] {
                Some(next) => next,
                None => {
                    self.0.push([None, None]);
                    let next = u32::try_from(self.0.len() - 1).unwrap();
                    self.0[node][side] = Some(next);
                    next
                }
            };
            node = usize::try_from(next).unwrap();
        }
    }
}

/// A database that has a value for each of these networks, none of which lies in another.
pub(crate) fn database(networks: &[([u8; 4], u32, Value)]) -> Vec<u8> {
    let (mut tree, mut data) = (Tree(vec![[None, None]]), Vec::new());
    for (address, length, value) in networks {
        tree.add(*address, *length, u32::try_from(data.len()).unwrap());
        write(value, &mut data);
    }
    let count = u32::try_from(tree.0.len()).unwrap();
    let mut bytes = Vec::new();
    for record in tree.0.iter().flatten() {
        let number = match record {
            None => count,
            Some(at) if at & DATA != 0 => count + SEPARATOR + (at & !DATA),
            Some(node) => *node,
        };
        bytes.extend_from_slice(&number.to_be_bytes()[1..]);
    }
    bytes.extend_from_slice(&[0; 16]);
    bytes.extend(data);
    bytes.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let metadata = [
        ("binary_format_major_version", number(5, 2)),
        ("binary_format_minor_version", number(5, 0)),
        ("build_epoch", number(9, 1_795_489_512)),
        ("database_type", text("Test")),
        ("description", control(7, 0)),
        ("ip_version", number(5, 4)),
        ("languages", control(11, 0)),
        ("node_count", number(6, count.into())),
        ("record_size", number(5, 24)),
    ];
    bytes.extend(control(7, metadata.len()));
    for (name, value) in metadata {
        bytes.extend(text(name));
        bytes.extend(value);
    }
    bytes
}

/// The byte or two that say what comes and how long it is.
fn control(kind: u8, size: usize) -> Vec<u8> {
    let (short, more) = match size {
        0..=28 => (u8::try_from(size).unwrap(), None),
        _ => (29, Some(u8::try_from(size - 29).unwrap())),
    };
    let head = if kind <= 7 { vec![kind << 5 | short] } else { vec![short, kind - 7] };
    head.into_iter().chain(more).collect()
}

fn text(text: &str) -> Vec<u8> {
    [control(2, text.len()), text.as_bytes().to_vec()].concat()
}

fn number(kind: u8, number: u64) -> Vec<u8> {
    let bytes: Vec<u8> = number.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    [control(kind, bytes.len()), bytes].concat()
}

fn write(value: &Value, data: &mut Vec<u8>) {
    match value {
        Value::Object(members) => {
            data.extend(control(7, members.len()));
            for (name, value) in members {
                data.extend(text(name));
                write(value, data);
            }
        }
        Value::String(string) => data.extend(text(string)),
        Value::Number(n) => data.extend(number(6, n.as_u64().unwrap())),
        other => panic!("no value of a database: {other}"),
    }
}
