//! `stanch doctor`: tests each hop from the detector to this machine and back into the accounts, and
//! says what is there, what lacks, and how it is mended. It changes nothing.

mod accounts;
mod cloud;
mod detectors;
mod evidence;
mod local;
mod organization;
mod policies;
mod report;

use std::process::ExitCode;

use stanch_engine_core::operation::Operations;

use super::by_hand::Caller;
use crate::args::{Common, Doctor};
use crate::config::{Config, environment};
use report::Report;

pub(super) async fn run(common: &Common, args: &Doctor) -> anyhow::Result<ExitCode> {
    let mut report = Report::default();
    if let Some(config) = local::configuration(common, &mut report) {
        Box::pin(look(common, args, &config, &mut report)).await;
    }
    report.show(common.json);
    Ok(if report.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn look(common: &Common, args: &Doctor, config: &Config, report: &mut Report) {
    local::data_folder(config, report);
    local::keys(config, report);
    local::event_files(config, report);
    let published = Box::pin(local::database(config, report)).await;
    local::server(common, config, report).await;
    if args.local {
        return;
    }
    let caller = match Caller::base(config) {
        Ok(caller) => caller,
        Err(error) => {
            let mend = "look at [aws] and `--models` of the configuration";
            return report.missing("aws", "client", format!("{error:#}"), mend);
        }
    };
    let Some(own) = cloud::credentials(&caller, report).await else { return };
    cloud::queues(config, &caller, report).await;
    cloud::topics(config, &caller, report).await;
    evidence::bucket(config, &caller, report).await;
    evidence::key(config, &caller, report).await;
    let operations: &dyn Operations = caller.operations();
    let needed = policies::Needed::of(&published, operations, &config.rails().may_want());
    if published.is_empty() {
        let mend = "`stanch playbooks publish FILE`, or `stanch serve --playbooks DIR`";
        report.missing("playbooks", "published", "no playbook is active", mend);
    } else {
        report.ok("playbooks", "published", format!("{} are active", published.len()));
    }
    match config.roles(&environment) {
        Ok(roles) => {
            accounts::all(&accounts::Wanted { config, args, roles, needed, own }, &caller, report)
                .await;
        }
        Err(error) => report.missing(
            "configuration",
            "external_id",
            error.to_string(),
            "put the external id where the configuration says that it is",
        ),
    }
}
