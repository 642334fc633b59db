//! `cargo xtask aws-models`: packs AWS's service models into `plugins/aws/models/models.pack`.
//!
//! Owns: which version of the models is packed, what is left out of them, and the writer of the
//! pack's format (its reader is `plugins/aws/src/model/pack.rs`).
//!
//! The models come from the Python package `botocore`, pinned by version and hash. Facts only: no
//! documentation text is packed. The pack is committed, so that a build needs no Python.
//!
//! The pack: the eight bytes `STNCHAWS`, the length of the index as a little-endian `u32`, the
//! index as JSON in zstd, then one zstd frame a part. The index gives each part as
//! `[offset, length, length when decoded]`, offsets counted from the end of the index.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value, json};

const MAGIC: &[u8; 8] = b"STNCHAWS";
const PACK: &str = "plugins/aws/models/models.pack";
/// The botocore whose models are packed.
pub const VERSION: &str = "1.44.8";
const WHEEL_SHA256: &str = "76342a76c338701db80dcb8afe1c9bd079283d6fffbb9d881442abb02a215043";

/// Found by trial: 22 saves 1 % over 19 and takes twice as long.
const ZSTD_LEVEL: i32 = 19;

/// Text for people, and what only a generator of documentation needs.
const LEFT_OUT: [&str; 8] = [
    "documentation",
    "deprecated",
    "deprecatedMessage",
    "deprecatedSince",
    "documentationUrl",
    "examples",
    "synthetic",
    "uid",
];

/// Runs `aws-models [--botocore VERSION --sha256 HEX]`. Without arguments it packs the pinned
/// version, and gives the same bytes each time.
///
/// # Errors
/// When the arguments are wrong, when `pip` can't bring the package or its hash differs, and when
/// a model has a form that is not understood.
pub fn run(args: &[String]) -> Result<()> {
    let (version, hash) = match args {
        [] => (VERSION, WHEEL_SHA256),
        [v, version, h, hash] if v == "--botocore" && h == "--sha256" => (&**version, &**hash),
        _ => bail!("usage: cargo xtask aws-models [--botocore VERSION --sha256 HEX]"),
    };
    let folder = tempfile::tempdir()?;
    install(version, hash, folder.path())?;
    let pack = pack(version, &folder.path().join("botocore/data"))?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PACK);
    fs::create_dir_all(path.parent().context("the pack has no folder")?)?;
    fs::write(&path, pack).with_context(|| format!("can't write {PACK}"))
}

fn install(version: &str, hash: &str, target: &Path) -> Result<()> {
    let wanted = target.join("requirements.txt");
    fs::write(&wanted, format!("botocore=={version} --hash=sha256:{hash}\n"))?;
    let status = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"])
        .args(["--disable-pip-version-check", "--root-user-action=ignore", "--require-hashes"])
        .arg("--target")
        .arg(target)
        .arg("--requirement")
        .arg(wanted)
        .status()
        .context("can't start python3")?;
    ensure!(status.success(), "pip could not install botocore {version} with that hash");
    Ok(())
}

/// The parts in their order, and where each one lies.
#[derive(Default)]
struct Parts(Vec<u8>);

impl Parts {
    fn push(&mut self, part: &Value) -> Result<Value> {
        let text = serde_json::to_vec(part)?;
        let packed = zstd::bulk::compress(&text, ZSTD_LEVEL)?;
        let place = json!([self.0.len(), packed.len(), text.len()]);
        self.0.extend_from_slice(&packed);
        Ok(place)
    }
}

fn pack(version: &str, data: &Path) -> Result<Vec<u8>> {
    let mut parts = Parts::default();
    let mut services = Vec::new();
    for (name, folder) in newest_of_each_service(data)? {
        services.push(pack_service(&name, &folder, &mut parts).with_context(|| name.clone())?);
    }
    let mut partitions = read(&data.join("partitions.json"))?.context("no partitions.json")?;
    leave_out(&mut partitions);
    let partitions = parts.push(&partitions)?;
    let index = json!({"botocore": version, "partitions": partitions, "services": services});
    let index = zstd::bulk::compress(&serde_json::to_vec(&index)?, ZSTD_LEVEL)?;

    let mut pack = MAGIC.to_vec();
    pack.extend_from_slice(&u32::try_from(index.len())?.to_le_bytes());
    pack.extend_from_slice(&index);
    pack.extend_from_slice(&parts.0);
    Ok(pack)
}

fn newest_of_each_service(data: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut newest = BTreeMap::new();
    for service in fs::read_dir(data)? {
        let service = service?;
        if !service.file_type()?.is_dir() {
            continue;
        }
        let versions = fs::read_dir(service.path())?
            .map(|version| Ok(version?.path()))
            .collect::<Result<Vec<_>>>()?;
        let last = versions.into_iter().max().context("a service without a version")?;
        newest.insert(service.file_name().to_string_lossy().into_owned(), last);
    }
    Ok(newest)
}

