//! `intel.ip`: what is known of an address. `intel.find`: which lists have an address, a name or a
//! hash.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use stanch_plugins_sdk::core::effect::{Effect, RetrySafety};
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::{
    Action, ActionContext, ActionError, BoxFuture, CallRecord, Done, Nature, Outcome,
};

use crate::file::Watched;
use crate::geo::Database;
use crate::list::List;
use crate::{IntelSettings, ListFormat, ListSettings, Unfit, stix};

/// Everything that there is.
pub(crate) struct Intel {
    databases: Vec<Watched<Database>>,
    lists: Vec<(ListSettings, Watched<List>)>,
}

impl Intel {
    pub(crate) fn open(settings: &IntelSettings, now: Timestamp) -> Result<Self, Unfit> {
        let every = settings.every;
        let database =
            |path: &std::path::PathBuf| Watched::open(path.clone(), Database::read, every, now);
        let list = |list: &ListSettings| -> Result<_, Unfit> {
            let read = match list.format {
                ListFormat::Plain => List::plain,
                ListFormat::Stix => stix::read,
            };
            Ok((list.clone(), Watched::open(list.file.clone(), read, every, now)?))
        };
        Ok(Self {
            databases: settings.databases.iter().map(database).collect::<Result<_, _>>()?,
            lists: settings.lists.iter().map(list).collect::<Result<_, Unfit>>()?,
        })
    }

    fn of_address(&self, ip: IpAddr, now: Timestamp) -> Value {
        let (mut facts, mut unknown) = (Map::new(), Vec::new());
        for database in &self.databases {
            let (database, failure) = database.get(now);
            unknown.extend(failure);
            unknown.extend(database.add(ip, &mut facts).err());
        }
        let lists = self.on_lists(&ip.to_string(), now, &mut unknown);
        for (name, value) in
            [("ip", json!(ip.to_string())), ("lists", lists), ("unknown", json!(unknown))]
        {
            facts.insert(name.to_owned(), value);
        }
        for name in ["country", "country_name", "city", "asn", "org", "isp"] {
            facts.entry(name).or_insert(Value::Null);
        }
        Value::Object(facts)
    }

    fn on_lists(&self, value: &str, now: Timestamp, unknown: &mut Vec<String>) -> Value {
        let mut found = Vec::new();
        for (settings, list) in &self.lists {
            let (list, failure) = list.get(now);
            unknown.extend(failure.map(|why| format!("list {}: {why}", settings.name)));
            if let Some(entry) = list.find(value, now) {
                let says = entry.says.as_ref().unwrap_or(&settings.says);
                found.push(json!({"list": settings.name, "says": says, "points": settings.points}));
            }
        }
        json!(found)
    }
}

/// `intel.ip`.
pub(crate) struct OfAddress(pub(crate) Arc<Intel>);

/// `intel.find`.
pub(crate) struct Find(pub(crate) Arc<Intel>);

fn text<'i>(input: &'i Value, name: &str) -> Result<&'i str, ActionError> {
    let members = input.as_object().map_or(0, Map::len);
    let text = input.get(name).and_then(Value::as_str).filter(|_| members == 1);
    text.ok_or_else(|| {
        ActionError::permanent("bad_input", format!("it takes a map with one text, `{name}`"))
    })
}

fn address(input: &Value) -> Result<IpAddr, ActionError> {
    let ip = text(input, "ip")?;
    ip.trim().parse().map_err(|_| {
        let shown: String = ip.chars().take(60).collect();
        ActionError::permanent("bad_input", format!("`{shown}` is no address"))
    })
}

const LOOK: Nature = Nature { effect: Effect::Read, safety: RetrySafety::Natural };

/// A file may have to be read anew.
async fn aside(body: impl FnOnce() -> Value + Send + 'static) -> Result<Outcome, ActionError> {
    let value = tokio::task::spawn_blocking(body).await;
    let value = value.map_err(|error| ActionError::permanent("failed", error.to_string()))?;
    Ok(Outcome::Done(Done { value, secrets: Vec::new(), call: CallRecord::default() }))
}

impl Action for OfAddress {
    fn name(&self) -> &'static str {
        "intel.ip"
    }

    fn classify(&self, input: &Value) -> Result<Nature, ActionError> {
        address(input).map(|_| LOOK)
    }

    fn run<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Outcome, ActionError>> {
        let (intel, now) = (self.0.clone(), context.now);
        Box::pin(async move {
            let ip = address(input)?;
            aside(move || intel.of_address(ip, now)).await
        })
    }
}

impl Action for Find {
    fn name(&self) -> &'static str {
        "intel.find"
    }

    fn classify(&self, input: &Value) -> Result<Nature, ActionError> {
        text(input, "value").map(|_| LOOK)
    }

    fn run<'a>(
        &'a self,
        context: &'a ActionContext,
        input: &'a Value,
    ) -> BoxFuture<'a, Result<Outcome, ActionError>> {
        let (intel, now) = (self.0.clone(), context.now);
        Box::pin(async move {
            let value = text(input, "value")?.to_owned();
            let found = move || {
                let mut unknown = Vec::new();
                let lists = intel.on_lists(&value, now, &mut unknown);
                json!({"value": value, "lists": lists, "unknown": unknown})
            };
            aside(found).await
        })
    }
}
