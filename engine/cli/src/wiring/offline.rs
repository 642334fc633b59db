//! The database of a node, for whoever is at the machine and has the key from the safe.

use stanch_engine_core::world::World;
use stanch_engine_runtime::offline::Offline;
use stanch_engine_store::{Dialect, Options, Store};
use stanch_plugins_sdk::Catalogue;

use crate::config::{Config, Variable};

/// Opens it by the configuration of the node, also while nodes work on it.
///
/// # Errors
/// When it can't be opened, or no node has its keys here.
pub async fn offline(
    config: &Config,
    world: World,
    variable: Variable<'_>,
) -> anyhow::Result<Offline> {
    Offline::look(&config.data_dir())?;
    let url = config.database_url();
    let is_alone = Dialect::of_url(&url) == Some(Dialect::Sqlite);
    let aws = super::aws(config, None, config.roles(variable)?)?;
    let options = super::options(config, url, &aws, &world)?;
    let settings = super::settings(config, is_alone)?;
    let options = Options { entropy: Some(world.entropy.clone()), ..options };
    let store = Store::open(options).await?;
    Ok(Offline::open(world, settings, store, Catalogue::new(aws.operations()))?)
}