fn pack_service(name: &str, folder: &Path, parts: &mut Parts) -> Result<Value> {
    let mut service = read_with_extras(folder, "service-2")?.context("no service-2.json")?;
    leave_out_of_service(&mut service);
    let metadata = service.get("metadata").cloned().unwrap_or_default();
    let mut entry = json!({
        "name": name,
        "version": folder.file_name().map(|version| version.to_string_lossy()),
        "prefix": metadata.get("endpointPrefix"),
        "signing": metadata.get("signingName"),
        "service": parts.push(&service)?,
    });
    let members = entry.as_object_mut().context("an entry is an object")?;
    for (part, file) in [
        ("paginators", "paginators-1"),
        ("waiters", "waiters-2"),
        ("endpoints", "endpoint-rule-set-1"),
    ] {
        if let Some(mut value) = read_with_extras(folder, file)? {
            leave_out(&mut value);
            if part == "endpoints" {
                leave_out_of_each(&mut value, "parameters");
            }
            members.insert(part.to_owned(), parts.push(&value)?);
        }
    }
    Ok(entry)
}

fn read_with_extras(folder: &Path, file: &str) -> Result<Option<Value>> {
    let Some(mut value) = read(&folder.join(format!("{file}.json")))? else { return Ok(None) };
    if let Some(extras) = read(&folder.join(format!("{file}.sdk-extras.json")))?
        && let Some(more) = extras.get("merge")
    {
        merge(&mut value, more);
    }
    Ok(Some(value))
}

/// Reads `path`, or `path.gz`; nothing when there is neither.
fn read(path: &Path) -> Result<Option<Value>> {
    if path.exists() {
        return Ok(Some(serde_json::from_slice(&fs::read(path)?)?));
    }
    let mut zipped = path.to_owned().into_os_string();
    zipped.push(".gz");
    if !Path::new(&zipped).exists() {
        return Ok(None);
    }
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(fs::File::open(zipped)?).read_to_end(&mut text)?;
    Ok(Some(serde_json::from_slice(&text)?))
}

fn merge(into: &mut Value, more: &Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more.clone(),
    }
}

fn leave_out(value: &mut Value) {
    if let Value::Object(members) = value {
        for name in LEFT_OUT {
            members.remove(name);
        }
    }
}

/// The members of the member `name` are named by AWS: only what lies within them is left out.
fn leave_out_of_each(value: &mut Value, name: &str) {
    each(value, name).for_each(|(_, inner)| leave_out(inner));
}

fn each<'a>(value: &'a mut Value, name: &str) -> impl Iterator<Item = (&'a String, &'a mut Value)> {
    value.get_mut(name).and_then(Value::as_object_mut).into_iter().flat_map(Map::iter_mut)
}

fn leave_out_of_service(service: &mut Value) {
    leave_out(service);
    service.get_mut("metadata").into_iter().for_each(leave_out);
    for (_, operation) in each(service, "operations") {
        leave_out(operation);
        for end in ["input", "output"] {
            operation.get_mut(end).into_iter().for_each(leave_out);
        }
    }
    for (_, shape) in each(service, "shapes") {
        leave_out(shape);
        leave_out_of_each(shape, "members");
        for inner in ["member", "key", "value"] {
            shape.get_mut(inner).into_iter().for_each(leave_out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize as _;

    #[test]
    fn texts_are_left_out_and_names_that_aws_gave_are_kept() {
        let mut service = json!({
            "documentation": "long", "metadata": {"uid": "x", "serviceId": "X"},
            "operations": {"documentation": {"name": "documentation", "documentation": "long",
                "input": {"shape": "In", "documentation": "long"}}},
            "shapes": {"In": {"type": "structure", "documentation": "long", "members": {
                "documentation": {"shape": "In", "documentation": "long"}}}},
        });
        leave_out_of_service(&mut service);
        let expected = json!({
            "metadata": {"serviceId": "X"},
            "operations": {"documentation": {"name": "documentation", "input": {"shape": "In"}}},
            "shapes": {"In": {"type": "structure", "members": {"documentation": {"shape": "In"}}}},
        });
        assert_eq!(service, expected);
    }

    #[test]
    fn extras_are_merged_and_take_the_place_of_what_they_name() {
        let mut value = json!({"pagination": {"A": {"x": 1, "y": 2}}});
        merge(&mut value, &json!({"pagination": {"A": {"x": 3}, "B": {}}}));
        assert_eq!(value, json!({"pagination": {"A": {"x": 3, "y": 2}, "B": {}}}));
    }

    #[test]
    fn parts_lie_one_behind_the_other() {
        let mut parts = Parts::default();
        let places = [json!({"a": 1}), json!([2])].map(|part| parts.push(&part).unwrap());
        let [first, second] =
            places.map(|place| <(usize, usize, usize)>::deserialize(place).unwrap());
        assert_eq!((first.0, second.0, second.0 + second.1), (0, first.1, parts.0.len()));
        let text = zstd::bulk::decompress(&parts.0[second.0..], second.2).unwrap();
        assert_eq!(text, b"[2]");
    }
}
