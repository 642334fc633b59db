//! What a binary has: the explicit list of actions and sources that it was wired with.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use stanch_engine_core::operation::Operations;
use stanch_engine_core::suggest;

use crate::{Action, Channel, Envelope, Roster, Source};

/// The actions, sources and channels of a binary, and the operations that its playbooks may name.
#[derive(Clone)]
pub struct Catalogue {
    actions: BTreeMap<&'static str, Arc<dyn Action>>,
    channels: BTreeMap<String, Arc<dyn Channel>>,
    rosters: BTreeMap<String, Arc<dyn Roster>>,
    sources: Vec<Listed>,
    envelopes: Vec<Arc<dyn Envelope>>,
    operations: Arc<dyn Operations>,
}

#[derive(Clone)]
struct Listed {
    source: Arc<dyn Source>,
    family: Family,
    is_last: bool,
}

/// Whose detectors a source reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// AWS's.
    Aws,
    /// Anybody else's.
    Other,
    /// Those of the user's own scripts, which are asked at every door.
    Own,
}

impl Catalogue {
    /// A catalogue of nothing but operations.
    pub fn new(operations: Arc<dyn Operations>) -> Self {
        let (actions, channels, rosters) = Default::default();
        let (sources, envelopes) = (Vec::new(), Vec::new());
        Self { actions, channels, rosters, sources, envelopes, operations }
    }

    /// Whether some of its sources are the user's own scripts.
    pub fn has_scripts(&self) -> bool {
        self.sources.iter().any(|listed| listed.family == Family::Own)
    }

    /// With one more action; a later one of the same name takes the place of the earlier.
    #[must_use]
    pub fn with_action(mut self, action: Arc<dyn Action>) -> Self {
        self.actions.insert(action.name(), action);
        self
    }

    /// With one more channel, by its name in the configuration.
    #[must_use]
    pub fn with_channel(mut self, name: String, channel: Arc<dyn Channel>) -> Self {
        self.channels.insert(name, channel);
        self
    }

    /// With one more roster, by the name of the duty in the configuration.
    #[must_use]
    pub fn with_roster(mut self, duty: String, roster: Arc<dyn Roster>) -> Self {
        self.rosters.insert(duty, roster);
        self
    }

    /// With one more source. The order is the order in which they are asked whether they
    /// recognise a payload. One that comes later under the same name takes the place of the
    /// earlier.
    #[must_use]
    pub fn with_source(self, family: Family, source: Arc<dyn Source>) -> Self {
        self.with(Listed { source, family, is_last: false })
    }

    /// With a source that the user wrote: it is asked before all others, at every door, since
    /// people's own words stand above ours.
    #[must_use]
    pub fn with_own_source(mut self, source: Arc<dyn Source>) -> Self {
        let others = self.sources.iter().position(|listed| listed.family != Family::Own);
        let at = others.unwrap_or(self.sources.len());
        self.sources.insert(at, Listed { source, family: Family::Own, is_last: false });
        self
    }

    /// With one more source that is asked last, after every envelope was opened: it knows what
    /// nobody else knows.
    #[must_use]
    pub fn with_last_source(self, family: Family, source: Arc<dyn Source>) -> Self {
        self.with(Listed { source, family, is_last: true })
    }

    fn with(mut self, listed: Listed) -> Self {
        self.sources.retain(|known| known.source.name() != listed.source.name());
        self.sources.push(listed);
        self
    }

    /// With one more kind of wrapping.
    #[must_use]
    pub fn with_envelope(mut self, envelope: Arc<dyn Envelope>) -> Self {
        self.envelopes.push(envelope);
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

    /// The channel of this name.
    pub fn channel(&self, name: &str) -> Option<&Arc<dyn Channel>> {
        self.channels.get(name)
    }

    /// Every channel, by name.
    pub fn channels(&self) -> impl Iterator<Item = &Arc<dyn Channel>> {
        self.channels.values()
    }

    /// The roster of a duty, where something outside knows who has it.
    pub fn roster(&self, duty: &str) -> Option<&Arc<dyn Roster>> {
        self.rosters.get(duty)
    }

    /// Every action.
    pub fn actions(&self) -> impl Iterator<Item = &Arc<dyn Action>> {
        self.actions.values()
    }

    /// The source of this name.
    pub fn source(&self, name: &str) -> Option<&Arc<dyn Source>> {
        self.sources.iter().map(|listed| &listed.source).find(|source| source.name() == name)
    }

    /// The names of the sources, in their order.
    pub fn source_names(&self) -> Vec<String> {
        self.names_of(None)
    }

    /// The operations that playbooks may name.
    pub fn operations(&self) -> &Arc<dyn Operations> {
        &self.operations
    }

    pub(crate) fn envelopes(&self) -> impl Iterator<Item = &Arc<dyn Envelope>> {
        self.envelopes.iter()
    }

    pub(crate) fn names_of(&self, family: Option<Family>) -> Vec<String> {
        self.of(family).map(|listed| listed.source.name().to_owned()).collect()
    }

    /// The first source of a family that recognises a payload.
    pub(crate) fn recognise(
        &self,
        payload: &Value,
        family: Option<Family>,
        is_last: bool,
    ) -> Option<Arc<dyn Source>> {
        self.of(family)
            .find(|listed| listed.is_last == is_last && listed.source.recognises(payload))
            .map(|listed| Arc::clone(&listed.source))
    }

    /// Why sources of a family could not tell whether a payload is theirs.
    pub(crate) fn at_a_loss(&self, payload: &Value, family: Option<Family>) -> Vec<String> {
        self.of(family).filter_map(|listed| listed.source.why_not(payload)).collect()
    }

    fn of(&self, family: Option<Family>) -> impl Iterator<Item = &Listed> {
        let is_asked = move |listed: &&Listed| {
            listed.family == Family::Own || family.is_none_or(|it| it == listed.family)
        };
        self.sources.iter().filter(is_asked)
    }
}
