//! What the binary tells this plugin; the rest comes from AWS's own variables and files.

use std::fmt;
use std::path::PathBuf;

/// Settings of the plugin. Each one that is not given comes from where AWS's own tools take it.
#[derive(Clone, Debug, Default)]
pub struct AwsSettings {
    /// A folder of service models beside those that are compiled in, laid out as
    /// `SERVICE/VERSION/service-2.json`.
    pub models_dir: Option<PathBuf>,
    /// Where every call goes, instead of AWS's hosts.
    pub endpoint_url: Option<String>,
    /// The region of calls that name none.
    pub default_region: Option<String>,
    /// The credentials of every call, for the demo and for tests.
    pub credentials: Option<StaticCredentials>,
}

/// Credentials that are given and not looked for.
#[derive(Clone, PartialEq, Eq)]
pub struct StaticCredentials {
    /// The id of the access key.
    pub access_key_id: String,
    /// The key itself.
    pub secret_access_key: String,
    /// The token of a session.
    pub session_token: Option<String>,
}

impl fmt::Debug for StaticCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticCredentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}
