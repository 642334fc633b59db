//! Thrift's compact protocol, as far as Parquet's headers need it
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>).

const I32: u8 = 5;
const I64: u8 = 6;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// A structure that is being written. Fields are written in the order of their numbers.
#[derive(Default)]
pub(super) struct Out {
    bytes: Vec<u8>,
    /// The number of the field that was written last.
    last: u8,
}

impl Out {
    /// A number of 32 bits, or a choice.
    pub(super) fn int(&mut self, id: u8, value: i64) {
        self.field(id, I32);
        self.zigzag(value);
    }

    /// A number of 64 bits.
    pub(super) fn long(&mut self, id: u8, value: usize) {
        self.field(id, I64);
        self.zigzag(i64::try_from(value).unwrap_or(i64::MAX));
    }

    pub(super) fn text(&mut self, id: u8, text: &str) {
        self.field(id, BINARY);
        self.binary(text);
    }

    pub(super) fn ints(&mut self, id: u8, values: &[i64]) {
        self.list(id, I32, values.len());
        values.iter().for_each(|value| self.zigzag(*value));
    }

    pub(super) fn texts(&mut self, id: u8, texts: &[&str]) {
        self.list(id, BINARY, texts.len());
        texts.iter().for_each(|text| self.binary(text));
    }

    /// A structure within.
    pub(super) fn group(&mut self, id: u8, write: impl FnOnce(&mut Self)) {
        self.field(id, STRUCT);
        self.within(write);
    }

    /// A list of structures.
    pub(super) fn groups<T>(&mut self, id: u8, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.list(id, STRUCT, items.len());
        for item in items {
            self.within(|out| write(out, item));
        }
    }

    /// All of it.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }

    fn within(&mut self, write: impl FnOnce(&mut Self)) {
        let last = std::mem::take(&mut self.last);
        write(self);
        self.bytes.push(0);
        self.last = last;
    }

    /// Numbers of fields are written as what they are more than the last.
    fn field(&mut self, id: u8, kind: u8) {
        self.bytes.push((id.saturating_sub(self.last) << 4) | kind);
        self.last = id;
    }

    fn list(&mut self, id: u8, kind: u8, length: usize) {
        self.field(id, LIST);
        match u8::try_from(length) {
            Ok(short @ 0..15) => self.bytes.push((short << 4) | kind),
            _ => {
                self.bytes.push(0xf0 | kind);
                varint(&mut self.bytes, length as u64);
            }
        }
    }

    fn binary(&mut self, text: &str) {
        varint(&mut self.bytes, text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn zigzag(&mut self, value: i64) {
        varint(&mut self.bytes, ((value << 1) ^ (value >> 63)).cast_unsigned());
    }
}

/// Seven bits a byte, the lowest first; the eighth says that there are more.
pub(super) fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_the_protocol_has_them() {
        for (number, expected) in [
            (0_u64, vec![0]),
            (127, vec![0x7f]),
            (128, vec![0x80, 1]),
            (300, vec![0xac, 2]),
            (u64::MAX, [vec![0xff; 9], vec![1]].concat()),
        ] {
            let mut bytes = Vec::new();
            varint(&mut bytes, number);
            assert_eq!(bytes, expected, "{number}");
        }
    }

    #[test]
    fn fields_count_from_the_last_and_structures_from_none() {
        let mut out = Out::default();
        out.int(1, -1);
        out.group(3, |out| out.text(1, "ab"));
        out.long(4, 5);
        out.groups(6, &[7_i64; 15], |out, value| out.int(2, *value));
        let mut expected = vec![0x15, 1, 0x2c, 0x18, 2, b'a', b'b', 0, 0x16, 10, 0x29, 0xfc, 15];
        expected.extend([0x25, 14, 0].repeat(15));
        expected.push(0);
        assert_eq!(out.end(), expected);
    }
}
