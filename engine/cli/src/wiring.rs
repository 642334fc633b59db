//! Puts a node together.

mod channels;
pub(crate) mod correlators;
mod database;
pub(crate) mod moving;
mod offline;
pub(crate) mod scripts;

pub use offline::offline;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::error_code;
use stanch_engine_core::span::Span;
use stanch_engine_core::world::World;
use stanch_engine_runtime::oidc::SignIn;
use stanch_engine_runtime::people::new_secret;
use stanch_engine_runtime::settings::{HeartbeatSettings, LEASE, Settings, Simulation};
use stanch_engine_runtime::{Runtime, audit, playbooks, secret_file};
use stanch_engine_server::trust::SourcePolicy;
use stanch_engine_server::{AtProvider, ServerSettings};
use stanch_engine_store::{CommitHook, Dialect, Options, Passwords, Store};
use stanch_plugins_aws::{Aws, AwsSettings, Rate, Roles};
use stanch_plugins_http::Secrets;
use stanch_plugins_sdk::Catalogue;

use crate::config::{Config, Quota, TokenSource, Variable};
use crate::otlp;
use crate::sign_in::ForConsole;

/// A node that is put together.
pub struct Node {
    /// What works.
    pub runtime: Runtime,
    /// What the server needs to know.
    pub server: ServerSettings,
    /// Held for as long as the node lives.
    _lock: Option<File>,
}

/// What tests, the demo and simulations may put into a node.
#[derive(Default)]
pub struct Seams {
    /// Called around every commit.
    pub on_commit: Option<CommitHook>,
    /// Changes the catalogue before it is used.
    pub catalogue: Option<Box<dyn FnOnce(Catalogue) -> Catalogue + Send>>,
    /// Credentials for AWS instead of those of the environment.
    pub credentials: Option<stanch_plugins_aws::StaticCredentials>,
    /// What is asked of the senders of some sources, instead of what the configuration says.
    pub sources: std::collections::BTreeMap<String, SourcePolicy>,
    /// That it is a simulation.
    pub simulation: Option<Simulation>,
}

/// Puts a node together and starts it.
///
/// # Errors
/// With the code whose page says what to do.
pub async fn start(
    config: &Config,
    world: World,
    variable: Variable<'_>,
    seams: Seams,
) -> anyhow::Result<Node> {
    let data_dir = config.data_dir();
    std::fs::create_dir_all(&data_dir)
        .with_context(|| format!("the data folder {}", data_dir.display()))?;
    let url = config.database_url();
    let is_alone = Dialect::of_url(&url) == Some(Dialect::Sqlite);
    let lock = if is_alone { Some(lock(&data_dir)?) } else { None };
    let roles = config.roles(variable)?;
    let aws = aws(config, seams.credentials, roles)?;
    let options = Options {
        on_commit: seams.on_commit,
        entropy: Some(world.entropy.clone()),
        ..options(config, url, &aws, &world)?
    };
    let store = Store::open(options).await.map_err(|error| {
        anyhow::anyhow!(
            "{}: {error}. `stanch explain {}` says what to do",
            error.code(),
            error.code()
        )
    })?;
    let secrets = config.secrets(variable)?;
    let catalogue = catalogue_of(config, &aws, secrets)?;
    let catalogue = channels::register(catalogue, config, variable)?;
    let catalogue =
        seams.catalogue.map_or_else(|| catalogue.clone(), |change| change(catalogue.clone()));
    let mut sources = config.source_policies(variable, |name| catalogue.takes(name))?;
    sources.extend(seams.sources);
    config.check_queues(|name| catalogue.takes(name))?;
    // Nothing is told of a simulation, which may be played on another machine.
    if seams.simulation.is_none() {
        config.check_ocsf_files()?;
    }
    let spans = config.trace_target(variable)?.map(|target| otlp::start(&target)).transpose()?;
    let settings = Settings { simulation: seams.simulation, spans, ..settings(config, is_alone)? };
    let runtime = Runtime::start(world.clone(), settings, store, catalogue).await?;
    playbooks::publish_built_in(&runtime).await?;
    if seams.simulation.is_none() {
        runtime.send_digests();
        // Secrets stand in no configuration, and references to them are not shown.
        audit::configured(&runtime, Sha256::of(format!("{config:?}"))).await?;
        channels::ears(config, variable)?.into_iter().for_each(|ear| runtime.listen_to(ear));
    }
    let keys = data_dir.join("keys");
    let server = ServerSettings {
        webhook_token: token(&config.webhook, &keys.join("webhook.token"), &world, variable)?,
        admin_token: token(&config.admin, &keys.join("admin.token"), &world, variable)?,
        sources: std::sync::Arc::new(sources),
        slack: config.slack_policy(variable)?.map(std::sync::Arc::new),
        oidc: config.identity_provider()?,
        sign_in: config.sign_in().map(std::sync::Arc::new),
        at_provider: config.sign_in().map(at_provider),
    };
    Ok(Node { runtime, server, _lock: lock })
}

