//! An item whose bytes come from elsewhere: written and hashed by a thread that may block, while they
//! come.

use bytes::Bytes;
use stanch_engine_core::step::ErrorKind;
use stanch_plugins_sdk::{ActionError, BoxFuture, Sink};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::items::{Draft, ItemError, Items, Kept};

/// Pieces that wait to be kept: what comes faster waits, and does not fill the memory.
const PIECES: usize = 4;

/// An item on its way in. Whoever drops it before it is kept leaves nothing.
pub(crate) struct Incoming {
    pieces: mpsc::Sender<Option<Bytes>>,
    written: JoinHandle<Result<Option<Kept>, ItemError>>,
}

impl Incoming {
    /// Begins to take an item in.
    pub(crate) fn begin(items: Items) -> Self {
        let (pieces, coming) = mpsc::channel(PIECES);
        let written = tokio::task::spawn_blocking(move || write(items.begin()?, coming));
        Self { pieces, written }
    }

    /// Takes in more bytes.
    ///
    /// # Errors
    /// When the disk or the bucket says no.
    pub(crate) async fn add(&mut self, piece: Bytes) -> Result<(), ItemError> {
        // Who writes has ended only where it failed, which its end then says.
        let _ = self.pieces.send(Some(piece)).await;
        if !self.pieces.is_closed() {
            return Ok(());
        }
        match (&mut self.written).await {
            Ok(Err(error)) => Err(error),
            Ok(Ok(_)) => Err(too_early()),
            Err(error) => Err(lost(error)),
        }
    }

    /// Keeps what came, durably.
    ///
    /// # Errors
    /// When the disk or the bucket says no; nothing is kept then.
    pub(crate) async fn keep(self) -> Result<Kept, ItemError> {
        let _ = self.pieces.send(None).await;
        let kept = self.written.await.map_err(lost)??;
        kept.ok_or_else(too_early)
    }
}

impl Sink for Incoming {
    fn take(&mut self, piece: Bytes) -> BoxFuture<'_, Result<(), ActionError>> {
        Box::pin(async move {
            let kept = self.add(piece).await;
            kept.map_err(|why| ActionError::new(ErrorKind::Transient, "evidence", why.to_string()))
        })
    }
}

/// Writes what comes; nothing is kept when it ends without its end.
fn write(
    mut draft: Draft,
    mut coming: mpsc::Receiver<Option<Bytes>>,
) -> Result<Option<Kept>, ItemError> {
    while let Some(piece) = coming.blocking_recv() {
        match piece {
            Some(piece) => draft.write(&piece)?,
            None => return draft.keep().map(Some),
        }
    }
    Ok(None)
}

fn too_early() -> ItemError {
    lost("its end came too early")
}

fn lost(why: impl std::fmt::Display) -> ItemError {
    ItemError::Disk(std::io::Error::other(why.to_string()))
}
