//! Opening a database: connect, migrate, and read back that it will survive a power cut.

use std::path::Path;
use std::str::FromStr as _;
use std::sync::{Arc, Once};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migrate as _, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AnyPool, ConnectOptions as _, Row as _, SqlSafeStr as _};

use stanch_engine_core::world::Entropy;

use crate::dialect::Dialect;
use crate::error::OpenError;
use crate::passwords::{Passwords, Place};

/// The migrations, in their order. Released ones never change.
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "spine", include_str!("../../../migrations/0001_spine.sql")),
    (2, "generations", include_str!("../../../migrations/0002_generations.sql")),
    (3, "inbox_order", include_str!("../../../migrations/0003_inbox_order.sql")),
    (4, "schedules", include_str!("../../../migrations/0004_schedules.sql")),
    (5, "replays", include_str!("../../../migrations/0005_replays.sql")),
    (6, "restored", include_str!("../../../migrations/0006_restored.sql")),
    (7, "noise", include_str!("../../../migrations/0007_noise.sql")),
    (8, "turns", include_str!("../../../migrations/0008_turns.sql")),
    (9, "people", include_str!("../../../migrations/0009_people.sql")),
    (10, "kpis", include_str!("../../../migrations/0010_kpis.sql")),
    (11, "reconciliations", include_str!("../../../migrations/0011_reconciliations.sql")),
    (12, "trigger_cooldowns", include_str!("../../../migrations/0012_trigger_cooldowns.sql")),
    (13, "approvals", include_str!("../../../migrations/0013_approvals.sql")),
    (14, "notifications", include_str!("../../../migrations/0014_notifications.sql")),
    (15, "audit", include_str!("../../../migrations/0015_audit.sql")),
    (16, "holds", include_str!("../../../migrations/0016_holds.sql")),
    (17, "custody_details", include_str!("../../../migrations/0017_custody_details.sql")),
    (18, "ledger", include_str!("../../../migrations/0018_ledger.sql")),
    (19, "write_backs", include_str!("../../../migrations/0019_write_backs.sql")),
    (20, "ocsf_out", include_str!("../../../migrations/0020_ocsf_out.sql")),
    (21, "containments", include_str!("../../../migrations/0021_containments.sql")),
    (22, "updates", include_str!("../../../migrations/0022_updates.sql")),
    (23, "trail_audits", include_str!("../../../migrations/0023_trail_audits.sql")),
    (24, "reviews", include_str!("../../../migrations/0024_reviews.sql")),
    (25, "item_holds", include_str!("../../../migrations/0025_item_holds.sql")),
    (26, "deleted_evidence", include_str!("../../../migrations/0026_deleted_evidence.sql")),
    (27, "ledger_stamps", include_str!("../../../migrations/0027_ledger_stamps.sql")),
    (28, "incident_parts", include_str!("../../../migrations/0028_incident_parts.sql")),
    (29, "turns_by_index", include_str!("../../../migrations/0029_turns_by_index.sql")),
    (30, "vouched", include_str!("../../../migrations/0030_vouched.sql")),
];

/// Connections that read. They wait for nobody, so that a few are enough.
const READERS: u32 = 8;

/// How to open a database.
#[derive(Clone)]
pub struct Options {
    /// `sqlite://PATH` or `postgres://…`.
    pub url: String,
    /// Where Postgres is listened to; the same URL unless it is said. A pooler that hands
    /// connections out by the transaction can't be listened through.
    pub listen_url: Option<String>,
    /// Connections that read, at most.
    pub readers: u32,
    /// How long one statement may take on Postgres; nothing for as long as it takes.
    pub statement_timeout_ms: Option<u64>,
    /// Who gives the passwords for Postgres, in place of the one in the URL.
    pub passwords: Option<Arc<dyn Passwords>>,
    /// Called before and after every commit: tests crash there.
    pub on_commit: Option<CommitHook>,
    /// What nobody can guess; nothing where nothing is said in confidence.
    pub entropy: Option<Arc<dyn Entropy>>,
}

/// What is called around every commit.
pub type CommitHook = Arc<dyn Fn(CommitPoint) + Send + Sync>;

/// Where in a commit the hook is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitPoint {
    /// Everything is decided and nothing is durable.
    Before,
    /// Everything is durable and nobody knows.
    After,
}

impl Options {
    /// The options for a URL, with nothing special.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            listen_url: None,
            readers: READERS,
            statement_timeout_ms: None,
            passwords: None,
            on_commit: None,
            entropy: None,
        }
    }
}

/// The URL of a database file.
pub fn sqlite_url(path: &Path) -> String {
    let mut url = String::from("sqlite://");
    for character in path.to_string_lossy().chars() {
        match character {
            '%' => url.push_str("%25"),
            '?' => url.push_str("%3F"),
            '#' => url.push_str("%23"),
            ' ' => url.push_str("%20"),
            other => url.push(other),
        }
    }
    url
}

