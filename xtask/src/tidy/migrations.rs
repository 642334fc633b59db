//! A migration that was released never changes: `migrations/CHECKSUMS` holds what it was.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};

use super::tree::File;
use super::{Finding, Tree};

/// The checksums, one `sha256sum` line a migration.
pub const CHECKSUMS: &str = "migrations/CHECKSUMS";

const FOLDER: &str = "migrations/";
const ACCEPT: &str = "cargo xtask tidy --accept-migrations";

/// Finds migrations that changed, are gone, are new, or are out of line.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let released = released(tree);
    let mut findings = Vec::new();
    let mut expected = 1;
    for (name, file) in in_folder(tree) {
        match number(name) {
            None if matches!(name, "CHECKSUMS" | "README.md") => continue,
            None => findings.push(Finding::new(&file.path, 1, "a migration is `NNNN_name.sql`")),
            Some(number) if number != expected => {
                let message = format!("the next migration has the number {expected:04}");
                findings.push(Finding::new(&file.path, 1, message));
                expected = number + 1;
            }
            Some(_) => expected += 1,
        }
        match released.get(name) {
            Some((_, checksum)) if *checksum == sum(file) => {}
            Some(_) => {
                let message = "it was released, so it never changes; add a migration after it";
                findings.push(Finding::new(&file.path, 1, message));
            }
            None => {
                let message = format!("it has no checksum; `{ACCEPT}` adds it");
                findings.push(Finding::new(&file.path, 1, message));
            }
        }
    }
    let gone = released.iter().filter(|(name, _)| tree.file(&format!("{FOLDER}{name}")).is_none());
    findings.extend(gone.map(|(name, (line, _))| {
        Finding::new(CHECKSUMS, *line, format!("{name} was released and is gone; put it back"))
    }));
    findings
}

/// The checksums with those of new migrations at the end.
pub fn accept(tree: &Tree) -> Result<String> {
    let released = released(tree);
    let mut text = tree.file(CHECKSUMS).map(|file| file.text.clone()).unwrap_or_default();
    for (name, file) in in_folder(tree).filter(|(name, _)| number(name).is_some()) {
        let sum = sum(file);
        match released.get(name) {
            None => text.push_str(&format!("{sum}  {name}\n")),
            Some((_, checksum)) if *checksum == sum => {}
            Some(_) => bail!("{} was released, so it never changes", file.path),
        }
    }
    Ok(text)
}

fn in_folder(tree: &Tree) -> impl Iterator<Item = (&str, &File)> {
    tree.files.iter().filter_map(|file| Some((file.path.strip_prefix(FOLDER)?, file)))
}

fn number(name: &str) -> Option<u32> {
    let (digits, words) = name.strip_suffix(".sql")?.split_once('_')?;
    let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let shaped = digits.len() == 4 && !words.is_empty() && words.chars().all(word);
    shaped.then(|| digits.parse().ok()).flatten()
}

/// Names, with the lines that they stand in and their checksums.
fn released(tree: &Tree) -> BTreeMap<&str, (usize, &str)> {
    let text = tree.file(CHECKSUMS).map_or("", |file| file.text.as_str());
    let lines = text.lines().enumerate();
    lines
        .filter_map(|(index, line)| {
            let (checksum, name) = line.split_once("  ")?;
            Some((name, (index + 1, checksum)))
        })
        .collect()
}

fn sum(file: &File) -> String {
    hex::encode(Sha256::digest(file.text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)], checksums: &str) -> Tree {
        let files = files.iter().map(|(name, text)| (format!("migrations/{name}"), *text));
        Tree::new(files.chain([(CHECKSUMS.to_owned(), checksums)]), vec![])
    }

    fn found(files: &[(&str, &str)], checksums: &str) -> Vec<String> {
        check(&tree(files, checksums)).into_iter().map(|f| f.message).collect()
    }

    #[test]
    fn what_was_accepted_never_changes_nor_goes() {
        let sums = accept(&tree(&[("0001_a.sql", "a")], "")).unwrap();
        assert!(sums.starts_with(
            "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb  0001_a.sql"
        ));
        assert!(found(&[("0001_a.sql", "a")], &sums).is_empty());
        assert!(found(&[("0001_a.sql", "b")], &sums)[0].contains("never changes"));
        assert!(found(&[], &sums)[0].contains("is gone"));
        accept(&tree(&[("0001_a.sql", "b")], &sums)).unwrap_err();
    }

    #[test]
    fn a_new_migration_is_accepted_after_the_others() {
        let first = accept(&tree(&[("0001_a.sql", "a")], "")).unwrap();
        let files = [("0001_a.sql", "a"), ("0002_b.sql", "b")];
        assert!(found(&files, &first)[0].contains("no checksum"));
        let both = accept(&tree(&files, &first)).unwrap();
        assert!(both.starts_with(&first) && found(&files, &both).is_empty());
    }

    #[test]
    fn numbers_have_no_gaps_and_names_a_shape() {
        let files = [("0001_a.sql", ""), ("0003_c.sql", ""), ("4_d.sql", ""), ("README.md", "")];
        let sums = accept(&tree(&files, "")).unwrap();
        let found = found(&files, &sums);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].contains("0002") && found[1].contains("NNNN"));
    }
}
