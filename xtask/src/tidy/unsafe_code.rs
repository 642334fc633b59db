//! `unsafe` has one home: the coroutine that a hot run stands on.

use super::{Finding, Tree};

const HOME: &str = "engine/script/src/hot.rs";

/// Finds `unsafe` anywhere else.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust().filter(|(file, _)| file.path != HOME) {
        let message = format!("`unsafe` stands in {HOME} and nowhere else");
        let lines = rust.find(&["unsafe"]);
        findings.extend(lines.map(|line| Finding::new(&file.path, line, message.clone())));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_away_from_its_home_is_found() {
        let text = "// unsafe\nfn a() { unsafe {} }\n";
        let found = check(&Tree::new([(HOME, text), ("a.rs", text)], vec![]));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.as_str(), found[0].line), ("a.rs", 2));
    }
}
