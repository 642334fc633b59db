//! The keys that requests to the sandbox are signed with.

use std::collections::BTreeMap;

use stanch_plugins_sdk::core::digest::Sha256;
use stanch_plugins_sdk::core::time::Timestamp;

use crate::settings::StaticCredentials;

/// A key.
#[derive(Clone)]
pub(super) struct Key {
    /// The key itself.
    pub(super) secret: String,
    /// The token that goes with it, of a session.
    pub(super) session_token: Option<String>,
    /// When the session ends.
    pub(super) expires_at: Option<Timestamp>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Every key that is known, by its id.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(BTreeMap<String, Key>);

impl Keys {
    /// Knows a key from now on.
    pub(super) fn add(&mut self, id: impl Into<String>, key: Key) {
        self.0.insert(id.into(), key);
    }

    /// Knows credentials from now on.
    pub(super) fn add_credentials(&mut self, credentials: StaticCredentials) {
        let StaticCredentials { access_key_id, secret_access_key, session_token } = credentials;
        let key = Key { secret: secret_access_key, session_token, expires_at: None };
        self.add(access_key_id, key);
    }

    /// Forgets a key.
    pub(super) fn remove(&mut self, id: &str) {
        self.0.remove(id);
    }

    /// The key of an id.
    pub(super) fn get(&self, id: &str) -> Option<&Key> {
        self.0.get(id)
    }
}

/// The secret of a key that the sandbox makes: the same for the same id, and of the form that AWS
/// gives it.
pub(super) fn secret_of(id: &str) -> String {
    let digest = Sha256::of(format!("the sandbox's secret of {id}"));
    aws_smithy_types::base64::encode(digest.bytes()).chars().take(40).collect()
}
