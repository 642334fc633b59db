//! The configuration: `stanch.toml`, and then the environment.

mod accounts;
mod approvals;
mod aws;
mod containments;
mod database;
mod evidence;
mod guard;
mod intel;
mod kpis;
mod noise;
mod notify;
mod ocsf_out;
mod oidc;
mod otlp;
mod queues;
mod reconcile;
mod reference;
mod retention;
mod slack;
mod sources;
mod targets;
mod trail_audit;
mod updates;
mod write_back;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use stanch_engine_core::error_code;
use stanch_engine_core::scope::CustomRole;
use stanch_engine_core::severity::Severity;
use stanch_engine_core::span::Span;
use stanch_plugins_http::Secrets;

pub use accounts::{Account, ExternalId, RolePattern};
pub use approvals::Approvals;
pub use aws::{AwsConfig, Quota};
pub use containments::Containments;
pub use database::DatabaseConfig;
pub(crate) use evidence::bucket_at;
pub use evidence::{Anchor, Evidence};
pub use guard::{Freeze, Guard, Protect};
pub use intel::{Intel, IntelList};
pub use kpis::{Digest, Kpis};
pub use noise::{Correlation, Noise, Storm};
pub use notify::{ChannelConfig, Duty, Notify, Person};
pub use ocsf_out::OcsfOut;
pub(crate) use ocsf_out::folder_of;
pub use oidc::OidcConfig;
pub use otlp::Otlp;
pub use queues::Queue;
pub use reconcile::Reconcile;
pub use reference::{Reference, TokenSource};
pub use retention::Retention;
pub use slack::SlackConfig;
pub use sources::{Source, Trust};
pub use trail_audit::TrailAudit;
pub use updates::Update;
pub use write_back::WriteBack;

/// What can be configured. A key that is not here is an error.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen; 127.0.0.1:8080 unless it is said.
    pub listen: Option<String>,
    /// `sqlite://PATH` or `postgres://…`; `stanch.db` in the data folder unless it is said.
    pub database_url: Option<String>,
    /// How the database is used.
    pub database: DatabaseConfig,
    /// Where the database, evidence and keys lie; `stanch-data` unless it is said.
    pub data_dir: Option<PathBuf>,
    /// The folder of playbooks that are published by themselves.
    pub playbooks: Option<PathBuf>,
    /// Whether a playbook that one person publishes becomes active only when another activates it.
    pub second_person: bool,
    /// Roles of one's own: what they are, and how far they reach.
    pub roles: BTreeMap<String, CustomRole>,
    /// How people agree.
    pub approvals: Approvals,
    /// How long what was contained stands before somebody is asked.
    pub containments: Containments,
    /// The folder of sources of alerts that are scripts; `sources`, where there is one, unless it
    /// is said.
    pub sources_dir: Option<PathBuf>,
    /// The folder of rules of correlation that are scripts; `correlation`, where there is one, unless it
    /// is said.
    pub correlation_dir: Option<PathBuf>,
    /// Where people reach this installation.
    pub public_url: Option<String>,
    /// For how long after its last alert an incident takes another about the same thing.
    pub incident_window: Option<Span>,
    /// `text` or `json`.
    pub log_format: Option<LogFormat>,
    /// Threads that run scripts; one for each processor unless it is said.
    pub shards: Option<usize>,
    /// Runs that are worked on at the same time, at most.
    pub hot_runs: Option<usize>,
    /// The token that webhooks are sent with.
    pub webhook: TokenSource,
    /// The first person's token.
    pub admin: TokenSource,
    /// How much may be done in which account, and with which roles.
    pub accounts: BTreeMap<String, Account>,
    /// What is protected.
    pub guard: Guard,
    /// Whom to tell what, and how.
    pub notify: Notify,
    /// People: where they are reached, and what they may decide there.
    pub people: BTreeMap<String, Person>,
    /// The app of Slack whose buttons are answered.
    pub slack: SlackConfig,
    /// Who vouches for callers beside the tokens of this installation.
    pub oidc: Option<OidcConfig>,
    /// Duties that people are paged for as `oncall:NAME`.
    pub oncall: BTreeMap<String, Duty>,
    /// How long things may take, by severity and name of KPI.
    pub targets: BTreeMap<Severity, BTreeMap<String, Span>>,
    /// What is done with KPIs by itself.
    pub kpis: Kpis,
    /// How those who wait are told of an incident.
    pub updates: BTreeMap<String, Update>,
    /// Where something outside hears that all is well.
    pub heartbeat: Option<Heartbeat>,
    /// Where traces go.
    pub otlp: Option<Otlp>,
    /// How AWS is called.
    pub aws: AwsConfig,
    /// What makes alerts one incident, beside the resource that they share.
    pub correlation: Vec<Correlation>,
    /// What makes many alerts of a type one incident.
    pub storms: Vec<Storm>,
    /// What noise is kept from doing.
    pub noise: Noise,
    /// What detectors are told.
    pub write_back: WriteBack,
    /// Whether runs are held against CloudTrail after they have ended.
    pub trail_audit: TrailAudit,
    /// Who is told what happens, in OCSF.
    pub ocsf_out: Vec<OcsfOut>,
    /// Files that know of addresses, names and hashes.
    pub intel: Intel,
    /// What detectors list is compared with what came.
    pub reconcile: Option<Reconcile>,
    /// For how long what stays where.
    pub retention: Retention,
    /// How evidence is kept.
    pub evidence: Evidence,
    /// Queues that alerts are taken from.
    pub queues: Vec<Queue>,
    /// Who may send to which source, and senders of alerts that are described here.
    pub sources: BTreeMap<String, Source>,
    /// What playbooks read as `config`. It stands in the journal of every run: a secret has no
    /// place in it.
    pub config: toml::Table,
    /// Secrets that HTTP calls name as `{{secret:NAME}}`: `env:NAME` or `file:PATH` of each.
    pub secrets: BTreeMap<String, Reference>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Where something outside hears that all is well.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// What is called.
    pub url: String,
    /// How often; every minute unless it is said.
    #[serde(default = "minute")]
    pub every: Span,
}

