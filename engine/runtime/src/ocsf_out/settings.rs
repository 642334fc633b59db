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
        /// The account whose role puts them; the node's own credentials where there is none.
        account: Option<String>,
    },
    /// The bucket of a data lake, which takes Parquet.
    Lake {
        /// The bucket.
        bucket: String,
        /// The source in the lake, which has events of one class.
        source: String,
        /// The class.
        class: Class,
        /// The bucket's region.
        region: String,
        /// The account whose role puts them; the node's own credentials where there is none.
        account: Option<String>,
    },
}

impl OcsfSettings {
    /// Whether it takes few large objects, and none sooner than some minutes after the last.
    pub(super) const fn is_lake(&self) -> bool {
        matches!(self.to, OcsfTo::Lake { .. })
    }
}
