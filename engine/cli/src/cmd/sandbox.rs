//! `stanch aws sandbox`: a stand-in for AWS on a port, from AWS's own models.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use serde_json::{Value, json};
use stanch_engine_core::time::{Clock, Timestamp};
use stanch_engine_runtime::system;
use stanch_engine_server::Reply;
use stanch_plugins_aws::sandbox::{Answer, Sandbox};
use tokio::net::TcpListener;

use crate::args::Sandbox as Args;
use crate::output;

pub(super) async fn run(args: Args, as_json: bool) -> anyhow::Result<()> {
    let clock = system::world().clock;
    let sandbox = Arc::new(build(&args, clock.as_ref())?);
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("can't listen at {}", args.listen))?;
    let url = format!("http://{}", listener.local_addr()?);
    let log = args.log.as_deref().map(Log::open).transpose()?;
    let stop = super::serve::stop_signal();
    introduce(&url, &args.account, as_json);
    let respond = answerer(sandbox.clone(), clock);
    let answer = move |request| {
        let reply = respond(request);
        if let Some(log) = &log {
            log.write(&sandbox.fresh_log());
        }
        reply
    };
    Ok(stanch_engine_server::serve_with(listener, answer, stop).await?)
}

fn build(args: &Args, clock: &dyn Clock) -> anyhow::Result<Sandbox> {
    let is_account = args.account.len() == 12 && args.account.bytes().all(|b| b.is_ascii_digit());
    ensure!(is_account, "`{}` is no account: it has 12 digits", args.account);
    let mut sandbox =
        if args.demo { Sandbox::demo(clock.now())? } else { Sandbox::new(&args.account)? };
    sandbox = sandbox.checking_signatures();
    if !args.only_played {
        sandbox = sandbox.answering_everything();
    }
    if let Some(folder) = &args.models {
        sandbox = sandbox.with_models(folder)?;
    }
    fill(&sandbox, args.script.as_deref(), &args.trail, clock.now())?;
    Ok(sandbox)
}

/// Puts into it what a script and files of CloudTrail say.
pub(super) fn fill(
    sandbox: &Sandbox,
    script_file: Option<&Path>,
    trail: &[PathBuf],
    now: Timestamp,
) -> anyhow::Result<()> {
    if let Some(file) = script_file {
        let loaded = sandbox.load(script(file)?, now);
        loaded.map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
    }
    for file in trail.iter().map(|path| files(path)).collect::<Result<Vec<_>, _>>()?.concat() {
        let bytes = std::fs::read(&file).with_context(|| file.display().to_string())?;
        let added = sandbox.add_trail(&bytes);
        added.map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
    }
    Ok(())
}

/// A script, in TOML or JSON.
fn script(file: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    match file.extension().and_then(|end| end.to_str()) {
        Some("toml") => toml::from_str(&text).with_context(|| file.display().to_string()),
        Some("json") => serde_json::from_str(&text).with_context(|| file.display().to_string()),
        _ => bail!("{}: a script ends in .toml or .json", file.display()),
    }
}

/// The files of CloudTrail that a path stands for: it itself, or all below it.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let entries = std::fs::read_dir(path).with_context(|| path.display().to_string())?;
    for entry in entries {
        let entry = entry?.path();
        let name = entry.to_string_lossy();
        if entry.is_dir() {
            found.extend(files(&entry)?);
        } else if name.ends_with(".json") || name.ends_with(".json.gz") {
            found.push(entry);
        }
    }
    found.sort();
    Ok(found)
}

fn introduce(url: &str, account: &str, as_json: bool) {
    let runner = Sandbox::runner();
    if as_json {
        return output::json_line(&json!({
            "url": url, "account": account, "access_key_id": runner.access_key_id,
            "secret_access_key": runner.secret_access_key,
        }));
    }
    println!("A stand-in for AWS plays account {account} at {url}");
    println!("\nexport AWS_ENDPOINT_URL={url} AWS_REGION=us-east-1");
    println!("export AWS_ACCESS_KEY_ID={}", runner.access_key_id);
    println!("export AWS_SECRET_ACCESS_KEY={}", runner.secret_access_key);
    println!("\nCtrl-C ends it.");
}

/// A file with a line for each call.
struct Log(Mutex<File>);

impl Log {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self(Mutex::new(file.with_context(|| path.display().to_string())?)))
    }

    fn write(&self, calls: &[Value]) {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for call in calls {
            if let Err(error) = writeln!(file, "{call}") {
                eprintln!("the log can't be written: {error}");
            }
        }
    }
}

/// What the server asks for each request.
pub(super) fn answerer(
    sandbox: Arc<Sandbox>,
    clock: Arc<dyn Clock>,
) -> impl Fn(http::Request<Bytes>) -> Reply + Send + Sync + 'static {
    move |request| reply(sandbox.answer(&request, clock.now()), &clock)
}

fn reply(answer: Answer, clock: &Arc<dyn Clock>) -> Reply {
    match answer {
        Answer::Response(response) => Reply::Response(response),
        Answer::Cut => Reply::Cut,
        Answer::Torn(response) => Reply::Torn(response),
        Answer::Late { after_ms, then } => {
            let clock = clock.clone();
            let until = clock.now().plus_ms(i64::try_from(after_ms).unwrap_or(i64::MAX));
            Reply::Late(Box::pin(async move {
                clock.sleep_until(until).await;
                reply(*then, &clock)
            }))
        }
    }
}
