//! What can be written on the command line.

mod alerts;
mod approvals;
mod audit;
mod aws;
mod backup;
mod bench;
mod collect;
mod containments;
mod doctor;
mod drill;
mod evidence;
mod incidents;
mod kpis;
mod noise;
mod people;
mod playbooks;
mod reconcile;
mod report;
mod schedules;
mod simulate;
mod suppressions;
mod undo;

use std::path::PathBuf;

pub(crate) use alerts::{Alerts, DeadLetters};
pub(crate) use approvals::{Approvals, BreakGlass, Decide, Glass, Halt, Unhalt, Withdraw};
pub(crate) use audit::{Audit, AuditList};
pub(crate) use aws::{Aws, Sandbox};
pub(crate) use backup::{Backup, Restore};
pub(crate) use bench::Bench;
use clap::{Args as Group, Parser, Subcommand};
pub(crate) use collect::Collect;
pub(crate) use containments::Containments;
pub(crate) use doctor::Doctor;
pub(crate) use drill::Drill;
pub(crate) use evidence::Evidence;
pub(crate) use incidents::{Incidents, Updates};
pub(crate) use kpis::Kpis;
pub(crate) use noise::Noise;
pub(crate) use people::{People, Token};
pub(crate) use playbooks::Playbooks;
pub(crate) use reconcile::Reconcile;
pub(crate) use report::{Report, ReportFormat};
pub(crate) use schedules::Schedules;
pub(crate) use simulate::{Probes, Say, Simulate};
pub(crate) use suppressions::{Suppress, Suppressions};
pub(crate) use undo::Undo;

/// Incident response playbooks for AWS as durable, auditable runs.
#[derive(Debug, Parser)]
#[command(name = "stanch", version, propagate_version = true)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Default, Group)]
pub(crate) struct Common {
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The configuration file.
    #[arg(long, global = true, env = "STANCH_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The server to talk to; else the one that the configuration names.
    #[arg(long, global = true, env = "STANCH_URL", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Your token; else of whoever signed in (`stanch login`), else the admin's, from the data folder.
    #[arg(long, global = true, env = "STANCH_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs a node.
    Serve(Serve),
    /// Shows an incident from alert to proof, against a stand-in for AWS.
    Demo(Demo),
    /// Tests each hop of the wiring: what is there, what lacks, and how it is mended.
    Doctor(Doctor),
    /// Makes a user to be thrown away, and has its key contained, from the webhook to the undo.
    Drill(Drill),
    /// Starts a playbook.
    Run(Run),
    /// Reads playbooks without running them, and says what is wrong.
    Check(Check),
    /// Runs a whole playbook, changes nothing, and prints what it would do.
    Simulate(Box<Simulate>),
    /// Tries the sources and rules of correlation that are scripts with the examples beside them.
    Test(Test),
    /// Reads an alert's payload, and prints what Stanch makes of it.
    Normalize(Normalize),
    /// Alerts.
    #[command(subcommand)]
    Alerts(Alerts),
    /// Incidents.
    #[command(subcommand)]
    Incidents(Incidents),
    /// What was contained and still stands: extended, made final, given to another.
    #[command(subcommand)]
    Containments(Containments),
    /// Alerts that people want to hear nothing of for a while, and maintenance windows.
    #[command(subcommand)]
    Suppressions(Suppressions),
    /// What verdicts say of types of alerts, and which of them might be suppressed.
    #[command(subcommand)]
    Noise(Noise),
    /// What detectors list, compared with what came.
    #[command(subcommand)]
    Reconcile(Reconcile),
    /// Runs.
    #[command(subcommand)]
    Runs(Look),
    /// Questions to people.
    #[command(subcommand)]
    Approvals(Approvals),
    /// Says yes to an approval.
    Approve(Decide),
    /// Says no to an approval.
    Reject(Decide),
    /// Takes back your yes to an approval that waits for more.
    Withdraw(Withdraw),
    /// Answers an approval for everybody, at once: everybody is told, and another person must look at it.
    BreakGlass(BreakGlass),
    /// Ends a run.
    Cancel(Wish),
    /// Stops a run for a while.
    Pause(Wish),
    /// Lets a run go on that is paused or parked.
    Resume(Wish),
    /// Takes back what a run changed, or what one step of it did.
    Undo(Undo),
    /// Runs a run again that has ended, or says what became of a step in doubt.
    Retry(Retry),
    /// Gives a run another version of its playbook, if that would have come as far.
    Migrate(Migrate),
    /// Sends a signal to a run, for which its playbook waits or will wait.
    Signal(Signal),
    /// Pages to people.
    #[command(subcommand)]
    Pages(Pages),
    /// Evidence: added by hand, held, and moved.
    #[command(subcommand)]
    Evidence(Evidence),
    /// Collects evidence for an incident.
    Collect(Box<Collect>),
    /// Exports everything about an incident as a bundle that proves itself.
    Export(Export),
    /// Writes the report of an incident.
    Report(Report),
    /// Proves a bundle, offline.
    Verify(Verify),
    /// Who did what.
    #[command(subcommand)]
    Audit(Audit),
    /// Key figures.
    Kpis(Kpis),
    /// Playbooks.
    #[command(subcommand)]
    Playbooks(Playbooks),
    /// Playbooks that the clock starts.
    #[command(subcommand)]
    Schedules(Schedules),
    /// Throws the kill switch: nothing is changed any more, on any node.
    Halt(Halt),
    /// Takes the kill switch back.
    Unhalt(Unhalt),
    /// Tokens of people and programs.
    #[command(subcommand)]
    Token(Token),
    /// Signs you in at the identity provider, with a browser on this machine.
    Login(Login),
    /// Forgets who signed in on this machine.
    Logout,
    /// People who leave.
    #[command(subcommand)]
    People(People),
    /// The nodes that take part.
    Nodes,
    /// Backs up an installation on SQLite, also while its server works.
    Backup(Backup),
    /// Makes an installation of a backup. It starts halted.
    Restore(Restore),
    /// Operations of AWS.
    #[command(subcommand)]
    Aws(Aws),
    /// Measures.
    #[command(subcommand)]
    Bench(Bench),
    /// Explains an error code.
    Explain {
        /// Such as ST0101; without one, all are listed.
        code: Option<String>,
    },
}

