//! Reading payloads as the webhook and `stanch normalize` do.

use std::sync::LazyLock;

use serde_json::Value;
use stanch_plugins_aws::{Aws, AwsSettings};
use stanch_plugins_sdk::core::alert::Alert;
use stanch_plugins_sdk::{Catalogue, Reading};

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let aws = Aws::open(&AwsSettings::default()).unwrap();
    aws.register(Catalogue::new(aws.operations()))
});

/// What this plugin has.
pub(crate) fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

/// What `auto` makes of a payload.
pub(crate) fn auto(payload: &Value) -> Reading {
    catalogue().read("auto", payload).unwrap()
}

/// The alerts of a payload that is read whole.
pub(crate) fn all(payload: &Value) -> Vec<Alert> {
    let reading = auto(payload);
    assert!(reading.refused.is_empty(), "{:?} in {payload}", reading.refused);
    reading.alerts
}

/// The only alert of a payload.
pub(crate) fn one(payload: &Value) -> Alert {
    let mut alerts = all(payload);
    assert_eq!(alerts.len(), 1, "{payload}");
    alerts.remove(0)
}

/// Why a payload is refused, all of it.
pub(crate) fn refusal(payload: &Value) -> String {
    let reading = auto(payload);
    assert!(reading.alerts.is_empty(), "{:?}", reading.alerts);
    let [refusal] = &reading.refused[..] else { panic!("{:?}", reading.refused) };
    refusal.to_string()
}
