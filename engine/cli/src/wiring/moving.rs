//! What moving evidence needs of a node: its database, and AWS.

use anyhow::Context as _;
use stanch_engine_core::world::World;
use stanch_engine_runtime::evidence::moving::{self, Move, Moved, Place};
use stanch_engine_runtime::settings::BucketSettings;
use stanch_engine_store::{Dialect, Options, Store};

use crate::config::{Config, Variable};

/// Moves evidence to where the configuration says that it lies. Nobody may be at work on the database.
///
/// # Errors
/// In words, with what to do.
pub(crate) async fn move_evidence(
    config: &Config,
    world: World,
    variable: Variable<'_>,
    (from, person, reason): (Place, String, String),
) -> anyhow::Result<Moved> {
    let data_dir = config.data_dir();
    std::fs::create_dir_all(&data_dir)
        .with_context(|| format!("the data folder {}", data_dir.display()))?;
    let url = config.database_url();
    let is_alone = Dialect::of_url(&url) == Some(Dialect::Sqlite);
    let _lock = if is_alone { Some(super::lock(&data_dir)?) } else { None };
    let aws = super::aws(config, None, config.roles(variable)?)?;
    let options = super::options(config, url, &aws, &world)?;
    let options = Options { entropy: Some(world.entropy.clone()), ..options };
    let store = Store::open(options).await?;
    let catalogue = super::catalogue_of(config, &aws, config.secrets(variable)?)?;
    let to = config.bucket_settings().map_or_else(|| folder(config), Place::Bucket);
    let wanted = Move { from, to, person, reason, is_alone };
    Ok(moving::run(&world, &store, &catalogue, wanted).await?)
}

/// The folder that evidence lies in where no bucket is named.
pub(crate) fn folder(config: &Config) -> Place {
    Place::Folder(config.data_dir().join("evidence"))
}

/// A bucket that the configuration does not name any more, as `s3://BUCKET/PREFIX`.
pub(crate) fn bucket(
    config: &Config,
    place: &str,
    region: Option<String>,
) -> Option<BucketSettings> {
    let region = region.or_else(|| config.evidence.region.clone());
    crate::config::bucket_at(place, region)
}
