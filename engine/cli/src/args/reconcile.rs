//! `stanch reconcile …`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum Reconcile {
    /// Shows, for each detector, account and region, until when all was compared.
    Status,
    /// Compares all of it now, and shows what came of it.
    Now,
}
