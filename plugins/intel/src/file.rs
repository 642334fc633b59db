//! A file that is read again when it changes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use stanch_plugins_sdk::core::span::Span;
use stanch_plugins_sdk::core::time::Timestamp;

use crate::Unfit;

/// Bytes of a file, at most: all of it is held in memory.
const MOST_BYTES: u64 = 512 * 1024 * 1024;

/// A file, and what it was read as.
pub(crate) struct Watched<T> {
    path: PathBuf,
    read: fn(Vec<u8>) -> Result<T, String>,
    every: Span,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Arc<T>,
    changed: Option<SystemTime>,
    bytes: u64,
    looked_at: Timestamp,
    /// Why what is there now can't be read.
    failure: Option<String>,
}

impl<T> Watched<T> {
    pub(crate) fn open(
        path: PathBuf,
        read: fn(Vec<u8>) -> Result<T, String>,
        every: Span,
        now: Timestamp,
    ) -> Result<Self, Unfit> {
        let unfit = |why: String| Unfit { path: path.display().to_string(), why };
        let (changed, bytes) = stamp(&path).map_err(unfit)?;
        let value = load(&path, bytes, read).map_err(unfit)?;
        let value = Arc::new(value);
        let state = State { value, changed, bytes, looked_at: now, failure: None };
        Ok(Self { path, read, every, state: Mutex::new(state) })
    }

    /// What the file says, and why it may be old. It blocks where the file is due and has changed.
    pub(crate) fn get(&self, now: Timestamp) -> (Arc<T>, Option<String>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.ms_since(state.looked_at) >= self.every.ms {
            state.looked_at = now;
            self.look(&mut state);
        }
        (state.value.clone(), state.failure.clone())
    }

    fn look(&self, state: &mut State<T>) {
        let loaded = stamp(&self.path).and_then(|(changed, bytes)| {
            let is_same = changed == state.changed && bytes == state.bytes;
            if is_same && state.failure.is_none() {
                return Ok(None);
            }
            Ok(Some((load(&self.path, bytes, self.read)?, changed, bytes)))
        });
        match loaded {
            Ok(None) => {}
            Ok(Some((value, changed, bytes))) => {
                state.value = Arc::new(value);
                (state.changed, state.bytes, state.failure) = (changed, bytes, None);
            }
            Err(why) => state.failure = Some(format!("{}: {why}", self.path.display())),
        }
    }
}

fn stamp(path: &std::path::Path) -> Result<(Option<SystemTime>, u64), String> {
    let about = std::fs::metadata(path).map_err(|error| error.to_string())?;
    Ok((about.modified().ok(), about.len()))
}

fn load<T>(
    path: &std::path::Path,
    bytes: u64,
    read: fn(Vec<u8>) -> Result<T, String>,
) -> Result<T, String> {
    if bytes > MOST_BYTES {
        return Err(format!("it has {bytes} bytes, and {MOST_BYTES} are the most"));
    }
    read(std::fs::read(path).map_err(|error| error.to_string())?)
}
