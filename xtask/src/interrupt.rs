//! Ctrl-C and its like: the running child is told, and we live on to clean up behind it.

use std::io::IsTerminal;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Catches the signals that would end this process.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    caught: bool,
    child: Option<Pid>,
}

impl Interrupt {
    /// From now on these signals end nothing by themselves.
    pub fn install() -> Result<Self> {
        let interrupt = Self(Arc::default());
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("signals")?;
        let state = interrupt.clone();
        std::thread::spawn(move || signals.forever().for_each(|signal| state.caught(signal)));
        Ok(interrupt)
    }

    /// Runs a command to its end.
    pub fn run(&self, command: &mut Command) -> Result<ExitStatus> {
        let name = command.get_program().display().to_string();
        let child = command.spawn().with_context(|| format!("{name} can't be started"))?;
        self.wait(child)
    }

    /// Waits for a child to end.
    pub fn wait(&self, mut child: Child) -> Result<ExitStatus> {
        self.state().child = Pid::from_raw(child.id().cast_signed());
        let status = child.wait();
        self.state().child = None;
        self.check()?;
        Ok(status?)
    }

    /// An error once a signal was caught.
    pub fn check(&self) -> Result<()> {
        if self.state().caught {
            bail!("interrupted");
        }
        Ok(())
    }

    fn caught(&self, signal: i32) {
        let mut state = self.state();
        state.caught = true;
        // A terminal sends Ctrl-C to the child as well, and twice means "now" to most.
        if signal == SIGINT && std::io::stdin().is_terminal() {
            return;
        }
        if let Some(child) = state.child {
            // It fails when the child has just ended, which is what was wanted.
            let _ = kill_process(child, Signal::TERM);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
