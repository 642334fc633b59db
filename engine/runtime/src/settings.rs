//! What the runtime is told when it starts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use stanch_engine_core::correlation;
use stanch_engine_core::echo::OwnRoles;
use stanch_engine_core::effect::Mode;
use stanch_engine_core::guard::limits::Limits;
use stanch_engine_core::guard::rails::Rails;
use stanch_engine_core::kpi::Targets;
use stanch_engine_core::notify::Route;
use stanch_engine_core::reconcile::Reconcile;
use stanch_engine_core::scope::{CustomRole, Scope};
use stanch_engine_core::span::Span;
use stanch_engine_core::storm;
use stanch_engine_core::trail_audit::TrailAudit;
use stanch_engine_core::update::{self, Template};
use stanch_engine_core::write_back::WriteBack;

use crate::correlators::Correlator;
pub use crate::ocsf_out::{OcsfSettings, OcsfTo};

use crate::kpis::digest::DigestSettings;
use crate::trace::Spans;

/// For how long the leases of nodes hold that share their work: what a node that died has is worked on again
/// after this and a third of it, within ten seconds with what it takes to go on.
pub const LEASE: Span = Span::from_secs(5);

/// All of it. Nothing here has a default: whoever starts a runtime says what it is to do.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where evidence and keys lie.
    pub data_dir: PathBuf,
    /// What makes alerts one incident.
    pub correlation: Vec<correlation::Rule>,
    /// What makes alerts one incident, as scripts say.
    pub correlators: Vec<Correlator>,
    /// What makes many alerts of a type one incident.
    pub storms: Vec<storm::Rule>,
    /// For how long a source may say nothing.
    pub silent_after: BTreeMap<String, Span>,
    /// For how long a playbook is not started again about the same resource, where its trigger does
    /// not say it.
    pub cooldown: Option<Span>,
    /// What detectors are told; nothing when they are told nothing.
    pub write_back: Option<WriteBack>,
    /// Who is told what happens, in OCSF.
    pub ocsf_out: Vec<OcsfSettings>,
    /// When runs that have ended are held against CloudTrail; never unless it is said.
    pub trail_audit: Option<TrailAudit>,
    /// What detectors list is compared with what came.
    pub reconcile: Option<Reconcile>,
    /// How much may be done in which account. An account that is not here is observed.
    pub accounts: BTreeMap<String, Mode>,
    /// The roles that sessions of ours have in accounts.
    pub own_roles: OwnRoles,
    /// What is protected, whatever playbooks and people say.
    pub rails: Rails,
    /// How much may be done, how soon again, and when not.
    pub limits: Limits,
    /// What playbooks read as `config`.
    pub config: Value,
    /// Threads that run scripts.
    pub shards: usize,
    /// Runs that are worked on at the same time, at most.
    pub hot_runs: usize,
    /// For how long a lease holds, as a rule [`LEASE`]; nothing when the node is alone and leases can't lapse.
    pub lease: Option<Span>,
    /// Whom to tell what, and how.
    pub notify: NotifySettings,
    /// How long things may take, by severity.
    pub targets: Targets,
    /// Where something outside hears that all is well.
    pub heartbeat: Option<HeartbeatSettings>,
    /// Queues that alerts are taken from.
    pub queues: Vec<QueueSettings>,
    /// The bucket that evidence is kept in; a folder of `data_dir` unless it is said.
    pub bucket: Option<BucketSettings>,
    /// The key in KMS that signs evidence, by its ARN; one in a file unless it is said.
    pub signing_key: Option<String>,
    /// Where the ends of custody chains are laid down; nowhere unless it is said.
    pub anchor: Option<AnchorSettings>,
    /// How long running actions are waited for when the node stops.
    pub grace: Span,
    /// Where traces go.
    pub spans: Spans,
    /// Whom to tell KPIs, and when.
    pub digest: Option<DigestSettings>,
    /// Where people reach this installation.
    pub public_url: String,
    /// For how long the journals of runs that ended stay in the database; for ever unless it is said.
    pub keep_journals: Option<Span>,
    /// How long evidence stays after its incident is closed; for ever unless it is said.
    pub keep_evidence: Option<Span>,
    /// Whether what one person publishes becomes active only when another says so.
    pub second_person: bool,
    /// Whether who started a run or published its playbook may say yes to it.
    pub requester_counts: bool,
    /// Roles of one's own.
    pub roles: Arc<BTreeMap<String, CustomRole>>,
    /// Whether an identity provider vouches for people, so that nobody here can count them.
    pub vouches_for_people: bool,
    /// Who may answer for everybody beside those who administer, by name or `role:NAME`.
    pub break_glass: Vec<String>,
    /// How long what was contained stands before somebody is asked.
    pub containments: ContainmentSettings,
    /// How those who wait are told of an incident, by name.
    pub updates: BTreeMap<String, UpdateSettings>,
    /// That all of it is a simulation, in which nothing is changed.
    pub simulation: Option<Simulation>,
}

/// How a simulation differs from the real thing: time is put ahead, so that the clock starts no
/// playbook, nobody is paged and no source is missed; and probes look at what was never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Simulation {
    /// What every probe is taken to say; else what it sees.
    pub effective: Option<bool>,
}

