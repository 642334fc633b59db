//! Where the machine has its Postgres.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

/// Names the folder, where it lies in an unusual place.
const VARIABLE: &str = "STANCH_TEST_PG_BIN";

/// Where Debian has them: one folder a version, none of it in `PATH`.
const DEBIAN: &str = "/usr/lib/postgresql";

/// All that the tests start.
const PROGRAMS: &[&str] = &["initdb", "postgres", "pg_ctl", "psql"];

/// The folder of the server's programs.
pub(super) fn find() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os(VARIABLE) {
        let folder = PathBuf::from(folder);
        if !is_complete(&folder) {
            bail!("{VARIABLE}: {} lacks one of {PROGRAMS:?}", folder.display());
        }
        return Ok(folder);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places =
        std::env::split_paths(&path).chain(versions(Path::new(DEBIAN))).chain(configured());
    let Some(folder) = places.into_iter().find(|folder| is_complete(folder)) else {
        bail!(
            "no Postgres server found in PATH, {DEBIAN} or by pg_config. Install one (Debian: \
             apt-get install postgresql), or name the folder of its programs in {VARIABLE}"
        );
    };
    Ok(folder)
}

fn is_complete(folder: &Path) -> bool {
    PROGRAMS.iter().all(|program| folder.join(program).is_file())
}

/// The newest first.
fn versions(parent: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok);
    let number = |name: OsString| name.to_str()?.parse::<u32>().ok();
    let mut versions: Vec<u32> = entries.filter_map(|entry| number(entry.file_name())).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions.iter().map(|version| parent.join(version.to_string()).join("bin")).collect()
}

fn configured() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_comes_first() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["9", "15", "17", "common"] {
            std::fs::create_dir(parent.path().join(name)).unwrap();
        }
        let names = versions(parent.path());
        let names: Vec<_> = names.iter().map(|p| p.strip_prefix(parent.path()).unwrap()).collect();
        assert_eq!(names, ["17/bin", "15/bin", "9/bin"].map(Path::new));
    }

    #[test]
    fn a_folder_counts_only_with_all_programs() {
        let folder = tempfile::tempdir().unwrap();
        for program in PROGRAMS {
            assert!(!is_complete(folder.path()));
            std::fs::write(folder.path().join(program), "").unwrap();
        }
        assert!(is_complete(folder.path()));
    }
}
