//! `stanch backup` and `stanch restore`: both by the configuration, without the server.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::error_code;
use stanch_engine_runtime::backup::{self, BackupError, Source, Target};
use stanch_engine_runtime::system;
use stanch_engine_store::restored::Marked;
use stanch_engine_store::snapshot::sqlite_path;
use stanch_engine_store::{Dialect, Store};
use stanch_plugins_aws::Roles;

use crate::args::{Backup, Common, Restore};
use crate::config::{Config, environment};
use crate::{output, wiring};

pub(super) async fn make(common: &Common, args: &Backup) -> anyhow::Result<()> {
    let config = Config::load(common.config.as_deref(), &environment)?;
    let source = Source {
        database: file_of(
            &config,
            "is backed up by `pg_dump --format=custom`, together with a copy of the folder of evidence that is made after it, and restored by `pg_restore`; then `stanch restore --mark` marks it, before any node starts",
        )?,
        data_dir: config.data_dir(),
        with_keys: args.with_keys,
    };
    let made = backup::make(&source, &args.output, system::world().now()).await.map_err(told)?;
    let path = args.output.display().to_string();
    if common.json {
        output::json(&json!({"path": path, "backup": made}));
        return Ok(());
    }
    println!(
        "{path}: the database as of {} ({} bytes), {} items of evidence",
        made.made_at, made.database_bytes, made.items
    );
    tell_damaged(&made.damaged);
    if !made.has_keys {
        println!(
            "without the keys: keep a copy of {} elsewhere, or what is sealed can't be opened again",
            source.data_dir.join("keys").display()
        );
    }
    Ok(())
}

pub(super) async fn restore(common: &Common, args: &Restore) -> anyhow::Result<()> {
    let config = Config::load(common.config.as_deref(), &environment)?;
    let data_dir = config.data_dir();
    let Some(from) = &args.backup else { return mark(common, &config).await };
    let database = file_of(
        &config,
        "is restored by `pg_restore`; then `stanch restore --mark` marks it, before any node starts",
    )?;
    let target = Target { database, data_dir: data_dir.clone() };
    std::fs::create_dir_all(&data_dir).with_context(|| data_dir.display().to_string())?;
    let _lock = wiring::lock(&data_dir)?;
    let restored = backup::restore(from, &target, system::world().now()).await.map_err(told)?;
    let has_keys = data_dir.join("keys/seal.key").is_file();
    if common.json {
        output::json(&json!({
            "database": target.database, "backup": restored.manifest,
            "marked": marked(&restored.marked), "damaged": restored.damaged,
            "kept_keys": restored.kept_keys, "has_keys": has_keys,
        }));
        return Ok(());
    }
    println!(
        "restored to {}: the database as of {}, {} items of evidence",
        target.database.display(),
        restored.manifest.made_at,
        restored.manifest.items
    );
    tell_damaged(&restored.damaged);
    for name in &restored.kept_keys {
        println!("keys/{name} is another than the backup's, and was left as it is");
    }
    if !has_keys {
        println!(
            "no keys are here: put those of the old installation into {} before the first start, or \
             what is sealed can't be opened, and evidence is signed by a new key",
            data_dir.join("keys").display()
        );
    }
    tell_marked(&restored.marked);
    Ok(())
}

/// Marks the configured database, whatever restored it.
async fn mark(common: &Common, config: &Config) -> anyhow::Result<()> {
    let url = config.database_url();
    let file = sqlite_path(&url);
    if let Some(file) = file.as_deref().filter(|file| !file.is_file()) {
        return Err(told(BackupError::Unfit {
            path: file.to_owned(),
            why: "there is no database to mark".to_owned(),
        }));
    }
    let _lock = file.map(|_| wiring::lock(&config.data_dir())).transpose()?;
    let (aws, world) = (wiring::aws(config, None, Roles::default())?, system::world());
    let opened = Store::open(wiring::options(config, url, &aws, &world)?).await;
    let store = opened.map_err(|error| told(BackupError::Open(error)))?;
    let done = backup::mark(&store, world.now()).await;
    store.close().await;
    let found = done.map_err(told)?;
    match common.json {
        true => output::json(&json!({"marked": marked(&found)})),
        false => tell_marked(&found),
    }
    Ok(())
}

/// The file of the database, which only SQLite has.
fn file_of(config: &Config, otherwise: &str) -> anyhow::Result<PathBuf> {
    let url = config.database_url();
    match (Dialect::of_url(&url), sqlite_path(&url)) {
        (Some(Dialect::Postgres), _) => {
            bail!(
                "{}: a database on Postgres {otherwise} (docs/backup.md)",
                error_code::BACKUP.code
            )
        }
        (_, Some(file)) => Ok(file),
        _ => bail!("{}: `database_url` names no database", error_code::CONFIGURATION.code),
    }
}

fn told(error: BackupError) -> anyhow::Error {
    let code = error.code().code;
    anyhow::anyhow!("{code}: {error}. `stanch explain {code}` says what to do")
}

fn marked(marked: &Marked) -> Value {
    json!({
        "known_until": marked.known_until, "unfinished_runs": marked.unfinished,
        "open_incidents": marked.open_incidents,
    })
}

fn tell_marked(marked: &Marked) {
    let until = marked.known_until.map_or_else(|| "nothing".to_owned(), |at| at.to_string());
    println!("marked as restored; the last that it knows is of {until}");
    println!(
        "it starts halted: {} unfinished runs rest, and nothing is changed, until `stanch unhalt`; \
         then each change of theirs is looked for before it is made, and put to a person where it \
         can't be looked for",
        marked.unfinished
    );
}

fn tell_damaged(damaged: &[Sha256]) {
    for hash in damaged {
        println!("DAMAGED: the bytes of the item {hash} are not those that were kept");
    }
}
