//! Names that say nothing. What has no noun has no reason.

use super::{Finding, Tree};

const EMPTY: &[&str] =
    &["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc"];

/// Finds files and folders with such names.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let code = tree.files.iter().filter(|f| [".rs", ".rhai"].iter().any(|e| f.path.ends_with(e)));
    let empty = code.filter_map(|file| {
        let parts = file.path.split('/').map(|part| part.split('.').next().unwrap_or_default());
        let word = parts.flat_map(|part| part.split('_')).find(|word| EMPTY.contains(word))?;
        let message = format!("`{word}` says nothing; name it after the noun that it holds");
        Some(Finding::new(&file.path, 1, message))
    });
    empty.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_nothing_are_found() {
        let wrong = ["a/utils.rs", "common/b.rs", "a/run_manager.rs", "lib/helpers.rhai"];
        let right = ["a/manage.rs", "a/uncommon.rs", "docs/utils.md"];
        let texts = wrong.iter().chain(&right).map(|path| (*path, ""));
        let found = check(&Tree::new(texts, vec![]));
        assert_eq!(found.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), wrong);
    }
}
