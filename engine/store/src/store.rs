//! The store: readers, and the writer.

use std::pin::Pin;
use std::sync::Arc;

use sqlx::AnyPool;

use crate::dialect::Dialect;
use crate::error::{OpenError, StoreError};
use crate::open::{self, Connect, Options};
use crate::tx::{Conn, Tx};
use crate::writer::{CommitSink, RunCommit, SinkId, Writer, Written};

/// A future that a boxed closure returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The database. Clones share it.
#[derive(Clone)]
pub struct Store {
    dialect: Dialect,
    pub(crate) readers: AnyPool,
    /// How Postgres is listened to.
    pub(crate) listen: Option<Connect>,
    writer: Arc<Writer>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a database, brings it up to this version, and starts the writer.
    ///
    /// # Errors
    /// [`OpenError`] says why not, and has a page that says what to do.
    pub async fn open(options: Options) -> Result<Self, OpenError> {
        let opened = open::open(&options).await?;
        let (dialect, readers) = (opened.dialect, opened.readers);
        let listen = (dialect == Dialect::Postgres).then(|| {
            let url = options.listen_url.as_ref().unwrap_or(&options.url);
            Connect::to(url, options.passwords.clone())
        });
        let listen = listen.transpose()?;
        let no_thread =
            |error| OpenError::Unreachable(format!("no thread for the writer: {error}"));
        let (hook, entropy) = (options.on_commit, options.entropy);
        let writer = Writer::start(dialect, opened.connect, opened.writer, hook, entropy)
            .map_err(no_thread)?;
        Ok(Self { dialect, readers, listen, writer: Arc::new(writer) })
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Reads. What is read was committed; it may have changed by the time it is looked at.
    ///
    /// # Errors
    /// [`StoreError`] of the closure, or when no connection comes free.
    pub async fn read<T: Send>(
        &self,
        body: impl for<'a> FnOnce(&'a mut Conn<'_>) -> BoxFuture<'a, Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let mut conn = Conn { connection: &mut connection, dialect: self.dialect, entropy: None };
        let result = body(&mut conn).await;
        if matches!(result, Err(StoreError::Stale)) {
            connection.close_on_drop();
        }
        result.map_err(StoreError::told)
    }

    /// Writes: all that the closure does is committed, or nothing is. It may be called again when
    /// a commit that it shared with others failed because of one of them, or when somebody else
    /// was first.
    ///
    /// # Errors
    /// [`StoreError`] of the closure, or of the commit.
    pub async fn write<T: Send + 'static>(
        &self,
        body: impl for<'a> FnMut(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, StoreError>>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        self.writer.write(body).await.map_err(StoreError::told)
    }

    /// The same, for what many senders bring at the same time: on Postgres it does not wait for what
    /// has another `key`, nor for the appends of runs.
    ///
    /// # Errors
    /// [`StoreError`] of the closure, or of the commit.
    pub async fn write_beside<T: Send + 'static>(
        &self,
        key: &str,
        body: impl for<'a> FnMut(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, StoreError>>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        self.writer.write_beside(key, body).await.map_err(StoreError::told)
    }

    /// The same, for what comes too late when it waits: on Postgres nothing else is written in its
    /// line. It must not wait for rows that others hold.
    ///
    /// # Errors
    /// [`StoreError`] of the closure, or of the commit.
    pub async fn write_apart<T: Send + 'static>(
        &self,
        body: impl for<'a> FnMut(&'a mut Tx<'_>) -> BoxFuture<'a, Result<T, StoreError>>
        + Send
        + 'static,
    ) -> Result<T, StoreError> {
        self.writer.write_apart(body).await.map_err(StoreError::told)
    }

    /// Has the outcomes of [`Store::append`]s reported to `sink`.
    pub fn register(&self, sink: Arc<dyn CommitSink>) -> SinkId {
        self.writer.register(sink)
    }

    /// Appends to a run's journal, together with whatever else is to be committed. The outcome
    /// goes to the sink.
    pub fn append(&self, sink: SinkId, commits: Vec<RunCommit>) {
        self.writer.append(sink, commits);
    }

    /// How many transactions were committed so far.
    pub fn commits(&self) -> u64 {
        self.writer.commits()
    }

    /// What the writer measured of its work.
    pub fn written(&self) -> &Written {
        self.writer.written()
    }

    /// Why the last commit failed, if it did.
    pub fn failing(&self) -> Option<String> {
        self.writer.failing()
    }

    /// Waits until everything is written that was handed in, and closes the database.
    pub async fn close(self) {
        self.writer.drain().await;
        self.readers.close().await;
    }
}
