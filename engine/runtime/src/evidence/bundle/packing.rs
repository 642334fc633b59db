//! Packing: files go into the zip as they come, and are hashed on their way.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stanch_engine_core::chain::Head;
use stanch_engine_core::custody::CustodyAction;
use stanch_engine_core::digest::{Hasher, Sha256};
use stanch_engine_core::id::IncidentId;
use stanch_engine_core::time::Timestamp;
use stanch_engine_store::custody::Stored;
use stanch_engine_store::payloads;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use zip::result::ZipResult;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use super::story;
use super::{
    ANCHORS, AUDIT, CHAIN, CHECKPOINT, Checkpoint, DETAILS, ExportError, FORMAT, FileEntry,
    HANDOVERS, ITEMS, MANIFEST, Manifest, Prepared, STAMPS, STAYS, Statement, pretty,
};
use crate::evidence::items::{Items, PIECE, pour};
use crate::evidence::keys::Keys;
use crate::report::AsOf;

/// Items from this size on are not compressed: 64 MiB. What is that large is mostly packed already,
/// and time is dearer than room.
const STORED_BYTES: u64 = 64 << 20;

/// Parts that wait for their turn.
const PARTS: usize = 1;

/// What goes into the zip, in order.
enum Part {
    /// A whole file.
    File(String, Vec<u8>),
    /// More of a file that was begun, or its beginning.
    Lines(String, Vec<u8>),
    /// An item from the disk.
    Item(Sha256),
    /// All is there.
    End,
}

pub(super) async fn write(
    prepared: Prepared,
    out: impl Write + Send + 'static,
) -> Result<(), ExportError> {
    let (parts, coming) = mpsc::channel(PARTS);
    let shared = prepared.runtime.shared.clone();
    let (keys, items) = (prepared.keys.clone(), shared.items.clone());
    let seal = Seal {
        incident: prepared.incident,
        at: prepared.at,
        chain: prepared.head,
        anchor: prepared.entries.anchor.clone(),
        broken: prepared.broken.clone(),
        keys,
    };
    let redact = prepared.redact;
    let packed =
        tokio::task::spawn_blocking(move || Pack::new(out, items, redact).all(coming, &seal));
    let told = tell(prepared, &parts).await;
    drop(parts);
    let packed = packed.await.map_err(|error| ExportError::Pack(error.to_string()))?;
    told?;
    packed.map_err(|error| ExportError::Pack(error.to_string()))
}

/// Hands over part by part; when nobody takes them any more, whoever packs says why.
async fn tell(prepared: Prepared, parts: &mpsc::Sender<Part>) -> Result<(), ExportError> {
    let Prepared { runtime, incident, head, at, records, audited, entries, .. } = prepared;
    let (named, deleted) = items_of(&records);
    let (chain, details) = lines(&records);
    drop(records);
    let of_ledger =
        [(HANDOVERS, entries.keys), (ANCHORS, entries.anchors), (STAMPS, entries.stamps)];
    let of_ledger = of_ledger.into_iter().filter(|(_, text)| !text.is_empty());
    give(parts, Part::File(CHAIN.to_owned(), chain)).await;
    give(parts, Part::File(DETAILS.to_owned(), details)).await;
    for (path, text) in of_ledger {
        give(parts, Part::File(path.to_owned(), text.into_bytes())).await;
    }
    let as_of = AsOf { chain: head, at };
    let (files, runs) = story::of_incident(&runtime, incident, as_of).await?;
    for (path, bytes) in files {
        give(parts, Part::File(path, bytes)).await;
    }
    if let Some(before) = audited {
        let mut from = Some(0);
        while let Some(first) = from {
            let (lines, next) = story::audit_page(&runtime, incident, at, first..before).await?;
            if !give(parts, Part::Lines(AUDIT.to_owned(), lines)).await {
                return Ok(());
            }
            from = next;
        }
    }
    for run in runs {
        let mut from = Some(0);
        while let Some(first) = from {
            let (lines, next) = story::journal_page(&runtime, run, first).await?;
            if !give(parts, Part::Lines(format!("journal/{run}.jsonl"), lines)).await {
                return Ok(());
            }
            from = next;
        }
    }
    for hash in named {
        let payload = runtime.store().read(|conn| Box::pin(payloads::get(conn, hash))).await?;
        let part = match payload {
            Some(text) => Part::File(format!("{ITEMS}{hash}"), text.into_bytes()),
            // The chain says why it is not there.
            None if deleted.contains(&hash) => continue,
            None => Part::Item(hash),
        };
        if !give(parts, part).await {
            return Ok(());
        }
    }
    give(parts, Part::End).await;
    Ok(())
}

