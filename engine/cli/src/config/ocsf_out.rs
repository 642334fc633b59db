//! `[[ocsf_out]]`: who is told what happens, in OCSF.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

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
    /// The account whose `contain_role` puts objects; the node's own credentials unless it is said.
    pub account: Option<String>,
    /// The source of Security Lake whose bucket it is: objects are of Parquet, and events of one class.
    pub lake_source: Option<String>,
    /// The classes of events; all unless it is said.
    #[serde(default = "all")]
    pub classes: BTreeSet<Class>,
}

fn all() -> BTreeSet<Class> {
    Class::ALL.into_iter().collect()
}

impl OcsfOut {
    /// What is wrong with it as a source of Security Lake, if it is to be one.
    fn lake_fault(&self) -> Option<&'static str> {
        let source = self.lake_source.as_ref()?;
        let is_named = |c: char| c.is_ascii_alphanumeric() || "_-:.".contains(c);
        let is_part = |part: &str| !part.is_empty() && part != ".." && part.chars().all(is_named);
        if self.bucket.is_none() || self.file.is_some() || self.url.is_some() {
            return Some("`lake_source` goes with `bucket`, the one of the lake");
        }
        if !source.split('/').all(is_part) {
            return Some(
                "`lake_source` is the source's name in Security Lake, such as `stanch-findings`, and \
                 its version where it has one (`stanch-findings/1.0`)",
            );
        }
        if self.classes.len() != 1 {
            return Some(
                "a source of Security Lake has events of one class: say one in `classes`, and write an \
                 [[ocsf_out]] for each",
            );
        }
        if self.region.is_none() {
            return Some("`region` is missing: objects lie under the region of the lake's bucket");
        }
        let has_prefix = !self.prefix.is_empty();
        has_prefix
            .then_some("`prefix` is none here: objects lie under `ext/`, where the lake looks")
    }

    fn to(&self) -> Option<OcsfTo> {
        if let (Some(source), Some(bucket)) = (&self.lake_source, &self.bucket) {
            return Some(OcsfTo::Lake {
                bucket: bucket.clone(),
                source: source.clone(),
                class: self.classes.first().copied()?,
                region: self.region.clone()?,
                account: self.account.clone(),
            });
        }
        match (&self.file, &self.url, &self.bucket) {
            (Some(file), None, None) => Some(OcsfTo::File(file.clone())),
            (None, Some(url), None) => {
                Some(OcsfTo::Http { url: url.clone(), headers: self.headers.clone() })
            }
            (None, None, Some(bucket)) => Some(OcsfTo::Bucket {
                bucket: bucket.clone(),
                prefix: self.prefix.clone(),
                region: self.region.clone(),
                account: self.account.clone(),
            }),
            _ => None,
        }
    }
}

/// The folder that a file lies in, or would.
pub(crate) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
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

    /// Whether there is a place for every file that lines are added to. What is configured may be read
    /// on another machine; where it is to work, the folder has to be there.
    ///
    /// # Errors
    /// [`ConfigError`] names the entry.
    pub(crate) fn check_ocsf_files(&self) -> Result<(), ConfigError> {
        for sink in &self.ocsf_out {
            let Some(file) = &sink.file else { continue };
            let wrong =
                |why: String| Err(ConfigError(format!("[[ocsf_out]] `{}`: {why}", sink.name)));
            let folder = folder_of(file);
            if !folder.is_dir() {
                let folder = folder.display();
                return wrong(format!("`file`: there is no folder {folder}: make it first"));
            }
            if file.is_dir() {
                return wrong(format!("`file`: {} is a folder, and no file", file.display()));
            }
        }
        Ok(())
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
            if let Some(fault) = sink.lake_fault() {
                return wrong(fault);
            }
            if sink.account.is_some() && sink.bucket.is_none() {
                return wrong("`account` goes with `bucket`: its `contain_role` puts the objects");
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
    use super::OcsfTo;

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

    #[test]
    fn a_source_of_a_lake_has_one_class_and_lies_where_the_lake_looks() {
        let lake = "name = \"a\"\nbucket = \"b\"\nregion = \"eu-west-1\"\nlake_source = \"s/1.0\"\n\
                    classes = [\"detection_finding\"]\n";
        let good = load(&format!("[[ocsf_out]]\n{lake}account = \"111122223333\""), &[]).unwrap();
        assert!(
            matches!(&good.ocsf_sinks()[0].to, OcsfTo::Lake { source, .. } if source == "s/1.0")
        );
        for (from, to, part) in [
            ("classes = [\"detection_finding\"]\n", "", "one class"),
            ("region = \"eu-west-1\"\n", "", "`region`"),
            ("\"s/1.0\"", "\"s/../x y\"", "the source's name"),
            ("bucket = \"b\"", "file = \"b\"", "`bucket`"),
            ("region", "prefix = \"p\"\nregion", "`prefix`"),
        ] {
            let text = lake.replace(from, to);
            let error = load(&format!("[[ocsf_out]]\n{text}"), &[]).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let text = "[[ocsf_out]]\nname = \"a\"\nfile = \"x\"\naccount = \"111122223333\"";
        assert!(load(text, &[]).unwrap_err().to_string().contains("`account`"));
    }
    #[test]
    fn a_file_needs_a_folder_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let fault = |file: &std::path::Path| {
            let config =
                load(&format!("[[ocsf_out]]\nname = \"a\"\nfile = {file:?}"), &[]).unwrap();
            config.check_ocsf_files().err().map(|error| error.to_string())
        };
        assert_eq!(fault(&folder.path().join("events.ndjson")), None);
        assert_eq!(fault("events.ndjson".as_ref()), None, "beside where it is started");
        let lacks = fault(&folder.path().join("not/there/events.ndjson")).unwrap();
        assert!(lacks.contains("no folder") && lacks.contains("not/there"), "{lacks}");
        let is_folder = fault(folder.path()).unwrap();
        assert!(is_folder.contains("is a folder"), "{is_folder}");
    }
}
