//! The browser of the tests: Chromium or Chrome, and the chromedriver that speaks WebDriver for it.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::interrupt::Interrupt;
use crate::workspace::Workspace;

/// Names the browser, where it lies in an unusual place.
const PROGRAM: &str = "STANCH_TEST_BROWSER";

/// Names its driver, where that lies in an unusual place.
const DRIVER: &str = "STANCH_TEST_CHROMEDRIVER";

/// What the browser is called, the best first: Debian's has a driver of its very version.
const PROGRAMS: &[&str] =
    &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "Google Chrome"];

/// What its driver is called.
const DRIVERS: &[&str] = &["chromedriver"];

/// Where they may be, out of `PATH`.
const PLACES: &[&str] =
    &["/usr/lib/chromium-browser", "/Applications/Google Chrome.app/Contents/MacOS"];

/// Debian's packages of both.
const PACKAGES: &[&str] = &["chromium", "chromium-driver"];

/// Both programs.
#[derive(Debug, PartialEq, Eq)]
pub struct Browser {
    /// Chromium or Chrome.
    pub program: PathBuf,
    /// The chromedriver of its version.
    pub driver: PathBuf,
}

impl Browser {
    /// Finds both. Where they are missing, root and apt-get install them.
    ///
    /// # Errors
    /// What is to be installed.
    pub fn prepare(workspace: &Workspace, interrupt: &Interrupt) -> Result<Self> {
        let named = [PROGRAM, DRIVER].map(std::env::var_os);
        let places = places();
        let missing = match Self::find(&named, &places) {
            Err(missing) if is_installer(&named, &places) => missing,
            found => return found,
        };
        let tools = workspace.target.join("test-tools");
        std::fs::create_dir_all(&tools)?;
        let lock = File::create(tools.join("lock"))?;
        lock.lock()?;
        eprintln!("{missing:#}\ninstalling {}", PACKAGES.join(" "));
        install(interrupt)?;
        Self::find(&named, &places)
    }

    fn find([program, driver]: &[Option<OsString>; 2], places: &[PathBuf]) -> Result<Self> {
        let program = one(PROGRAM, program.as_ref(), PROGRAMS, places)?;
        let driver = one(DRIVER, driver.as_ref(), DRIVERS, places)?;
        Ok(Self { program, driver })
    }
}

/// The program that a variable names, or the first of these names that is in one of the places.
fn one(
    variable: &str,
    named: Option<&OsString>,
    names: &[&str],
    places: &[PathBuf],
) -> Result<PathBuf> {
    if let Some(named) = named {
        let path = PathBuf::from(named);
        ensure!(path.is_file(), "{variable}: {} is no program", path.display());
        return Ok(path);
    }
    let all = names.iter().flat_map(|name| places.iter().map(move |place| place.join(name)));
    let Some(found) = all.into_iter().find(|path| path.is_file()) else {
        bail!(
            "no {} found in PATH. Install Chromium and its driver (Debian: apt-get install {}), or \
             name the two programs in {PROGRAM} and {DRIVER}",
            names.first().unwrap_or(&"browser"),
            PACKAGES.join(" ")
        );
    };
    Ok(found)
}

fn places() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).chain(PLACES.iter().map(PathBuf::from)).collect()
}

/// Whether we may and can install: whoever named a program wants that one.
fn is_installer(named: &[Option<OsString>; 2], places: &[PathBuf]) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    is_root
        && named.iter().all(Option::is_none)
        && places.iter().any(|place| place.join("apt-get").is_file())
}

fn install(interrupt: &Interrupt) -> Result<()> {
    apt_get(&["update", "-qq"], interrupt)?;
    apt_get(&[&["install", "-qq", "--no-install-recommends"][..], PACKAGES].concat(), interrupt)
}

fn apt_get(words: &[&str], interrupt: &Interrupt) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(["-o", "DPkg::Lock::Timeout=300"]).args(words);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    ensure!(
        interrupt.run(&mut command)?.success(),
        "apt-get {} failed; see above",
        words.join(" ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn touch(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, "").unwrap();
        path
    }

    #[test]
    fn a_browser_with_a_driver_of_its_own_comes_first() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let places = [first.path().to_owned(), second.path().to_owned()];
        touch(first.path(), "google-chrome");
        let driver = touch(first.path(), "chromedriver");
        let program = touch(second.path(), "chromium");
        let found = Browser::find(&[None, None], &places).unwrap();
        assert_eq!(found, Browser { program, driver });
    }

    #[test]
    fn what_is_missing_is_said_with_what_to_install() {
        let folder = tempfile::tempdir().unwrap();
        let places = [folder.path().to_owned()];
        let says =
            |named: &[Option<OsString>; 2]| Browser::find(named, &places).unwrap_err().to_string();
        assert!(says(&[None, None]).contains("apt-get install chromium chromium-driver"));
        touch(folder.path(), "chromium");
        let why = says(&[None, None]);
        assert!(why.contains("no chromedriver found") && why.contains(DRIVER), "{why}");
        let nowhere = folder.path().join("nowhere").into_os_string();
        assert!(says(&[Some(nowhere), None]).starts_with(PROGRAM));
    }

    #[test]
    fn whoever_named_a_program_gets_no_other() {
        let folder = tempfile::tempdir().unwrap();
        touch(folder.path(), "apt-get");
        let places = [folder.path().to_owned()];
        assert!(!is_installer(&[Some("x".into()), None], &places));
        assert!(!is_installer(&[None, None], &[]));
    }
}