/// The items that records name, and those of them that retention has deleted by now.
fn items_of(records: &[Stored]) -> (BTreeSet<Sha256>, BTreeSet<Sha256>) {
    let (mut named, mut deleted) = (BTreeSet::new(), BTreeSet::new());
    for (record, _) in records.iter().filter_map(Stored::read) {
        let Some(item) = record.item else { continue };
        named.insert(item);
        match record.action {
            CustodyAction::DeletedByRetention => deleted.insert(item),
            _ => deleted.remove(&item),
        };
    }
    (named, deleted)
}

async fn give(parts: &mpsc::Sender<Part>, part: Part) -> bool {
    parts.send(part).await.is_ok()
}

fn lines(records: &[Stored]) -> (Vec<u8>, Vec<u8>) {
    let (mut chain, mut details) = (Vec::new(), Vec::new());
    for Stored { body, detail } in records {
        chain.extend(body.as_bytes());
        chain.push(b'\n');
        details.extend(detail.as_deref().unwrap_or_default().as_bytes());
        details.push(b'\n');
    }
    (chain, details)
}

/// What is signed at the end, and by whom.
struct Seal {
    incident: IncidentId,
    at: Timestamp,
    chain: Head,
    anchor: Option<String>,
    broken: Option<String>,
    keys: Keys,
}

/// Lets bytes through until it is shut.
struct Gate<W> {
    out: W,
    is_open: Arc<AtomicBool>,
}

impl<W: Write> Write for Gate<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self.is_open.load(Ordering::Relaxed) {
            true => self.out.write(bytes),
            false => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self.is_open.load(Ordering::Relaxed) {
            true => self.out.flush(),
            false => Ok(()),
        }
    }
}

struct Pack<W: Write> {
    zip: ZipWriter<StreamWriter<BufWriter<Gate<W>>>>,
    is_open: Arc<AtomicBool>,
    items: Items,
    redact: bool,
    files: BTreeMap<String, FileEntry>,
    missing: Vec<String>,
    /// The file that is being written in pieces.
    open: Option<(String, Hasher, u64)>,
}

impl<W: Write> Pack<W> {
    fn new(out: W, items: Items, redact: bool) -> Self {
        let is_open = Arc::new(AtomicBool::new(true));
        let out = BufWriter::with_capacity(PIECE, Gate { out, is_open: is_open.clone() });
        let (files, missing, open) = Default::default();
        Self { zip: ZipWriter::new_stream(out), is_open, items, redact, files, missing, open }
    }

    fn all(mut self, coming: mpsc::Receiver<Part>, seal: &Seal) -> ZipResult<()> {
        let done = self.work(coming).and_then(|()| self.seal(seal));
        if done.is_err() {
            // The writer ends what it began when it is dropped: nothing of that goes out.
            self.is_open.store(false, Ordering::Relaxed);
            return done;
        }
        self.zip.finish()?.flush()?;
        Ok(())
    }

