//! This machine: the configuration, the data folder, the keys, the database, the server.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use stanch_engine_core::playbook::Bundle;
use stanch_engine_core::span::Span;
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::system;
use stanch_engine_store::examine::{Examined, examine};
use stanch_engine_store::snapshot::sqlite_path;
use stanch_engine_store::{StoreError, heard_sources, playbooks};
use stanch_plugins_aws::Roles;

use super::report::Report;
use crate::args::Common;
use crate::config::{Config, environment, folder_of};
use crate::wiring;

/// How long the server may take to answer.
const SERVER_TIMEOUT: Duration = Duration::from_secs(5);

/// The configuration, with all that it refers to; nothing where it can't be used.
pub(super) fn configuration(common: &Common, report: &mut Report) -> Option<Config> {
    let file = common.config.clone().unwrap_or_else(|| PathBuf::from("stanch.toml"));
    let shown = file.display().to_string();
    let config = match Config::load(common.config.as_deref(), &environment) {
        Ok(config) => config,
        Err(error) => {
            let mend = "`stanch explain ST0505`; the README lists the keys";
            report.missing("configuration", &shown, error.to_string(), mend);
            return None;
        }
    };
    if !file.exists() {
        let mend = "write one: the README's section on configuration begins with one";
        report.warn("configuration", &shown, "there is none: everything is as usual", mend);
    }
    match wiring::try_out(&config, &environment) {
        Ok(()) => report.ok("configuration", &shown, "it is read, and what it refers to is there"),
        Err(error) => {
            let mend = "put right what it names: `stanch serve` does not start before";
            report.missing("configuration", &shown, format!("{error:#}"), mend);
        }
    }
    Some(config)
}

