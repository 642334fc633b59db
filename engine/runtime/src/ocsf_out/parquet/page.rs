//! The pages of a column: levels as runs, values plain, each page packed.

use super::number;
use super::shred::{Cell, Entry, Leaf};
use super::thrift::{Out, varint};

/// Bytes of values from which on a page ends with its row: Security Lake asks for pages of a megabyte.
const PAGE_BYTES: usize = 1024 * 1024;

/// How hard the packer tries; its own default.
const LEVEL: i32 = 3;

/// The pages of a column.
pub(super) struct Chunk {
    /// As they stand in the file, with their headers.
    pub(super) bytes: Vec<u8>,
    /// How long they would be unpacked.
    pub(super) unpacked: usize,
}

/// Writes a column's pages.
pub(super) fn write(leaf: &Leaf<'_>) -> std::io::Result<Chunk> {
    let mut chunk = Chunk { bytes: Vec::new(), unpacked: 0 };
    let mut rest = leaf.entries.as_slice();
    while !rest.is_empty() {
        let (own, more) = rest.split_at(first_page(rest));
        one(leaf, own, &mut chunk)?;
        rest = more;
    }
    Ok(chunk)
}

/// The number of entries of the next page: whole rows.
fn first_page(entries: &[Entry<'_>]) -> usize {
    let mut bytes = 0;
    for (place, entry) in entries.iter().enumerate() {
        if entry.rep == 0 && bytes >= PAGE_BYTES {
            return place;
        }
        bytes += match entry.cell {
            Some(Cell::Text(text)) => text.len() + 4,
            Some(_) => 8,
            None => 0,
        };
    }
    entries.len()
}

fn one(leaf: &Leaf<'_>, entries: &[Entry<'_>], chunk: &mut Chunk) -> std::io::Result<()> {
    let mut page = Vec::new();
    levels(&mut page, leaf.max_rep, entries.iter().map(|entry| entry.rep));
    levels(&mut page, leaf.max_def, entries.iter().map(|entry| entry.def));
    values(&mut page, entries.iter().filter_map(|entry| entry.cell));
    let packed = zstd::bulk::compress(&page, LEVEL)?;
    let size = |bytes: usize| i32::try_from(bytes).map(i64::from).map_err(std::io::Error::other);
    let (unpacked_size, packed_size, count) =
        (size(page.len())?, size(packed.len())?, size(entries.len())?);
    let mut header = Out::default();
    header.int(1, number::DATA_PAGE);
    header.int(2, unpacked_size);
    header.int(3, packed_size);
    header.group(5, |out| {
        out.int(1, count);
        out.int(2, number::PLAIN);
        out.int(3, number::RLE);
        out.int(4, number::RLE);
    });
    let header = header.end();
    chunk.unpacked += header.len() + page.len();
    chunk.bytes.extend(header);
    chunk.bytes.extend(packed);
    Ok(())
}

/// Levels as runs of equal ones, behind their length; nothing where there is but one level.
fn levels(page: &mut Vec<u8>, max: u8, levels: impl Iterator<Item = u8>) {
    if max == 0 {
        return;
    }
    let mut runs = Vec::new();
    let mut close = |level: u8, count: u64| {
        if count > 0 {
            varint(&mut runs, count << 1);
            runs.push(level);
        }
    };
    let (mut level, mut count) = (0, 0);
    for next in levels {
        if next != level {
            close(level, count);
            (level, count) = (next, 0);
        }
        count += 1;
    }
    close(level, count);
    // Runs of a page are shorter than the page, whose length was looked at.
    page.extend_from_slice(&u32::try_from(runs.len()).unwrap_or(u32::MAX).to_le_bytes());
    page.extend_from_slice(&runs);
}

fn values<'v>(page: &mut Vec<u8>, cells: impl Iterator<Item = Cell<'v>>) {
    // Flags are bits, the lowest first.
    let (mut flags, mut bits) = (0_u8, 0_u8);
    for cell in cells {
        match cell {
            Cell::Text(text) => {
                let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                page.extend_from_slice(&length.to_le_bytes());
                page.extend_from_slice(text.as_bytes());
            }
            Cell::Int(number) => page.extend_from_slice(&number.to_le_bytes()),
            Cell::Long(number) => page.extend_from_slice(&number.to_le_bytes()),
            Cell::Flag(flag) => {
                flags |= u8::from(flag) << bits;
                bits += 1;
                if bits == 8 {
                    page.push(flags);
                    (flags, bits) = (0, 0);
                }
            }
        }
    }
    if bits > 0 {
        page.push(flags);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_runs_and_flags_are_bits() {
        let mut page = Vec::new();
        levels(&mut page, 0, [0, 0].into_iter());
        assert!(page.is_empty(), "there is one level alone");
        levels(&mut page, 2, [0, 0, 2, 1, 1, 1].into_iter());
        assert_eq!(page, [6, 0, 0, 0, 4, 0, 2, 2, 6, 1]);
        let mut page = Vec::new();
        let flags = (0..9).map(|place| Cell::Flag(place % 2 == 0));
        values(&mut page, flags);
        assert_eq!(page, [0b0101_0101, 1]);
    }

    #[test]
    fn a_page_ends_with_a_row() {
        let text = "x".repeat(PAGE_BYTES);
        let entry = |rep| Entry { rep, def: 1, cell: Some(Cell::Text(&text)) };
        assert_eq!(first_page(&[entry(0), entry(1), entry(1)]), 3, "one row is one page");
        assert_eq!(first_page(&[entry(0), entry(1), entry(0), entry(0)]), 2);
    }
}