fn at_provider(sign_in: SignIn) -> std::sync::Arc<dyn AtProvider> {
    std::sync::Arc::new(ForConsole(sign_in))
}

/// Whether a node could be put together from a configuration: all that [`start`] reads of it, with
/// nothing written, opened or called.
///
/// # Errors
/// What `start` would say.
pub(crate) fn try_out(config: &Config, variable: Variable<'_>) -> anyhow::Result<()> {
    let aws = aws(config, None, config.roles(variable)?)?;
    let catalogue = catalogue_of(config, &aws, config.secrets(variable)?)?;
    let catalogue = channels::register(catalogue, config, variable)?;
    config.source_policies(variable, |name| catalogue.takes(name))?;
    config.check_queues(|name| catalogue.takes(name))?;
    config.check_ocsf_files()?;
    config.trace_target(variable)?;
    channels::ears(config, variable)?;
    config.slack_policy(variable)?;
    config.identity_provider()?;
    settings(config, true)?;
    config.webhook.resolve(variable)?;
    config.admin.resolve(variable)?;
    Ok(())
}

/// Every action and source of this binary.
///
/// # Errors
/// When the models of AWS can't be read, or there is no TLS.
pub fn catalogue(
    config: &Config,
    credentials: Option<stanch_plugins_aws::StaticCredentials>,
    secrets: Secrets,
    roles: Roles,
) -> anyhow::Result<Catalogue> {
    catalogue_of(config, &aws(config, credentials, roles)?, secrets)
}

fn catalogue_of(config: &Config, aws: &Aws, secrets: Secrets) -> anyhow::Result<Catalogue> {
    let catalogue = aws.register(Catalogue::new(aws.operations()));
    let catalogue = stanch_plugins_http::register(catalogue, secrets, &config.mappings())?;
    let now = stanch_engine_runtime::system::world().now();
    let catalogue = stanch_plugins_intel::register(catalogue, &config.intel_settings(), now)?;
    scripts::register(catalogue, config)
}

/// How the database is opened that the configuration names.
///
/// # Errors
/// When the configuration asks for what can't be.
pub(crate) fn options(
    config: &Config,
    url: String,
    aws: &Aws,
    world: &World,
) -> anyhow::Result<Options> {
    let tokens = || -> Arc<dyn Passwords> {
        Arc::new(database::IamTokens { aws: aws.clone(), clock: world.clock.clone() })
    };
    config.database.options(url, tokens)
}

/// The client for AWS.
pub(crate) fn aws(
    config: &Config,
    credentials: Option<stanch_plugins_aws::StaticCredentials>,
    roles: Roles,
) -> anyhow::Result<Aws> {
    let aws = Aws::open(&AwsSettings {
        models_dir: config.aws.models_dir.clone(),
        endpoint_url: config.aws.endpoint_url.clone(),
        default_region: config.aws.region.clone(),
        credentials,
        roles,
        organization_account: config.aws.organization_account.clone(),
        quotas: quotas(config)?,
    })?;
    Ok(aws)
}

