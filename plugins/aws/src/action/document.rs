//! SSM documents that a plan pins: compared again just before they are run.

use serde::Deserialize as _;
use serde_json::{Value, json};
use stanch_plugins_sdk::core::plan::DocumentPin;
use stanch_plugins_sdk::{ActionContext, ActionError};

use super::input::Input;
use super::survey::look;
use crate::client::Client;
use crate::target::runs_a_document;

/// Operations by which a document runs at another time, or as another version than was looked at.
const RUNS_LATER: [&str; 7] = [
    "ssm:CreateAssociation",
    "ssm:CreateAssociationBatch",
    "ssm:RegisterTaskWithMaintenanceWindow",
    "ssm:StartAssociationsOnce",
    "ssm:StartChangeRequestExecution",
    "ssm:StartSession",
    "ssm:UpdateAssociation",
];

/// Refuses to run a document that is another one than what was pinned when the plan was made, and
/// one that was not pinned at all. A person who calls by hand knows what they run. Gives the names of
/// the parameters that the document takes.
///
/// # Errors
/// `document_changed` and `document_not_pinned`, and what AWS says.
pub(super) async fn require(
    client: &Client,
    context: &ActionContext,
    input: &Input,
) -> Result<Vec<String>, ActionError> {
    if context.run.is_none() {
        return Ok(Vec::new());
    }
    let operation = input.named.to_string();
    if RUNS_LATER.contains(&&*operation) {
        let why = format!(
            "`{operation}` runs a document that nobody can pin by version and hash: use \
             `ssm_automation` or `ssm_command`, or let a person call it"
        );
        return Err(ActionError::denied("document_not_pinned", why));
    }
    if !runs_a_document(&operation) {
        return Ok(Vec::new());
    }
    let text = |name: &str| input.params.get(name).and_then(Value::as_str).unwrap_or_default();
    let (name, version) = (text("DocumentName"), text("DocumentVersion"));
    let pin = input.document.as_ref().and_then(|pin| DocumentPin::deserialize(pin).ok());
    let pin = pin.filter(|pin| pin.name == name && pin.version == version).ok_or_else(|| {
        let why = format!(
            "the document {name} is not pinned by version and hash: make the change with `plan`, \
             `aws` or `ssm_automation`, which pin it"
        );
        ActionError::denied("document_not_pinned", why)
    })?;
    let params = json!({"Name": name, "DocumentVersion": version});
    let seen = Box::pin(look(client, context, "ssm:DescribeDocument", &params)).await?;
    let takes = seen.pointer("/Document/Parameters").and_then(Value::as_array);
    let takes = takes.into_iter().flatten().filter_map(|one| one.get("Name")?.as_str());
    let takes: Vec<_> = takes.map(str::to_owned).collect();
    let seen = |member: &str| seen.pointer(&format!("/Document/{member}")).and_then(Value::as_str);
    if seen("Hash") == Some(&*pin.hash) && seen("HashType") == Some(&*pin.hash_type) {
        return Ok(takes);
    }
    Err(ActionError::denied(
        "document_changed",
        format!(
            "version {version} of the document {name} is not what was approved: its hash is {} and \
             was {}. Nothing was run. Look at the document, then run the playbook again",
            seen("Hash").unwrap_or("not given"),
            pin.hash
        ),
    ))
}
