//! `stanch serve`: a node, until it is told to stop.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use stanch_engine_core::audit::Ended;
use stanch_engine_core::digest::Sha256;
use stanch_engine_runtime::{Runtime, audit, playbooks, system};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::{Common, Serve};
use crate::config::{Config, LogFormat, environment};
use crate::wiring::{self, Node, Seams};

/// How often the folder of playbooks is looked at.
const LOOK: Duration = Duration::from_secs(2);

/// How long requests that have begun may still take when the node stops.
const LAST_REQUESTS: Duration = Duration::from_secs(3);

pub(super) async fn run(common: &Common, args: Serve) -> anyhow::Result<()> {
    let mut config = Config::load(common.config.as_deref(), &environment)?;
    if args.playbooks.is_some() {
        config.playbooks = args.playbooks;
    }
    log_to_stderr(config.log_format.unwrap_or(LogFormat::Text), "info");
    let address = config.listen()?;
    let node = wiring::start(&config, system::world(), &environment, Seams::default()).await?;
    let mut seen = Seen::new();
    if let Some(folder) = &config.playbooks {
        publish_folder(&node.runtime, folder, &mut seen).await;
    }
    node.runtime.take_from_queues();
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("can't listen at {address}"))?;
    if !config.reaches_somebody() {
        tracing::warn!(
            "nobody can be paged: set `default_topic`, or routes, under [notify] in stanch.toml"
        );
    }
    // Heard from before it is said: whoever reads "serving" may send it at once.
    let stop = stop_signal();
    tracing::info!(address = %listener.local_addr()?, database = %config.data_dir().display(), "serving");
    let folder = config.playbooks.map(|folder| (folder, seen));
    work(node, listener, folder, stop).await
}

/// The texts that were looked at last, by file.
type Seen = BTreeMap<PathBuf, Sha256>;

/// Serves until `stop` resolves, and then stops in order.
pub(super) async fn work(
    node: Node,
    listener: TcpListener,
    folder: Option<(PathBuf, Seen)>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let (stopping, stopped) = watch::channel(false);
    let publisher = folder.map(|(folder, seen)| {
        tokio::task::spawn(publish_changes(node.runtime.clone(), folder, seen, stopped.clone()))
    });
    let router = stanch_engine_server::router(node.runtime.clone(), node.server.clone());
    let mut told = stopped;
    let until = async move {
        let _ = told.wait_for(|stop| *stop).await;
    };
    let mut server = tokio::task::spawn(stanch_engine_server::serve(listener, router, until));
    tokio::select! {
        () = stop => tracing::info!("stopping"),
        ended = &mut server => ended??,
    }
    let _ = stopping.send(true);
    let last_requests = async {
        if tokio::time::timeout(LAST_REQUESTS, &mut server).await.is_err() {
            server.abort();
        }
    };
    tokio::join!(last_requests, node.runtime.drain());
    if let Some(publisher) = publisher {
        let _ = publisher.await;
    }
    node.runtime.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// Resolves when the process is told to stop, which is heard from this call on.
pub(super) fn stop_signal() -> impl Future<Output = ()> + Send + 'static {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = signal(SignalKind::terminate()).and_then(|terminate| {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok((terminate, interrupt))
    });
    async move {
        let Ok((mut terminate, mut interrupt)) = signals else {
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}

/// Publishes what changes in a folder.
async fn publish_changes(
    runtime: Runtime,
    folder: PathBuf,
    mut seen: Seen,
    mut stop: watch::Receiver<bool>,
) {
    let mut interval = tokio::time::interval(LOOK);
    while !*stop.borrow() {
        tokio::select! {
            _ = interval.tick() => publish_folder(&runtime, &folder, &mut seen).await,
            _ = stop.changed() => {}
        }
    }
}

/// Publishes the playbooks of a folder whose texts are new. What is unfit is said once, and what
/// was active before stays so.
async fn publish_folder(runtime: &Runtime, folder: &Path, seen: &mut Seen) {
    let files = match std::fs::read_dir(folder) {
        Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())),
        Err(error) => {
            if seen.insert(folder.to_owned(), Sha256::ZERO).is_none() {
                tracing::error!(folder = %folder.display(), %error, "the playbooks can't be read");
            }
            return;
        }
    };
    let mut files: Vec<_> = files.filter(|f| f.extension().is_some_and(|e| e == "rhai")).collect();
    files.sort();
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let gathered = playbooks::gather(&text, folder);
        let mark = match &gathered {
            Ok(bundle) => bundle.digest(),
            Err(diagnostics) => Sha256::of(format!("{text}{diagnostics:?}")),
        };
        if seen.insert(file.clone(), mark) == Some(mark) {
            continue;
        }
        let shown = file.display().to_string();
        let published = match gathered {
            Ok(bundle) => playbooks::publish(runtime, bundle, "folder", &shown).await,
            Err(diagnostics) => Err(playbooks::PublishError::Unfit(diagnostics)),
        };
        match published {
            Ok(published) if published.changed => {
                tracing::info!(file = %shown, playbook = %published.name, digest = %published.digest, "published");
                let mut asked = audit::own(runtime, "playbooks.create", Some(published.name));
                asked.detail["digest"] = json!(published.digest);
                asked.detail["source"] = json!(shown);
                if let Err(error) = audit::record(runtime, asked, Ended::DONE).await {
                    tracing::error!(%error, "it is not in the audit log");
                }
            }
            Ok(_) => {}
            Err(error) => tracing::error!(file = %shown, "not published: {error}"),
        }
    }
}

/// Log lines go to standard error; `STANCH_LOG` chooses them, as in
/// `info,stanch_engine_runtime=debug`, and otherwise `usual` does. Whatever it says, AWS's libraries
/// don't trace: they would write whole answers and requests, secrets among them.
pub(super) fn log_to_stderr(format: LogFormat, usual: &str) {
    let filter = environment("STANCH_LOG").unwrap_or_else(|| usual.to_owned());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let discreet = filter_fn(|line| {
        !(line.target().starts_with("aws_") && *line.level() == tracing::Level::TRACE)
    });
    match format {
        LogFormat::Text => builder.finish().with(discreet).init(),
        LogFormat::Json => builder.json().finish().with(discreet).init(),
    }
}