/// A database that was opened: how to connect for writing, and the connections that read.
pub(crate) struct Opened {
    pub(crate) dialect: Dialect,
    pub(crate) connect: Connect,
    pub(crate) writer: AnyConnection,
    pub(crate) readers: AnyPool,
}

/// Makes connections that are set up as they must be.
#[derive(Clone)]
pub(crate) struct Connect {
    dialect: Dialect,
    options: AnyConnectOptions,
    passwords: Option<Arc<dyn Passwords>>,
    statement_timeout_ms: u64,
}

/// Where Postgres listens when its URL does not say so.
const POSTGRES_PORT: u16 = 5432;

impl Connect {
    pub(crate) fn to(url: &str, passwords: Option<Arc<dyn Passwords>>) -> Result<Self, OpenError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let dialect = Dialect::of_url(url).ok_or_else(|| OpenError::Url(hide_password(url)))?;
        let create = dialect == Dialect::Sqlite && !url.contains('?');
        let url = if create { format!("{url}?mode=rwc") } else { url.to_owned() };
        let options = AnyConnectOptions::from_str(&url)
            .map_err(|_| OpenError::Url(hide_password(&url)))?
            .disable_statement_logging();
        let passwords = passwords.filter(|_| dialect == Dialect::Postgres);
        Ok(Self { dialect, options, passwords, statement_timeout_ms: 0 })
    }

    /// How a connection is made now.
    async fn options(&self) -> Result<AnyConnectOptions, sqlx::Error> {
        let mut options = self.options.clone();
        if let Some(passwords) = &self.passwords {
            let place = Place {
                host: self.options.database_url.host_str().unwrap_or_default(),
                port: self.options.database_url.port().unwrap_or(POSTGRES_PORT),
                user: self.options.database_url.username(),
            };
            let password = passwords.password(place).await;
            let password = password.map_err(|why| sqlx::Error::Configuration(why.into()))?;
            let set = options.database_url.set_password(Some(&password));
            set.map_err(|()| sqlx::Error::Configuration("its URL takes no password".into()))?;
        }
        Ok(options)
    }

    /// The URL by which a connection is made now, with its password.
    pub(crate) async fn url(&self) -> Result<String, sqlx::Error> {
        Ok(self.options().await?.database_url.to_string())
    }

    /// A connection that writes.
    pub(crate) async fn writer(&self) -> Result<AnyConnection, sqlx::Error> {
        let mut connection = self.options().await?.connect().await?;
        self.set_up(&mut connection, false).await?;
        Ok(connection)
    }

    async fn readers(&self, most: u32) -> Result<AnyPool, sqlx::Error> {
        let connect = self.clone();
        let pool = AnyPoolOptions::new()
            .max_connections(most.max(1))
            .acquire_timeout(Duration::from_secs(10))
            // A connection to a file does not die, and asking it costs as much as a read.
            .test_before_acquire(self.dialect == Dialect::Postgres)
            .after_connect(move |connection, _| {
                let connect = connect.clone();
                Box::pin(async move { connect.set_up(connection, true).await })
            })
            .connect_with(self.options().await?)
            .await?;
        if let Some(passwords) = &self.passwords {
            tokio::spawn(renew(self.clone(), pool.clone(), passwords.lasts_ms()));
        }
        Ok(pool)
    }

    async fn set_up(
        &self,
        connection: &mut AnyConnection,
        reads_only: bool,
    ) -> Result<(), sqlx::Error> {
        set_up(connection, self.dialect, reads_only).await?;
        if self.dialect == Dialect::Postgres && self.statement_timeout_ms > 0 {
            sqlx::query("SELECT set_config('statement_timeout', $1, false)")
                .bind(format!("{}ms", self.statement_timeout_ms))
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }
}

/// Keeps the password fresh with which the pool makes its next connections, until it is closed.
async fn renew(connect: Connect, pool: AnyPool, lasts_ms: u64) {
    let mut times = tokio::time::interval(Duration::from_millis((lasts_ms / 2).max(1)));
    times.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let renewing = async {
        times.tick().await;
        loop {
            times.tick().await;
            match connect.options().await {
                Ok(options) => pool.set_connect_options(options),
                Err(error) => tracing::warn!(%error, "no new password for the database"),
            }
        }
    };
    let _: Result<(), _> = pool.close_event().do_until(renewing).await;
}

fn hide_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!(
                "{}…{}",
                url.get(..scheme + 3).unwrap_or_default(),
                url.get(at..).unwrap_or_default()
            )
        }
        _ => url.to_owned(),
    }
}

