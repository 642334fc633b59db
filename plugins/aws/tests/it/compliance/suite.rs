//! Suites of cases, and the models that they are about.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Cases over one set of shapes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Suite {
    metadata: Value,
    pub(super) shapes: Value,
    /// The endpoint, where it has a path.
    pub(super) client_endpoint: Option<String>,
    pub(super) cases: Vec<Case>,
}

/// One case: a request that must come out, or what must be read out of an answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Case {
    #[serde(default)]
    pub(super) id: String,
    /// The operation.
    pub(super) given: Value,
    #[serde(default)]
    pub(super) params: Value,
    pub(super) serialized: Option<Serialized>,
    pub(super) response: Option<Response>,
    pub(super) result: Option<Value>,
    pub(super) error_code: Option<String>,
    pub(super) error_message: Option<String>,
    /// The members of the error, beside its message.
    pub(super) error: Option<Value>,
}

/// The request that must come out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Serialized {
    pub(super) method: Option<String>,
    pub(super) uri: Option<String>,
    /// The host, of cases with an endpoint.
    pub(super) host: Option<String>,
    pub(super) body: Option<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) forbid_headers: Vec<String>,
    #[serde(default)]
    pub(super) require_headers: Vec<String>,
}

/// The answer that comes in.
#[derive(Deserialize)]
pub(super) struct Response {
    pub(super) status_code: u16,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) body: String,
}

/// The name that the service of a suite goes by.
pub(super) const SERVICE: &str = "compliance";

impl Suite {
    pub(super) fn load(file: &Path) -> Vec<Self> {
        let text = std::fs::read_to_string(file)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        serde_json::from_str(&text).unwrap()
    }

    pub(super) fn protocol(&self) -> &str {
        self.metadata["protocol"].as_str().unwrap()
    }

    /// A folder with the model of one operation, in botocore's layout.
    pub(super) fn models(&self, case: &Case) -> TempDir {
        let mut metadata = self.metadata.clone();
        for (name, usual) in [
            ("endpointPrefix", SERVICE),
            ("serviceId", SERVICE),
            ("serviceFullName", SERVICE),
            ("signatureVersion", "v4"),
        ] {
            let members = metadata.as_object_mut().unwrap();
            members.entry(name).or_insert_with(|| usual.into());
        }
        let folder = tempfile::tempdir().unwrap();
        let version = metadata["apiVersion"].as_str().unwrap().to_owned();
        let model = json!({
            "version": "2.0", "metadata": metadata, "shapes": self.shapes,
            "operations": {self.name(case): case.given},
        });
        let place = folder.path().join(SERVICE).join(version);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("service-2.json"), model.to_string()).unwrap();
        folder
    }

    /// The operation's name, as playbooks write it.
    pub(super) fn operation(&self, case: &Case) -> String {
        format!("{SERVICE}:{}", self.name(case))
    }

    fn name<'c>(&self, case: &'c Case) -> &'c str {
        case.given["name"].as_str().unwrap()
    }
}
