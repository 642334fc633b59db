//! `stanch aws …`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Aws {
    /// Calls an operation.
    Call {
        /// Such as iam:ListUsers.
        operation: String,
        /// Its parameters, a JSON object.
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
        #[arg(long)]
        region: String,
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
}
