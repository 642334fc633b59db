//! Publishing playbooks: what is checked and found fit gets a digest, and a pointer says which
//! digest is active. Runs that have begun keep theirs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use serde::Serialize;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::playbook::Bundle;
use stanch_engine_core::suggest;
use stanch_engine_script::check;
pub use stanch_engine_script::{Checked, Diagnostic, DiagnosticSeverity, bundle};
use stanch_engine_store::playbooks::{self, Version};
use stanch_engine_store::{StoreError, Tx};
use stanch_plugins_sdk::core::operation::Operations;

use crate::kpis::digest;
use crate::runtime::Runtime;

/// The playbook that takes back what a run did. It is a playbook like any other, and comes with
/// the binary.
pub const UNDO: &str = "undo";

/// The playbook that tells detectors what people made of their findings.
pub const WRITE_BACK: &str = "write-back";

/// Who publishes what comes with the binary.
pub(crate) const BUILT_IN_BY: &str = "stanch";

/// The playbooks that come with the binary; that of digests is published where they are wanted.
const BUILT_IN: &[(&str, &str)] = &[
    (UNDO, include_str!("../../../playbooks/undo.rhai")),
    (WRITE_BACK, include_str!("../../../playbooks/write-back.rhai")),
    (digest::PLAYBOOK, include_str!("kpis/digest.rhai")),
];

/// The digests of the texts that come with this binary: a playbook of the same name that somebody
/// published is not the same.
static DIGESTS: LazyLock<BTreeMap<&str, Sha256>> = LazyLock::new(|| {
    let digest = |text| bundle(text, |_| None).map(|bundle| bundle.digest());
    BUILT_IN.iter().filter_map(|(name, text)| Some((*name, digest(text).ok()?))).collect()
});

/// The digest of a playbook's text that comes with this binary.
pub(crate) fn built_in(name: &str) -> Option<Sha256> {
    DIGESTS.get(name).copied()
}

/// Why nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The text is not fit.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Unfit(Vec<Diagnostic>),
    /// There is no such playbook or version.
    #[error("{0}")]
    NotFound(String),
    /// It does not fit what is active.
    #[error("{0}")]
    TooLate(String),
    /// Another person has to say so.
    #[error(
        "{by} published {digest}, and a second person activates it: `stanch playbooks activate \
         {name} {digest}`"
    )]
    SecondPerson {
        /// The playbook.
        name: String,
        /// The version.
        digest: Sha256,
        /// Who published it.
        by: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was published.
#[derive(Clone, Debug, Serialize)]
pub struct Published {
    /// Its name.
    pub name: String,
    /// The digest of its text and imports.
    pub digest: Sha256,
    /// Whether it became active by this; false when it was active before.
    pub changed: bool,
    /// Whether it becomes active only when a second person activates it.
    pub awaits_second_person: bool,
    /// What might be wrong with it.
    pub warnings: Vec<String>,
}

/// Reads a playbook and what it imports from a folder.
///
/// # Errors
/// In diagnostics, what is missing or does not compile.
pub fn gather(text: &str, folder: &Path) -> Result<Bundle, Vec<Diagnostic>> {
    let find = |path: &str| {
        let is_inside = !path.split('/').any(|part| part == ".." || part.is_empty());
        if !is_inside {
            return None;
        }
        std::fs::read_to_string(folder.join(format!("{path}.rhai"))).ok()
    };
    bundle(text, find).map_err(|error| error.0)
}

/// Reads a playbook without running it.
pub fn examine(bundle: &Bundle, operations: &dyn Operations) -> Checked {
    check(bundle, operations)
}

/// Publishes a playbook and makes it active.
///
/// # Errors
/// [`PublishError::Unfit`] with everything that is wrong; nothing is changed then.
pub async fn publish(
    runtime: &Runtime,
    bundle: Bundle,
    by: &str,
    source: &str,
) -> Result<Published, PublishError> {
    let checked = check(&bundle, runtime.catalogue().operations().as_ref());
    let (true, Some(header)) = (checked.is_fit(), checked.header.clone()) else {
        return Err(PublishError::Unfit(checked.diagnostics));
    };
    let version = Version {
        digest: bundle.digest(),
        header,
        published_at: runtime.world().now(),
        published_by: by.to_owned(),
        source: source.to_owned(),
    };
    let (name, digest) = (version.header.name.clone(), version.digest);
    let is_active = runtime.shared.playbook(&name).is_some_and(|active| active.digest == digest);
    // What comes with the binary comes with whoever installs it.
    let by_two = runtime.settings().second_person && by != BUILT_IN_BY && !is_active;
    let parts = Arc::new((bundle, version));
    let (changed, awaits_second_person) = runtime
        .store()
        .write(move |tx: &mut Tx<'_>| {
            let parts = parts.clone();
            Box::pin(async move {
                let (bundle, version) = &*parts;
                playbooks::publish(tx, bundle, version).await?;
                let (name, by) = (&version.header.name, &version.published_by);
                let first = playbooks::publisher(tx, name, version.digest).await?;
                // Who publishes what another has published agrees with it.
                if by_two && first.as_ref() == Some(by) {
                    return Ok((false, true));
                }
                let at = version.published_at;
                Ok((playbooks::activate(tx, name, version.digest, by, at).await?, false))
            })
        })
        .await?;
    runtime.shared.look_at_playbooks().await?;
    runtime.shared.scheduling.notify_one();
    let warnings = checked.diagnostics.iter().map(ToString::to_string).collect();
    Ok(Published { name, digest, changed, awaits_second_person, warnings })
}

