//! What a binary has: the explicit list of actions and sources that it was wired with.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use stanch_engine_core::operation::Operations;
use stanch_engine_core::suggest;

use crate::{Action, Source};

/// The actions and sources of a binary, and the operations that its playbooks may name.
#[derive(Clone)]
pub struct Catalogue {
    actions: BTreeMap<&'static str, Arc<dyn Action>>,
    sources: Vec<Arc<dyn Source>>,
    operations: Arc<dyn Operations>,
}

impl Catalogue {
    /// A catalogue of nothing but operations.
    pub fn new(operations: Arc<dyn Operations>) -> Self {
        Self { actions: BTreeMap::new(), sources: Vec::new(), operations }
    }

    /// With one more action; a later one of the same name takes the place of the earlier.
    #[must_use]
    pub fn with_action(mut self, action: Arc<dyn Action>) -> Self {
        self.actions.insert(action.name(), action);
        self
    }

    /// With one more source. The order is the order in which they are asked whether they
    /// recognise a payload.
    #[must_use]
    pub fn with_source(mut self, source: Arc<dyn Source>) -> Self {
        self.sources.push(source);
        self
    }

    /// The action of this name.
    ///
    /// # Errors
    /// In words, with the nearest name that there is.
    pub fn action(&self, name: &str) -> Result<&Arc<dyn Action>, String> {
        self.actions.get(name).ok_or_else(|| {
            format!(
                "there is no action `{name}`{}",
                suggest::hint(name, self.actions.keys().copied())
            )
        })
    }

    /// Every action.
    pub fn actions(&self) -> impl Iterator<Item = &Arc<dyn Action>> {
        self.actions.values()
    }

    /// The source of this name.
    pub fn source(&self, name: &str) -> Option<&Arc<dyn Source>> {
        self.sources.iter().find(|source| source.name() == name)
    }

    /// The first source that recognises a payload.
    pub fn recognise(&self, payload: &Value) -> Option<&Arc<dyn Source>> {
        self.sources.iter().find(|source| source.recognises(payload))
    }

    /// The names of the sources, in their order.
    pub fn source_names(&self) -> Vec<&'static str> {
        self.sources.iter().map(|source| source.name()).collect()
    }

    /// The operations that playbooks may name.
    pub fn operations(&self) -> &Arc<dyn Operations> {
        &self.operations
    }
}
