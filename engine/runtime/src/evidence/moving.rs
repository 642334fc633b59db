//! Moves evidence to where the configuration says that it lies, from where it lay before: from the data
//! folder into a bucket, from a bucket into another, or back.
//!
//! Item by item: its bytes are copied, read back and held against their hash; then the chains of its
//! incidents say that it was moved; and only then the bytes of before go, where Stanch may delete: in a
//! folder. Whoever is stopped in the middle begins again, and has lost nothing: what is there already is
//! not copied again, and what was recorded is not recorded twice.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::digest::{Hasher, Sha256};
use stanch_engine_core::id::NodeId;
use stanch_engine_core::limits;
use stanch_engine_core::span::Span;
use stanch_engine_core::world::World;
use stanch_engine_store::custody::{self, NewRecord};
use stanch_engine_store::{Store, StoreError, item_holds, item_moves, nodes, settings};
use stanch_plugins_sdk::Catalogue;

use super::items::{Bucket, ItemError, Items, pour};
use crate::peers::EVIDENCE_FOLDER;
use crate::settings::BucketSettings;

/// For how long a node that has said nothing may still be at work.
const SILENT: Span = Span::from_secs(30);

/// Where evidence lies.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a folder.
    Folder(PathBuf),
    /// In a bucket.
    Bucket(BucketSettings),
}

/// What is to be moved, and by whose word.
#[derive(Debug)]
pub struct Move {
    /// Where it lay before.
    pub from: Place,
    /// Where the configuration says that it lies.
    pub to: Place,
    /// Who moves it.
    pub person: String,
    /// Why.
    pub reason: String,
    /// Whether nobody else can be at work on the database: a lock says so.
    pub is_alone: bool,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Items that lie where they are to lie, and lay where they lay before.
    pub items: u64,
    /// How many of them were copied now.
    pub copied: u64,
    /// Records in custody chains that say so.
    pub records: u64,
    /// Whether the bytes of before stay, since Stanch deletes nothing in a bucket.
    pub stays: bool,
    /// Items that are not what they were where they lay before, and were left there.
    pub damaged: Vec<Sha256>,
}

/// Why not all is moved. What was moved until then is moved, and the rest is where it was.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// It can't be asked for.
    #[error("{0}")]
    BadRequest(String),
    /// Nodes are at work, and would look for evidence where it is not.
    #[error("{0} nodes are at work on this database: stop them, move, and start them anew")]
    AtWork(i64),
    /// The disk or the bucket.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A fault of this program.
    #[error("moving has failed: {0}")]
    Lost(String),
}

/// Both places, and who moves.
struct Mover {
    world: World,
    store: Store,
    from: Items,
    to: Items,
    person: String,
    reason: String,
}

/// Moves all of it. It must be called inside a Tokio runtime.
///
/// # Errors
/// [`MoveError`] says what to do; to call it again goes on where it ended.
pub async fn run(
    world: &World,
    store: &Store,
    catalogue: &Catalogue,
    wanted: Move,
) -> Result<Moved, MoveError> {
    let Move { from, to, person, reason, is_alone } = wanted;
    for (name, text) in [("the person", &person), ("the reason", &reason)] {
        if text.trim().is_empty() || text.chars().count() > limits::REASON_CHARS {
            let most = limits::REASON_CHARS;
            let why = format!("{name} has from 1 to {most} characters: they go into the records");
            return Err(MoveError::BadRequest(why));
        }
    }
    let node = world.id(NodeId::new);
    if !is_alone {
        nobody_works(world, store, node).await?;
    }
    if let Place::Folder(folder) = &from
        && !folder.is_dir()
    {
        let why = format!("there is no evidence in {}", folder.display());
        return Err(MoveError::BadRequest(why));
    }
    let open = |place: Place| match place {
        Place::Folder(folder) => Items::open(folder, world.entropy.next()),
        Place::Bucket(settings) => {
            let bucket = Bucket::new(settings, node, world.clone(), catalogue.clone());
            Ok(Items::in_bucket(bucket))
        }
    };
    let (from, to) = (open(from)?, open(to)?);
    if from.name() == to.name() {
        let why = format!("evidence lies in {} already", to.place());
        return Err(MoveError::BadRequest(why));
    }
    let mover = Mover { world: world.clone(), store: store.clone(), from, to, person, reason };
    mover.all().await
}

