//! Where models come from: the pack, and a folder beside it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use stanch_plugins_sdk::core::suggest;

use super::names;
use super::pack::{Entry, PACK, Pack};
use super::paginator::{Paginator, Paginators};
use super::service::{Model, Operation};
use super::waiter::{Waiter, Waiters};
use crate::rules::{Partitions, RuleSet};

/// Why models can't be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ModelError {
    /// What is compiled in, or lies in the folder, is not a model.
    #[error("{0}")]
    Broken(String),
    /// The folder can't be read.
    #[error("can't read {path}: {why}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        why: String,
    },
}

/// Why a name leads to no operation.
#[derive(Clone, Debug, thiserror::Error)]
pub enum UnknownOperation {
    /// It is no operation's. It says so in words, with the nearest name that there is.
    #[error("{0}")]
    Name(String),
    /// The model of its service can't be read.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl UnknownOperation {
    /// The code of the error that it becomes.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "unknown_operation",
            Self::Model(_) => "bad_model",
        }
    }
}

/// An operation and the model that it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Named {
    /// The service's model.
    pub model: &'static Model,
    /// The operation.
    pub operation: &'static Operation,
    /// How its list comes in pages, if it does.
    pub paginator: Option<&'static Paginator>,
    /// Where the service's hosts are.
    pub(crate) rules: Option<&'static RuleSet>,
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.model.name, self.operation.name)
    }
}

/// What was read of a service.
struct Read {
    model: Model,
    pages: Paginators,
    waiters: Waiters,
    rules: Option<RuleSet>,
}

/// What was read of a service, for the life of the process.
type Loaded = &'static Read;

/// Every model that there is. A model is read when it is first asked for.
#[derive(Default)]
pub struct ModelStore {
    extra: BTreeMap<Box<str>, PathBuf>,
    loaded: Mutex<BTreeMap<Box<str>, Loaded>>,
    /// Operations that were asked for before. There are as many as are called, and no more.
    found: Mutex<HashMap<Box<str>, Named>>,
}

/// The models of the pack, read once however many stores there are.
static PACKED: Mutex<BTreeMap<Box<str>, Loaded>> = Mutex::new(BTreeMap::new());

impl ModelStore {
    /// Opens the pack and, if one is given, a folder of models: `SERVICE/VERSION/service-2.json`,
    /// with `paginators-1.json`, `waiters-2.json` and `endpoint-rule-set-1.json` beside it, each
    /// also as `….json.gz`. What the folder has takes the place of the pack's.
    ///
    /// # Errors
    /// When the folder can't be listed, or holds no model.
    pub fn open(folder: Option<&Path>) -> Result<Self, ModelError> {
        let extra = folder.map(newest_of_each_service).transpose()?.unwrap_or_default();
        pack()?;
        Ok(Self { extra, ..Self::default() })
    }

