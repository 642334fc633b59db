//! How a payload finds its source: by name or by its shape, and through whatever it is wrapped in.

use std::borrow::Cow;

use serde_json::Value;
use stanch_engine_core::alert::Alert;
use stanch_engine_core::dense;
use stanch_engine_core::limits;
use stanch_engine_core::suggest;

use crate::catalogue::{Catalogue, Family};
use crate::payload::{names, several};
use crate::{Around, Part, Source, SourceError};

/// What came of a payload: what could be read of it and what could not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// The alerts.
    pub alerts: Vec<Alert>,
    /// What was refused.
    pub refused: Vec<Refusal>,
}

/// One thing that was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Where it stands in the payload; empty when it is all of it.
    pub at: String,
    /// Why.
    pub reason: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.at.is_empty() {
            return f.write_str(&self.reason);
        }
        write!(f, "{}: {}", self.at, self.reason)
    }
}

/// The names of the ways in that are no source: whatever comes by them is recognised by its shape.
/// `auto` looks at every source, the others at AWS's.
const DOORS: [(&str, Option<Family>); 5] = [
    ("auto", None),
    ("aws", Some(Family::Aws)),
    ("eventbridge", Some(Family::Aws)),
    ("sns", Some(Family::Aws)),
    ("sqs", Some(Family::Aws)),
];

/// Who is asked about a payload.
#[derive(Clone, Copy)]
enum Asked<'c> {
    Anyone(Option<Family>),
    One(&'c dyn Source),
}

impl Catalogue {
    /// Whether payloads may be sent to this name.
    pub fn takes(&self, name: &str) -> bool {
        DOORS.iter().any(|(door, _)| *door == name) || self.source(name).is_some()
    }

    /// Every name that payloads may be sent to.
    pub fn door_names(&self) -> Vec<String> {
        let doors = DOORS.iter().map(|(door, _)| (*door).to_owned());
        let mut names: Vec<_> = doors.chain(self.source_names()).collect();
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }

    /// Reads a payload that was sent to a name.
    ///
    /// # Errors
    /// In words, when there is no such name.
    pub fn read(&self, name: &str, payload: &Value) -> Result<Reading, String> {
        let door = DOORS.iter().find(|(door, _)| *door == name);
        let asked = match (door, self.source(name)) {
            (Some((_, family)), _) => Asked::Anyone(*family),
            (None, Some(source)) => Asked::One(&**source),
            (None, None) => {
                let names = self.door_names();
                let hint = suggest::hint(name, names.iter().map(String::as_str));
                return Err(format!("there is no source `{name}`{hint}"));
            }
        };
        let mut reader = Reader { catalogue: self, asked, reading: Reading::default() };
        if let Some(unknown) = reader.take(payload, &Place::default()) {
            reader.reading.refused.push(unknown);
        }
        Ok(reader.reading)
    }
}

struct Reader<'c> {
    catalogue: &'c Catalogue,
    asked: Asked<'c>,
    reading: Reading,
}

/// Where the reader stands.
#[derive(Clone, Default)]
struct Place {
    path: String,
    around: Around,
    depth: usize,
}

