//! "Did you mean …?": the nearest of the names that would have been right.

/// The candidate that is nearest to what was written, when it is near enough to be meant.
pub fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(written, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// The candidate that is at most two slips of the pen away, and is not what was written.
pub fn slip<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distance = |candidate: &&str| strsim::levenshtein(written, candidate);
    let near = candidates.into_iter().min_by_key(distance)?;
    (1..=2).contains(&distance(&near)).then_some(near)
}

/// ` (did you mean `x`?)`, or nothing when no candidate is near.
pub fn hint<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(written, candidates)
        .map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

/// What is said of a word that is none of those that there are.
pub fn none_of<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let known = candidates.into_iter().collect::<Vec<_>>().join(", ");
    format!("`{written}` is none of {known}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_nonsense_is_not() {
        let verbs = ["approval", "execute", "evidence"];
        assert_eq!(nearest("aproval", verbs), Some("approval"));
        assert_eq!(nearest("xyzzy", verbs), None);
        assert_eq!(slip("aprovl", verbs), Some("approval"));
        assert_eq!(slip("approval", verbs), None);
        assert_eq!(slip("approval-eu", verbs), None);
    }
}