    /// The version of botocore that the pack is from.
    ///
    /// # Errors
    /// When the pack is broken.
    pub fn version(&self) -> Result<&'static str, ModelError> {
        Ok(&pack()?.botocore)
    }

    /// AWS's partitions.
    pub(crate) fn partitions(&self) -> Result<&'static Partitions, ModelError> {
        static PARTITIONS: LazyLock<Result<Partitions, ModelError>> =
            LazyLock::new(|| pack().and_then(|pack| pack.part(pack.partitions)));
        PARTITIONS.as_ref().map_err(Clone::clone)
    }

    /// The names of all services.
    pub fn services(&self) -> BTreeSet<&str> {
        let packed = pack().map(|pack| pack.services.keys()).into_iter().flatten();
        packed.chain(self.extra.keys()).map(|name| &**name).collect()
    }

    /// The model of a service, by botocore's name or the prefix that policies use.
    ///
    /// # Errors
    /// [`UnknownOperation`] when there is no such service or its model is broken.
    pub fn service(&self, name: &str) -> Result<&'static Model, UnknownOperation> {
        self.service_and_rules(name).map(|(model, _)| model)
    }

    /// The same, with the rules of its hosts.
    pub(crate) fn service_and_rules(
        &self,
        name: &str,
    ) -> Result<(&'static Model, Option<&'static RuleSet>), UnknownOperation> {
        let names = self.named_like(name);
        let first = names.first().ok_or_else(|| self.no_service(name))?;
        let read = self.load(first)?;
        Ok((&read.model, read.rules.as_ref()))
    }

    /// The operation of a name such as `iam:ListUsers`. Where policies give several services one
    /// prefix, it is looked for in each of them.
    ///
    /// # Errors
    /// [`UnknownOperation`], with the nearest name that there is.
    pub fn operation(&self, name: &str) -> Result<Named, UnknownOperation> {
        let kept = || self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(named) = kept().get(name) {
            return Ok(*named);
        }
        let named = self.look_up(name)?;
        kept().insert(name.into(), named);
        Ok(named)
    }

    fn look_up(&self, name: &str) -> Result<Named, UnknownOperation> {
        let (service, operation) = name.split_once(':').ok_or_else(|| {
            UnknownOperation::Name(format!("`{name}` is not of the form `service:Operation`"))
        })?;
        let candidates = self.named_like(service);
        if candidates.is_empty() {
            return Err(self.no_service(service));
        }
        let mut known = Vec::new();
        for candidate in candidates {
            let Read { model, pages, rules, .. } = self.load(&candidate)?;
            if let Some((name, operation)) = model.operations.get_key_value(operation) {
                let paginator = pages.pagination.get(name);
                return Ok(Named { model, operation, paginator, rules: rules.as_ref() });
            }
            known.extend(model.operations.keys().map(|name| &**name));
        }
        Err(UnknownOperation::Name(format!(
            "`{service}` has no operation `{operation}`{}",
            suggest::hint(operation, known)
        )))
    }

    /// The waiter of a name such as `ec2:InstanceStopped`, and botocore's name of its service.
    ///
    /// # Errors
    /// [`UnknownOperation`], with the nearest name that there is.
    pub fn waiter(&self, name: &str) -> Result<(&'static str, &'static Waiter), UnknownOperation> {
        let (service, waiter) = name.split_once(':').ok_or_else(|| {
            UnknownOperation::Name(format!("`{name}` is not of the form `service:Waiter`"))
        })?;
        let mut known = Vec::new();
        for candidate in self.named_like(service) {
            let read = self.load(&candidate)?;
            if let Some(waiter) = read.waiters.waiters.get(waiter) {
                return Ok((&read.model.name, waiter));
            }
            known.extend(read.waiters.waiters.keys().map(|name| &**name));
        }
        let hint = suggest::hint(waiter, known);
        Err(UnknownOperation::Name(format!("`{service}` has no waiter `{waiter}`{hint}")))
    }

    /// The names of a service's waiters.
    ///
    /// # Errors
    /// [`UnknownOperation`] when there is no such service or its model is broken.
    pub fn waiters(&self, service: &str) -> Result<Vec<&'static str>, UnknownOperation> {
        let names = self.named_like(service);
        let first = names.first().ok_or_else(|| self.no_service(service))?;
        let read = self.load(first)?;
        Ok(read.waiters.waiters.keys().map(|name| &**name).collect())
    }

    fn no_service(&self, name: &str) -> UnknownOperation {
        let hint = suggest::hint(name, self.services());
        UnknownOperation::Name(format!("there is no AWS service `{name}`{hint}"))
    }

    /// The services that a name may mean, as botocore names them: the one of exactly that name
    /// before those that share it as a prefix of policies, of hosts or in signatures.
    pub(crate) fn named_like(&self, name: &str) -> Vec<Box<str>> {
        let exact = self.extra.get_key_value(name).map(|(name, _)| name.clone());
        let entries = pack().map(|pack| pack.services.values()).into_iter().flatten();
        let mut packed: Vec<&Entry> =
            entries.filter(|entry| names::is_meant(name, entry)).collect();
        packed.sort_by_key(|entry| (*entry.name != *name, std::cmp::Reverse(&entry.version)));
        let packed = packed.into_iter().map(|entry| entry.name.clone());
        exact
            .clone()
            .into_iter()
            .chain(packed.filter(|name| Some(name) != exact.as_ref()))
            .collect()
    }

    fn load(&self, name: &str) -> Result<Loaded, ModelError> {
        if let Some(folder) = self.extra.get(name) {
            return once(&self.loaded, name, || read_folder(folder));
        }
        once(&PACKED, name, || {
            let pack = pack()?;
            let entry = pack
                .services
                .get(name)
                .ok_or_else(|| ModelError::Broken(format!("there is no model of `{name}`")))?;
            let pages = entry.paginators.map(|place| pack.part(place)).transpose()?;
            let waiters = entry.waiters.map(|place| pack.part(place)).transpose()?;
            Ok(Read {
                model: pack.part(entry.service)?,
                pages: pages.unwrap_or_default(),
                waiters: waiters.unwrap_or_default(),
                rules: entry.endpoints.map(|place| pack.part(place)).transpose()?,
            })
        })
    }
}

