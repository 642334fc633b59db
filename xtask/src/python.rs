//! The Python that the tests need: a virtual environment with moto, which plays AWS.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::interrupt::Interrupt;
use crate::workspace::Workspace;

const REQUIREMENTS: &str = "tests/requirements.txt";

/// A virtual environment with what [`REQUIREMENTS`] lists.
#[derive(Debug)]
pub struct Python {
    folder: PathBuf,
}

impl Python {
    /// Makes the environment, unless it is there already and as wanted.
    pub fn prepare(workspace: &Workspace, interrupt: &Interrupt) -> Result<Self> {
        let tools = workspace.target.join("test-tools");
        std::fs::create_dir_all(&tools).with_context(|| tools.display().to_string())?;
        let python = Self { folder: tools.join("venv") };
        // Two runs at once would build into one folder.
        let lock = File::create(tools.join("lock"))?;
        lock.lock()?;

        let requirements = workspace.root.join(REQUIREMENTS);
        let wanted = python.fingerprint(&requirements)?;
        let mark = python.folder.join("fingerprint");
        let is_there = python.server().exists() && python.program().exists();
        if is_there && std::fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
            return Ok(python);
        }
        eprintln!("installing {REQUIREMENTS} into {}", python.folder.display());
        python.install(&requirements, interrupt)?;
        std::fs::write(mark, wanted)?;
        Ok(python)
    }

    /// The interpreter.
    pub fn program(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// The program `moto_server`.
    pub fn server(&self) -> PathBuf {
        self.folder.join("bin/moto_server")
    }

    /// Changes with all that the environment depends on; its scripts hold its own path.
    fn fingerprint(&self, requirements: &Path) -> Result<String> {
        let version = Command::new("python3").arg("--version").output();
        let version = version.context("python3 is missing; install Python 3.10 or newer")?;
        ensure!(version.status.success(), "python3 does not run");
        let mut hash = Sha256::new();
        hash.update(std::fs::read(requirements).context(REQUIREMENTS)?);
        hash.update(&version.stdout);
        hash.update(self.folder.as_os_str().as_encoded_bytes());
        Ok(hex::encode(hash.finalize()))
    }

    fn install(&self, requirements: &Path, interrupt: &Interrupt) -> Result<()> {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&self.folder);
        let made = interrupt.run(&mut venv)?;
        ensure!(
            made.success(),
            "`python3 -m venv` failed; install what it lacks (Debian: the package python3-venv)"
        );
        let mut pip = Command::new(self.program());
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip.args(["--require-hashes", "--requirement"]).arg(requirements);
        let installed = interrupt.run(&mut pip)?;
        ensure!(installed.success(), "pip could not install {REQUIREMENTS}; see above");
        Ok(())
    }
}
