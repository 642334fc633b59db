//! Every module says in its first line what it is.

use super::{Finding, Tree};

/// Finds modules that begin with anything but `//!` and some words.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let silent = |text: &str| {
        let first = text.lines().next().unwrap_or_default();
        first.strip_prefix("//!").is_none_or(|words| words.trim().is_empty())
    };
    let message = "a module begins with `//!` and a sentence that says what it is";
    let files = tree.rust().filter(|(file, _)| silent(&file.text));
    files.map(|(file, _)| Finding::new(&file.path, 1, message)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_does_not_say_what_it_is_is_found() {
        let texts = [("a.rs", "fn a() {}"), ("b.rs", "//!\n"), ("c.rs", "//! C.\n"), ("d.md", "")];
        let found = check(&Tree::new(texts, vec![]));
        assert_eq!(found.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["a.rs", "b.rs"]);
    }
}
