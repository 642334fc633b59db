//! SSM documents: which version there is, and the hash of its text.

use serde_json::{Value, json};

use super::reply::Refusal;
use super::request::Asked;
use super::ssm::{DOCUMENT, PARAMETERS};
use super::world::World;

/// The hash of the runbook until somebody changes it.
pub(super) const HASH: &str = "7b1a5c0d3f2e4a69881d0c5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b1c2d3e4f50";

/// Answers `DescribeDocument`.
pub(super) fn describe(world: &World, asked: &Asked) -> Result<Value, Refusal> {
    let name = asked.text("Name").unwrap_or_default();
    let version = asked.text("DocumentVersion").unwrap_or("$DEFAULT");
    let kind = match name {
        DOCUMENT => Some("Automation"),
        "AWS-RunShellScript" | "AWS-RunPowerShellScript" => Some("Command"),
        _ => None,
    };
    let kind = kind.filter(|_| ["1", "$DEFAULT", "$LATEST"].contains(&version));
    let Some(kind) = kind else {
        let why = format!("Document with name {name} does not exist.");
        return Err(Refusal::new(400, "InvalidDocument", why));
    };
    let takes: &[&str] = if kind == "Automation" { &PARAMETERS } else { &["commands"] };
    let takes: Vec<_> = takes.iter().map(|name| json!({"Name": name})).collect();
    Ok(json!({"Document": {
        "Parameters": takes,
        "Name": name, "Owner": "Amazon", "DocumentType": kind, "DocumentVersion": "1",
        "DefaultVersion": "1", "LatestVersion": "1", "Status": "Active", "HashType": "Sha256",
        "Hash": world.document_hash,
    }}))
}
