//! Lengths of time by size: 32 sizes for every doubling, so that a size is known to within 1.6 %.

/// The bits of a value that tell sizes of one doubling apart.
const BITS: u32 = 5;
const STEPS: u64 = 1 << BITS;

/// How far a value that is read back may be off, as a part of it.
pub const ERROR: f64 = 1.0 / 64.0;

/// The size that a length of time has. What is shorter than 32 ms is known exactly.
pub fn size_of(ms: i64) -> u16 {
    let ms = u64::try_from(ms).unwrap_or(0);
    if ms < STEPS {
        return u16::try_from(ms).unwrap_or(0);
    }
    let doublings = ms.ilog2() - BITS;
    let size = (u64::from(doublings) << BITS) + (ms >> doublings);
    u16::try_from(size).unwrap_or(u16::MAX)
}

/// The middle of a size, in milliseconds.
pub fn middle_of(size: u16) -> i64 {
    let size = u64::from(size);
    if size < 2 * STEPS {
        return i64::try_from(size).unwrap_or(i64::MAX);
    }
    let doublings = (size >> BITS) - 1;
    let (low, width) = ((size - (doublings << BITS)) << doublings, 1_u64 << doublings);
    i64::try_from(low + width / 2).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_tells_a_length_to_within_its_error() {
        assert!((0..1_000_000).is_sorted_by_key(size_of), "sizes grow with lengths");
        for ms in (0..1_000_000_i64).chain((1..4_000).map(|n| n * n * n)) {
            let back = middle_of(size_of(ms));
            let off = (back - ms).unsigned_abs();
            #[expect(clippy::cast_precision_loss, reason = "it is compared with a part of itself")]
            let most = ms as f64 * ERROR;
            #[expect(clippy::cast_precision_loss, reason = "it is compared with a part of itself")]
            let off = off as f64;
            assert!(off <= most, "{ms} came back as {back}");
        }
        assert_eq!((size_of(-5), size_of(i64::MAX) < 2_000), (0, true));
    }
}
