//! Who has signed in on this machine: a token for each server, in a file that only its owner reads.

mod believed;
mod console;
mod provider;
mod refresh;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
pub(crate) use believed::{Whose, believed};
pub(crate) use console::ForConsole;
pub(crate) use provider::{Once, Provider};
pub(crate) use refresh::token;
use serde::{Deserialize, Serialize};
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::oidc::SignIn;
use stanch_engine_runtime::secret_file;

use crate::config::environment;

/// A sign-in.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// Who, as the identity provider says.
    pub(crate) name: String,
    /// What is shown to the server.
    pub(crate) token: String,
    /// Until when it is good.
    pub(crate) expires_at: Timestamp,
    /// What a new one is asked for with, where the provider gave something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refresh: Option<Refresh>,
}

/// What new tokens are asked for with, and of whom: only the provider that gave it is ever shown it,
/// whatever the server says by then.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    /// The refresh token.
    pub(crate) token: String,
    /// The provider, and who asks it.
    pub(crate) sign_in: SignIn,
}

type All = BTreeMap<String, Kept>;

/// Where they are kept: `STANCH_SIGN_IN`, else in the folder of settings.
fn place() -> Option<PathBuf> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = || set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    set("STANCH_SIGN_IN").or_else(|| Some(folder()?.join("stanch").join("sign-in.json")))
}

fn key(server: &str) -> &str {
    server.trim_end_matches('/')
}

/// The sign-in at a server, if there is one.
pub(crate) fn of(server: &str) -> anyhow::Result<Option<Kept>> {
    match place() {
        Some(place) => Ok(read(&place)?.remove(key(server))),
        None => Ok(None),
    }
}

/// Keeps a sign-in, and gives where.
pub(crate) fn keep(server: &str, kept: Kept) -> anyhow::Result<PathBuf> {
    let lock = lock()?;
    lock.keep(server, kept)?;
    Ok(lock.place)
}

/// Forgets a sign-in; false when there was none.
pub(crate) fn forget(server: &str) -> anyhow::Result<bool> {
    // Without a place there is nothing to forget.
    if of(server)?.is_none() {
        return Ok(false);
    }
    let lock = lock()?;
    let mut all = read(&lock.place)?;
    let was = all.remove(key(server)).is_some();
    if was {
        write(&lock.place, &all)?;
    }
    Ok(was)
}

/// The sign-ins, which nobody else changes until this is dropped.
pub(crate) struct Lock {
    place: PathBuf,
    /// Whoever has it open and locked changes them.
    _file: File,
}

/// Waits until nobody else changes the sign-ins.
pub(crate) fn lock() -> anyhow::Result<Lock> {
    let place = place().context("there is no place for the token: set HOME or STANCH_SIGN_IN")?;
    make_folder(&place)?;
    let beside = place.with_extension("lock");
    let shown = || format!("{}", beside.display());
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    let file = options.open(&beside).with_context(shown)?;
    file.lock().with_context(shown)?;
    Ok(Lock { place, _file: file })
}

impl Lock {
    fn of(&self, server: &str) -> anyhow::Result<Option<Kept>> {
        Ok(read(&self.place)?.remove(key(server)))
    }

    fn keep(&self, server: &str, kept: Kept) -> anyhow::Result<()> {
        let mut all = read(&self.place)?;
        all.insert(key(server).to_owned(), kept);
        write(&self.place, &all)
    }
}

fn make_folder(place: &Path) -> anyhow::Result<()> {
    let Some(folder) = place.parent() else { return Ok(()) };
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("{}", folder.display()))
}

fn read(place: &Path) -> anyhow::Result<All> {
    let shown = place.display();
    let text = match std::fs::read_to_string(place) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(All::new()),
        Err(error) => return Err(error).with_context(|| format!("{shown}")),
    };
    let mode = std::fs::metadata(place)?.mode();
    if mode & 0o077 != 0 {
        bail!("{shown} can be read by others: `chmod 600 {shown}`, and sign in again");
    }
    serde_json::from_str(&text)
        .with_context(|| format!("{shown} is no list of sign-ins: remove it, and sign in again"))
}

/// Replaces the file as a whole, so that no reader sees half of it.
fn write(place: &Path, all: &All) -> anyhow::Result<()> {
    let shown = place.display();
    make_folder(place)?;
    let fresh = place.with_extension("new");
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let text = serde_json::to_vec_pretty(all)?;
    secret_file::write(&fresh, &text).with_context(|| format!("{}", fresh.display()))?;
    std::fs::rename(&fresh, place).with_context(|| format!("{shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn nobody_else_reads_what_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("stanch/sign-in.json");
        assert!(read(&place).unwrap().is_empty());
        let (name, token) = ("mia".to_owned(), "a.b.c".to_owned());
        let kept = Kept { name, token, expires_at: Timestamp::default(), refresh: None };
        let all: All = [("http://a".to_owned(), kept)].into();
        for _ in 0..2 {
            write(&place, &all).unwrap();
        }
        assert_eq!(std::fs::metadata(&place).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(place.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        assert_eq!(read(&place).unwrap()["http://a"].token, "a.b.c");
        std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = read(&place).err().unwrap().to_string();
        assert!(error.contains("chmod 600") && !error.contains("a.b.c"), "{error}");
    }
}
