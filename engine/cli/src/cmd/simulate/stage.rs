//! Where a simulation takes place: a node of its own in a folder of its own, with a clock that can
//! be put ahead and actions that change nothing.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Map, Value};
use stanch_engine_core::alert::Alert;
use stanch_engine_core::effect::Mode;
use stanch_engine_core::id::{AlertId, RunId};
use stanch_engine_core::time::Clock as _;
use stanch_engine_core::world::World;
use stanch_engine_runtime::runs::{self, StartRequest};
use stanch_engine_runtime::settings::Simulation;
use stanch_engine_runtime::{intake, playbooks, system};
use stanch_plugins_aws::sandbox::Sandbox;
use stanch_plugins_aws::{AccountRoles, Roles};
use stanch_plugins_http::Secrets;
use tokio::net::TcpListener;

use super::calls::{Calls, Reads, simulated};
use super::clock::SimulatedClock;
use super::recording::Recording;
use crate::args::{Common, Probes, Simulate};
use crate::cmd::sandbox;
use crate::config::{Account, Config, Trust, environment};
use crate::shipped;
use crate::wiring::{self, Node, Seams};

/// The account of an alert that names none.
const ACCOUNT: &str = "111122223333";

/// Where pages go that nobody sends.
const TOPIC: &str = "arn:aws:sns:us-east-1:111122223333:simulated";

/// Everything that runs.
pub(super) struct Stage {
    pub(super) node: Node,
    pub(super) clock: Arc<SimulatedClock>,
    pub(super) calls: Arc<Calls>,
    /// The run that is simulated.
    pub(super) run: RunId,
    /// In what it differs from what would happen.
    pub(super) notes: Vec<String>,
    folder: Folder,
}

/// A folder, which is taken away again unless it is wanted.
enum Folder {
    Wanted(PathBuf),
    Passing(tempfile::TempDir),
}

impl Folder {
    fn open(wanted: Option<&Path>) -> anyhow::Result<Self> {
        let Some(dir) = wanted else { return Ok(Self::Passing(tempfile::tempdir()?)) };
        std::fs::create_dir_all(dir).with_context(|| format!("{}", dir.display()))?;
        let is_empty = std::fs::read_dir(dir)?.next().is_none();
        ensure!(is_empty, "{} is not empty: name a folder that is", dir.display());
        Ok(Self::Wanted(dir.to_owned()))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Wanted(path) => path,
            Self::Passing(folder) => folder.path(),
        }
    }
}

impl Stage {
    /// Sets it up, and starts the run.
    pub(super) async fn set(common: &Common, args: &Simulate) -> anyhow::Result<Self> {
        let mut config = Config::load(common.config.as_deref(), &environment)?;
        let text = playbook(&args.playbook, &config)?;
        let folder = Folder::open(args.dir.as_deref())?;
        let alert =
            args.alert.as_deref().map(|file| read_alert(file, args, &config)).transpose()?;
        let recording = args.recorded.as_deref().map(Recording::read).transpose()?;
        let begin = recording.as_ref().map(|recording| recording.recorded_at);
        let clock = Arc::new(SimulatedClock::at(begin.unwrap_or_else(|| system::world().now())));
        let world = World { clock: clock.clone(), ..system::world() };
        let account = account_of(alert.as_ref(), &config);
        let mut notes = Vec::new();
        if alert.as_ref().is_none_or(|alert| alert.account.is_none()) {
            let why = "no alert names an account: a change that names none itself is only observed";
            notes.push(why.to_owned());
        }
        config.take_off(folder.path(), &account, args, &mut notes);

        let aws = Arc::new(stand_in(args, alert.as_ref(), &account, clock.as_ref())?);
        let reads = match (recording, args.live) {
            (Some(recording), _) => Reads::Recorded(Mutex::new(recording)),
            (None, true) => {
                let record = args.record.as_ref().map(|_| Recording::begin(clock.now()));
                Reads::Live(record.map(Mutex::new))
            }
            (None, false) => Reads::StandIn,
        };
        let of_stand_in = catalogue_of(&config, aws.clone(), clock.clone()).await?;
        let operations = of_stand_in.operations().clone();
        let assumes_arrival = args.probes == Probes::Effective;
        let calls = Arc::new(Calls::new(reads, aws, assumes_arrival, operations));
        let wrapped = calls.clone();
        let seams = Seams {
            catalogue: Some(Box::new(move |real| simulated(real, &of_stand_in, &wrapped))),
            simulation: Some(Simulation {
                effective: match args.probes {
                    Probes::Effective => Some(true),
                    Probes::NotEffective => Some(false),
                    Probes::AsSeen => None,
                },
            }),
            ..Seams::default()
        };
        let is_live = args.live;
        // Where nothing is sent, no secret is needed.
        let variable = |name: &str| {
            let unneeded = || (!is_live).then(|| format!("unneeded-{name}"));
            environment(name).or_else(unneeded)
        };
        let node = wiring::start(&config, world, &variable, seams).await?;
        // Before the playbooks are there: what their triggers would start is not simulated.
        let alert = match alert {
            Some(alert) => Some(take(&node, alert).await?),
            None => None,
        };
        let name = publish(&node, &text, &mut notes).await?;
        let run = start(&node, name, alert, args).await?;
        Ok(Self { node, clock, calls, run, notes, folder })
    }

