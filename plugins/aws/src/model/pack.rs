//! The pack: every service's model in one file that is compiled in.
//!
//! `xtask/src/aws_models.rs` writes it and says what its form is.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::store::ModelError;

static BYTES: &[u8] = include_bytes!("../../models/models.pack");
const MAGIC: &[u8; 8] = b"STNCHAWS";

/// More than any index is, so that a broken pack can't ask for all memory.
const INDEX_BYTES: usize = 4 * 1024 * 1024;

/// The pack that is compiled in.
pub(super) static PACK: LazyLock<Result<Pack, ModelError>> = LazyLock::new(|| Pack::read(BYTES));

/// A pack, its index read and its parts still packed.
pub(super) struct Pack {
    /// The version of botocore that the models are from.
    pub(super) botocore: Box<str>,
    /// The services by name.
    pub(super) services: BTreeMap<Box<str>, Entry>,
    /// AWS's partitions.
    pub(super) partitions: Place,
    parts: &'static [u8],
}

/// What the index says of a service.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    /// Its name.
    pub(super) name: Box<str>,
    /// The version of its API.
    pub(super) version: Box<str>,
    /// The first label of its hosts.
    pub(super) prefix: Box<str>,
    /// Its name in signatures, where that differs.
    pub(super) signing: Option<Box<str>>,
    /// Its model.
    pub(super) service: Place,
    /// How its lists are paged.
    pub(super) paginators: Option<Place>,
    /// How it is seen that something has come to be.
    pub(super) waiters: Option<Place>,
    /// Where its hosts are.
    pub(super) endpoints: Option<Place>,
}

/// Where a part lies: offset, length, length when decoded.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Place(usize, usize, usize);

#[derive(Deserialize)]
struct Index {
    botocore: Box<str>,
    partitions: Place,
    services: Vec<Entry>,
}

impl Pack {
    fn read(bytes: &'static [u8]) -> Result<Self, ModelError> {
        let broken = || ModelError::Broken("the pack of models is cut short".to_owned());
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(broken)?;
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(broken)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| broken())?;
        let (index, parts) = rest.split_at_checked(length).ok_or_else(broken)?;
        let Index { botocore, partitions, services } = decode(index, INDEX_BYTES)?;
        let services = services.into_iter().map(|entry: Entry| (entry.name.clone(), entry));
        Ok(Self { botocore, services: services.collect(), partitions, parts })
    }

    /// Decodes a part.
    pub(super) fn part<T: DeserializeOwned>(&self, place: Place) -> Result<T, ModelError> {
        let Place(offset, length, decoded) = place;
        let end = offset.saturating_add(length);
        let packed = self.parts.get(offset..end).ok_or_else(|| {
            ModelError::Broken("a part lies outside of the pack of models".to_owned())
        })?;
        decode(packed, decoded)
    }
}

fn decode<T: DeserializeOwned>(packed: &[u8], capacity: usize) -> Result<T, ModelError> {
    let broken =
        |error: &dyn std::fmt::Display| ModelError::Broken(format!("the pack of models: {error}"));
    let bytes = zstd::bulk::decompress(packed, capacity).map_err(|error| broken(&error))?;
    // Once for all of it is a tenth faster than once for each text within.
    let text = std::str::from_utf8(&bytes).map_err(|error| broken(&error))?;
    serde_json::from_str(text).map_err(|error| broken(&error))
}
