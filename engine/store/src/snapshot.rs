//! Copies of a SQLite database while another process writes to it, and whether a file is a whole
//! database. Postgres has its own tools for both.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use crate::error::OpenError;

/// The file of a database of SQLite, as its URL names it; nothing for another database.
pub fn sqlite_path(url: &str) -> Option<PathBuf> {
    url.starts_with("sqlite:")
        .then(|| SqliteConnectOptions::from_str(url).ok())
        .flatten()
        .map(|options| options.get_filename().to_owned())
}

/// Copies a database into a file that is not there yet, as it stands at one moment, whoever writes
/// to it meanwhile. The copy is synced.
///
/// # Errors
/// [`OpenError::Unreachable`] when there is no such database, or the disk says no.
pub async fn copy(database: &Path, to: &Path) -> Result<(), OpenError> {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(false)
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(|e| unreachable_file(database, &e))?;
    let target = to.to_string_lossy().into_owned();
    let copied = sqlx::query("VACUUM INTO ?1").bind(target).execute(&mut connection).await;
    let closed = connection.close().await;
    copied.map_err(|e| unreachable_file(database, &e))?;
    closed.map_err(|e| unreachable_file(database, &e))?;
    let synced = std::fs::File::open(to).and_then(|file| file.sync_all());
    synced.map_err(|error| OpenError::Unreachable(format!("{}: {error}", to.display())))
}

/// Reads a whole database through, and says whether every page of it is what it must be.
///
/// # Errors
/// [`OpenError::Unreachable`] when it is no database, or is damaged.
pub async fn check(database: &Path) -> Result<(), OpenError> {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .create_if_missing(false)
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(|e| unreachable_file(database, &e))?;
    let said = sqlx::query("PRAGMA integrity_check(1)").fetch_one(&mut connection).await;
    let said = said.and_then(|row| row.try_get::<String, _>(0));
    let closed = connection.close().await;
    let said = said.map_err(|e| unreachable_file(database, &e))?;
    closed.map_err(|e| unreachable_file(database, &e))?;
    match said.as_str() {
        "ok" => Ok(()),
        damage => Err(OpenError::Unreachable(format!("{}: {damage}", database.display()))),
    }
}

fn unreachable_file(database: &Path, error: &sqlx::Error) -> OpenError {
    OpenError::Unreachable(format!("{}: {error}", database.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::open::sqlite_url;

    #[test]
    fn a_url_names_its_file() {
        let path = Path::new("/a b/50%#?.db");
        assert_eq!(sqlite_path(&sqlite_url(path)).as_deref(), Some(path));
        assert_eq!(sqlite_path("postgres://ann@host/db"), None);
    }
}