async fn nobody_works(world: &World, store: &Store, node: NodeId) -> Result<(), MoveError> {
    let now = world.now();
    let others = store.read(|conn| {
        Box::pin(async move {
            let clock = nodes::clock(conn, now).await?;
            nodes::others(conn, node, clock.plus_ms(-SILENT.ms)).await
        })
    });
    match others.await? {
        0 => Ok(()),
        others => Err(MoveError::AtWork(others)),
    }
}

/// How the bytes of an item came over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    Copied,
    WereThere,
    Damaged,
}

impl Mover {
    async fn all(&self) -> Result<Moved, MoveError> {
        let stays = self.from.bucket().is_some();
        let mut moved = Moved { stays, ..Moved::default() };
        let items = self.from.clone();
        for item in blocking(move || items.all()).await? {
            let (from, to) = (self.from.clone(), self.to.clone());
            let came = blocking(move || bring(&from, &to, item)).await?;
            if came == Came::Damaged {
                moved.damaged.push(item);
                continue;
            }
            moved.items += 1;
            moved.copied += u64::from(came == Came::Copied);
            moved.records += self.record(item).await?;
            if !stays {
                let from = self.from.clone();
                blocking(move || from.remove(item)).await?;
            }
        }
        let name = Arc::new(self.to.name().to_owned());
        let named = self.store.write(move |tx| {
            let name = name.clone();
            Box::pin(async move { settings::set(tx, EVIDENCE_FOLDER, &name).await })
        });
        named.await?;
        Ok(moved)
    }

    /// Writes into the chain of each incident that has an item where it lies now, unless that was written
    /// before; gives how many records.
    async fn record(&self, item: Sha256) -> Result<u64, StoreError> {
        let now = self.world.now();
        let (from, to) = (self.from.place(), self.to.place());
        let place = self.to.name().to_owned();
        let parts = Arc::new((place, from, to, self.person.clone(), self.reason.clone()));
        let written = self.store.write(move |tx| {
            let parts = parts.clone();
            Box::pin(async move {
                let (place, from, to, person, reason) = &*parts;
                let rows = item_moves::elsewhere(tx, item, place).await?;
                for row in &rows {
                    let record = NewRecord {
                        incident: row.incident,
                        at: now,
                        actor: person.clone(),
                        action: CustodyAction::Moved,
                        item: Some(item),
                        detail: json!({
                            "evidence": row.id, "label": row.label, "bytes": row.bytes, "from": from,
                            "to": to, "reason": reason,
                            "tool": {"name": "stanch", "version": env!("CARGO_PKG_VERSION")},
                        }),
                    };
                    custody::append(tx, &record).await?;
                }
                item_moves::moved(tx, item, place).await?;
                // A legal hold on its object of before is none on that of now.
                item_holds::let_go(tx, item).await?;
                Ok(rows.len() as u64)
            })
        });
        written.await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ItemError> + Send + 'static,
) -> Result<T, MoveError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|error| MoveError::Lost(error.to_string()))??)
}

/// Sees to it that an item lies where it is to lie, whole. It blocks.
fn bring(from: &Items, to: &Items, item: Sha256) -> Result<Came, ItemError> {
    if is_whole(to, item) {
        return Ok(Came::WereThere);
    }
    let (mut reading, mut draft) = (from.read(item)?, to.begin()?);
    let mut hasher = Hasher::default();
    pour(&mut reading, |piece| {
        hasher.update(piece);
        draft.write(piece)
    })?;
    if hasher.finish() != item {
        // Whoever drops the draft leaves nothing.
        return Ok(Came::Damaged);
    }
    draft.keep()?;
    match is_whole(to, item) {
        true => Ok(Came::Copied),
        false => Err(ItemError::Changed(item)),
    }
}

/// Whether the bytes with this name are there and are what they were.
fn is_whole(items: &Items, item: Sha256) -> bool {
    let Ok(mut reading) = items.read(item) else { return false };
    let mut hasher = Hasher::default();
    let read = pour(&mut reading, |piece| {
        hasher.update(piece);
        Ok::<_, std::io::Error>(())
    });
    read.is_ok() && hasher.finish() == item
}
