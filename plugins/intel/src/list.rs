//! What is known to be bad, in memory: looked up by what it is, and an address by the networks that
//! it is in.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use stanch_plugins_sdk::core::time::Timestamp;

/// Entries of one list, at most.
const ENTRIES: usize = 5_000_000;

/// An entry: what the list says of it, and when that holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) says: Option<String>,
    pub(crate) from: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
}

impl Entry {
    fn holds(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

/// A list.
#[derive(Debug, Default)]
pub(crate) struct List {
    exact: HashMap<String, Entry>,
    networks: HashMap<(u8, u128), Entry>,
    /// The lengths of prefixes that there are, the longest last.
    lengths: BTreeSet<u8>,
}

/// Bits of an address, IPv4's at the end of those of IPv6.
fn bits(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => u128::from(ip.to_ipv6_mapped()),
        IpAddr::V6(ip) => u128::from(ip),
    }
}

fn masked(bits: u128, length: u8) -> u128 {
    match length {
        0 => 0,
        length => bits & (u128::MAX << (128 - u32::from(length.min(128)))),
    }
}

impl List {
    /// A plain list: a line each.
    pub(crate) fn plain(bytes: Vec<u8>) -> Result<Self, String> {
        let text = String::from_utf8(bytes).map_err(|_| "it is no text".to_owned())?;
        let mut list = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.split(['#', ';']).next().unwrap_or_default();
            let Some(word) = line.split([' ', '\t', ',']).find(|word| !word.is_empty()) else {
                continue;
            };
            let added = list.add(word, Entry::default());
            added.map_err(|why| format!("line {}: {why}", number + 1))?;
        }
        Ok(list)
    }

    /// Adds an address, a network, a name or a hash.
    pub(crate) fn add(&mut self, word: &str, entry: Entry) -> Result<(), String> {
        if self.exact.len() + self.networks.len() >= ENTRIES {
            return Err(format!("more than {ENTRIES} entries"));
        }
        let word = word.trim().trim_matches('"');
        if let Ok(ip) = word.parse::<IpAddr>() {
            self.add_network(bits(ip), 128, entry);
            return Ok(());
        }
        if let Some((ip, length)) = word.split_once('/')
            && let Ok(ip) = ip.parse::<IpAddr>()
        {
            let most = if ip.is_ipv4() { 32 } else { 128 };
            let length = length.parse::<u8>().ok().filter(|length| *length <= most);
            let length = length.ok_or_else(|| format!("`{word}` is no network"))?;
            self.add_network(bits(ip), length + (128 - most), entry);
            return Ok(());
        }
        let is_legal = |c: char| c.is_ascii_graphic() || !c.is_ascii();
        if word.is_empty() || word.len() > 2_048 || !word.chars().all(is_legal) {
            return Err(format!("`{}` is no address, network, name or hash", shown(word)));
        }
        self.exact.insert(word.to_lowercase(), entry);
        Ok(())
    }

    fn add_network(&mut self, bits: u128, length: u8, entry: Entry) {
        self.lengths.insert(length);
        self.networks.insert((length, masked(bits, length)), entry);
    }

    /// The entry that a value is, or, of an address, the narrowest network that it is in.
    pub(crate) fn find(&self, value: &str, now: Timestamp) -> Option<&Entry> {
        let value = value.trim();
        if let Ok(ip) = value.parse::<IpAddr>() {
            let bits = bits(ip);
            let mut within = self
                .lengths
                .iter()
                .rev()
                .filter_map(|length| self.networks.get(&(*length, masked(bits, *length))));
            return within.find(|entry| entry.holds(now));
        }
        let value = value.to_lowercase();
        let mut name = value.as_str();
        loop {
            if let Some(entry) = self.exact.get(name).filter(|entry| entry.holds(now)) {
                return Some(entry);
            }
            // What is said of a domain holds for the names below it; the last label is none.
            let (_, above) = name.split_once('.').filter(|(_, above)| above.contains('.'))?;
            name = above;
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.exact.len() + self.networks.len()
    }
}

fn shown(word: &str) -> String {
    word.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> List {
        List::plain(text.as_bytes().to_vec()).unwrap()
    }

    fn has(list: &List, value: &str) -> bool {
        list.find(value, Timestamp::default()).is_some()
    }

    #[test]
    fn addresses_networks_names_and_hashes() {
        let list = plain(
            "# a comment\n198.51.100.7 ; a scanner\n203.0.113.0/24,x\n2001:db8::/32\nEvil.example\n\n\
             d41d8cd98f00b204e9800998ecf8427e # md5\n",
        );
        assert_eq!(list.len(), 5);
        for bad in [
            "198.51.100.7",
            "203.0.113.255",
            "2001:db8:1::1",
            "evil.example",
            "a.b.EVIL.example",
            "D41D8CD98F00B204E9800998ECF8427E",
            "::ffff:198.51.100.7",
        ] {
            assert!(has(&list, bad), "{bad}");
        }
        for good in ["198.51.100.8", "203.0.114.1", "2001:db9::1", "notevil.example", "example", ""]
        {
            assert!(!has(&list, good), "{good}");
        }
    }

    #[test]
    fn an_ipv4_network_of_everything_holds_no_ipv6() {
        let list = plain("0.0.0.0/0\n");
        assert!(has(&list, "8.8.8.8") && !has(&list, "2001:db8::1"));
    }

    #[test]
    fn what_is_no_entry_is_named_by_its_line() {
        for (text, part) in [("1.2.3.4\n1.2.3.4/33\n", "line 2"), ("2001:db8::/129", "line 1")] {
            let why = List::plain(text.as_bytes().to_vec()).unwrap_err();
            assert!(why.contains(part), "{why}");
        }
        assert!(List::plain(vec![0xff, 0xfe]).is_err());
    }

    #[test]
    fn an_entry_holds_from_its_begin_to_its_end_and_the_narrowest_counts() {
        let at = |seconds: i64| Timestamp::default().plus_ms(seconds * 1_000);
        let mut list = List::default();
        let said = |says: &str| Entry { says: Some(says.into()), ..Entry::default() };
        list.add("10.0.0.0/8", said("wide")).unwrap();
        let narrow = Entry { from: Some(at(10)), until: Some(at(20)), ..said("narrow") };
        list.add("10.1.0.0/16", narrow).unwrap();
        let says = |second| list.find("10.1.2.3", at(second)).unwrap().says.clone().unwrap();
        assert_eq!(
            (says(5), says(10), says(19), says(20)),
            ("wide".into(), "narrow".into(), "narrow".into(), "wide".into())
        );
    }
}
