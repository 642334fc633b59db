//! `cargo xtask postgres`: a throwaway Postgres of one's own, which may be restarted, told to speak TLS
//! or to ask for passwords.
//!
//! It prints the URL of its database, and is gone when its input ends.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::postgres::{Extras, Postgres};

/// Runs it: `--set NAME=VALUE`, `--file NAME=PATH` and `--hba LINE`, each as often as it is wanted.
pub fn run(args: &[String]) -> Result<ExitCode> {
    let extras = extras(args)?;
    let server = Postgres::start_with(Path::new("/dev/null"), &extras)?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", server.url())?;
    out.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    drop(server);
    Ok(ExitCode::SUCCESS)
}

fn extras(args: &[String]) -> Result<Extras> {
    let mut extras = Extras::default();
    let mut args = args.iter();
    while let Some(flag) = args.next() {
        let value = args.next().with_context(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--set" => extras.settings.push(value.clone()),
            "--hba" => extras.hba.push(value.clone()),
            "--file" => {
                let (name, path) = value.split_once('=').context("--file takes NAME=PATH")?;
                extras.files.push((name.to_owned(), PathBuf::from(path)));
            }
            other => bail!("postgres knows --set, --file and --hba, not {other}"),
        }
    }
    Ok(extras)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Extras> {
        extras(&args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn arguments_come_in_pairs() {
        let extras = read(&["--set", "ssl=on", "--file", "a.crt=/tmp/b", "--hba", "host"]).unwrap();
        assert_eq!(extras.settings, ["ssl=on"]);
        assert_eq!(extras.files, [("a.crt".to_owned(), PathBuf::from("/tmp/b"))]);
        assert_eq!(extras.hba, ["host"]);
        assert!(read(&["--set"]).unwrap_err().to_string().contains("needs a value"));
        assert!(read(&["--port", "1"]).unwrap_err().to_string().contains("--set"));
    }
}
