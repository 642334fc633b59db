//! An item on its way into a bucket: what fits into one part is sent as one piece under its hash, and
//! what does not is sent part by part while it comes, and gets its name at its end.

use bytes::{Bytes, BytesMut};
use serde_json::{Map, Value, json};
use stanch_engine_core::digest::{Hasher, Sha256};

use super::{Bucket, OVER, Unfinished, Where, where_key};
use crate::evidence::items::{ItemError, Kept};

/// Bytes of a part: 8 MiB. S3 takes no fewer than 5 MiB, and each part is in memory while it is sent.
const PART_BYTES: usize = 8 << 20;

/// Parts of that size, at most; the ones after them have [`LATE_PART_BYTES`]. So an item of 39 GiB
/// needs no more memory than a small one, and one of 195 GiB still comes in.
const EARLY_PARTS: usize = 5_000;

/// Bytes of the parts of the largest items: 32 MiB.
const LATE_PART_BYTES: usize = 32 << 20;

/// Parts that S3 takes of one object
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const PARTS: usize = 10_000;

/// Bytes of the largest item.
const MOST_BYTES: u64 = (EARLY_PARTS * PART_BYTES + (PARTS - EARLY_PARTS) * LATE_PART_BYTES) as u64;

/// An item whose bytes are coming. When it is dropped before it is kept, nothing of it stays.
pub(in crate::evidence::items) struct Draft {
    bucket: Bucket,
    /// The part that is being filled.
    part: BytesMut,
    upload: Option<Upload>,
    hasher: Hasher,
    bytes: u64,
}

/// What has been sent of it.
struct Upload {
    /// Its key, without what begins all keys.
    key: String,
    id: String,
    /// The parts that S3 has, as it wants to hear of them at the end.
    parts: Vec<Value>,
}

impl Draft {
    pub(super) fn new(bucket: Bucket) -> Self {
        let (part, upload, hasher, bytes) = Default::default();
        Self { bucket, part, upload, hasher, bytes }
    }

    /// Takes in more bytes.
    ///
    /// # Errors
    /// When the bucket says no, or they are too many.
    pub(in crate::evidence::items) fn write(&mut self, mut bytes: &[u8]) -> Result<(), ItemError> {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let sent = self.upload.as_ref().map_or(0, |upload| upload.parts.len());
            let size = if sent < EARLY_PARTS { PART_BYTES } else { LATE_PART_BYTES };
            // Only when more comes: what fits into one part is no upload.
            if self.part.len() >= size {
                self.send()?;
                continue;
            }
            let (now, later) = bytes.split_at(bytes.len().min(size - self.part.len()));
            self.part.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    /// Sends the part that was filled.
    fn send(&mut self) -> Result<(), ItemError> {
        let mut upload = match self.upload.take() {
            Some(upload) => upload,
            None => self.bucket.begin_upload()?,
        };
        let sent = self.bucket.send_part(&mut upload, self.part.split().freeze());
        self.upload = Some(upload);
        sent
    }

    /// Keeps what came, durably.
    ///
    /// # Errors
    /// When the bucket says no; nothing is kept then.
    pub(in crate::evidence::items) fn keep(mut self) -> Result<Kept, ItemError> {
        let kept = Kept { sha256: self.hasher.clone().finish(), bytes: self.bytes };
        if self.upload.is_none() {
            let key = super::item_key(kept.sha256);
            self.bucket.keep(&key, &self.part.split().freeze(), kept.sha256)?;
            return Ok(kept);
        }
        self.send()?;
        if self.bucket.has_large(kept)? {
            // Whoever drops it gives the upload up.
            return Ok(kept);
        }
        if let Some(upload) = &self.upload {
            self.bucket.end_upload(upload, kept)?;
        }
        self.upload = None;
        Ok(kept)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let Some(Upload { key, id, .. }) = self.upload.take() else { return };
        let bucket = self.bucket.clone();
        let key = format!("{}{key}", bucket.0.settings.prefix);
        let upload = Unfinished { key, id, node: None };
        let aborted = async move {
            if let Err(why) = bucket.abort(&upload).await {
                tracing::warn!(place = bucket.name(), %why, "an upload is given up later");
            }
        };
        drop(self.bucket.0.handle.spawn(aborted));
    }
}

impl Bucket {
    fn begin_upload(&self) -> Result<Upload, ItemError> {
        let inner = &self.0;
        let key = format!("large/{}/{:032x}", inner.node, inner.call.world.entropy.next());
        let mut params = self.of(&key, [("ChecksumAlgorithm", json!("SHA256"))]);
        self.encrypted(&mut params);
        let begun = self.ask("s3:CreateMultipartUpload", params).map_err(|e| self.says(e))?;
        let id = begun.get("UploadId").and_then(Value::as_str);
        let id = id.ok_or_else(|| self.says("an upload has no id"))?.to_owned();
        Ok(Upload { key, id, parts: Vec::new() })
    }

    fn send_part(&self, upload: &mut Upload, bytes: Bytes) -> Result<(), ItemError> {
        if upload.parts.len() >= PARTS {
            return Err(ItemError::TooLarge(MOST_BYTES));
        }
        let number = upload.parts.len() + 1;
        let params = self.of(
            &upload.key,
            [
                ("UploadId", json!(upload.id)),
                ("PartNumber", json!(number)),
                ("ChecksumAlgorithm", json!("SHA256")),
            ],
        );
        let sent = self.carry("s3:UploadPart", params, Some(bytes));
        let (sent, _) = sent.map_err(|error| self.says(error))?;
        let mut part = Map::new();
        part.insert("PartNumber".to_owned(), json!(number));
        for member in ["ETag", "ChecksumSHA256"] {
            if let Some(said) = sent.get(member).filter(|said| !said.is_null()) {
                part.insert(member.to_owned(), said.clone());
            }
        }
        upload.parts.push(Value::Object(part));
        Ok(())
    }

    /// Whether the bytes of such an item are there already; they are kept for longer then.
    fn has_large(&self, kept: Kept) -> Result<bool, ItemError> {
        let Some(pointed) = self.pointed(kept.sha256)? else { return Ok(false) };
        let head = self.head(&pointed.key)?;
        let length = head.as_ref().and_then(|head| head.get("ContentLength")?.as_u64());
        if pointed.bytes != kept.bytes || length != Some(kept.bytes) {
            tracing::warn!(place = self.name(), item = %kept.sha256, "an item is not all there any \
                more, and is put anew");
            return Ok(false);
        }
        self.retain(&pointed.key)?;
        self.retain(&where_key(kept.sha256))?;
        Ok(true)
    }

    /// Puts the parts together, under their lock, and then says where they lie. Where two do that at
    /// once, one of the two objects stays without a name.
    fn end_upload(&self, upload: &Upload, kept: Kept) -> Result<(), ItemError> {
        let parts = json!({"Parts": upload.parts});
        let more = [("UploadId", json!(upload.id)), ("MultipartUpload", parts)];
        let ended = self.ask("s3:CompleteMultipartUpload", self.of(&upload.key, more));
        let ended = match ended {
            // An attempt before this one ended it, and its answer got lost.
            Err(error) if error.code == OVER && self.head(&upload.key)?.is_some() => Ok(()),
            ended => ended.map(drop),
        };
        ended.map_err(|error| self.says(error))?;
        self.retain(&upload.key)?;
        let pointed = Where { key: upload.key.clone(), bytes: kept.bytes };
        let text = Bytes::from(serde_json::to_vec(&pointed).map_err(|error| self.says(error))?);
        self.keep(&where_key(kept.sha256), &text, Sha256::of(&text))
    }
}