    /// Writes down what was recorded, and takes everything away.
    pub(super) async fn clear(self, record: Option<&Path>) -> anyhow::Result<()> {
        if let (Reads::Live(Some(recording)), Some(file)) = (&self.calls.reads, record) {
            let recording = recording.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            recording.write(file)?;
        }
        self.node.runtime.clone().stop().await;
        drop(self.folder);
        Ok(())
    }
}

impl Config {
    /// Leaves of a configuration what a simulation has: its rules, and nothing that is shared.
    fn take_off(&mut self, folder: &Path, account: &str, args: &Simulate, notes: &mut Vec<String>) {
        self.data_dir = Some(folder.to_owned());
        (self.database_url, self.heartbeat) = (None, None);
        self.database = Default::default();
        self.webhook = Default::default();
        self.admin = Default::default();
        self.queues.clear();
        self.sources.values_mut().for_each(|source| source.trust = Trust::default());
        let is_known = self.accounts.contains_key(account);
        let ours = self.accounts.entry(account.to_owned());
        ours.or_insert_with(|| Account::of_mode(Mode::Ask));
        match args.mode {
            Some(mode) => self.accounts.values_mut().for_each(|account| account.mode = mode),
            None if is_known => {}
            None => notes.push(format!(
                "{account} is not in the configuration: it is `ask` here, and would be observed"
            )),
        }
        if !self.reaches_somebody() {
            notes.push("no topic is configured under [notify]: nobody would be told".to_owned());
        }
        // Channels are no calls that a simulation could answer: all of them are one topic here.
        let has_routes = !self.notify.routes.is_empty();
        self.notify.channels.clear();
        self.notify.routes.clear();
        self.oncall.clear();
        (self.slack, self.oidc) = (Default::default(), None);
        if has_routes || self.notify.topics.is_empty() {
            self.notify.default_topic.get_or_insert_with(|| TOPIC.to_owned());
        }
    }
}

/// A playbook with where its imports and its siblings lie.
struct Text {
    text: String,
    /// Nothing where it comes with Stanch.
    file: Option<PathBuf>,
}

fn playbook(name: &str, config: &Config) -> anyhow::Result<Text> {
    let given = PathBuf::from(name);
    let of_folder = config.playbooks.as_ref().map(|folder| folder.join(format!("{name}.rhai")));
    let file = std::iter::once(given.clone()).chain(of_folder).find(|file| file.is_file());
    if let Some(file) = file {
        let text = std::fs::read_to_string(&file).with_context(|| format!("{}", file.display()))?;
        return Ok(Text { text, file: Some(file) });
    }
    let with_end = format!("{}.rhai", name.trim_end_matches(".rhai"));
    let shipped = shipped::PLAYBOOKS.iter().find(|(file, _)| *file == with_end);
    match shipped {
        Some((_, text)) => Ok(Text { text: (*text).to_owned(), file: None }),
        None => {
            let names = shipped::PLAYBOOKS.iter().map(|(file, _)| file.trim_end_matches(".rhai"));
            let names = names.collect::<Vec<_>>().join(", ");
            bail!("{name} is no file, and no playbook of that name comes with Stanch ({names})")
        }
    }
}