async fn set_up(
    connection: &mut AnyConnection,
    dialect: Dialect,
    reads_only: bool,
) -> Result<(), sqlx::Error> {
    let settings: &[&'static str] = match (dialect, reads_only) {
        (Dialect::Postgres, _) => &[],
        (Dialect::Sqlite, false) => &[
            "PRAGMA busy_timeout = 10000",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA foreign_keys = ON",
        ],
        (Dialect::Sqlite, true) => &["PRAGMA busy_timeout = 10000", "PRAGMA query_only = ON"],
    };
    for setting in settings {
        sqlx::query(*setting).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Opens a database, brings it up to this version, and reads back that it is durable.
pub(crate) async fn open(options: &Options) -> Result<Opened, OpenError> {
    let mut connect = Connect::to(&options.url, options.passwords.clone())?;
    // A migration takes as long as it takes.
    let mut writer = connect.writer().await.map_err(unreachable_database)?;
    migrate(&mut writer).await?;
    connect.statement_timeout_ms = options.statement_timeout_ms.unwrap_or_default();
    connect.set_up(&mut writer, false).await.map_err(unreachable_database)?;
    can_be_written(&mut writer, connect.dialect).await?;
    read_back(&mut writer, connect.dialect).await?;
    let readers = connect.readers(options.readers).await.map_err(unreachable_database)?;
    Ok(Opened { dialect: connect.dialect, connect, writer, readers })
}

pub(crate) fn unreachable_database(error: sqlx::Error) -> OpenError {
    OpenError::Unreachable(error.to_string())
}

async fn migrate(writer: &mut AnyConnection) -> Result<(), OpenError> {
    let migrations = MIGRATIONS.iter().map(|(version, name, sql)| {
        let kind = MigrationType::Simple;
        Migration::new(*version, (*name).into(), kind, sql.into_sql_str(), false)
    });
    let migrator = Migrator::with_migrations(migrations.collect());
    let known = newest();
    writer.ensure_migrations_table("_sqlx_migrations").await.map_err(migration_error)?;
    let applied =
        writer.list_applied_migrations("_sqlx_migrations").await.map_err(migration_error)?;
    if let Some(newer) = applied.iter().map(|m| m.version).find(|version| *version > known) {
        return Err(OpenError::Newer(newer));
    }
    migrator.run(writer).await.map_err(migration_error)
}

/// The newest migration that this version knows.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.iter().map(|(version, ..)| *version).max().unwrap_or_default()
}

/// Connections that read, to a database that is there. A file is not made.
pub(crate) async fn readers(options: &Options) -> Result<(Dialect, AnyPool), OpenError> {
    let is_file = Dialect::of_url(&options.url) == Some(Dialect::Sqlite);
    let is_plain = is_file && !options.url.contains('?');
    let url = if is_plain { format!("{}?mode=rw", options.url) } else { options.url.clone() };
    let mut connect = Connect::to(&url, options.passwords.clone())?;
    connect.statement_timeout_ms = options.statement_timeout_ms.unwrap_or_default();
    let readers = connect.readers(options.readers).await.map_err(unreachable_database)?;
    Ok((connect.dialect, readers))
}

fn migration_error(error: MigrateError) -> OpenError {
    match error {
        MigrateError::VersionMissing(version) => OpenError::Newer(version),
        MigrateError::VersionMismatch(version) => OpenError::Different(version),
        other => OpenError::Unreachable(other.to_string()),
    }
}

/// A file that can only be read is opened like any other.
async fn can_be_written(writer: &mut AnyConnection, dialect: Dialect) -> Result<(), OpenError> {
    if dialect == Dialect::Sqlite {
        let write = "UPDATE _sqlx_migrations SET success = success";
        for statement in [dialect.begin(), write, "ROLLBACK"] {
            sqlx::query(statement).execute(&mut *writer).await.map_err(unreachable_database)?;
        }
    }
    Ok(())
}

/// Settings that are asked for are not always settings that are taken: a file system may refuse
/// WAL, a server may have been told to forget.
pub(crate) async fn read_back(
    writer: &mut AnyConnection,
    dialect: Dialect,
) -> Result<(), OpenError> {
    let wanted: &[(&'static str, &[&str], &str)] = match dialect {
        Dialect::Sqlite => &[
            ("PRAGMA journal_mode", &["wal"], "journal_mode"),
            ("PRAGMA synchronous", &["2", "3"], "synchronous"),
        ],
        Dialect::Postgres => &[
            ("SHOW fsync", &["on"], "fsync"),
            ("SHOW full_page_writes", &["on"], "full_page_writes"),
            (
                "SHOW synchronous_commit",
                &["on", "remote_write", "remote_apply"],
                "synchronous_commit",
            ),
        ],
    };
    for (question, good, name) in wanted {
        let row =
            sqlx::query(*question).fetch_one(&mut *writer).await.map_err(unreachable_database)?;
        let text = row
            .try_get::<String, _>(0)
            .or_else(|_| row.try_get::<i64, _>(0).map(|n| n.to_string()));
        let text = text.map_err(unreachable_database)?;
        if !good.contains(&text.as_str()) {
            return Err(OpenError::NotDurable(format!(
                "{name} is `{text}`, and must be {}",
                good.join(" or ")
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let Err(error) = Connect::to("mysql://ann:secret@host/db", None) else {
            panic!("it is no database")
        };
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn every_migration_in_the_folder_is_in_the_list() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
        let files = std::fs::read_dir(folder)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "sql"));
        assert_eq!(files.count(), MIGRATIONS.len());
    }
}
