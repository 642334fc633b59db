//! `[[ocsf_out]]`: who is told what happens, in OCSF.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::Deserialize;
use stanch_engine_core::ocsf::Class;
use stanch_engine_runtime::settings::{OcsfSettings, OcsfTo};

use super::{Config, ConfigError};

/// One who is told. Exactly one of `file`, `url` and `bucket` says how.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OcsfOut {
    /// Its name, by which it is known how far it was told.
    pub name: String,
    /// A file that lines are added to.
    pub file: Option<PathBuf>,
    /// An address that lines are posted to.
    pub url: Option<String>,
    /// What is sent to the address beside, such as `Bearer {{secret:siem}}`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A bucket that objects of lines are put into.
    pub bucket: Option<String>,
    /// What the objects' names begin with.
    #[serde(default)]
    pub prefix: String,
    /// The bucket's region.
    pub region: Option<String>,
    /// The classes of events; all unless it is said.
    #[serde(default = "all")]
    pub classes: BTreeSet<Class>,
}

fn all() -> BTreeSet<Class> {
    Class::ALL.into_iter().collect()
}

impl OcsfOut {
    fn to(&self) -> Option<OcsfTo> {
        match (&self.file, &self.url, &self.bucket) {
            (Some(file), None, None) => Some(OcsfTo::File(file.clone())),
            (None, Some(url), None) => {
                Some(OcsfTo::Http { url: url.clone(), headers: self.headers.clone() })
            }
            (None, None, Some(bucket)) => Some(OcsfTo::Bucket {
                bucket: bucket.clone(),
                prefix: self.prefix.clone(),
                region: self.region.clone(),
            }),
            _ => None,
        }
    }
}

impl Config {
    /// Who is told.
    pub(crate) fn ocsf_sinks(&self) -> Vec<OcsfSettings> {
        let told = |sink: &OcsfOut| {
            let (name, classes) = (sink.name.clone(), sink.classes.clone());
            Some(OcsfSettings { name, to: sink.to()?, classes })
        };
        self.ocsf_out.iter().filter_map(told).collect()
    }

    /// # Errors
    /// [`ConfigError`] names the entry.
    pub(super) fn check_ocsf_out(&self) -> Result<(), ConfigError> {
        let mut seen = BTreeSet::new();
        for sink in &self.ocsf_out {
            let wrong =
                |why: &str| Err(ConfigError(format!("[[ocsf_out]] `{}`: {why}", sink.name)));
            if sink.name.trim().is_empty() {
                return wrong("`name` is empty");
            }
            if !seen.insert(&sink.name) {
                return wrong("there are two of this name");
            }
            if sink.to().is_none() {
                return wrong("say one of `file`, `url` and `bucket`");
            }
            let is_http = |url: &String| url.starts_with("https://") || url.starts_with("http://");
            if sink.url.as_ref().is_some_and(|url| !is_http(url)) {
                return wrong("`url` begins with https://");
            }
            if sink.classes.is_empty() {
                return wrong("`classes` is empty: it would be told nothing");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;

    #[test]
    fn one_way_and_a_name_of_its_own() {
        let good = load("[[ocsf_out]]\nname = \"a\"\nfile = \"/tmp/x\"", &[]).unwrap();
        assert_eq!(good.ocsf_sinks()[0].classes.len(), 3);
        for (text, part) in [
            ("name = \"a\"", "one of"),
            ("name = \"a\"\nfile = \"x\"\nurl = \"https://x\"", "one of"),
            ("name = \"\"\nfile = \"x\"", "`name`"),
            ("name = \"a\"\nurl = \"ftp://x\"", "https://"),
            ("name = \"a\"\nfile = \"x\"\nclasses = []", "`classes`"),
            ("name = \"a\"\nfile = \"x\"\nclasses = [\"process_activity\"]", "process_activity"),
            (
                "name = \"a\"\nfile = \"x\"\n[[ocsf_out]]\nname = \"a\"\nfile = \"y\"",
                "two of this name",
            ),
        ] {
            let error = load(&format!("[[ocsf_out]]\n{text}"), &[]).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
