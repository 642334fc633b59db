//! Who runs the server: Postgres refuses to run as root.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// Accounts without rights that systems have, the best first.
const UNPRIVILEGED: &[&str] = &["postgres", "nobody"];

/// The account that runs the server.
#[derive(Debug)]
pub(super) struct Account {
    /// Its number.
    pub(super) user: u32,
    group: u32,
    differs: bool,
}

impl Account {
    /// Our own, or one without rights if we are root.
    pub(super) fn choose() -> Result<Self> {
        let user = rustix::process::geteuid().as_raw();
        if user != 0 {
            let group = rustix::process::getegid().as_raw();
            return Ok(Self { user, group, differs: false });
        }
        let found = UNPRIVILEGED.iter().find_map(|name| {
            Some(Self { user: id("-u", name)?, group: id("-g", name)?, differs: true })
        });
        found.context("Postgres does not run as root, and there is no account `postgres`")
    }

    /// Makes a command run under it.
    pub(super) fn apply(&self, command: &mut Command) {
        if self.differs {
            command.uid(self.user).gid(self.group);
        }
    }

    /// Gives it a copy of a file that nobody else can read.
    pub(super) fn give(&self, file: &Path, copy: &Path) -> Result<()> {
        std::fs::copy(file, copy).with_context(|| file.display().to_string())?;
        std::fs::set_permissions(copy, Permissions::from_mode(0o600))?;
        if self.differs {
            chown(copy, Some(self.user), Some(self.group))?;
        }
        Ok(())
    }

    /// Gives it a folder that nobody else can read.
    pub(super) fn own(&self, folder: &Path) -> Result<()> {
        std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        if self.differs {
            chown(folder, Some(self.user), Some(self.group))?;
        }
        Ok(())
    }
}

fn id(flag: &str, name: &str) -> Option<u32> {
    let output = Command::new("id").args([flag, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
