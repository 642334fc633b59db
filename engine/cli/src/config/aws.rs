//! How AWS is called.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::RolePattern;

/// How AWS is called; AWS's own variables hold beside it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AwsConfig {
    /// Another endpoint than AWS's.
    pub endpoint_url: Option<String>,
    /// The region where an alert names none.
    pub region: Option<String>,
    /// A folder with more models, in botocore's layout.
    pub models_dir: Option<PathBuf>,
    /// The account that the organization is asked in; the base credentials' unless it is said.
    pub organization_account: Option<String>,
    /// The roles of accounts that name none of their own.
    pub roles: RolePattern,
    /// How often operations may be called, by `service:Operation` or a beginning of it and `*`.
    pub quotas: BTreeMap<String, Quota>,
}

/// How often an operation may be called, in each account and region.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub enum Quota {
    /// So many calls a second.
    PerSecond(f64),
    /// So many in the long run, and so many at once after a pause.
    Told {
        /// Calls a second.
        per_second: f64,
        /// Calls at once.
        burst: f64,
    },
}
