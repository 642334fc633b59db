//! Databases in MaxMind's format (<https://maxmind.github.io/MaxMind-DB/>), whoever made them.

use std::net::IpAddr;

use maxminddb::Reader;
use serde_json::{Map, Value};

/// A database in memory.
pub(crate) struct Database(Reader<Vec<u8>>);

/// What facts are called, and where databases have them.
const FACTS: [(&str, &[&str]); 8] = [
    ("country", &["/country/iso_code", "/country_code"]),
    ("country_name", &["/country/names/en", "/country_name"]),
    ("city", &["/city/names/en"]),
    ("asn", &["/autonomous_system_number", "/traits/autonomous_system_number"]),
    ("org", &["/autonomous_system_organization", "/traits/autonomous_system_organization"]),
    ("isp", &["/isp", "/traits/isp"]),
    ("is_anonymous", &["/is_anonymous", "/traits/is_anonymous"]),
    ("is_hosting", &["/is_hosting_provider", "/traits/is_hosting_provider"]),
];

impl Database {
    pub(crate) fn read(bytes: Vec<u8>) -> Result<Self, String> {
        let reader = Reader::from_source(bytes);
        reader.map(Self).map_err(|error| format!("it is no database of MaxMind's format: {error}"))
    }

    /// Adds what it knows of an address.
    pub(crate) fn add(&self, ip: IpAddr, facts: &mut Map<String, Value>) -> Result<(), String> {
        let found = self.0.lookup(ip).and_then(|found| found.decode::<Value>());
        let Some(found) = found.map_err(|error| error.to_string())? else { return Ok(()) };
        for (name, paths) in FACTS {
            let known = paths.iter().find_map(|path| found.pointer(path));
            if let Some(known) = known.filter(|known| !known.is_null()) {
                facts.insert(name.to_owned(), known.clone());
            }
        }
        Ok(())
    }
}
