//! The workspace: where it lies, and which package names which.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::cargo;

/// What Cargo knows of the workspace.
#[derive(Debug)]
pub struct Workspace {
    /// The folder of the root manifest.
    pub root: PathBuf,
    /// The folder that builds go to.
    pub target: PathBuf,
    /// The members.
    pub packages: Vec<Package>,
}

/// A member of the workspace.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its name, such as `stanch-engine-core`.
    pub name: String,
    /// Its folder from the root, such as `engine/core`.
    pub folder: String,
    /// What its manifest names.
    pub dependencies: Vec<Dependency>,
}

/// One line of a manifest.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// The name of the other package, whatever it is called here.
    pub name: String,
    /// Whether only tests and benchmarks see it.
    pub dev: bool,
}

impl Workspace {
    /// Asks Cargo about the workspace around the current folder.
    pub fn load() -> Result<Self> {
        let output = cargo::command()
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .output()
            .context("cargo can't be started")?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "cargo metadata: {}", error.trim());
        Self::parse(&output.stdout)
    }

    /// Reads the output of `cargo metadata`.
    pub fn parse(json: &[u8]) -> Result<Self> {
        let metadata: Metadata = serde_json::from_slice(json).context("cargo metadata")?;
        let root = metadata.workspace_root;
        let packages = metadata.packages.into_iter().map(|p| p.place(&root)).collect::<Result<_>>();
        Ok(Self { packages: packages?, target: metadata.target_directory, root })
    }
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<PackageMetadata>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct PackageMetadata {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<DependencyMetadata>,
}

#[derive(Deserialize)]
struct DependencyMetadata {
    name: String,
    kind: Option<String>,
}

impl PackageMetadata {
    fn place(self, root: &Path) -> Result<Package> {
        let folder = self.manifest_path.parent().and_then(|p| p.strip_prefix(root).ok());
        let folder = folder.with_context(|| format!("{} lies outside the workspace", self.name))?;
        let dependencies = self
            .dependencies
            .into_iter()
            .map(|d| Dependency { name: d.name, dev: d.kind.as_deref() == Some("dev") });
        Ok(Package {
            name: self.name,
            folder: folder.display().to_string(),
            dependencies: dependencies.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_known_by_their_folder() {
        let json = br#"{"workspace_root": "/w", "target_directory": "/t", "packages": [{
            "name": "a-b", "manifest_path": "/w/a/b/Cargo.toml", "dependencies": [
                {"name": "serde", "kind": null}, {"name": "proptest", "kind": "dev"}]}]}"#;
        let workspace = Workspace::parse(json).unwrap();
        assert_eq!(workspace.target, Path::new("/t"));
        assert_eq!(workspace.packages[0].folder, "a/b");
        assert_eq!(workspace.packages[0].dependencies.iter().filter(|d| d.dev).count(), 1);
    }

    #[test]
    fn this_workspace_can_be_read() {
        let workspace = Workspace::load().unwrap();
        assert!(workspace.packages.iter().any(|p| p.folder == "xtask"));
    }
}