/// Publishes the playbooks that come with the binary.
///
/// # Errors
/// [`PublishError`]; one that is unfit is a fault of the build.
pub async fn publish_built_in(runtime: &Runtime) -> Result<(), PublishError> {
    let tells = runtime.settings().digest.is_some();
    for (name, text) in BUILT_IN.iter().filter(|(name, _)| tells || *name != digest::PLAYBOOK) {
        let bundle = bundle(text, |_| None).map_err(|error| PublishError::Unfit(error.0))?;
        publish(runtime, bundle, BUILT_IN_BY, &format!("built in: {name}")).await?;
    }
    Ok(())
}

/// Moves the pointer to a version that was published before.
///
/// # Errors
/// [`PublishError::NotFound`] with what there is; [`PublishError::SecondPerson`] where another has
/// to do it than whoever published it.
pub async fn activate(
    runtime: &Runtime,
    name: &str,
    digest: Sha256,
    by: &str,
) -> Result<bool, PublishError> {
    let versions = versions(runtime, name).await?;
    let Some(version) = versions.iter().find(|version| version.digest == digest) else {
        let message = format!("`{name}` has no version {digest}");
        return Err(PublishError::NotFound(message));
    };
    if runtime.settings().second_person && version.published_by == by {
        let (name, by) = (name.to_owned(), by.to_owned());
        return Err(PublishError::SecondPerson { name, digest, by });
    }
    point(runtime, name, digest, by).await
}

/// Moves the pointer back to the version that was active before. It goes back once: what was active before that
/// is what was rolled back.
///
/// # Errors
/// [`PublishError::NotFound`] when there is no such playbook; [`PublishError::TooLate`] when nothing says what to
/// go back to, with what does.
pub async fn rollback(runtime: &Runtime, name: &str, by: &str) -> Result<Sha256, PublishError> {
    // Another node may have moved it just now.
    runtime.shared.look_at_playbooks().await?;
    let Some(active) = runtime.shared.playbook(name) else {
        return Err(not_there(runtime, name));
    };
    let (from, now) = (active.digest, runtime.world().now());
    let Some(previous) = active.previous else {
        return Err(PublishError::TooLate(match versions(runtime, name).await?.len() {
            0 | 1 => format!("`{name}` was never another version than {from}"),
            _ => format!(
                "`{name}` was rolled back to {from} already, or never was another version: \
                 `stanch playbooks versions {name}` lists all, and `stanch playbooks activate \
                 {name} DIGEST` makes one of them active"
            ),
        }));
    };
    let wanted = (name.to_owned(), by.to_owned());
    let moved = runtime
        .store()
        .write(move |tx: &mut Tx<'_>| {
            let (name, by) = wanted.clone();
            Box::pin(async move { playbooks::roll_back(tx, &name, from, &by, now).await })
        })
        .await?;
    runtime.shared.look_at_playbooks().await?;
    runtime.shared.scheduling.notify_one();
    if moved {
        return Ok(previous);
    }
    let why = format!(
        "somebody changed which version of `{name}` is active at the same moment: look at \
         `stanch playbooks versions {name}`"
    );
    Err(PublishError::TooLate(why))
}

async fn point(
    runtime: &Runtime,
    name: &str,
    digest: Sha256,
    by: &str,
) -> Result<bool, PublishError> {
    let (name, by, now) = (name.to_owned(), by.to_owned(), runtime.world().now());
    let moved = runtime
        .store()
        .write(move |tx: &mut Tx<'_>| {
            let (name, by) = (name.clone(), by.clone());
            Box::pin(async move { playbooks::activate(tx, &name, digest, &by, now).await })
        })
        .await?;
    runtime.shared.look_at_playbooks().await?;
    runtime.shared.scheduling.notify_one();
    Ok(moved)
}

/// The active playbooks.
pub fn active(runtime: &Runtime) -> Arc<Vec<playbooks::Active>> {
    runtime.shared.active()
}

/// Every version of a playbook, the newest first.
///
/// # Errors
/// [`PublishError::NotFound`] when there is none.
pub async fn versions(runtime: &Runtime, name: &str) -> Result<Vec<Version>, PublishError> {
    let wanted = name.to_owned();
    let versions = runtime
        .store()
        .read(|conn| Box::pin(async move { playbooks::versions(conn, &wanted).await }))
        .await?;
    if versions.is_empty() { Err(not_there(runtime, name)) } else { Ok(versions) }
}

fn not_there(runtime: &Runtime, name: &str) -> PublishError {
    let active = runtime.shared.active();
    let names = active.iter().map(|active| active.header.name.as_str());
    PublishError::NotFound(format!("no playbook `{name}` is active{}", suggest::hint(name, names)))
}
