//! `stanch evidence …`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Evidence {
    /// Lists the items of an incident, with their hashes.
    List {
        /// The incident's id.
        incident: String,
    },
    /// Adds a file of any size. It is hashed here and there, and kept when both are the same.
    Add {
        /// The incident's id.
        incident: String,
        /// The file.
        file: PathBuf,
        /// What to call it; the file's name unless it is said.
        #[arg(long)]
        label: Option<String>,
        /// What its bytes are, such as text/csv.
        #[arg(
            long = "type",
            value_name = "MEDIA_TYPE",
            default_value = "application/octet-stream"
        )]
        media_type: String,
        /// Where it comes from, and why it is evidence; it goes into the record.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Lays a legal hold on an incident: retention moves and deletes nothing of it.
    Hold {
        /// The incident's id.
        incident: String,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
    /// Lifts the legal hold of an incident.
    Release {
        /// The incident's id.
        incident: String,
        /// Why; it goes into the record.
        #[arg(long)]
        reason: String,
    },
    /// Moves all evidence to where the configuration says that it lies, with no server at work.
    Move {
        /// Where it lay before: `folder`, that of the data folder, or `s3://BUCKET/PREFIX`.
        #[arg(long, default_value = "folder")]
        from: String,
        /// The region of that bucket; that of the configuration unless it is said.
        #[arg(long)]
        region: Option<String>,
        /// Who moves it; it goes into the records.
        #[arg(long)]
        person: String,
        /// Why; it goes into the records.
        #[arg(long)]
        reason: String,
    },
    /// Has the key that signs hand over to a new one. Bundles of before are proved as before.
    RotateKey {
        /// Why; it goes into the ledger.
        #[arg(long)]
        reason: String,
    },
}