fn minute() -> Span {
    Span::from_secs(60)
}

/// A configuration that can't be.
#[derive(Debug)]
pub struct ConfigError(pub String);

impl Config {
    /// Reads the file, if there is one, and the environment over it.
    ///
    /// # Errors
    /// [`ConfigError`] names the key.
    pub fn load(file: Option<&Path>, variable: Variable<'_>) -> Result<Self, ConfigError> {
        let default = Path::new("stanch.toml");
        let path = file.or_else(|| default.exists().then_some(default));
        let mut config = match path {
            Some(path) => Self::read(path)?,
            None => Self::default(),
        };
        config.take_environment(variable);
        config.check()?;
        Ok(config)
    }

    fn read(path: &Path) -> Result<Self, ConfigError> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError(format!("{shown}: {error}")))?;
        toml::from_str(&text).map_err(|error| ConfigError(format!("{shown}: {error}")))
    }

    fn take_environment(&mut self, variable: Variable<'_>) {
        let over = |name: &str, field: &mut Option<String>| {
            if let Some(value) = variable(name).filter(|value| !value.is_empty()) {
                *field = Some(value);
            }
        };
        over("STANCH_LISTEN", &mut self.listen);
        over("STANCH_DATABASE_URL", &mut self.database_url);
        over("STANCH_PUBLIC_URL", &mut self.public_url);
        for (name, field) in
            [("STANCH_DATA_DIR", &mut self.data_dir), ("STANCH_PLAYBOOKS", &mut self.playbooks)]
        {
            if let Some(value) = variable(name).filter(|value| !value.is_empty()) {
                *field = Some(value.into());
            }
        }
        for (name, source) in
            [("STANCH_WEBHOOK_TOKEN", &mut self.webhook), ("STANCH_ADMIN_TOKEN", &mut self.admin)]
        {
            if variable(name).is_some_and(|value| !value.is_empty()) {
                source.token = Some(Reference(format!("env:{name}")));
            }
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.listen()?;
        self.check_accounts()?;
        self.check_noise()?;
        self.check_targets()?;
        self.check_reconcile()?;
        self.check_roles()?;
        self.containments.check()?;
        self.check_updates()?;
        self.check_evidence()?;
        self.check_notify()?;
        self.check_oidc()?;
        self.check_intel()?;
        self.check_ocsf_out()?;
        self.check_write_back()?;
        self.check_trail_audit()?;
        self.check_retention()?;
        self.check_guard()
    }

    /// Where to listen.
    ///
    /// # Errors
    /// When it is no address and port.
    pub fn listen(&self) -> Result<SocketAddr, ConfigError> {
        let text = self.listen.as_deref().unwrap_or("127.0.0.1:8080");
        text.parse().map_err(|_| {
            ConfigError(format!(
                "`listen`: `{text}` is no address and port, such as 127.0.0.1:8080"
            ))
        })
    }

    /// Where the database, evidence and keys lie.
    pub fn data_dir(&self) -> PathBuf {
        self.data_dir.clone().unwrap_or_else(|| PathBuf::from("stanch-data"))
    }

    /// The database.
    pub fn database_url(&self) -> String {
        let file = || stanch_engine_store::sqlite_url(&self.data_dir().join("stanch.db"));
        self.database_url.clone().unwrap_or_else(file)
    }

    /// The secrets that HTTP calls may name.
    ///
    /// # Errors
    /// When one is no reference, or what it refers to is not there.
    pub fn secrets(&self, variable: Variable<'_>) -> Result<Secrets, ConfigError> {
        let values = self.secrets.iter().map(|(name, reference)| {
            let value = reference.resolve(&format!("secrets.{name}"), variable)?;
            // Answers are searched for it: what is short is found where it is not.
            if value.len() < 8 {
                let message = format!("the secret `{name}` is shorter than 8 characters");
                return Err(ConfigError(message));
            }
            Ok((name.clone(), value))
        });
        values.collect::<Result<_, _>>().map(Secrets::new)
    }

    /// Where people and the command line reach this installation.
    pub fn public_url(&self) -> String {
        let listen = || {
            let address =
                self.listen().map_or_else(|_| "127.0.0.1:8080".to_owned(), |a| a.to_string());
            format!("http://{}", address.replace("0.0.0.0", "127.0.0.1"))
        };
        self.public_url.clone().unwrap_or_else(listen)
    }
}

