//! `stanch export` and `stanch verify`.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use stanch_engine_core::error_code;
use stanch_engine_runtime::evidence::stamps::Authorities;
use stanch_engine_runtime::evidence::verify::{self, Brought};

use crate::args::{Export, Verify};
use crate::client::Client;
use crate::output;

pub(super) async fn export(client: &Client, args: &Export) -> anyhow::Result<()> {
    let mut query = Vec::new();
    if args.redact {
        query.push(("redact", "true".to_owned()));
    }
    if args.broken {
        query.push(("broken", "true".to_owned()));
    }
    if let Some(head) = args.head {
        query.push(("head", head.to_string()));
    }
    let bytes = save(client, &args.incident, &query, &args.output).await?;
    println!("{}: {bytes} bytes", args.output.display());
    Ok(())
}

/// Writes a bundle to a file, which is there when all of it is there.
pub(super) async fn save(
    client: &Client,
    incident: &str,
    query: &[(&str, String)],
    to: &Path,
) -> anyhow::Result<u64> {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let aside = to.with_file_name(format!(".{name}.partial-{}", std::process::id()));
    let saved = fetch(client, incident, query, &aside).await;
    let saved = saved.and_then(|bytes| Ok(std::fs::rename(&aside, to).map(|()| bytes)?));
    if saved.is_err() {
        let _ = std::fs::remove_file(&aside);
    }
    saved.with_context(|| format!("{}", to.display()))
}

async fn fetch(
    client: &Client,
    incident: &str,
    query: &[(&str, String)],
    to: &Path,
) -> anyhow::Result<u64> {
    let (mut file, mut bytes) = (File::create(to)?, 0);
    let path = format!("/incidents/{incident}/export");
    let taken = client.download(&path, query, |piece| {
        bytes += piece.len() as u64;
        file.write_all(piece)
    });
    taken.await?;
    file.sync_all()?;
    Ok(bytes)
}

pub(super) fn verify(args: &Verify, json: bool) -> anyhow::Result<ExitCode> {
    let bundle = File::open(&args.file).with_context(|| format!("{}", args.file.display()))?;
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))
    };
    let keys: Vec<String> = args.keys.iter().map(read).collect::<anyhow::Result<_>>()?;
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let anchors = args.anchor.as_ref().map(read).transpose()?;
    let authorities = args.tsa_ca.as_ref().map(|path| {
        let read = Authorities::read(&read(path)?).map_err(anyhow::Error::msg);
        read.with_context(|| format!("{}", path.display()))
    });
    let authorities = authorities.transpose()?;
    let brought =
        Brought { keys: &keys, anchors: anchors.as_deref(), authorities: authorities.as_ref() };
    let result = verify::prove(bundle, &brought);
    match (&result, json) {
        (Ok(verified), true) => output::json(&json!({"whole": true, "bundle": verified})),
        (Err(fault), true) => output::json(&json!({"whole": false, "fault": fault.to_string()})),
        (Ok(verified), false) => {
            println!("{}", verified.told(anchors.is_some(), authorities.is_some()));
        }
        (Err(fault), false) => {
            println!("NOT WHOLE: {fault} ({})", error_code::BUNDLE);
        }
    }
    Ok(if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