    fn work(&mut self, mut coming: mpsc::Receiver<Part>) -> ZipResult<()> {
        while let Some(part) = coming.blocking_recv() {
            let begun = self.open.as_ref().map(|(path, ..)| path.clone());
            let goes_on = matches!(&part, Part::Lines(path, _) if Some(path) == begun.as_ref());
            if !goes_on {
                self.close();
            }
            match part {
                Part::File(path, bytes) => {
                    self.begin(path, 0)?;
                    self.take(&bytes)?;
                    self.close();
                }
                Part::Lines(path, bytes) => {
                    if !goes_on {
                        self.begin(path, 0)?;
                    }
                    self.take(&bytes)?;
                }
                Part::Item(hash) => self.item(hash)?,
                Part::End => return Ok(()),
            }
        }
        Err(std::io::Error::other("not all of it could be read").into())
    }

    fn is_withheld(&self, path: &str) -> bool {
        self.redact && !STAYS.contains(&path)
    }

    fn begin(&mut self, path: String, bytes: u64) -> ZipResult<()> {
        if !self.is_withheld(&path) {
            self.start(&path, bytes)?;
        }
        self.open = Some((path, Hasher::default(), 0));
        Ok(())
    }

    fn start(&mut self, path: &str, bytes: u64) -> ZipResult<()> {
        let method = match bytes >= STORED_BYTES {
            true => CompressionMethod::Stored,
            false => CompressionMethod::Deflated,
        };
        // The length is written behind the bytes, and must have room there.
        let options = SimpleFileOptions::default()
            .last_modified_time(zip::DateTime::default())
            .compression_method(method)
            .large_file(true);
        self.zip.start_file(path, options)
    }

    fn take(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let redact = self.redact;
        let Some((path, hasher, count)) = &mut self.open else { return Ok(()) };
        hasher.update(bytes);
        *count += bytes.len() as u64;
        match redact && !STAYS.contains(&path.as_str()) {
            true => Ok(()),
            false => self.zip.write_all(bytes),
        }
    }

    fn close(&mut self) {
        if let Some((path, hasher, bytes)) = self.open.take() {
            let withheld = self.is_withheld(&path);
            self.files.insert(path, FileEntry { sha256: hasher.finish(), bytes, withheld });
        }
    }

    /// What the disk has under an item's name goes in as it is: whoever verifies the bundle sees
    /// that it is not what it was.
    fn item(&mut self, hash: Sha256) -> ZipResult<()> {
        let mut file = match self.items.read(hash) {
            Ok(file) => file,
            Err(error) => {
                tracing::error!(item = %hash, %error, "an item of evidence can't be read");
                self.missing.push(hash.to_string());
                return Ok(());
            }
        };
        self.begin(format!("{ITEMS}{hash}"), file.length())?;
        pour(&mut file, |piece| self.take(piece))?;
        let found = self.open.as_ref().map(|(_, hasher, _)| hasher.clone().finish());
        if found.is_some_and(|found| found != hash) {
            tracing::error!(item = %hash, "an item of evidence was changed on the disk");
        }
        self.close();
        Ok(())
    }

    fn seal(&mut self, seal: &Seal) -> ZipResult<()> {
        let manifest = pretty(&Manifest {
            format: FORMAT,
            incident: seal.incident,
            tool: format!("stanch {}", env!("CARGO_PKG_VERSION")),
            redacted: self.redact,
            files: std::mem::take(&mut self.files),
            missing: std::mem::take(&mut self.missing),
        });
        let statement = Statement {
            format: FORMAT,
            incident: seal.incident,
            at: seal.at,
            chain: seal.chain,
            manifest: Sha256::of(&manifest),
            anchor: seal.anchor.clone(),
            broken: seal.broken.clone(),
        };
        let statement = serde_json::to_string(&statement).unwrap_or_default();
        // This thread may block.
        let signed = Handle::current().block_on(seal.keys.sign(statement.as_bytes()));
        let signature = signed.map_err(std::io::Error::other)?;
        self.start(MANIFEST, 0)?;
        self.zip.write_all(&manifest)?;
        self.start(CHECKPOINT, 0)?;
        self.zip.write_all(&pretty(&Checkpoint { statement, signature }))?;
        Ok(())
    }
}
