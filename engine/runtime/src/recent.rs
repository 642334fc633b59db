//! The values that were used last, so many of them.

/// Keeps at most so many values; the one that was not asked for longest goes first. For a few dozen
/// values, that going through all of them is nothing beside what it takes to make one.
pub(crate) struct Recent<K, V> {
    most: usize,
    /// The one that was asked for last is last.
    kept: Vec<(K, V)>,
}

impl<K: PartialEq, V: Clone> Recent<K, V> {
    pub(crate) const fn of(most: usize) -> Self {
        Self { most, kept: Vec::new() }
    }

    /// The value of a key, if it is still there.
    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        let at = self.kept.iter().rposition(|(kept, _)| kept == key)?;
        if at + 1 < self.kept.len() {
            let used = self.kept.remove(at);
            self.kept.push(used);
        }
        self.kept.last().map(|(_, value)| value.clone())
    }

    /// Keeps a value.
    pub(crate) fn put(&mut self, key: K, value: V) {
        self.kept.retain(|(kept, _)| *kept != key);
        if self.kept.len() >= self.most {
            self.kept.remove(0);
        }
        self.kept.push((key, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_longest_goes_first() {
        let mut recent = Recent::of(2);
        recent.put("a", 1);
        recent.put("b", 2);
        assert_eq!(recent.get(&"a"), Some(1));
        recent.put("c", 3);
        assert_eq!(
            [recent.get(&"a"), recent.get(&"b"), recent.get(&"c")],
            [Some(1), None, Some(3)]
        );
        assert_eq!(recent.kept.len(), 2);
    }

    #[test]
    fn a_key_is_kept_once() {
        let mut recent = Recent::of(2);
        (0..5).for_each(|value| recent.put("a", value));
        recent.put("b", 9);
        assert_eq!([recent.get(&"a"), recent.get(&"b")], [Some(4), Some(9)]);
    }
}
