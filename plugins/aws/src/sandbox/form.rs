//! Parameters from a form: what the query and ec2 protocols flatten, folded up again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use serde_json::{Map, Value};

use super::reply::{Dialect, Refusal};
use crate::client::{ec2_name, value};
use crate::model::{Kind, Member, Model, Shape};
use crate::percent::form_decoded;

/// A form, and what of it was understood so far.
pub(super) struct Form<'m> {
    model: &'m Model,
    dialect: Dialect,
    pairs: BTreeMap<String, String>,
    used: RefCell<BTreeSet<String>>,
}

impl<'m> Form<'m> {
    /// Reads the pairs of a body.
    pub(super) fn new(model: &'m Model, dialect: Dialect, pairs: BTreeMap<String, String>) -> Self {
        Self { model, dialect, pairs, used: RefCell::default() }
    }

    /// The parameters.
    ///
    /// # Errors
    /// When a pair is none of the operation's parameters.
    pub(super) fn params(&self, shape: Option<&Shape>) -> Result<Value, Refusal> {
        let members = shape.map(|shape| self.members(shape, "")).unwrap_or_default();
        let used = self.used.borrow();
        let known = |name: &&String| {
            !used.contains(*name) && !matches!(name.as_str(), "Action" | "Version")
        };
        match self.pairs.keys().find(known) {
            None => Ok(Value::Object(members)),
            Some(name) => Err(Refusal::invalid(self.dialect, &format!("`{name}` is no parameter"))),
        }
    }

    fn members(&self, shape: &Shape, prefix: &str) -> Map<String, Value> {
        let found = shape.members.iter().filter_map(|(name, member)| {
            let wire = self.wire(name, member);
            Some((name.to_string(), self.value(member, &format!("{prefix}{wire}"))?))
        });
        found.collect()
    }

    fn wire(&self, name: &str, member: &Member) -> String {
        match self.dialect {
            Dialect::Ec2 => ec2_name(name, member),
            _ => member.location_name.as_deref().unwrap_or(name).to_owned(),
        }
    }

    fn has_within(&self, name: &str) -> bool {
        self.pairs.keys().any(|key| key.strip_prefix(name).is_some_and(|k| k.starts_with('.')))
    }

    fn value(&self, member: &Member, name: &str) -> Option<Value> {
        let shape = self.model.shape(&member.shape)?;
        match shape.kind {
            Kind::Structure => {
                self.has_within(name).then(|| self.members(shape, &format!("{name}.")).into())
            }
            Kind::List => self.list(shape, name, member.flattened || shape.flattened),
            Kind::Map => self.map(shape, name, member.flattened || shape.flattened),
            kind => self.scalar(kind, name),
        }
    }

    fn list(&self, shape: &Shape, name: &str, flattened: bool) -> Option<Value> {
        let member = shape.member.as_ref()?;
        // An empty list is written as the bare name.
        if self.pairs.get(name).is_some_and(String::is_empty) {
            self.used.borrow_mut().insert(name.to_owned());
            return Some(Value::Array(Vec::new()));
        }
        let between = match (self.dialect, flattened, &member.location_name) {
            (Dialect::Ec2, ..) | (_, true, _) => String::new(),
            (_, false, None) => ".member".to_owned(),
            (_, false, Some(item)) => format!(".{item}"),
        };
        let items = (1..).map_while(|at| self.value(member, &format!("{name}{between}.{at}")));
        let items: Vec<Value> = items.collect();
        (!items.is_empty()).then_some(Value::Array(items))
    }

    fn map(&self, shape: &Shape, name: &str, flattened: bool) -> Option<Value> {
        let (key, value) = (shape.key.as_ref()?, shape.value.as_ref()?);
        let entry = if flattened { "" } else { ".entry" };
        let word = |member: &Member, default: &str| {
            member.location_name.as_deref().unwrap_or(default).to_owned()
        };
        let entries = (1..).map_while(|at| {
            let place = format!("{name}{entry}.{at}");
            let key = self.scalar(Kind::String, &format!("{place}.{}", word(key, "key")))?;
            let value = self.value(value, &format!("{place}.{}", word(value, "value")))?;
            Some((key.as_str()?.to_owned(), value))
        });
        let entries: Map<String, Value> = entries.collect();
        (!entries.is_empty()).then_some(Value::Object(entries))
    }

    fn scalar(&self, kind: Kind, name: &str) -> Option<Value> {
        let text = self.pairs.get(name)?;
        self.used.borrow_mut().insert(name.to_owned());
        Some(scalar(kind, text))
    }
}

/// The pairs of a form's body or of a query, in their order.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (form_decoded(name), form_decoded(value))
    })
}

/// The value of a kind that a text stands for. What can't be read as its kind stays text, so that
/// it is told when it is checked.
pub(super) fn scalar(kind: Kind, text: &str) -> Value {
    let number = |number: Option<Value>| number.unwrap_or_else(|| text.into());
    match kind {
        Kind::Boolean => number(text.parse::<bool>().ok().map(Value::from)),
        Kind::Integer | Kind::Long => number(text.parse::<i64>().ok().map(Value::from)),
        Kind::Float | Kind::Double => number(text.parse::<f64>().ok().map(Value::from)),
        Kind::Timestamp => moment(text),
        _ => text.into(),
    }
}

/// A time, of whichever form, as ISO 8601.
fn moment(text: &str) -> Value {
    let of_header = DateTime::from_str(text, Format::HttpDate).ok();
    let at = of_header.or_else(|| text.parse().ok().map(DateTime::from_secs_f64));
    at.map_or_else(|| text.into(), |at| value::of_timestamp(&at))
}
