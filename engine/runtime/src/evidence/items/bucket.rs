//! Items in a bucket of S3.
//!
//! | key | what |
//! |---|---|
//! | `items/HASH` | the bytes of an item that is sent as one piece |
//! | `large/NODE/ID` | the bytes of one that is sent in parts: its hash is known only at its end |
//! | `where/HASH` | under which key the bytes of such an item are, and how many |
//!
//! Nothing is ever deleted or written over, but for what is no longer what it was: an item's bytes lie
//! in the bucket, under their lock, before its name does.

mod draft;
mod object;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::effect::Effect;
use stanch_engine_core::id::NodeId;
use stanch_engine_core::span::Span;
use stanch_engine_core::world::World;
use stanch_plugins_sdk::{ActionError, Catalogue};
use tokio::runtime::Handle;

use super::ItemError;
use crate::own_call::OwnCall;
use crate::settings::BucketSettings;
pub(super) use draft::Draft;
pub(super) use object::Object;

/// How long one call may take: a part, by a slow line.
const PATIENCE: Span = Span::from_secs(300);

/// What S3 says to whoever would write over what is there.
const TAKEN: [&str; 2] = ["PreconditionFailed", "http_412"];

/// What it says of what is not there.
const MISSING: [&str; 3] = ["NoSuchKey", "NotFound", "http_404"];

/// What it says of an upload that is over.
const OVER: &str = "NoSuchUpload";

/// A bucket, and what begins its keys.
#[derive(Clone)]
pub(crate) struct Bucket(Arc<Inner>);

struct Inner {
    settings: BucketSettings,
    name: String,
    node: NodeId,
    call: OwnCall,
    handle: Handle,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Bucket").field(&self.0.name).finish()
    }
}

/// Where the bytes of an item are that was sent in parts.
#[derive(Debug, Serialize, Deserialize)]
struct Where {
    /// Their key, without what begins all keys.
    key: String,
    bytes: u64,
}

/// An upload that has not ended.
#[derive(Debug)]
pub(crate) struct Unfinished {
    /// Its key in the bucket.
    key: String,
    id: String,
    /// The node that began it, where its key says one.
    pub(crate) node: Option<NodeId>,
}

