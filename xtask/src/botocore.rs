//! AWS's own cases for its protocols and endpoints, out of the source package of the botocore that
//! the models were packed from. They are fetched and never committed.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::aws_models;
use crate::interrupt::Interrupt;
use crate::python::Python;
use crate::workspace::Workspace;

/// Of the source package. That of the built one stands with the models.
const SHA256: &str = "945b783c1a1259e2a8b078f3f3dd40fae32ea84ab01d3a9953af6b378da7108a";

/// Takes what is wanted out of the package, and nothing else: it has thousands of files.
const EXTRACT: &str = "\
import sys, tarfile
wanted = ('/tests/unit/protocols/', '/tests/functional/endpoint-rules/')
with tarfile.open(sys.argv[1]) as package:
    for member in package:
        _, _, path = member.name.partition('/')
        if member.isfile() and ('/' + path).startswith(wanted):
            member.name = path
            package.extract(member, sys.argv[2], filter='data')
";

/// Brings the cases, unless they are there already, and gives the folder `tests` of botocore.
pub fn prepare(workspace: &Workspace, python: &Python, interrupt: &Interrupt) -> Result<PathBuf> {
    let tools = workspace.target.join("test-tools");
    let folder = tools.join(format!("botocore-{}", aws_models::VERSION));
    let lock = File::create(tools.join("lock"))?;
    lock.lock()?;
    if folder.exists() {
        return Ok(folder.join("tests"));
    }
    eprintln!("fetching AWS's cases into {}", folder.display());
    let fetched = tempfile::tempdir_in(&tools)?;
    let wanted = fetched.path().join("requirements.txt");
    std::fs::write(&wanted, format!("botocore=={} --hash=sha256:{SHA256}\n", aws_models::VERSION))?;
    let mut pip = Command::new(python.program());
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    pip.args(["--no-binary=:all:", "--require-hashes", "--requirement"]).arg(wanted);
    pip.arg("--dest").arg(fetched.path());
    ensure!(interrupt.run(&mut pip)?.success(), "pip could not fetch botocore; see above");
    let package = fetched.path().join(format!("botocore-{}.tar.gz", aws_models::VERSION));
    let out = fetched.path().join("out");
    let mut extract = Command::new(python.program());
    extract.args(["-c", EXTRACT]).arg(package).arg(&out);
    ensure!(interrupt.run(&mut extract)?.success(), "the package can't be read; see above");
    std::fs::rename(&out, &folder).with_context(|| folder.display().to_string())?;
    Ok(folder.join("tests"))
}
