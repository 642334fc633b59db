//! A program that a test starts, listens to and kills.

use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::timeout;

/// How long anything is waited for: more than a busy machine needs, less than a person's patience.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// A running program. It is killed when this value is dropped.
///
/// Its standard input stays open and empty for as long as this process lives.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    printed: watch::Receiver<Printed>,
    /// Lines that [`Process::wait_for_line`] has been through.
    seen: usize,
}

/// What came out of a program.
#[derive(Debug)]
struct Printed {
    lines: Vec<String>,
    /// Outputs that are not at their end.
    open: usize,
}

impl Process {
    /// Starts a program.
    pub fn start(command: &mut Command) -> Self {
        let name = command.as_std().get_program().display().to_string();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.kill_on_drop(true).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{name} can't be started: {error}"));
        let (sender, printed) = watch::channel(Printed { lines: Vec::new(), open: 2 });
        let sender = Arc::new(sender);
        tokio::spawn(read(child.stdout.take(), sender.clone()));
        tokio::spawn(read(child.stderr.take(), sender));
        Self { name, child, printed, seen: 0 }
    }

    /// The system's number for it, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// All that it printed so far, on both of its outputs.
    pub fn output(&self) -> String {
        self.printed.borrow().lines.join("\n")
    }

    /// Waits for the next line on either output that matches, after the one found last.
    pub async fn wait_for_line(&mut self, matches: impl Fn(&str) -> bool) -> String {
        let line = self.next_line(matches).await;
        line.unwrap_or_else(|| panic!("{} ended without the line; {}", self.name, self.report()))
    }

    /// Like [`Process::wait_for_line`]; nothing when the program ends without it.
    pub async fn next_line(&mut self, matches: impl Fn(&str) -> bool) -> Option<String> {
        let seen = self.seen;
        let find = |printed: &Printed| {
            let mut fresh = printed.lines.iter().enumerate().skip(seen);
            fresh.find(|(_, line)| matches(line)).map(|(index, line)| (index, line.clone()))
        };
        let decided = self.printed.wait_for(|printed| printed.open == 0 || find(printed).is_some());
        let found = timeout(DEADLINE, decided).await.map(|printed| find(&*printed.ok()?));
        match found {
            Ok(Some((index, line))) => {
                self.seen = index + 1;
                Some(line)
            }
            Ok(None) => None,
            Err(_) => panic!("{} did not print the line; {}", self.name, self.report()),
        }
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> ExitStatus {
        let Ok(ended) = timeout(DEADLINE, self.child.wait()).await else {
            panic!("{} does not end; {}", self.name, self.report())
        };
        // A grandchild may hold an output open; what it prints isn't waited for.
        let at_end = self.printed.wait_for(|printed| printed.open == 0);
        let _ = timeout(Duration::from_secs(1), at_end).await;
        ended.expect("a child can be waited for")
    }

    /// Ends its standard input.
    pub fn close_input(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Ends it at whatever instruction it stands, as a power cut would, and waits for its end.
    pub async fn kill(&mut self) -> ExitStatus {
        self.child.start_kill().expect("a child can be killed");
        self.wait().await
    }

    /// Asks it to end, as a service manager would, and waits for its end.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.send(Signal::TERM);
        self.wait().await
    }

    /// Halts it without its knowing: what it holds lapses while it believes that no time passes.
    pub fn freeze(&self) {
        self.send(Signal::STOP);
    }

    /// Lets it go on after [`Process::freeze`].
    pub fn thaw(&self) {
        self.send(Signal::CONT);
    }

    fn send(&self, signal: Signal) {
        let pid = self.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let Some(pid) = pid else { panic!("{} has ended; {}", self.name, self.report()) };
        kill_process(pid, signal).expect("a child can be signalled");
    }

    fn report(&self) -> String {
        format!("it printed:\n{}", self.output())
    }
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, printed: Arc<watch::Sender<Printed>>) {
    let Some(pipe) = pipe else { return };
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    while pipe.read_until(b'\n', &mut line).await.is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
        printed.send_modify(|printed| printed.lines.push(text));
        line.clear();
    }
    printed.send_modify(|printed| printed.open -= 1);
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn shell(script: &str) -> Process {
        Process::start(Command::new("sh").args(["-c", script]))
    }

    #[tokio::test]
    async fn lines_are_found_one_after_the_other() {
        let mut process = shell("echo a; echo port 1 >&2; cat; echo port 2");
        let is_port = |line: &str| line.starts_with("port");
        assert_eq!(process.wait_for_line(is_port).await, "port 1");
        process.close_input();
        assert_eq!(process.wait_for_line(is_port).await, "port 2");
        assert!(process.wait().await.success());
        assert_eq!(process.output().lines().count(), 3);
    }

    #[tokio::test]
    async fn a_line_that_does_not_come_shows_what_came() {
        let wait = async { shell("echo no").wait_for_line(|line| line == "yes").await };
        let panic = tokio::spawn(wait).await.unwrap_err().into_panic();
        let message = panic.downcast::<String>().unwrap();
        assert!(message.ends_with("ended without the line; it printed:\nno"), "{message}");
    }

    #[tokio::test]
    async fn a_kill_leaves_no_time_to_clean_up() {
        let mut process = shell("trap 'echo cleaned' TERM EXIT; echo ready; while :; do :; done");
        process.wait_for_line(|line| line == "ready").await;
        assert_eq!(process.kill().await.signal(), Some(9));
        assert_eq!(process.output(), "ready");
    }

    #[tokio::test]
    async fn a_terminated_process_cleans_up() {
        let mut process =
            shell("trap 'echo cleaned; exit 3' TERM; echo ready; while :; do :; done");
        process.wait_for_line(|line| line == "ready").await;
        assert_eq!(process.terminate().await.code(), Some(3));
        assert_eq!(process.output(), "ready\ncleaned");
    }

    #[tokio::test]
    async fn a_frozen_process_goes_on_when_it_is_thawed() {
        let mut process =
            shell("trap 'echo cleaned; exit 3' TERM; echo ready; while :; do :; done");
        process.wait_for_line(|line| line == "ready").await;
        process.freeze();
        process.send(Signal::TERM);
        assert_eq!(process.child.try_wait().unwrap(), None);
        process.thaw();
        assert_eq!(process.wait().await.code(), Some(3));
    }
}