impl Reader<'_> {
    /// Reads a payload. What nobody knows comes back as the refusal that it would get: whatever it
    /// is wrapped in may still be known as what it is.
    fn take(&mut self, payload: &Value, place: &Place) -> Option<Refusal> {
        if let Some(source) = self.source_of(payload, false) {
            self.read(&*source, payload, place);
            return None;
        }
        let parts =
            open(payload).or_else(|| self.catalogue.envelopes().find_map(|e| e.open(payload)));
        let unknown = match parts {
            Some(parts) => self.take_parts(parts, place)?,
            None => match self.asked {
                // Who names a source wants to hear what that source misses.
                Asked::One(source) => {
                    self.read(source, payload, place);
                    return None;
                }
                Asked::Anyone(_) => {
                    Refusal { at: place.path.clone(), reason: self.nobody(payload) }
                }
            },
        };
        let source = self.source_of(payload, true);
        match source {
            Some(source) => self.read(&*source, payload, place),
            None => return Some(unknown),
        }
        None
    }

    /// Reads what is in an envelope. The refusal of one thing alone, which nobody knows, comes
    /// back: the envelope around it may be known.
    fn take_parts(&mut self, parts: Vec<Part<'_>>, place: &Place) -> Option<Refusal> {
        let depth = place.depth + 1;
        if depth > limits::ENVELOPES_DEEP {
            let most = limits::ENVELOPES_DEEP;
            self.refuse(&place.path, format!("it lies in more than {most} envelopes"));
            return None;
        }
        if parts.is_empty() {
            self.refuse(&place.path, "it is empty: it holds no alert".to_owned());
        }
        let is_alone = parts.len() == 1;
        for part in parts {
            let path = join(&place.path, &part.path);
            let within = Place { path, around: part.around.over(&place.around), depth };
            if self.is_full(&within) {
                return None;
            }
            match part.payload {
                Ok(payload) => match self.take(&payload, &within) {
                    Some(unknown) if is_alone => return Some(unknown),
                    Some(unknown) => self.reading.refused.push(unknown),
                    None => {}
                },
                Err(why) => self.refuse(&within.path, why.to_string()),
            }
        }
        None
    }

    fn source_of(&self, payload: &Value, last: bool) -> Option<std::sync::Arc<dyn Source>> {
        match self.asked {
            Asked::One(source) => {
                let named = self.catalogue.source(source.name())?;
                (!last && source.recognises(payload)).then(|| std::sync::Arc::clone(named))
            }
            Asked::Anyone(family) => self.catalogue.recognise(payload, family, last),
        }
    }

    fn read(&mut self, source: &dyn Source, payload: &Value, place: &Place) {
        for read in source.read(payload, &place.around) {
            if self.is_full(place) {
                return;
            }
            match read {
                Ok(alert) => self.reading.alerts.push(alert),
                Err(why) => self.refuse(&place.path, format!("{}: {why}", source.name())),
            }
        }
    }

    /// Stops at the limit, and says so once.
    fn is_full(&mut self, place: &Place) -> bool {
        let most = limits::ALERTS_PER_PAYLOAD;
        let is_full = self.reading.alerts.len() + self.reading.refused.len() >= most;
        if is_full
            && self.reading.refused.last().is_none_or(|last| !last.reason.starts_with("more than"))
        {
            self.refuse(
                &place.path,
                format!("more than {most} alerts in one payload: send fewer at a time"),
            );
        }
        is_full
    }

    fn refuse(&mut self, at: &str, reason: String) {
        self.reading.refused.push(Refusal { at: at.to_owned(), reason });
    }

    fn nobody(&self, payload: &Value) -> String {
        let (asked, at_a_loss) = match self.asked {
            Asked::One(source) => (source.name().to_owned(), Vec::new()),
            Asked::Anyone(family) => {
                let names = self.catalogue.names_of(family).join(", ");
                (names, self.catalogue.at_a_loss(payload, family))
            }
        };
        let is = names(payload);
        let lost: String = at_a_loss.iter().map(|why| format!("; {why}")).collect();
        format!("no source recognises it: it is {is}; looked for {asked}{lost}")
    }
}

fn join(path: &str, more: &str) -> String {
    match (path.is_empty(), more.starts_with('[') || more.is_empty()) {
        (true, _) | (_, true) => format!("{path}{more}"),
        _ => format!("{path}.{more}"),
    }
}

/// What needs no envelope of its own: a list, and a text that is JSON.
fn open(payload: &Value) -> Option<Vec<Part<'_>>> {
    match payload {
        Value::Array(items) => {
            let part = |(at, item)| Part::of(format!("[{at}]"), item);
            Some(items.iter().enumerate().map(part).collect())
        }
        Value::String(text) => {
            let start = text.trim_start();
            if !start.starts_with(['{', '[', '"']) {
                return None;
            }
            let payload = match dense::refusal(start.as_bytes()) {
                Some(why) => Err(SourceError::Refused(why)),
                None => {
                    let one = serde_json::from_str::<Value>(start).ok();
                    Ok(Cow::Owned(one.or_else(|| several(start))?))
                }
            };
            Some(vec![Part { path: String::new(), payload, around: Around::default() }])
        }
        _ => None,
    }
}
