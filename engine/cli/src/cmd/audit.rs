//! `stanch audit list|export|verify`.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;
use stanch_engine_core::error_code;
use stanch_engine_runtime::audit;
use stanch_engine_runtime::evidence::verify::whose;

use crate::args::{Audit, AuditList, Common};
use crate::client::Client;
use crate::output;

pub(super) async fn run(common: &Common, what: Audit, json: bool) -> anyhow::Result<ExitCode> {
    match what {
        Audit::List(list) => listing(&Client::of(common)?, *list, json).await?,
        Audit::Export { output } => {
            let client = Client::of(common)?;
            let path = || output.display().to_string();
            let (mut file, mut bytes) = (File::create(&output).with_context(path)?, 0);
            let take = |piece: &[u8]| {
                bytes += piece.len();
                file.write_all(piece)
            };
            client.download("/audit/export", &[], take).await?;
            println!("{}: {bytes} bytes", output.display());
        }
        Audit::Verify { file, key } => return verify(&file, key.as_deref(), json),
    }
    Ok(ExitCode::SUCCESS)
}

async fn listing(client: &Client, list: AuditList, json: bool) -> anyhow::Result<()> {
    let mut query = vec![("limit", list.limit.to_string())];
    let AuditList { since, actor, verb, object, cursor, .. } = list;
    let said = [
        ("since", since),
        ("actor", actor),
        ("verb", verb),
        ("object", object),
        ("cursor", cursor),
    ];
    query.extend(said.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let found = client.get("/audit", &query).await?;
    if json {
        output::json(&found);
        return Ok(());
    }
    let columns = &[
        ("SEQ", "/seq"),
        ("AT", "/at"),
        ("WHO", "/actor"),
        ("WHAT", "/verb"),
        ("TO WHAT", "/object"),
        ("OUTCOME", "/outcome"),
        ("FROM", "/from"),
        ("WHY", "/reason"),
    ];
    output::table(found["items"].as_array().map_or(&[], Vec::as_slice), columns);
    if let Some(cursor) = found["next_cursor"].as_str() {
        println!("more: --cursor {cursor}");
    }
    Ok(())
}

fn verify(file: &Path, key: Option<&Path>, as_json: bool) -> anyhow::Result<ExitCode> {
    let read =
        |path: &Path| std::fs::read_to_string(path).with_context(|| format!("{}", path.display()));
    let (log, key) = (read(file)?, key.map(read).transpose()?);
    let result = audit::verify(&log, key.as_deref());
    match (&result, as_json) {
        (Ok(verified), true) => output::json(&json!({"whole": true, "audit": verified})),
        (Err(fault), true) => output::json(&json!({"whole": false, "fault": fault.to_string()})),
        (Ok(verified), false) => {
            println!("whole: {} records, exported {}", verified.records, verified.exported_at);
            println!("{}", whose(verified.is_authenticated));
        }
        (Err(fault), false) => println!("NOT WHOLE: {fault} ({})", error_code::AUDIT),
    }
    Ok(if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
