//! Every error code has a page, and every page a code.

use std::collections::BTreeMap;

use super::{Finding, Tree};

const CODES: &str = "engine/core/src/error_code.rs";
const PAGES: &str = "docs/errors/";

/// Finds codes without a page and pages without a code.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let codes = codes(tree);
    let name = |path: &str| Some(path.strip_prefix(PAGES)?.strip_suffix(".md")?.to_owned());
    let pages: Vec<String> = tree.files.iter().filter_map(|file| name(&file.path)).collect();

    let lonely = codes.iter().filter(|(code, _)| !pages.contains(code)).map(|(code, line)| {
        Finding::new(CODES, *line, format!("{code} has no page; write {PAGES}{code}.md"))
    });
    let orphans = pages.iter().filter(|page| !codes.contains_key(*page)).map(|page| {
        let message = format!("no error has the code {page}; add it to {CODES}, or drop the page");
        Finding::new(&format!("{PAGES}{page}.md"), 1, message)
    });
    lonely.chain(orphans).collect()
}

/// The codes and their lines, read from `NAME = "ST0101", …`.
fn codes(tree: &Tree) -> BTreeMap<String, usize> {
    let text = tree.file(CODES).map_or("", |file| file.text.as_str());
    let code = |(index, line): (usize, &str)| {
        let (_, rest) = line.split_once("= \"ST")?;
        let (digits, _) = rest.split_once('"')?;
        Some((format!("ST{digits}"), index + 1))
    };
    text.lines().enumerate().filter_map(code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_without_a_page_and_a_page_without_a_code_are_found() {
        let codes = "//! Codes.\nA = \"ST0001\", \"a\";\nB = \"ST0002\", \"b\";\n";
        let texts = [(CODES, codes), ("docs/errors/ST0001.md", ""), ("docs/errors/ST0003.md", "")];
        let found = check(&Tree::new(texts, vec![]));
        let places: Vec<_> = found.iter().map(|f| (f.path.as_str(), f.line)).collect();
        assert_eq!(places, [(CODES, 3), ("docs/errors/ST0003.md", 1)]);
    }
}
