//! The commands, a file each.

mod alerts;
mod approvals;
mod audit;
mod aws;
mod backup;
mod bench;
mod break_glass;
mod bundle;
mod by_hand;
mod check;
mod collect;
mod containments;
mod demo;
mod doctor;
mod drill;
mod evidence;
mod explain;
mod incident_work;
mod kpis;
mod login;
mod look;
mod nodes;
mod noise;
mod normalize;
mod operate;
mod parts;
mod people;
mod playbooks;
mod policy;
mod reconcile;
mod report;
mod review;
mod run;
mod sandbox;
mod schedules;
mod serve;
mod simulate;
mod suppressions;
mod test;
mod updates;

use std::process::ExitCode;

use crate::args::{Args, Command};
use crate::client::Client;

/// Runs a command.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { common, command } = args;
    let json = common.json;
    let client = || Client::of(&common);
    match command {
        Command::Serve(args) => serve::run(&common, args).await?,
        Command::Demo(args) => demo::run(args).await?,
        Command::Doctor(args) => return doctor::run(&common, &args).await,
        Command::Drill(args) => return drill::run(&common, &args).await,
        Command::Run(args) => return run::run(&client()?, args, json).await,
        Command::Check(args) => return check::run(&common, &args),
        Command::Simulate(args) => return simulate::run(&common, &args).await,
        Command::Test(args) => return test::run(&common, &args),
        Command::Normalize(args) => normalize::run(&common, &args)?,
        Command::Alerts(what) => alerts::run(&client()?, what, json).await?,
        Command::Containments(what) => containments::run(&client()?, what, json).await?,
        Command::Suppressions(what) => suppressions::run(&client()?, what, json).await?,
        Command::Noise(what) => noise::run(&client()?, what, json).await?,
        Command::Reconcile(what) => reconcile::run(&client()?, what, json).await?,
        Command::Runs(what) => look::run(&client()?, &look::RUNS, what, json).await?,
        Command::Approvals(what) => approvals::run(&client()?, what, json).await?,
        Command::Incidents(what) => look::incidents(&client()?, what, json).await?,
        Command::Approve(args) => approvals::decide(&client()?, args, "approve", json).await?,
        Command::Reject(args) => approvals::decide(&client()?, args, "reject", json).await?,
        Command::Withdraw(args) => approvals::withdraw(&client()?, args, json).await?,
        Command::BreakGlass(args) => break_glass::run(&common, args).await?,
        Command::Cancel(wish) => people::wish(&client()?, wish, "cancel", json).await?,
        Command::Pause(wish) => people::wish(&client()?, wish, "pause", json).await?,
        Command::Resume(wish) => people::wish(&client()?, wish, "resume", json).await?,
        Command::Undo(args) => people::undo(&client()?, args, json).await?,
        Command::Retry(args) => people::retry(&client()?, args, json).await?,
        Command::Migrate(args) => people::migrate(&client()?, args, json).await?,
        Command::Signal(args) => people::signal(&client()?, args, json).await?,
        Command::Pages(what) => look::pages(&client()?, what, json).await?,
        Command::Evidence(what) => return evidence::run(&common, what).await,
        Command::Collect(args) => return collect::run(&client()?, *args, json).await,
        Command::Export(args) => bundle::export(&client()?, &args).await?,
        Command::Report(args) => report::run(&client()?, &args, json).await?,
        Command::Verify(args) => return bundle::verify(&args, json),
        Command::Audit(what) => return audit::run(&common, what, json).await,
        Command::Kpis(args) => kpis::run(&client()?, &args, json).await?,
        Command::Playbooks(what) => playbooks::run(&client()?, what, json).await?,
        Command::Schedules(what) => schedules::run(&client()?, what, json).await?,
        Command::Halt(args) => operate::halt(&common, args).await?,
        Command::Unhalt(args) => operate::unhalt(&common, args).await?,
        Command::Token(what) => operate::token(&client()?, what, json).await?,
        Command::People(what) => operate::people(&client()?, what, json).await?,
        Command::Login(args) => login::run(&common, &args).await?,
        Command::Logout => login::out(&common)?,
        Command::Nodes => nodes::run(&client()?, json).await?,
        Command::Backup(args) => backup::make(&common, &args).await?,
        Command::Restore(args) => backup::restore(&common, &args).await?,
        Command::Aws(what) => return aws::run(&common, what).await,
        Command::Bench(what) => bench::run(what).await?,
        Command::Explain { code } => return explain::run(code.as_deref()),
    }
    Ok(ExitCode::SUCCESS)
}
