//! How long files and functions may be.

use std::borrow::Cow;

use super::rust::Function;
use super::tree::File;
use super::{Finding, Tree, rhai};

/// Lines of a file that are not tests: what one can read in one sitting.
const CODE: usize = 400;

/// Lines of a file in all.
const FILE: usize = 600;

/// Lines of a function, from `fn` to its closing brace: about one screen.
const FUNCTION: usize = 70;

/// Finds files and functions that are too long.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        let Some(functions) = functions(file) else { continue };
        findings.extend(lines(file));
        findings.extend(functions.iter().filter_map(|f| function(file, f)));
    }
    findings
}

/// The functions of a file, if it is code.
fn functions(file: &File) -> Option<Cow<'_, [Function]>> {
    match &file.rust {
        Some(rust) => Some(Cow::Borrowed(&rust.functions)),
        None => file.path.ends_with(".rhai").then(|| Cow::Owned(rhai::functions(&file.text))),
    }
}

fn lines(file: &File) -> Option<Finding> {
    let all = file.text.lines().count();
    let is_test = |line| file.rust.as_ref().is_some_and(|rust| rust.is_test(line));
    let code = (1..=all).filter(|line| !is_test(*line)).count();
    let (counted, most, what) = match (file.is_test(), all > FILE) {
        (_, true) => (all, FILE, "lines"),
        (true, false) => return None,
        (false, false) => (code, CODE, "lines without its tests"),
    };
    let message = format!("the file has {counted} {what}; split it, {most} is the most");
    (counted > most).then(|| Finding::new(&file.path, most + 1, message))
}

fn function(file: &File, function: &Function) -> Option<Finding> {
    let (name, length) = (&function.name, function.length());
    let message = format!("fn {name} has {length} lines; split it, {FUNCTION} is the most");
    (length > FUNCTION).then(|| Finding::new(&file.path, *function.lines.start(), message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: String) -> Vec<String> {
        check(&Tree::new([(path, text)], vec![])).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let code = "//\n".repeat(400);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "//\n".repeat(197));
        assert!(found("a.rs", format!("{code}{tests}")).is_empty());
        assert_eq!(found("a.rs", format!("{code}//\n{tests}")).len(), 1);
    }

    #[test]
    fn no_file_is_longer_than_the_hard_limit() {
        assert!(found("tests/it/a.rs", "//\n".repeat(600)).is_empty());
        assert_eq!(found("tests/it/a.rs", "//\n".repeat(601)).len(), 1);
        assert_eq!(found("a.rhai", "//\n".repeat(401)).len(), 1);
    }

    #[test]
    fn a_long_function_is_found_at_its_line() {
        let body = |lines| format!("//\nfn f() {{\n{}}}\n", "//\n".repeat(lines));
        for path in ["a.rs", "a.rhai"] {
            assert!(found(path, body(68)).is_empty());
            let wrong = format!("{path}:2: fn f has 71 lines; split it, 70 is the most");
            assert_eq!(found(path, body(69)), [wrong]);
        }
    }
}