/// How long what was contained stands before somebody is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainmentSettings {
    /// After how long its owner is asked what is to become of it.
    pub expires: Span,
    /// The pause until they are asked again.
    pub ask_again: Span,
}

impl Default for ContainmentSettings {
    /// Three days, and every day.
    fn default() -> Self {
        let day = 86_400;
        Self { expires: Span::from_secs(3 * day), ask_again: Span::from_secs(day) }
    }
}

/// How those who wait are told of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdateSettings {
    /// Who is told: `role:NAME`, `oncall:NAME` or a person.
    pub to: Vec<String>,
    /// The pause between two.
    pub every: Span,
    /// What they are told.
    pub text: Template,
}

impl UpdateSettings {
    /// What is told where nobody has written a template: every four hours, to whoever is named then.
    pub fn usual() -> Self {
        let text = Template::parse(update::USUAL).unwrap_or_else(|_| Template::empty());
        Self { to: Vec::new(), every: Span::from_secs(4 * 3_600), text }
    }
}

/// Whom to tell what, and how.
#[derive(Clone, Debug, Default)]
pub struct NotifySettings {
    /// The SNS topic of each role or person, such as `role:responder`.
    pub topics: BTreeMap<String, String>,
    /// The topic of everybody else.
    pub default_topic: Option<String>,
    /// Who is paged when those who were paged first don't answer, one after the other.
    pub escalate: Vec<String>,
    /// The pause until a page that nobody took goes out again, one step higher.
    pub repeat_every: Option<Span>,
    /// Which channels carry what, the first that fits.
    pub routes: Vec<Route>,
    /// Channels that are topics of SNS: the topic of each name.
    pub topic_channels: BTreeMap<String, String>,
    /// The people of each duty, and those who have it when its roster can't be asked.
    pub on_call: BTreeMap<String, Vec<String>>,
    /// Where people are reached, and what they may decide there.
    pub people: BTreeMap<String, PersonSettings>,
}

/// Where a person is reached, and what they may decide there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonSettings {
    /// Their roles where they are known by none of their tokens.
    pub roles: Vec<String>,
    /// How far those reach.
    pub scope: Scope,
    /// Their id in Slack.
    pub slack: Option<String>,
    /// Their address.
    pub email: Option<String>,
    /// Their id in PagerDuty.
    pub pagerduty: Option<String>,
}

/// Where something outside hears that all is well.
#[derive(Clone, Debug)]
pub struct HeartbeatSettings {
    /// What is called.
    pub url: String,
    /// How often.
    pub every: Span,
}

/// A queue of SQS that alerts are taken from.
#[derive(Clone, Debug)]
pub struct QueueSettings {
    /// Its URL.
    pub url: String,
    /// Its region.
    pub region: Option<String>,
    /// The source that reads what is in it, such as `sqs`, which recognises all that AWS sends.
    pub source: String,
    /// For how long a message is kept from other consumers at a time, in seconds.
    pub visibility_s: i64,
}

/// A bucket that evidence is kept in.
#[derive(Clone, Debug)]
pub struct BucketSettings {
    /// The bucket.
    pub bucket: String,
    /// What keys begin with: nothing, or a path that ends in `/`.
    pub prefix: String,
    /// Its region.
    pub region: Option<String>,
    /// The key of KMS that objects are encrypted with, where it is not the bucket's own.
    pub encryption_key: Option<String>,
    /// For how long nobody can take an object out, where the bucket has Object Lock.
    pub lock: Option<Lock>,
}

/// For how long nobody can take an object out of a bucket.
#[derive(Clone, Copy, Debug)]
pub struct Lock {
    /// Who may take it out before.
    pub mode: LockMode,
    /// Days from when it was kept last.
    pub days: i64,
}

/// A bucket with Object Lock that the ends of custody chains are laid down in.
#[derive(Clone, Debug)]
pub struct AnchorSettings {
    /// The bucket.
    pub bucket: String,
    /// What keys begin with: nothing, or a path that ends in `/`.
    pub prefix: String,
    /// Its region.
    pub region: Option<String>,
    /// Who may take an object out before its time is over.
    pub mode: LockMode,
    /// For how many days none can be taken out.
    pub days: i64,
    /// How often it is laid down what is new.
    pub every: Span,
    /// Where the authority is that stamps it with its time, too.
    pub tsa_url: Option<String>,
}

/// Who may take an object out of a bucket before its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockMode {
    /// Whoever may `s3:BypassGovernanceRetention`.
    Governance,
    /// Nobody.
    Compliance,
}

impl LockMode {
    /// The word of S3.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }
}

impl Settings {
    /// How much may be done in an account.
    pub fn mode_of(&self, account: Option<&str>) -> Mode {
        account.and_then(|account| self.accounts.get(account)).copied().unwrap_or(Mode::Observe)
    }
}

impl NotifySettings {
    /// The pause until a page goes out again: five minutes unless it is said.
    pub fn repeat_every(&self) -> Span {
        self.repeat_every.unwrap_or(Span::from_secs(300))
    }

    /// The topic of a role or a person.
    pub fn topic_of(&self, who: &str) -> Option<&str> {
        self.topics.get(who).or(self.default_topic.as_ref()).map(String::as_str)
    }
}