/// Publishes it, and beside it those that it may call.
async fn publish(node: &Node, playbook: &Text, notes: &mut Vec<String>) -> anyhow::Result<String> {
    let (bundle, others) = match &playbook.file {
        None => {
            let others = shipped::PLAYBOOKS.iter().filter(|(_, text)| *text != playbook.text);
            let others = others.map(|(_, text)| shipped::bundle(text)).collect::<Vec<_>>();
            (shipped::bundle(&playbook.text)?, others)
        }
        Some(file) => {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            let bundle = |text: &str| {
                playbooks::gather(text, folder).map_err(|found| {
                    let found = found.iter().map(ToString::to_string).collect::<Vec<_>>();
                    anyhow::anyhow!("{}: {}", file.display(), found.join("\n"))
                })
            };
            let mut files: Vec<PathBuf> =
                std::fs::read_dir(folder)?.filter_map(|e| e.ok().map(|e| e.path())).collect();
            files.retain(|other| other != file && other.extension().is_some_and(|e| e == "rhai"));
            files.sort();
            let texts = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
            let others = texts.map(|text| bundle(&text)).collect();
            (bundle(&playbook.text)?, others)
        }
    };
    let published = playbooks::publish(&node.runtime, bundle, "simulation", "simulation").await?;
    notes.extend(published.warnings);
    for other in others.into_iter().flatten() {
        // One that is unfit is missed only where it is called, and said there.
        if let Err(error) =
            playbooks::publish(&node.runtime, other, "simulation", "simulation").await
        {
            tracing::info!(%error, "a playbook beside it is left out");
        }
    }
    Ok(published.name)
}

fn read_alert(file: &Path, args: &Simulate, config: &Config) -> anyhow::Result<Alert> {
    let shown = file.display();
    let mut body = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut body)?;
    } else {
        body = std::fs::read(file).with_context(|| format!("{shown}"))?;
    }
    let catalogue = wiring::catalogue(config, None, Secrets::default(), Roles::default())?;
    let reading = intake::normalize(&catalogue, &args.source, &body)
        .map_err(|why| anyhow::anyhow!("{shown}: {why}"))?;
    let refused = intake::reasons(&reading.refused);
    let first = reading.alerts.into_iter().next();
    first.with_context(|| format!("{shown}: there is no alert in it: {refused}"))
}

fn account_of(alert: Option<&Alert>, config: &Config) -> String {
    let of_alert = alert.and_then(|alert| alert.account.clone());
    let first = || config.accounts.keys().next().cloned();
    of_alert.or_else(first).unwrap_or_else(|| ACCOUNT.to_owned())
}

/// The stand-in for AWS, with what the alert names and what the person wants in it.
fn stand_in(
    args: &Simulate,
    alert: Option<&Alert>,
    account: &str,
    clock: &SimulatedClock,
) -> anyhow::Result<Sandbox> {
    let now = clock.now();
    let aws = match alert {
        Some(alert) => Sandbox::described(alert, account, now)?,
        None => Sandbox::new(account)?,
    };
    let aws = aws.imagining();
    sandbox::fill(&aws, args.script.as_deref(), &args.trail, now)?;
    Ok(aws)
}

/// The actions that call the stand-in, in whichever account they are to act.
async fn catalogue_of(
    config: &Config,
    aws: Arc<Sandbox>,
    clock: Arc<SimulatedClock>,
) -> anyhow::Result<stanch_plugins_sdk::Catalogue> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let answer = sandbox::answerer(aws, clock);
    tokio::task::spawn(stanch_engine_server::serve_with(listener, answer, std::future::pending()));
    let mut config = config.clone();
    config.aws.endpoint_url = Some(url);
    config.aws.region.get_or_insert_with(|| "us-east-1".to_owned());
    config.aws.organization_account = None;
    let role = |of: &str| Some(format!("arn:aws:iam::{{account}}:role/simulated-{of}"));
    let pattern = AccountRoles {
        read: role("read"),
        contain: role("contain"),
        automation: role("automation"),
        external_id: None,
    };
    let roles = Roles { accounts: Default::default(), pattern };
    wiring::catalogue(&config, Some(Sandbox::runner()), Secrets::default(), roles)
}

async fn take(node: &Node, alert: Alert) -> anyhow::Result<AlertId> {
    let received = intake::take(&node.runtime, vec![alert]).await?;
    let first = received.first().map(|received| received.alert_id);
    first.context("the alert was not taken")
}

async fn start(
    node: &Node,
    playbook: String,
    alert: Option<AlertId>,
    args: &Simulate,
) -> anyhow::Result<RunId> {
    let inputs: Map<String, Value> = match &args.input {
        Some(text) => serde_json::from_str(text).context("`--input` is no JSON object")?,
        None => Map::new(),
    };
    let requester = "simulation".to_owned();
    let request = StartRequest { playbook, inputs, alert, requester, ..StartRequest::default() };
    Ok(runs::start(&node.runtime, request).await?)
}