/// How often AWS may be called, as the configuration says.
fn quotas(config: &Config) -> anyhow::Result<BTreeMap<String, Rate>> {
    let rate = |(pattern, quota): (&String, &Quota)| {
        let rate = match *quota {
            Quota::PerSecond(per_second) => Rate { per_second, burst: per_second.max(1.0) },
            Quota::Told { per_second, burst } => Rate { per_second, burst },
        };
        let is_one = |least: f64, n: f64| n.is_finite() && n >= least;
        if !pattern.contains(':') || !is_one(0.001, rate.per_second) || !is_one(1.0, rate.burst) {
            bail!(
                "[aws.quotas] \"{pattern}\": it takes `service:Operation` or `service:Begin*`, calls \
                 per second above 0, and a burst from 1"
            );
        }
        Ok((pattern.clone(), rate))
    };
    config.aws.quotas.iter().map(rate).collect()
}

/// Only one process may write to a database file and its evidence.
pub(crate) fn lock(data_dir: &Path) -> anyhow::Result<File> {
    let path = data_dir.join("lock");
    let file = File::create(&path).with_context(|| format!("{}", path.display()))?;
    if file.try_lock().is_err() {
        let code = error_code::IN_USE;
        bail!(
            "{code}: {}: {}. Stop the Stanch that runs on it, or name another `data_dir`",
            code.title,
            data_dir.display()
        );
    }
    Ok(file)
}

fn settings(config: &Config, is_alone: bool) -> anyhow::Result<Settings> {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
    let modes = config.accounts.iter().map(|(id, account)| (id.clone(), account.mode));
    let heartbeat = config.heartbeat.as_ref();
    Ok(Settings {
        data_dir: config.data_dir(),
        correlation: config.correlation_rules(),
        correlators: correlators::load_all(config)?,
        storms: config.storm_rules(),
        silent_after: config.silences(),
        accounts: modes.collect(),
        own_roles: config.own_roles(),
        cooldown: config.noise.cooldown,
        write_back: config.write_back(),
        trail_audit: config.trail_audit(),
        ocsf_out: config.ocsf_sinks(),
        reconcile: config.reconcile_plan(),
        rails: config.rails(),
        limits: config.limits(),
        config: serde_json::to_value(&config.config)?,
        shards: config.shards.unwrap_or(processors.min(16)),
        hot_runs: config.hot_runs.unwrap_or(4_096),
        lease: (!is_alone).then_some(LEASE),
        notify: config.notify_settings(),
        targets: config.kpi_targets(),
        heartbeat: heartbeat.map(|h| HeartbeatSettings { url: h.url.clone(), every: h.every }),
        queues: config.queue_settings(),
        anchor: config.anchor_settings(),
        bucket: config.bucket_settings(),
        signing_key: config.signing_key().map(str::to_owned),
        grace: Span::from_secs(5),
        spans: None,
        digest: config.digest()?,
        public_url: config.public_url(),
        keep_journals: config.retention.journals,
        keep_evidence: config.retention.evidence,
        second_person: config.second_person,
        requester_counts: config.approvals.requester_counts,
        vouches_for_people: config.oidc.is_some(),
        break_glass: config.approvals.break_glass.clone(),
        roles: config.roles_of_ones_own().into(),
        containments: config.containments.settings(),
        updates: config.update_settings(),
        simulation: None,
    })
}

/// The hash of a token: the configured one, else the one in the data folder, which is made when it
/// is not there.
fn token(
    source: &TokenSource,
    file: &PathBuf,
    world: &World,
    variable: Variable<'_>,
) -> anyhow::Result<Sha256> {
    if let Some(secret) = source.resolve(variable)? {
        return Ok(Sha256::of(secret));
    }
    let secret = match std::fs::read_to_string(file) {
        Ok(text) => text.trim().to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let secret = new_secret(world);
            secret_file::write(file, secret.as_bytes())
                .with_context(|| format!("{}", file.display()))?;
            tracing::info!(file = %file.display(), "made a token");
            secret
        }
        Err(error) => return Err(error).with_context(|| format!("{}", file.display())),
    };
    Ok(Sha256::of(secret))
}
