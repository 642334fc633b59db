//! The playbooks that come with Stanch, for the demo.

use stanch_engine_core::playbook::Bundle;
use stanch_engine_runtime::playbooks;

/// Every playbook, by its file's name.
pub(crate) const PLAYBOOKS: &[(&str, &str)] = &[
    (
        "iam-access-key-compromise.rhai",
        include_str!("../../../playbooks/iam-access-key-compromise.rhai"),
    ),
    (
        "ec2-instance-compromise.rhai",
        include_str!("../../../playbooks/ec2-instance-compromise.rhai"),
    ),
    ("guardduty-triage.rhai", include_str!("../../../playbooks/guardduty-triage.rhai")),
];

/// Every library, by the path that imports name.
const LIBRARIES: &[(&str, &str)] = &[
    ("lib/contain", include_str!("../../../playbooks/lib/contain.rhai")),
    ("lib/collect", include_str!("../../../playbooks/lib/collect.rhai")),
    ("lib/background", include_str!("../../../playbooks/lib/background.rhai")),
    ("lib/enrich", include_str!("../../../playbooks/lib/enrich.rhai")),
];

/// A playbook with what it imports.
///
/// # Errors
/// When it does not compile.
pub(crate) fn bundle(text: &str) -> anyhow::Result<Bundle> {
    let find = |path: &str| {
        LIBRARIES.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned())
    };
    playbooks::bundle(text, find).map_err(|error| anyhow::anyhow!("{error}"))
}