/// Whether others than the owner may do something with a file.
fn is_open(path: &Path) -> Option<u32> {
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

pub(super) fn data_folder(config: &Config, report: &mut Report) {
    let folder = config.data_dir();
    let shown = folder.display().to_string();
    if !folder.is_dir() {
        let mend = "the first `stanch serve` makes it; or name another `data_dir`";
        return report.missing("data_folder", &shown, "it is not there", mend);
    }
    let trial = tempfile::tempfile_in(&folder).and_then(|file| file.sync_all());
    match trial {
        Ok(()) => report.ok("data_folder", &shown, "it can be written"),
        Err(error) => {
            let mend = format!("let whoever runs Stanch write to it: `chown` {shown}");
            report.missing("data_folder", &shown, format!("it can't be written: {error}"), mend);
        }
    }
}

/// The files that events are added to. That their folders are there is said of the configuration.
pub(super) fn event_files(config: &Config, report: &mut Report) {
    for sink in &config.ocsf_out {
        let Some(file) = sink.file.as_ref().filter(|file| folder_of(file).is_dir()) else {
            continue;
        };
        let of = format!("{} ({})", sink.name, file.display());
        // Nothing is written, and no file is left.
        let trial = match file.exists() {
            true => std::fs::OpenOptions::new().append(true).open(file).map(drop),
            false => tempfile::tempfile_in(folder_of(file)).map(drop),
        };
        match trial {
            Ok(()) => report.ok("ocsf_out", &of, "events can be added to it"),
            Err(error) => {
                let found = format!("it can't be written: {error}");
                let mend = "let whoever runs Stanch write to it, or name another file";
                report.missing("ocsf_out", &of, found, mend);
            }
        }
    }
}

/// The keys, and that nobody else may read them.
pub(super) fn keys(config: &Config, report: &mut Report) {
    let folder = config.data_dir().join("keys");
    let of_kms = config.evidence.key.is_some();
    let own = [("evidence.key", "signs evidence"), ("seal.key", "seals secrets")];
    for (name, for_what) in own.into_iter().filter(|(name, _)| !of_kms || *name != "evidence.key") {
        let file = folder.join(name);
        let shown = file.display().to_string();
        if !file.is_file() {
            let mend = "the first `stanch serve` makes it; after a restore, put back that of the old \
                        installation before you start";
            report.missing("keys", &shown, format!("it is not there: it {for_what}"), mend);
        } else if let Some(mode) = is_open(&file) {
            let found = format!("others than its owner may use it (mode {mode:o}); it {for_what}");
            report.missing("keys", &shown, found, format!("`chmod 600 {shown}`"));
        } else {
            report.ok("keys", &shown, format!("it {for_what}, and is its owner's alone"));
        }
    }
    for name in ["admin.token", "webhook.token"] {
        let file = folder.join(name);
        if let Some(mode) = is_open(&file) {
            let shown = file.display().to_string();
            let found = format!("others than its owner may read it (mode {mode:o})");
            report.missing("keys", &shown, found, format!("`chmod 600 {shown}`"));
        }
    }
}

/// The database, and what it knows: sources that fell silent, and the active playbooks, which it
/// gives.
pub(super) async fn database(config: &Config, report: &mut Report) -> Vec<Bundle> {
    let url = config.database_url();
    let file = sqlite_path(&url);
    let shown = file.as_ref().map_or("Postgres".to_owned(), |file| file.display().to_string());
    if file.is_some_and(|file| !file.is_file()) {
        let mend = "the first `stanch serve` makes it";
        report.missing("database", &shown, "it is not there", mend);
        return Vec::new();
    }
    let options = wiring::aws(config, None, Roles::default())
        .and_then(|aws| wiring::options(config, url, &aws, &system::world()));
    let options = match options {
        Ok(options) => options,
        Err(error) => {
            let mend = "look at [database] and [aws] of the configuration";
            report.missing("database", &shown, format!("{error:#}"), mend);
            return Vec::new();
        }
    };
    let examined = match examine(&options).await {
        Ok(examined) => examined,
        Err(error) => {
            let mend = format!("`stanch explain {}`", error.code().code);
            report.missing("database", &shown, error.to_string(), mend);
            return Vec::new();
        }
    };
    let is_current = schema(&examined, &shown, report);
    let mut published = Vec::new();
    if is_current {
        let known = async {
            sources(config, &examined, report).await?;
            active(&examined).await
        };
        match known.await {
            Ok(active) => published = active,
            Err(error) => {
                let mend = format!("`stanch explain {}`", error.code().code);
                report.missing("database", &shown, error.to_string(), mend);
            }
        }
    }
    examined.close().await;
    published
}

/// Whether the schema is this version's.
fn schema(examined: &Examined, shown: &str, report: &mut Report) -> bool {
    let known = examined.known;
    match examined.applied {
        Some(applied) if applied == known => {
            report.ok("database", shown, format!("it is of this version (migration {known})"));
        }
        Some(applied) if applied > known => {
            let found =
                format!("a newer Stanch wrote it: migration {applied}, and this one knows {known}");
            report.missing(
                "database",
                shown,
                found,
                "start the newer version: `stanch explain ST0502`",
            );
        }
        older => {
            let found = format!(
                "it has migration {}, and this version {known}",
                older.map_or_else(|| "none".to_owned(), |n| n.to_string())
            );
            report.warn(
                "database",
                shown,
                found,
                "the next `stanch serve` brings it up; back it up before",
            );
        }
    }
    match &examined.not_durable {
        None => report.ok("durability", shown, "what is acknowledged survives a power cut"),
        Some(why) => report.missing("durability", shown, why, "`stanch explain ST0503`"),
    }
    examined.applied == Some(known)
}

/// The sources that must not fall silent.
async fn sources(
    config: &Config,
    examined: &Examined,
    report: &mut Report,
) -> Result<(), StoreError> {
    let now = system::world().now();
    for (source, after) in config.silences() {
        let name = source.clone();
        let heard = examined
            .read(|conn| Box::pin(async move { heard_sources::get(conn, &name).await }))
            .await?;
        let Some(heard) = heard else {
            let mend = "start the server; it waits for the source from then on";
            report.warn("silence", &source, "nobody waits for it yet", mend);
            continue;
        };
        silence(&source, heard.last_at, after, now, report);
    }
    Ok(())
}

fn silence(source: &str, last: Timestamp, after: Span, now: Timestamp, report: &mut Report) {
    let age = Span { ms: now.micros().saturating_sub(last.micros()) / 1_000 };
    if age <= after {
        return report.ok("silence", source, format!("it was heard at {last}"));
    }
    let found = format!("nothing came since {last}, and it may be silent for {after}");
    let mend = "send a sample (docs/deploy.md), and follow it: rule, bus, queue, dead letters";
    report.missing("silence", source, found, mend);
}

/// The text of every active playbook.
async fn active(examined: &Examined) -> Result<Vec<Bundle>, StoreError> {
    examined
        .read(|conn| {
            Box::pin(async move {
                let mut bundles = Vec::new();
                for active in playbooks::active(conn).await? {
                    bundles.extend(playbooks::bundle(conn, active.digest).await?);
                }
                Ok(bundles)
            })
        })
        .await
}

/// Whether the server answers where people look for it.
pub(super) async fn server(common: &Common, config: &Config, report: &mut Report) {
    let url = common.server.clone().unwrap_or_else(|| config.public_url());
    let url = url.trim_end_matches('/').to_owned();
    let asked = async {
        let http = stanch_plugins_http::client_builder().timeout(SERVER_TIMEOUT).build()?;
        http.get(format!("{url}/readyz")).send().await
    };
    match asked.await {
        Ok(answer) if answer.status().is_success() => {
            report.ok("public_url", &url, "the server answers, and is ready");
        }
        Ok(answer) => {
            let status = answer.status();
            let mend = "its log says why it is not ready; another server may stand there";
            report.missing("public_url", &url, format!("/readyz answers {status}"), mend);
        }
        Err(error) => {
            let mend = "start `stanch serve`; else name the address that people reach it at as \
                        `public_url`, and look at the proxy and the firewall before it";
            report.missing("public_url", &url, format!("nobody answers: {error}"), mend);
        }
    }
}