impl Bucket {
    /// A bucket that `node` keeps items in. Nothing is sent yet. It must be called inside a Tokio
    /// runtime.
    pub(crate) fn new(
        settings: BucketSettings,
        node: NodeId,
        world: World,
        catalogue: Catalogue,
    ) -> Self {
        let name = format!("s3://{}/{}", settings.bucket, settings.prefix);
        let (purpose, region, patience) = ("evidence", settings.region.clone(), PATIENCE);
        let (account, granted) = (None, Effect::Destroy);
        let call = OwnCall { world, catalogue, purpose, account, region, granted, patience };
        Self(Arc::new(Inner { settings, name, node, call, handle: Handle::current() }))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Begins an item whose bytes are still to come.
    pub(super) fn begin(&self) -> Draft {
        Draft::new(self.clone())
    }

    /// The bytes with this name, to be read piece by piece.
    ///
    /// # Errors
    /// When the bucket says no, or there are none.
    pub(super) fn read(&self, hash: Sha256) -> Result<Object, ItemError> {
        let key = item_key(hash);
        if let Some(head) = self.head(&key)? {
            return Ok(Object::new(self.clone(), key, &head));
        }
        let pointed = self.pointed(hash)?.ok_or_else(|| self.says("it is not there"))?;
        let head = self.head(&pointed.key)?;
        let head = head.ok_or_else(|| self.says("its bytes are not there any more"))?;
        Ok(Object::new(self.clone(), pointed.key, &head))
    }

    /// The names of all items.
    ///
    /// # Errors
    /// When the bucket says no.
    pub(super) fn all(&self) -> Result<Vec<Sha256>, ItemError> {
        let mut all = Vec::new();
        for kind in ["items/", "where/"] {
            let (prefix, mut token) = (format!("{}{kind}", self.0.settings.prefix), Value::Null);
            loop {
                let mut params = self.params([("Prefix", json!(prefix))]);
                if !token.is_null() {
                    params.insert("ContinuationToken".to_owned(), token);
                }
                let page = self.ask("s3:ListObjectsV2", params).map_err(|e| self.says(e))?;
                let objects = page.get("Contents").and_then(Value::as_array).into_iter().flatten();
                let name = |object: &Value| {
                    object.get("Key")?.as_str()?.strip_prefix(&prefix)?.parse::<Sha256>().ok()
                };
                all.extend(objects.filter_map(name));
                token = page.get("NextContinuationToken").cloned().unwrap_or_default();
                if token.is_null() {
                    break;
                }
            }
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    /// Uploads of items that were begun and have not ended.
    ///
    /// # Errors
    /// In words, when the bucket says no.
    pub(crate) async fn unfinished(&self) -> Result<Vec<Unfinished>, String> {
        let prefix = format!("{}large/", self.0.settings.prefix);
        let params = self.params([("Prefix", json!(prefix))]);
        let found = self.call("s3:ListMultipartUploads", params).await;
        let found = found.map_err(|error| error.to_string())?;
        let uploads = found.get("Uploads").and_then(Value::as_array).into_iter().flatten();
        let read = |upload: &Value| {
            let text = |member: &str| upload.get(member)?.as_str().map(str::to_owned);
            let (key, id) = (text("Key")?, text("UploadId")?);
            let node = key.strip_prefix(&prefix)?.split('/').next()?.parse().ok();
            Some(Unfinished { key, id, node })
        };
        Ok(uploads.filter_map(read).collect())
    }

    /// Gives an upload up, with all of its parts.
    ///
    /// # Errors
    /// In words, when the bucket says no.
    pub(crate) async fn abort(&self, upload: &Unfinished) -> Result<(), String> {
        let params = self.params([("Key", json!(upload.key)), ("UploadId", json!(upload.id))]);
        match self.call("s3:AbortMultipartUpload", params).await {
            Err(error) if error.code != OVER => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    /// Whether its objects can be locked at all.
    pub(crate) fn has_locks(&self) -> bool {
        self.0.settings.lock.is_some()
    }

    /// Lays a legal hold on the bytes of an item, or lifts it. What is not there can't be held, and
    /// is found missing when it is read.
    ///
    /// # Errors
    /// In words, when the bucket says no.
    pub(crate) async fn hold(&self, hash: Sha256, is_on: bool) -> Result<(), String> {
        let bucket = self.clone();
        let held = tokio::task::spawn_blocking(move || bucket.hold_all(hash, is_on)).await;
        held.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    fn hold_all(&self, hash: Sha256, is_on: bool) -> Result<(), ItemError> {
        let status = if is_on { "ON" } else { "OFF" };
        let pointed = self.pointed(hash)?.map(|pointed| pointed.key);
        let keys = match pointed {
            Some(key) => vec![where_key(hash), key],
            None => vec![item_key(hash)],
        };
        for key in keys {
            let params = self.of(&key, [("LegalHold", json!({"Status": status}))]);
            match self.ask("s3:PutObjectLegalHold", params) {
                Err(error) if !is_missing(&error) => return Err(self.says(error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Sees to it that nobody can take an object out before its time is over, counted from now.
    fn retain(&self, key: &str) -> Result<(), ItemError> {
        let Some(lock) = self.retention() else { return Ok(()) };
        let params = self.of(key, [("Retention", lock)]);
        self.ask("s3:PutObjectRetention", params).map(drop).map_err(|error| self.says(error))
    }

    fn retention(&self) -> Option<Value> {
        let lock = self.0.settings.lock?;
        let until = self.0.call.world.now().plus_ms(lock.days.saturating_mul(86_400_000));
        Some(json!({"Mode": lock.mode.as_str(), "RetainUntilDate": until.to_string()}))
    }

    /// Puts an object that is sent as one piece; false when there is one already.
    fn put(&self, key: &str, bytes: &Bytes, over: bool) -> Result<bool, ItemError> {
        let mut params = self.of(key, [("ChecksumAlgorithm", json!("SHA256"))]);
        if !over {
            params.insert("IfNoneMatch".to_owned(), json!("*"));
        }
        if let Some(Value::Object(mut lock)) = self.retention() {
            let mut set = |name: &str, value: Option<Value>| {
                value.map(|value| params.insert(name.to_owned(), value))
            };
            set("ObjectLockMode", lock.remove("Mode"));
            set("ObjectLockRetainUntilDate", lock.remove("RetainUntilDate"));
        }
        self.encrypted(&mut params);
        match self.carry("s3:PutObject", params, Some(bytes.clone())) {
            Ok(_) => Ok(true),
            Err(error) if TAKEN.contains(&error.code.as_str()) => Ok(false),
            Err(error) => Err(self.says(error)),
        }
    }

    /// Keeps an object that has these bytes. One that is there already is left, for longer, when S3
    /// says that it has the same, and is replaced when it has others.
    fn keep(&self, key: &str, bytes: &Bytes, hash: Sha256) -> Result<(), ItemError> {
        if self.put(key, bytes, false)? {
            return Ok(());
        }
        let head = self.head(key)?;
        let stated = head.as_ref().and_then(|head| head.get("ChecksumSHA256")?.as_str());
        if stated == Some(STANDARD.encode(hash.bytes()).as_str()) {
            return self.retain(key);
        }
        tracing::warn!(
            place = self.name(),
            key,
            "an object of evidence was changed, and is put anew"
        );
        self.put(key, bytes, true).map(drop)
    }

    /// What is said of an object; nothing when there is none.
    fn head(&self, key: &str) -> Result<Option<Value>, ItemError> {
        let params = self.of(key, [("ChecksumMode", json!("ENABLED"))]);
        match self.ask("s3:HeadObject", params) {
            Ok(head) => Ok(Some(head)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.says(error)),
        }
    }

    /// Where the bytes of an item are that was sent in parts.
    fn pointed(&self, hash: Sha256) -> Result<Option<Where>, ItemError> {
        let found = match self.carry("s3:GetObject", self.of(&where_key(hash), []), None) {
            Ok((_, found)) => found,
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(self.says(error)),
        };
        let read = serde_json::from_slice(&found).map(Some);
        read.map_err(|error| self.says(format!("where {hash} lies can't be read: {error}")))
    }

    fn encrypted(&self, params: &mut Map<String, Value>) {
        if let Some(key) = &self.0.settings.encryption_key {
            params.insert("ServerSideEncryption".to_owned(), json!("aws:kms"));
            params.insert("SSEKMSKeyId".to_owned(), json!(key));
        }
    }

    fn says(&self, why: impl std::fmt::Display) -> ItemError {
        ItemError::Bucket { place: self.0.name.clone(), why: why.to_string() }
    }

    fn params<const N: usize>(&self, more: [(&str, Value); N]) -> Map<String, Value> {
        let mut params: Map<String, Value> =
            more.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        params.insert("Bucket".to_owned(), json!(self.0.settings.bucket));
        params
    }

    /// Parameters of a call about an object.
    fn of<const N: usize>(&self, key: &str, more: [(&str, Value); N]) -> Map<String, Value> {
        let mut params = self.params(more);
        params.insert("Key".to_owned(), json!(format!("{}{key}", self.0.settings.prefix)));
        params
    }

    /// Asks the bucket, from a thread that may block.
    fn ask(&self, operation: &str, params: Map<String, Value>) -> Result<Value, ActionError> {
        self.0.handle.block_on(self.call(operation, params))
    }

    /// The same with content beside the parameters, and beside the answer.
    fn carry(
        &self,
        operation: &str,
        params: Map<String, Value>,
        body: Option<Bytes>,
    ) -> Result<(Value, Vec<u8>), ActionError> {
        self.0.handle.block_on(self.0.call.carried(operation, Value::Object(params), body))
    }

    async fn call(
        &self,
        operation: &str,
        params: Map<String, Value>,
    ) -> Result<Value, ActionError> {
        self.0.call.repeated(operation, Value::Object(params)).await
    }
}

fn is_missing(error: &ActionError) -> bool {
    MISSING.contains(&error.code.as_str())
}

fn item_key(hash: Sha256) -> String {
    format!("items/{hash}")
}

fn where_key(hash: Sha256) -> String {
    format!("where/{hash}")
}