fn pack() -> Result<&'static Pack, ModelError> {
    PACK.as_ref().map_err(Clone::clone)
}

/// Looks a model up, or reads and keeps it. The lock is held while it is read, so that two
/// callers don't both do it.
fn once(
    kept: &Mutex<BTreeMap<Box<str>, Loaded>>,
    name: &str,
    read: impl FnOnce() -> Result<Read, ModelError>,
) -> Result<Loaded, ModelError> {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = kept.get(name) {
        return Ok(loaded);
    }
    let mut read = read()?;
    if let Some(shape) = read.model.missing_shape() {
        return Err(ModelError::Broken(format!("the model of `{name}` lacks the shape `{shape}`")));
    }
    read.model.name = name.into();
    for (name, operation) in &mut read.model.operations {
        // CloudFront's have a version behind their names, which nobody writes and no request holds.
        operation.name = name.clone();
    }
    let loaded: Loaded = Box::leak(Box::new(read));
    kept.insert(name.into(), loaded);
    Ok(loaded)
}

fn newest_of_each_service(folder: &Path) -> Result<BTreeMap<Box<str>, PathBuf>, ModelError> {
    let mut newest = BTreeMap::new();
    for service in list(folder)?.into_iter().filter(|path| path.is_dir()) {
        let has_model = |version: &PathBuf| file_of(&version.join(SERVICE)).is_some();
        let version = list(&service)?.into_iter().filter(has_model).max();
        if let (Some(name), Some(version)) = (service.file_name(), version) {
            newest.insert(name.to_string_lossy().into(), version);
        }
    }
    if newest.is_empty() {
        let why = format!("it holds no SERVICE/VERSION/{SERVICE}");
        return Err(ModelError::Unreadable { path: folder.to_owned(), why });
    }
    Ok(newest)
}

/// The file, or the same with `.gz` behind its name, as botocore ships it.
fn file_of(path: &Path) -> Option<PathBuf> {
    let mut zipped = path.as_os_str().to_owned();
    zipped.push(".gz");
    [path.to_owned(), zipped.into()].into_iter().find(|path| path.is_file())
}

const SERVICE: &str = "service-2.json";
const PAGINATORS: &str = "paginators-1.json";
const WAITERS: &str = "waiters-2.json";
const ENDPOINTS: &str = "endpoint-rule-set-1.json";

fn list(folder: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    entries.map(|entry| Ok(entry.map_err(|error| unreadable(folder, &error))?.path())).collect()
}

fn unreadable(path: &Path, error: &std::io::Error) -> ModelError {
    ModelError::Unreadable { path: path.to_owned(), why: error.to_string() }
}

