//! A Postgres for one run of the tests: made from the machine's binaries, with the settings that
//! hold in production, and gone afterwards, however this process ends.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

mod account;
mod binaries;
mod folder;

use account::Account;
use folder::Folder;

/// What the server logs when it answers.
const READY: &str = "database system is ready to accept connections";

/// What it logs when another program took the port between our look and its own.
const PORT_TAKEN: &str = "Address already in use";

/// That happens once in a while, and not five times in a row.
const ATTEMPTS: usize = 5;

/// A machine that is busy compiling takes a second or two.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Connections that all tests may have open between them.
const CONNECTIONS: &str = "max_connections=400";

/// Runs beside the server; it says itself why.
const GUARD: &str = include_str!("postgres/guard.sh");

/// What a server is to have beyond the usual.
#[derive(Debug, Default)]
pub struct Extras {
    /// Settings, each `NAME=VALUE`.
    pub settings: Vec<String>,
    /// Files that lie beside its data, by their names there.
    pub files: Vec<(String, PathBuf)>,
    /// Lines of `pg_hba.conf`, in place of its own, which trust everybody.
    pub hba: Vec<String>,
}

/// A server that runs until this value is dropped.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    port: u16,
    guard: Child,
    // Last, so that it goes after the server.
    _folder: Folder,
}

impl Postgres {
    /// Starts a fresh server that logs to this file.
    pub fn start(log: &Path) -> Result<Self> {
        Self::start_with(log, &Extras::default())
    }

    /// Starts a fresh server with something special.
    pub fn start_with(log: &Path, extras: &Extras) -> Result<Self> {
        let bin = binaries::find()?;
        let account = Account::choose()?;
        // Another account can reach it there, and a socket's path stays short.
        let parent = std::env::temp_dir();
        folder::sweep(&parent, &account, &bin);
        for _ in 1..ATTEMPTS {
            match Self::attempt(&bin, &account, &parent, log, extras) {
                Err(error) if format!("{error:#}").contains(PORT_TAKEN) => {}
                outcome => return outcome,
            }
        }
        Self::attempt(&bin, &account, &parent, log, extras)
    }

    /// The folder of its programs.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// Its first database.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn attempt(
        bin: &Path,
        account: &Account,
        parent: &Path,
        log: &Path,
        extras: &Extras,
    ) -> Result<Self> {
        let folder = Folder::create(parent, account)?;
        initialise(bin, account, &folder)?;
        for (name, file) in &extras.files {
            account.give(file, &folder.data().join(name))?;
        }
        if !extras.hba.is_empty() {
            std::fs::write(folder.data().join("pg_hba.conf"), extras.hba.join("\n") + "\n")?;
        }
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut guard = spawn(bin, account, &folder, port, &extras.settings)?;
        let stderr = guard.stderr.take().context("the server has no log")?;
        let server = Self { bin: bin.to_owned(), port, guard, _folder: folder };
        wait_until_ready(&lines(stderr, File::create(log)?))?;
        Ok(server)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The guard waits for the end of its input.
        drop(self.guard.stdin.take());
        if let Err(error) = self.guard.wait() {
            eprintln!("Postgres: {error}");
        }
    }
}

fn initialise(bin: &Path, account: &Account, folder: &Folder) -> Result<()> {
    let mut initdb = command(&bin.join("initdb"), account);
    initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
    // The new files needn't survive a power cut; what the server writes later is synced as ever.
    initdb.args(["--no-sync", "--pgdata"]).arg(folder.data());
    let output = initdb.output().context("initdb can't be started")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "initdb: {}", error.trim());
    Ok(())
}

fn spawn(
    bin: &Path,
    account: &Account,
    folder: &Folder,
    port: u16,
    settings: &[String],
) -> Result<Child> {
    let mut guard = command(Path::new("sh"), account);
    guard.args(["-c", GUARD, "guard.sh"]).arg(folder.path());
    guard.arg(bin.join("postgres")).arg("-D").arg(folder.data());
    guard.args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
    guard.args(["-c", CONNECTIONS, "-k"]).arg(folder.path());
    guard.args(settings.iter().flat_map(|setting| ["-c", setting.as_str()]));
    guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    // Ctrl-C reaches the tests first; the server goes when they are done.
    guard.process_group(0).spawn().context("sh can't be started")
}

/// A command that runs as the account that may run Postgres, in nobody's language.
fn command(program: &Path, account: &Account) -> Command {
    let mut command = Command::new(program);
    account.apply(&mut command);
    command.current_dir("/").env("LC_ALL", "C");
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(name);
        }
    }
    command
}

/// The server's log, line by line, until it ends; also written to a file.
fn lines(stderr: ChildStderr, mut log: File) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            // Neither a full disk nor a reader who has heard enough may block the server.
            let _ = writeln!(log, "{line}");
            let _ = sender.send(line);
        }
    });
    receiver
}

fn wait_until_ready(lines: &Receiver<String>) -> Result<()> {
    let start = Instant::now();
    let mut log = String::new();
    loop {
        let left = START_TIMEOUT.saturating_sub(start.elapsed());
        match lines.recv_timeout(left) {
            Ok(line) if line.contains(READY) => return Ok(()),
            Ok(line) => log = log + &line + "\n",
            Err(_) => bail!("Postgres does not start:\n{log}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_starts_answers_and_leaves_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let server = Postgres::start(&scratch.path().join("log")).unwrap();
        let folder = server._folder.path().to_owned();
        let psql = |setting: &str| {
            let mut psql = Command::new(server.bin().join("psql"));
            psql.args(["-XAtc", &format!("show {setting}"), &server.url()]);
            String::from_utf8(psql.output().unwrap().stdout).unwrap()
        };
        assert_eq!(psql("fsync"), "on\n");
        assert_eq!(psql("synchronous_commit"), "on\n");
        assert!(folder.exists());
        drop(server);
        assert!(!folder.exists());
    }

    #[test]
    fn a_server_that_does_not_start_says_why() {
        let (sender, receiver) = channel();
        sender.send("FATAL: no".to_owned()).unwrap();
        drop(sender);
        let error = wait_until_ready(&receiver).unwrap_err().to_string();
        assert!(error.contains("FATAL: no"), "{error}");
    }
}
