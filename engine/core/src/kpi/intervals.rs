//! Lengths of time that overlap, laid together.

use crate::time::Timestamp;

/// Half-open intervals that do not touch, by time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals(Vec<(i64, i64)>);

impl Intervals {
    /// The union of intervals; one that ends before it begins is none.
    pub fn union(all: impl IntoIterator<Item = (Timestamp, Timestamp)>) -> Self {
        let mut sorted: Vec<_> =
            all.into_iter().map(|(from, to)| (from.micros(), to.micros())).collect();
        sorted.retain(|(from, to)| from < to);
        sorted.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::new();
        for (from, to) in sorted {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    /// What of it lies in none of the others.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        for &(mut from, to) in &self.0 {
            for &(other_from, other_to) in &other.0 {
                if other_to <= from || other_from >= to {
                    continue;
                }
                if from < other_from {
                    left.push((from, other_from));
                }
                from = other_to.min(to);
            }
            if from < to {
                left.push((from, to));
            }
        }
        Self(left)
    }

    /// Milliseconds in all.
    pub fn ms(&self) -> i64 {
        self.0.iter().map(|(from, to)| to - from).sum::<i64>() / 1_000
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(all: &[(i64, i64)]) -> Intervals {
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        Intervals::union(all.iter().map(|&(from, to)| (at(from), at(to))))
    }

    #[test]
    fn what_overlaps_counts_once() {
        assert_eq!(of(&[(0, 10), (5, 20), (30, 31)]).ms(), 21_000);
        assert_eq!(of(&[(5, 1)]).ms(), 0, "backwards is nothing");
    }

    #[test]
    fn what_is_taken_out_leaves_what_stands_around_it() {
        assert_eq!(of(&[(0, 10)]).without(&of(&[(2, 3), (5, 6)])).ms(), 8_000);
        assert_eq!(of(&[(0, 10)]).without(&of(&[(0, 20)])).ms(), 0);
        assert_eq!(of(&[(0, 10)]).without(&of(&[(8, 20)])).ms(), 8_000);
        assert_eq!(of(&[(0, 1), (4, 9)]).without(&of(&[(0, 5)])).ms(), 4_000);
    }
}