/// How a variable of the environment is looked up.
pub type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable of the real environment.
#[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = error_code::CONFIGURATION;
        write!(f, "{code}: {}: {}", code.title, self.0)
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
pub(crate) mod tests {
    use stanch_engine_core::effect::Mode;

    use super::*;

    pub(super) fn load(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stanch.toml");
        std::fs::write(&file, text).unwrap();
        let find = |name: &str| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        };
        Config::load(Some(&file), &find)
    }

    #[test]
    fn the_environment_stands_over_the_file() {
        let text = "listen = \"0.0.0.0:1\"\n[accounts.\"111122223333\"]\nmode = \"ask\"";
        let config = load(text, &[("STANCH_LISTEN", "127.0.0.1:9")]).unwrap();
        assert_eq!(config.listen().unwrap().port(), 9);
        assert_eq!(config.accounts["111122223333"].mode, Mode::Ask);
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        for (text, key) in [
            ("lisen = \"x\"", "lisen"),
            ("[notify]\ntopic = \"x\"", "topic"),
            ("[accounts.\"111122223333\"]\nmode = \"yolo\"", "yolo"),
            ("[accounts.\"42\"]\nmode = \"ask\"", "12 digits"),
            ("listen = \"here\"", "here"),
        ] {
            let error = load(text, &[]).unwrap_err().to_string();
            assert!(error.contains(key) && error.contains("ST0505"), "{error}");
        }
    }

    #[test]
    fn a_secret_in_the_file_is_refused_and_not_shown() {
        let config = load("[webhook]\ntoken = \"hunter2hunter2hunter2\"", &[]).unwrap();
        let error = config.webhook.resolve(&|_| None).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn secrets_are_references_too() {
        let config = load("[secrets]\ncrm = \"env:CRM\"", &[]).unwrap();
        assert!(config.secrets(&|_| Some("a-s3cret".to_owned())).is_ok());
        let short = config.secrets(&|_| Some("s3cret".to_owned())).unwrap_err().to_string();
        assert!(short.contains("`crm`") && !short.contains("s3cret"), "{short}");
        assert!(config.secrets(&|_| None).unwrap_err().to_string().contains("CRM"));
        let config = load("[secrets]\ncrm = \"hunter2\"", &[]).unwrap();
        let error = config.secrets(&|_| None).unwrap_err().to_string();
        assert!(error.contains("secrets.crm") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_token_is_found_where_it_is_said_to_be() {
        let secret = "a-token-of-some-length";
        let config = load("", &[("STANCH_ADMIN_TOKEN", secret)]).unwrap();
        let find = |name: &str| (name == "STANCH_ADMIN_TOKEN").then(|| secret.to_owned());
        assert_eq!(config.admin.resolve(&find).unwrap().as_deref(), Some(secret));
        assert!(config.admin.resolve(&|_| None).is_err());
        let short = |name: &str| (name == "STANCH_ADMIN_TOKEN").then(|| "short".to_owned());
        assert!(config.admin.resolve(&short).is_err());
        assert_eq!(config.webhook.resolve(&find).unwrap(), None);
    }
}
