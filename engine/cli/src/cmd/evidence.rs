//! `stanch evidence list|add|hold|release|move|rotate-key`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body::Frame;
use serde_json::{Value, json};
use stanch_engine_core::digest::{Hasher, Sha256};
use stanch_engine_runtime::evidence::moving::{Moved, Place};
use stanch_engine_runtime::system;
use tokio::sync::mpsc;

use crate::args::{Common, Evidence};
use crate::client::Client;
use crate::config::{Config, environment};
use crate::{output, wiring};

/// What is read and sent at once.
const PIECE: usize = 256 << 10;

/// Pieces that are read ahead.
const PIECES: usize = 4;

pub(super) async fn run(common: &Common, what: Evidence) -> anyhow::Result<ExitCode> {
    if let Evidence::Move { from, region, person, reason } = what {
        return moving(common, &from, region, (person, reason)).await;
    }
    by_the_api(&Client::of(common)?, what, common.json).await?;
    Ok(ExitCode::SUCCESS)
}

/// Moves by the configuration, without the server. What is damaged is left, and a failure.
async fn moving(
    common: &Common,
    from: &str,
    region: Option<String>,
    (person, reason): (String, String),
) -> anyhow::Result<ExitCode> {
    let config = Config::load(common.config.as_deref(), &environment)?;
    let place = match from {
        "folder" if config.evidence.store.is_none() => bail!(
            "by the configuration, evidence lies in the data folder: say `--from s3://BUCKET/PREFIX`, \
             where it lay before, or name the bucket that it is to lie in as `store` of `[evidence]`"
        ),
        "folder" => wiring::moving::folder(&config),
        place => match wiring::moving::bucket(&config, place, region) {
            Some(bucket) => Place::Bucket(bucket),
            None => bail!("`--from` is `folder` or `s3://BUCKET/PREFIX`, and not `{place}`"),
        },
    };
    let world = system::world();
    let by = (place, person, reason);
    let moved = wiring::moving::move_evidence(&config, world, &environment, by).await?;
    let Moved { items, copied, records, stays, damaged } = &moved;
    match common.json {
        true => output::json(&json!({
            "items": items, "copied": copied, "records": records, "stays": stays, "damaged": damaged,
        })),
        false => {
            println!("{items} items were moved, {copied} of them copied now; {records} records");
            if *stays {
                println!("{from} still has them: Stanch deletes nothing in a bucket");
            }
            for item in damaged {
                println!("DAMAGED: {item} is not what it was, and was left where it lies");
            }
        }
    }
    Ok(if damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn by_the_api(client: &Client, what: Evidence, as_json: bool) -> anyhow::Result<()> {
    match what {
        Evidence::List { incident } => {
            let found = client.get(&format!("/incidents/{incident}/evidence"), &[]).await?;
            list(&found, as_json);
        }
        Evidence::Add { incident, file, label, media_type, reason } => {
            let name = || file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let query = [("label", label.unwrap_or_else(name)), ("reason", reason)];
            let item = add(client, &incident, &file, (&query, &media_type)).await?;
            match as_json {
                true => output::json(&item),
                false => println!(
                    "{}: {} bytes, sha256 {}",
                    output::text(&item["id"]),
                    output::text(&item["bytes"]),
                    output::text(&item["sha256"])
                ),
            }
        }
        Evidence::Hold { incident, reason } => {
            let path = format!("/incidents/{incident}/evidence/hold");
            let hold = client.post(&path, &json!({"reason": reason})).await?;
            match as_json {
                true => output::json(&hold),
                false => println!("{incident} is held"),
            }
        }
        Evidence::Release { incident, reason } => {
            let path = format!("/incidents/{incident}/evidence/release");
            let lifted = client.post(&path, &json!({"reason": reason})).await?;
            match as_json {
                true => output::json(&lifted),
                false => println!("{incident} is not held any more"),
            }
        }
        // It is no matter of the server's.
        Evidence::Move { .. } => {}
        Evidence::RotateKey { reason } => {
            let made = client.post("/evidence-key/rotate", &json!({"reason": reason})).await?;
            match as_json {
                true => output::json(&made),
                false => print!("{}", output::text(&made["public_key"])),
            }
        }
    }
    Ok(())
}

fn list(found: &Value, as_json: bool) {
    let columns = [
        ("ID", "/id"),
        ("CAPTURED", "/captured_at"),
        ("BY", "/captured_by"),
        ("BYTES", "/bytes"),
        ("SHA256", "/sha256"),
        ("DELETED", "/deleted_at"),
        ("LABEL", "/label"),
    ];
    match found["items"].as_array() {
        Some(items) if !as_json => output::table(items, &columns),
        _ => output::json(found),
    }
}

/// Sends a file, and holds what the server made of it against what was read here.
async fn add(
    client: &Client,
    incident: &str,
    file: &Path,
    (query, media_type): (&[(&str, String)], &str),
) -> anyhow::Result<Value> {
    let opened = File::open(file).with_context(|| format!("{}", file.display()))?;
    if opened.metadata().with_context(|| format!("{}", file.display()))?.is_dir() {
        bail!("{} is a folder: pack it into one file, and add that", file.display());
    }
    let (pieces, coming) = mpsc::channel(PIECES);
    let read = tokio::task::spawn_blocking(move || read(opened, &pieces));
    let path = format!("/incidents/{incident}/evidence");
    let body = reqwest::Body::wrap(Coming(coming));
    let item = client.upload(&path, query, media_type, body).await?;
    let sent = read.await?.to_string();
    if item["sha256"] != sent.as_str() {
        bail!("{} was kept, and {sent} was sent: add the file again", item["sha256"]);
    }
    Ok(item)
}

type Piece = std::io::Result<Bytes>;

/// Reads a file piece by piece, for as long as somebody takes them, and gives the hash of all.
fn read(mut file: File, pieces: &mpsc::Sender<Piece>) -> Sha256 {
    let mut hasher = Hasher::default();
    loop {
        let mut piece = vec![0; PIECE];
        let read = file.read(&mut piece);
        if let Ok(read) = read {
            piece.truncate(read);
            hasher.update(&piece);
        }
        let is_last = !read.as_ref().is_ok_and(|read| *read > 0);
        let piece = read.map(|_| Bytes::from(piece));
        let is_end = is_last && piece.is_ok();
        if is_end || pieces.blocking_send(piece).is_err() || is_last {
            return hasher.finish();
        }
    }
}

/// A body that comes in pieces.
struct Coming(mpsc::Receiver<Piece>);

impl http_body::Body for Coming {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
