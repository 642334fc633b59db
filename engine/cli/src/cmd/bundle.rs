//! `stanch export` and `stanch verify`.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use stanch_engine_core::error_code;
use stanch_engine_runtime::evidence::verify;

use crate::args::{Export, Verify};
use crate::client::Client;
use crate::output;

pub(super) async fn export(client: &Client, args: &Export) -> anyhow::Result<()> {
    let bundle = client.bytes(&format!("/incidents/{}/export", args.incident)).await?;
    std::fs::write(&args.output, &bundle).with_context(|| format!("{}", args.output.display()))?;
    println!("{}: {} bytes", args.output.display(), bundle.len());
    Ok(())
}

pub(super) fn verify(args: &Verify, json: bool) -> anyhow::Result<ExitCode> {
    let bundle = std::fs::read(&args.file).with_context(|| format!("{}", args.file.display()))?;
    let key = match &args.key {
        Some(path) => {
            Some(std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?)
        }
        None => None,
    };
    let result = verify::verify(&bundle, key.as_deref());
    match (&result, json) {
        (Ok(verified), true) => output::json(&json!({"whole": true, "bundle": verified})),
        (Err(fault), true) => output::json(&json!({"whole": false, "fault": fault.to_string()})),
        (Ok(verified), false) => {
            println!(
                "whole: {} records, {} items, {} files of {}, exported {}",
                verified.records,
                verified.items,
                verified.files,
                verified.incident,
                verified.exported_at
            );
            println!("{}", whose(verified.is_authenticated));
            if verified.anchor.is_none() {
                println!(
                    "unanchored: nothing outside of the installation vouches for the end of the chain"
                );
            }
        }
        (Err(fault), false) => {
            println!("NOT WHOLE: {fault} ({})", error_code::BUNDLE);
        }
    }
    Ok(if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) fn whose(is_authenticated: bool) -> &'static str {
    if is_authenticated {
        "signed by the key that you gave"
    } else {
        "NOT AUTHENTICATED: give the installation's key with --key to prove who made it"
    }
}
