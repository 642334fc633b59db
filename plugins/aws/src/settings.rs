//! What the binary tells this plugin; the rest comes from AWS's own variables and files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::quota::Rate;

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
    /// The roles that calls in other accounts are made with.
    pub roles: Roles,
    /// The account that the organization is asked in; the base credentials' unless it is said.
    pub organization_account: Option<String>,
    /// How often operations may be called, by `service:Operation` or a beginning of it and `*`;
    /// for the others holds what AWS documents.
    pub quotas: BTreeMap<String, Rate>,
}

/// The roles that calls are made with: those of an account by name, and a pattern for the rest.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    /// The roles of accounts that have some of their own.
    pub accounts: BTreeMap<String, AccountRoles>,
    /// The roles of every account other than the one that the base credentials belong to, with
    /// `{account}` where the account's number goes.
    pub pattern: AccountRoles,
}

/// The roles of an account.
#[derive(Clone, Default)]
pub struct AccountRoles {
    /// The ARN of the role that reads.
    pub read: Option<String>,
    /// The ARN of the role that changes, taken only for an approved change.
    pub contain: Option<String>,
    /// The ARN of the role that runbooks act with, given to those that take one. Without it they act
    /// with all of the role that changes.
    pub automation: Option<String>,
    /// What the trust policies of the other two ask for as `sts:ExternalId`.
    pub external_id: Option<String>,
}

impl fmt::Debug for AccountRoles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountRoles")
            .field("read", &self.read)
            .field("contain", &self.contain)
            .field("automation", &self.automation)
            .finish_non_exhaustive()
    }
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
