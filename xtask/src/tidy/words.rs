//! Words that mean that something is not done.

use super::{Finding, Tree};

/// Sequences of Rust's tokens that nobody commits.
const TOKENS: &[(&[&str], &str)] = &[
    (&["todo", "!"], "write it, or leave it out"),
    (&["unimplemented", "!"], "write it, or leave it out"),
    (&["dbg", "!"], "log it with tracing, or leave it out"),
    (&["#", "[", "ignore"], "a test runs, or it goes"),
];

/// Sequences that a test may not have: it waits for what it waits for.
const SLEEPS: &[&[&str]] = &[&["thread", ":", ":", "sleep"], &["time", ":", ":", "sleep"]];

/// Words of a comment that promise what nobody keeps. Split, so that they don't find themselves.
const MARKS: &[&str] = &[concat!("FIX", "ME"), concat!("XX", "X")];

/// Files whose comments are read for [`MARKS`].
const COMMENTED: &[&str] = &[".rs", ".rhai", ".sql", ".toml", ".sh", ".yml"];

/// Finds such words.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = tokens(tree);
    for file in &tree.files {
        if !COMMENTED.iter().any(|end| file.path.ends_with(end)) {
            continue;
        }
        for (index, line) in file.text.lines().enumerate() {
            let mut words = line.split(|c: char| !c.is_alphanumeric());
            if let Some(mark) = words.find(|word| MARKS.contains(word)) {
                let message = format!("`{mark}`: mend it now, or open an issue");
                findings.push(Finding::new(&file.path, index + 1, message));
            }
        }
    }
    findings
}

fn tokens(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust() {
        for (words, advice) in TOKENS {
            let message = format!("`{}`: {advice}", words.concat());
            let lines = rust.find(words);
            findings.extend(lines.map(|line| Finding::new(&file.path, line, message.clone())));
        }
        for words in SLEEPS {
            let message = format!("`{}`: a test waits for what it waits for", words.concat());
            let lines = rust.find(words).filter(|line| file.is_test() || rust.is_test(*line));
            findings.extend(lines.map(|line| Finding::new(&file.path, line, message.clone())));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::new([(path, text)], vec![])).len()
    }

    #[test]
    fn unfinished_code_is_found() {
        for wrong in ["todo!()", "std::unimplemented!()", "dbg!(1)", "vec![todo!()]"] {
            assert_eq!(found("a.rs", &format!("fn a() {{ {wrong} }}")), 1, "{wrong}");
        }
        assert_eq!(found("a.rs", "fn a() { \"todo!()\"; let todo = 1; }"), 0);
    }

    #[test]
    fn a_test_that_does_not_run_is_found() {
        assert_eq!(found("a.rs", "#[test]\n#[ignore = \"slow\"]\nfn a() {}"), 1);
    }

    #[test]
    fn a_sleep_is_found_in_tests_only() {
        let sleep = "fn a() { std::thread::sleep(x); tokio::time::sleep(x); }";
        assert_eq!(found("a/src/a.rs", sleep), 0);
        assert_eq!(found("tests/it/a.rs", sleep), 2);
        assert_eq!(found("a/src/a.rs", &format!("#[cfg(test)] mod tests {{ {sleep} }}")), 2);
    }

    #[test]
    fn a_promise_in_a_comment_is_found() {
        for mark in MARKS {
            assert_eq!(found("a.rs", &format!("// {mark}: later")), 1);
            assert_eq!(found("a.sql", &format!("-- {mark}")), 1);
            assert_eq!(found("a.rs", &format!("// A{mark}X")), 0);
        }
    }
}
