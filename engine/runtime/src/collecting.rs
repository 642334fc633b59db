//! Evidence that a responder asks for by hand, by the playbook `collect`. It comes with the binary, and
//! is published when it is first asked for: an installation that never collects by hand reads nothing
//! of it.

use serde_json::{Map, Value};
use stanch_engine_core::id::{IncidentId, RunId};
use stanch_engine_script::bundle;

use crate::playbooks::{self, BUILT_IN_BY, PublishError};
use crate::runs::{self, RunsError, StartRequest};
use crate::runtime::Runtime;

/// The playbook. One of the same name that somebody published goes before it.
pub const COLLECT: &str = "collect";

/// Its text.
const TEXT: &str = include_str!("../../../playbooks/collect.rhai");

macro_rules! libraries {
    ($($name:literal)*) => {
        /// What it imports, by path.
        const LIBRARIES: &[(&str, &str)] = &[$((
            concat!("lib/collect/", $name),
            include_str!(concat!("../../../playbooks/lib/collect/", $name, ".rhai")),
        ),)*];
    };
}

libraries! {
    "athena" "config" "detective" "ec2" "findings" "host" "iam" "lambda" "logs" "period" "s3"
    "snapshots" "trail"
}

/// Why nothing is collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The run can't be started.
    #[error(transparent)]
    Run(#[from] RunsError),
    /// The playbook can't be published: a fault of the build.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// Starts collecting for an incident.
///
/// # Errors
/// [`CollectError`] when there is no such incident, or the inputs are not what the playbook takes.
pub async fn start(
    runtime: &Runtime,
    incident: IncidentId,
    inputs: Map<String, Value>,
    requester: String,
) -> Result<RunId, CollectError> {
    publish(runtime).await?;
    let request = StartRequest {
        playbook: COLLECT.to_owned(),
        inputs,
        alert: None,
        incident: Some(incident),
        requester,
        subject: None,
    };
    Ok(runs::start(runtime, request).await?)
}

/// Publishes the playbook of this binary, unless somebody has one of their own.
async fn publish(runtime: &Runtime) -> Result<(), PublishError> {
    let find = |path: &str| {
        let found = LIBRARIES.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| (*text).to_owned())
    };
    let bundle = bundle(TEXT, find).map_err(|error| PublishError::Unfit(error.0))?;
    let is_there = runtime.shared.playbook(COLLECT).is_some_and(|active| {
        active.activated_by != BUILT_IN_BY || active.digest == bundle.digest()
    });
    if !is_there {
        playbooks::publish(runtime, bundle, BUILT_IN_BY, "built in: collect").await?;
    }
    Ok(())
}
