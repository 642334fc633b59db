//! Who is told what happens, and how.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use stanch_engine_core::ocsf::Class;

/// Who is told what happens, in OCSF.
#[derive(Clone, Debug)]
pub struct OcsfSettings {
    /// Its name.
    pub name: String,
    /// How.
    pub to: OcsfTo,
    /// What.
    pub classes: BTreeSet<Class>,
}

/// How events are told.
#[derive(Clone, Debug)]
pub enum OcsfTo {
    /// A file that lines are added to.
    File(PathBuf),
    /// An address that lines are posted to.
    Http {
        /// The address.
        url: String,
        /// What is sent beside.
        headers: BTreeMap<String, String>,
    },
    /// A bucket that objects of lines are put into.
    Bucket {
        /// The bucket.
        bucket: String,
        /// What the objects' names begin with.
        prefix: String,
        /// Its region.
        region: Option<String>,
    },
}
