//! `stanch aws …`.

use std::path::PathBuf;

use std::net::SocketAddr;

use clap::{Args, Subcommand};
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(crate) enum Aws {
    /// Calls an operation.
    Call {
        /// Such as iam:ListUsers.
        operation: String,
        /// Its parameters, a JSON object; `-` reads standard input, `@FILE` a file.
        #[arg(long, default_value = "{}", value_name = "JSON")]
        params: String,
        /// The region.
        #[arg(long)]
        region: Option<String>,
        /// Another endpoint than AWS's.
        #[arg(long, value_name = "URL")]
        endpoint_url: Option<String>,
        /// A folder with more models, in botocore's layout.
        #[arg(long, value_name = "DIR")]
        models: Option<PathBuf>,
        /// Fetches every page.
        #[arg(long)]
        paginate: bool,
        /// The idempotency token, a UUID, of operations that take one; a new one each time unless
        /// it is said. With the token of a call whose answer was lost, it is the same call.
        #[arg(long, value_name = "UUID")]
        idempotency_token: Option<Uuid>,
    },
    /// Shows what is known of a service or an operation.
    Describe {
        /// Such as iam, or iam:GetUser.
        what: String,
        /// A folder with more models, in botocore's layout.
        #[arg(long, value_name = "DIR")]
        models: Option<PathBuf>,
    },
    /// Shows where a service is called.
    Endpoint {
        /// Such as iam.
        service: String,
        /// The region.
        #[arg(long, required_unless_present = "params")]
        region: Option<String>,
        /// What the endpoint rules are told, by the names that they know: a JSON object such as
        /// {"Region": "us-east-1", "Bucket": "b", "Accelerate": true}. `-` reads standard input,
        /// `@FILE` a file.
        #[arg(long, value_name = "JSON")]
        params: Option<String>,
        /// The FIPS endpoint.
        #[arg(long)]
        fips: bool,
        /// The dual-stack endpoint.
        #[arg(long)]
        dualstack: bool,
        /// A folder with more models, in botocore's layout.
        #[arg(long, value_name = "DIR")]
        models: Option<PathBuf>,
    },
    /// Plays AWS on this machine: every service, by AWS's own models.
    Sandbox(Sandbox),
}

#[derive(Debug, Args)]
pub(crate) struct Sandbox {
    /// The address to listen at.
    #[arg(long, default_value = "127.0.0.1:4599", value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// The account that is played.
    #[arg(long, default_value = "111122223333", value_name = "N")]
    pub(crate) account: String,
    /// Answers, faults and state, in TOML or JSON (docs/sandbox.md).
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// A folder with more models, in botocore's layout.
    #[arg(long, value_name = "DIR")]
    pub(crate) models: Option<PathBuf>,
    /// A file that gets a line of JSON for each call.
    #[arg(long, value_name = "FILE")]
    pub(crate) log: Option<PathBuf>,
    /// Files of CloudTrail, or folders of them, for cloudtrail:LookupEvents.
    #[arg(long, value_name = "PATH")]
    pub(crate) trail: Vec<PathBuf>,
    /// Begins with the account of `stanch demo`.
    #[arg(long, conflicts_with = "account")]
    pub(crate) demo: bool,
    /// Of what is not played, a look finds nothing and a change is refused. Without it, any
    /// operation is answered in the right shape.
    #[arg(long)]
    pub(crate) only_played: bool,
}
