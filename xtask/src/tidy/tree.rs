//! The repository as the checks see it: its files, read and parsed once, and its packages.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::finding::Finding;
use super::rust::Rust;
use crate::workspace::{Package, Workspace};

/// Files that the checks read. Of all others only the name counts.
const TEXTS: &[&str] = &["rs", "rhai", "sql", "toml", "md", "sh", "yml"];

/// The repository.
#[derive(Debug)]
pub struct Tree {
    /// What is committed or would be with `git add --all`.
    pub files: Vec<File>,
    /// The members of the workspace.
    pub packages: Vec<Package>,
    /// Files that could not be parsed.
    pub unreadable: Vec<Finding>,
}

/// One file.
#[derive(Debug)]
pub struct File {
    /// Its path from the root.
    pub path: String,
    /// Its text; empty where the checks don't read it.
    pub text: String,
    /// What it says, if it is Rust.
    pub rust: Option<Rust>,
}

impl Tree {
    /// Reads the repository around a workspace.
    pub fn load(workspace: &Workspace) -> Result<Self> {
        let mut texts = Vec::new();
        for path in listing(&workspace.root)? {
            let place = workspace.root.join(&path);
            // What is deleted and not yet committed is still listed.
            if !place.is_file() {
                continue;
            }
            let text = if is_text(&path) {
                std::fs::read_to_string(&place).with_context(|| path.clone())?
            } else {
                String::new()
            };
            texts.push((path, text));
        }
        Ok(Self::new(texts, workspace.packages.clone()))
    }

    /// A tree of these texts.
    pub fn new(
        texts: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
        packages: Vec<Package>,
    ) -> Self {
        let mut tree = Self { files: Vec::new(), packages, unreadable: Vec::new() };
        for (path, text) in texts {
            let (path, text) = (path.into(), text.into());
            let parsed = path.ends_with(".rs").then(|| Rust::parse(&text)).transpose();
            let rust = parsed.unwrap_or_else(|error| {
                tree.unreadable.push(Finding::new(&path, error.line, "this is not Rust"));
                None
            });
            tree.files.push(File { path, text, rust });
        }
        tree
    }

    /// The file at a path.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|f| f.path == path)
    }

    /// Every Rust file and what it says.
    pub fn rust(&self) -> impl Iterator<Item = (&File, &Rust)> {
        self.files.iter().filter_map(|f| f.rust.as_ref().map(|rust| (f, rust)))
    }

    /// The manifest's line that names a dependency.
    pub fn dependency_line(&self, package: &Package, dependency: &str) -> (String, usize) {
        let path = format!("{}/Cargo.toml", package.folder);
        let line = self.file(&path).map_or(1, |file| {
            let names = |line: &str| {
                let rest = line.trim_start().strip_prefix(dependency);
                rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
            };
            file.text.lines().position(names).map_or(1, |index| index + 1)
        });
        (path, line)
    }
}

impl File {
    /// The name without folders and extension.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split('.').next().unwrap_or_default()
    }

    /// Whether it is compiled into tests only.
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.contains("/tests/")
    }
}

fn listing(root: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("git can't be started")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git ls-files: {}", error.trim());
    let names = String::from_utf8(output.stdout).context("a file's name is not UTF-8")?;
    let mut names: Vec<String> = names.split_terminator('\0').map(str::to_owned).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

fn is_text(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| TEXTS.contains(&extension))
        || path == super::migrations::CHECKSUMS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_rust_is_a_finding() {
        let tree = Tree::new([("a.rs", "fn a() {\n)")], vec![]);
        assert_eq!(tree.unreadable, [Finding::new("a.rs", 2, "this is not Rust")]);
    }

    #[test]
    fn a_dependency_is_found_by_its_whole_name() {
        let text = "[dependencies]\nserde_json.workspace = true\nserde = \"1\"\n";
        let package =
            Package { name: "a".to_owned(), folder: "a".to_owned(), dependencies: vec![] };
        let tree = Tree::new([("a/Cargo.toml", text)], vec![]);
        assert_eq!(tree.dependency_line(&package, "serde").1, 3);
    }
}