fn read_folder(folder: &Path) -> Result<Read, ModelError> {
    let gone =
        || ModelError::Unreadable { path: folder.to_owned(), why: format!("{SERVICE} is gone") };
    let mut model: Model = read_file(&folder.join(SERVICE))?.ok_or_else(gone)?;
    let name = |path: Option<&Path>| {
        path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
    };
    model.metadata.fill(&name(folder.parent()), &name(Some(folder)));
    if model.metadata.protocol.is_empty() {
        let why = format!("{}: `metadata` names no `protocol`", folder.join(SERVICE).display());
        return Err(ModelError::Broken(why));
    }
    Ok(Read {
        model,
        pages: read_file(&folder.join(PAGINATORS))?.unwrap_or_default(),
        waiters: read_file(&folder.join(WAITERS))?.unwrap_or_default(),
        rules: read_file(&folder.join(ENDPOINTS))?,
    })
}

/// Reads a file of a folder, if it is there.
fn read_file<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>, ModelError> {
    let Some(path) = file_of(path) else { return Ok(None) };
    let mut text = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut unzipped = Vec::new();
        flate2::read::GzDecoder::new(&*text)
            .read_to_end(&mut unzipped)
            .map_err(|error| unreadable(&path, &error))?;
        text = unzipped;
    }
    let read = serde_json::from_slice(&text);
    read.map(Some).map_err(|error| ModelError::Broken(format!("{}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> ModelStore {
        ModelStore::open(None).unwrap()
    }

    #[test]
    fn a_service_is_known_by_botocores_name_and_by_its_prefix_in_policies() {
        for (name, service) in [
            ("iam:ListUsers", "iam"),
            ("elbv2:DescribeTargetHealth", "elbv2"),
            ("elasticloadbalancing:DescribeTargetHealth", "elbv2"),
            ("elasticloadbalancing:DescribeLoadBalancers", "elbv2"),
            ("elasticloadbalancing:RegisterInstancesWithLoadBalancer", "elb"),
            ("access-analyzer:ListAnalyzers", "accessanalyzer"),
            ("states:StartExecution", "stepfunctions"),
            ("logs:StartQuery", "logs"),
            ("events:PutRule", "events"),
            ("cloudwatch:PutMetricData", "cloudwatch"),
            ("monitoring:PutMetricData", "cloudwatch"),
            ("tag:GetResources", "resourcegroupstaggingapi"),
            ("s3:CreateJob", "s3control"),
            ("s3:PutPublicAccessBlock", "s3"),
            ("rds:DescribeDBInstances", "rds"),
            ("ses:CreateEmailIdentity", "sesv2"),
        ] {
            assert_eq!(&*store().operation(name).unwrap().model.name, service, "{name}");
        }
    }

    #[test]
    fn a_slip_gets_the_nearest_name() {
        let error = |name| store().operation(name).unwrap_err().to_string();
        assert_eq!(
            error("iam:ListUser"),
            "`iam` has no operation `ListUser` (did you mean `ListUsers`?)"
        );
        assert_eq!(
            error("guarduty:GetFindings"),
            "there is no AWS service `guarduty` (did you mean `guardduty`?)"
        );
        assert!(error("ListUsers").contains("service:Operation"));
    }

    #[test]
    fn every_model_of_the_pack_is_read() {
        let store = store();
        let services: Vec<String> = store.services().into_iter().map(str::to_owned).collect();
        let operations: usize =
            services.iter().map(|name| store.service(name).unwrap().operations.len()).sum();
        assert_eq!((services.len(), operations), (445, 20_027));
    }

    #[test]
    fn a_folder_takes_the_place_of_the_pack() {
        let folder = tempfile::tempdir().unwrap();
        let version = folder.path().join("sts/2030-01-01");
        std::fs::create_dir_all(&version).unwrap();
        let model = r#"{"metadata": {"apiVersion": "2030-01-01", "endpointPrefix": "sts",
            "protocol": "query", "serviceFullName": "x", "serviceId": "STS",
            "signatureVersion": "v4"}, "operations": {"GetTime": {"name": "GetTime",
            "http": {"method": "POST", "requestUri": "/"}}}, "shapes": {}}"#;
        std::fs::write(version.join(SERVICE), model).unwrap();
        let store = ModelStore::open(Some(folder.path())).unwrap();
        assert!(store.operation("sts:GetTime").is_ok());
        assert!(store.operation("iam:GetUser").is_ok());
    }
}
