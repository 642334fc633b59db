//! An object of a bucket that is read in ranges, all of one version.

use std::io::Read;

use serde_json::{Value, json};

use super::Bucket;

/// What is asked for at once: 4 MiB.
const RANGE_BYTES: u64 = 4 << 20;

/// An object that is read from its beginning to its end.
#[derive(Debug)]
pub(in crate::evidence::items) struct Object {
    bucket: Bucket,
    /// Its key, without what begins all keys.
    key: String,
    /// What tells its version from others.
    tag: Option<String>,
    bytes: u64,
    /// Where the next range begins.
    next: u64,
    range: Vec<u8>,
    /// How much of the range was read.
    read: usize,
}

impl Object {
    pub(super) fn new(bucket: Bucket, key: String, head: &Value) -> Self {
        let tag = head.get("ETag").and_then(Value::as_str).map(str::to_owned);
        let bytes = head.get("ContentLength").and_then(Value::as_u64).unwrap_or(0);
        Self { bucket, key, tag, bytes, next: 0, range: Vec::new(), read: 0 }
    }

    /// How many bytes it has.
    pub(in crate::evidence::items) fn length(&self) -> u64 {
        self.bytes
    }

    fn fetch(&mut self) -> std::io::Result<()> {
        let end = self.bytes.min(self.next + RANGE_BYTES);
        let range = format!("bytes={}-{}", self.next, end - 1);
        let mut params = self.bucket.of(&self.key, [("Range", json!(range))]);
        if let Some(tag) = &self.tag {
            params.insert("IfMatch".to_owned(), json!(tag));
        }
        // The range before is over: two of them are never in memory.
        self.range = Vec::new();
        let found = self.bucket.carry("s3:GetObject", params, None);
        let (_, range) = found.map_err(|error| std::io::Error::other(self.bucket.says(error)))?;
        self.range = range;
        self.read = 0;
        let wanted = end - self.next;
        if self.range.len() as u64 != wanted {
            let came = self.range.len();
            let why = format!("{came} bytes of {} came, and {wanted} were asked for", self.key);
            return Err(std::io::Error::other(self.bucket.says(why)));
        }
        self.next = end;
        Ok(())
    }
}

impl Read for Object {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.read >= self.range.len() && self.next < self.bytes {
            self.fetch()?;
        }
        let rest = self.range.get(self.read..).unwrap_or_default();
        let count = rest.len().min(into.len());
        if let (Some(into), Some(from)) = (into.get_mut(..count), rest.get(..count)) {
            into.copy_from_slice(from);
        }
        self.read += count;
        Ok(count)
    }
}