#[derive(Debug, Group)]
pub(crate) struct Serve {
    /// Publishes the playbooks of this folder, now and whenever they change.
    #[arg(long, env = "STANCH_PLAYBOOKS", value_name = "DIR")]
    pub(crate) playbooks: Option<PathBuf>,
}

#[derive(Debug, Group)]
pub(crate) struct Login {
    /// The port that the browser comes back to; any that is free, unless it is said.
    #[arg(long)]
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Group)]
pub(crate) struct Demo {
    /// Approves by itself, and ends after the undo.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Where to leave everything; it must be empty or not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Group)]
pub(crate) struct Run {
    /// The playbook's name.
    pub(crate) playbook: String,
    /// A file with an alert's payload.
    #[arg(long, value_name = "FILE")]
    pub(crate) alert: Option<PathBuf>,
    /// What the playbook reads as `inputs`, a JSON object.
    #[arg(long, value_name = "JSON")]
    pub(crate) input: Option<String>,
    /// Returns at once instead of when the run has come to rest.
    #[arg(long)]
    pub(crate) detach: bool,
}

#[derive(Debug, Group)]
pub(crate) struct Check {
    /// Files or folders.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Prints the IAM policies that the playbooks need: one for looking, one for containing.
    #[arg(long)]
    pub(crate) policies: bool,
}

#[derive(Debug, Group)]
pub(crate) struct Test {
    /// A script, or a folder of them; else the folder of the configuration.
    pub(crate) path: Option<PathBuf>,
}

#[derive(Debug, Group)]
pub(crate) struct Normalize {
    /// The source's name, or `auto`.
    #[arg(long, default_value = "auto")]
    pub(crate) source: String,
    /// The payload; `-` reads standard input.
    pub(crate) file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Look {
    /// Lists them, the newest first.
    List(List),
    /// Shows one.
    Show {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, Group)]
pub(crate) struct List {
    /// Only those that stand so.
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// So many.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: u32,
    /// From here on, as the last listing said.
    #[arg(long)]
    pub(crate) cursor: Option<String>,
}

#[derive(Debug, Group)]
pub(crate) struct Wish {
    /// The run's id.
    pub(crate) run: String,
    /// Why; it goes into the record.
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Debug, Group)]
pub(crate) struct Signal {
    /// The run's id.
    pub(crate) run: String,
    /// The signal's name.
    pub(crate) name: String,
    /// What it says, in JSON.
    #[arg(long, value_name = "JSON")]
    pub(crate) data: Option<String>,
}

#[derive(Debug, Group)]
pub(crate) struct Retry {
    /// The run's id.
    pub(crate) run: String,
    /// The step from which it is run again; else where it failed: the last step, or the items of
    /// an `each` that failed.
    #[arg(long, value_name = "STEP", conflicts_with = "step")]
    pub(crate) from: Option<String>,
    /// The key of a step in doubt.
    #[arg(long, requires = "outcome")]
    pub(crate) step: Option<String>,
    /// What became of it.
    #[arg(long, requires = "step", value_parser = ["succeeded", "failed", "repeat"])]
    pub(crate) outcome: Option<String>,
    /// Why, or why you know; it goes into the record.
    #[arg(long)]
    pub(crate) reason: String,
    /// The result that the playbook then sees, in JSON.
    #[arg(long, requires = "step", value_name = "JSON")]
    pub(crate) result: Option<String>,
}

#[derive(Debug, Group)]
pub(crate) struct Migrate {
    /// The run's id.
    pub(crate) run: String,
    /// The version, by its digest; else the one that is active.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) to: Option<String>,
    /// Only says whether the run could go on with it.
    #[arg(long)]
    pub(crate) trial: bool,
    /// Why; it goes into the record.
    #[arg(long)]
    pub(crate) reason: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Pages {
    /// Lists them, the newest first; `--status open` those that nobody took.
    List(List),
    /// Shows one, with how each of its sendings went.
    Show {
        /// Its id.
        id: String,
    },
    /// Takes one: it does not go out again.
    Ack {
        /// Its id.
        id: String,
    },
}

#[derive(Debug, Group)]
pub(crate) struct Export {
    /// The incident's id.
    pub(crate) incident: String,
    /// Where to write the bundle.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Without the items and whatever somebody has worded; their hashes stay.
    #[arg(long)]
    pub(crate) redact: bool,
    /// Of the chain when it had so many records: the same bundle as then, once more.
    #[arg(long, value_name = "RECORDS")]
    pub(crate) head: Option<u64>,
    /// Also where the end of the chain was changed in the database: what is there, marked as broken.
    #[arg(long)]
    pub(crate) broken: bool,
}

#[derive(Debug, Group)]
pub(crate) struct Verify {
    /// The bundle.
    pub(crate) file: PathBuf,
    /// The public key of the installation, in PEM; have it by another way than the bundle. Several
    /// times for several that it had.
    #[arg(long = "key", value_name = "PUB")]
    pub(crate) keys: Vec<PathBuf>,
    /// What was laid down outside of the installation, an entry a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) anchor: Option<PathBuf>,
    /// Certificates in PEM of the authorities whose time-stamps count.
    #[arg(long, value_name = "FILE")]
    pub(crate) tsa_ca: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn can_be_typed(line: &str) {
        let read = Args::try_parse_from(shlex::split(line).unwrap());
        assert!(read.is_ok(), "{line}: {}", read.err().unwrap());
    }

    #[test]
    fn what_the_readme_says_can_be_typed() {
        let readme = include_str!("../../../README.md");
        let lines: Vec<&str> = readme.lines().filter(|line| line.starts_with("stanch ")).collect();
        assert!(lines.len() > 10, "{lines:?}");
        lines.into_iter().for_each(can_be_typed);
    }

    #[test]
    fn what_the_pages_of_errors_say_can_be_typed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors");
        let mut count = 0;
        for page in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(page.unwrap().path()).unwrap();
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let quoted = text.split('`').skip(1).step_by(2);
            let commands: Vec<&str> = quoted.filter(|q| q.starts_with("stanch ")).collect();
            count += commands.len();
            commands.into_iter().for_each(can_be_typed);
        }
        assert!(count > 10, "{count}");
    }
}
