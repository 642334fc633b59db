//! `stanch playbooks`.

use std::path::Path;

use anyhow::Context as _;
use serde_json::json;
use stanch_engine_runtime::playbooks::gather;

use crate::args::Playbooks;
use crate::client::Client;
use crate::output;

pub(super) async fn run(client: &Client, what: Playbooks, json: bool) -> anyhow::Result<()> {
    let answer = match what {
        Playbooks::List => {
            let found = client.get("/playbooks", &[]).await?;
            if !json {
                let columns = &[
                    ("NAME", "/name"),
                    ("MODE", "/mode"),
                    ("DIGEST", "/digest"),
                    ("TITLE", "/title"),
                ];
                output::table(found["items"].as_array().map_or(&[], Vec::as_slice), columns);
                return Ok(());
            }
            found
        }
        Playbooks::Versions { name } => {
            let found = client.get(&format!("/playbooks/{name}/versions"), &[]).await?;
            if !json {
                let columns = &[
                    ("DIGEST", "/digest"),
                    ("ACTIVE", "/active"),
                    ("PUBLISHED", "/published_at"),
                    ("BY", "/published_by"),
                    ("SOURCE", "/source"),
                ];
                output::table(found["items"].as_array().map_or(&[], Vec::as_slice), columns);
                return Ok(());
            }
            found
        }
        Playbooks::Publish { file, root, commit } => {
            publish(client, &file, root.as_deref(), commit).await?
        }
        Playbooks::Activate { name, digest } => {
            client.post(&format!("/playbooks/{name}/activate"), &json!({"digest": digest})).await?
        }
        Playbooks::Rollback { name } => {
            client.post(&format!("/playbooks/{name}/rollback"), &json!({})).await?
        }
    };
    if json {
        output::json(&answer)
    } else {
        output::members(&answer)
    }
    if answer["awaits_second_person"] == true && !json {
        let (name, digest) = (output::text(&answer["name"]), output::text(&answer["digest"]));
        println!("\nA second person makes it active: stanch playbooks activate {name} {digest}");
    }
    Ok(())
}

async fn publish(
    client: &Client,
    file: &Path,
    root: Option<&Path>,
    commit: Option<String>,
) -> anyhow::Result<serde_json::Value> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    let folder = root.or_else(|| file.parent()).unwrap_or(Path::new("."));
    let bundle = gather(&text, folder).map_err(|diagnostics| {
        let lines: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}: {}", file.display(), lines.join("\n"))
    })?;
    let source = commit.unwrap_or_else(|| file.display().to_string());
    let body = json!({"main": bundle.main, "imports": bundle.imports, "source": source});
    client.post("/playbooks", &body).await
}
