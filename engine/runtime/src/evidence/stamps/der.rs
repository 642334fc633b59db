//! DER (X.690), as far as time-stamps need it: lengths that are said, tags of one byte.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// `[0]`, of something that has parts.
pub(super) const ZEROTH: u8 = 0xa0;

/// A value.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) tag: u8,
    /// What is in it.
    pub(super) content: &'a [u8],
    /// All of it, its tag and its length in front.
    pub(super) whole: &'a [u8],
}

impl<'a> Value<'a> {
    /// The values within.
    pub(super) fn inside(self) -> Values<'a> {
        Values(self.content)
    }
}

/// Values, one behind the other.
#[derive(Clone, Copy)]
pub(super) struct Values<'a>(pub(super) &'a [u8]);

impl<'a> Values<'a> {
    /// The next one.
    pub(super) fn any(&mut self) -> Option<Value<'a>> {
        let (value, rest) = first(self.0)?;
        self.0 = rest;
        Some(value)
    }

    /// The next one, if it has this tag.
    pub(super) fn of(&mut self, tag: u8) -> Option<Value<'a>> {
        let (value, rest) = first(self.0).filter(|(value, _)| value.tag == tag)?;
        self.0 = rest;
        Some(value)
    }

    /// The only one, if it is alone and has this tag.
    pub(super) fn alone(mut self, tag: u8) -> Option<Value<'a>> {
        let value = self.of(tag)?;
        self.0.is_empty().then_some(value)
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.any()
    }
}

fn first(bytes: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (said, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (said.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    // Tags of more bytes stand in no time-stamp.
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (content, after) = rest.split_at_checked(length)?;
    let whole = bytes.get(..bytes.len() - after.len())?;
    Some((Value { tag, content, whole }, after))
}

/// Writes a value.
pub(super) fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut out = vec![tag];
    match length.as_slice() {
        [] => out.push(0),
        [short @ 0..=0x7f] => out.push(*short),
        // A length has eight bytes at most.
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_what_is_cut_is_not() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let written = write(OCTETS, &vec![7; length]);
            let value = Values(&written).alone(OCTETS).unwrap();
            assert_eq!((value.content.len(), value.whole.len()), (length, written.len()));
            assert!(Values(&written).alone(SET).is_none());
            for end in [0, 1, written.len() - 1] {
                assert!(first(&written[..end]).is_none(), "{length} {end}");
            }
        }
        assert_eq!(write(INTEGER, &[1]), [2, 1, 1]);
        assert!(first(&[OCTETS, 0x80, 0, 0]).is_none(), "no length is said");
        assert!(first(&[OCTETS, 0x84, 0xff, 0xff, 0xff, 0xff, 0]).is_none(), "it lies");
        let two = [write(OCTETS, b"a"), write(OCTETS, b"b")].concat();
        assert!(Values(&two).alone(OCTETS).is_none() && Values(&two).count() == 2);
    }
}
