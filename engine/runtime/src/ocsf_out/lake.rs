//! Events as a source of Security Lake takes them: objects of Parquet, one for each account and day,
//! in the order of time.

use std::collections::BTreeMap;

use serde_json::Value;
use stanch_engine_core::digest::Sha256;
use stanch_engine_core::ocsf::Class;
use stanch_engine_core::ocsf::lake::{self, Partition};

use super::parquet;

/// An object: its key, and what is in it.
pub(super) type Object = (String, Vec<u8>);

/// The objects of some lines, each an event of the class. The same lines give the same objects under the
/// same keys: what is sent once more stands in the place of itself.
///
/// # Errors
/// When they can't be written, in words.
pub(super) fn objects(
    (source, region): (&str, &str),
    class: Class,
    lines: &str,
) -> Result<Vec<Object>, String> {
    let mut parts: BTreeMap<Partition, Vec<Value>> = BTreeMap::new();
    for line in lines.lines() {
        let event: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        parts.entry(Partition::of(&event)).or_default().push(event);
    }
    let columns = lake::columns(class);
    let object = |(Partition { account, day }, mut events): (Partition, Vec<Value>)| -> Result<Object, String> {
        events.sort_by_key(lake::moment);
        let bytes = parquet::write(&columns, &events).map_err(|error| error.to_string())?;
        let (from, digest) =
            (events.first().map_or(0, lake::moment), Sha256::of(&bytes).to_string());
        let name = digest.get(..16).unwrap_or_default();
        let key = format!(
            "ext/{source}/region={region}/accountId={account}/eventDay={day}/{from}-{name}.parquet"
        );
        Ok((key, bytes))
    };
    parts.into_iter().map(object).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(time: i64, account: &str) -> String {
        let cloud = json!({"account": {"uid": account}});
        json!({"class_uid": 2005, "time": time, "cloud": cloud}).to_string() + "\n"
    }

    #[test]
    fn each_account_and_day_has_an_object_of_its_own_and_always_the_same() {
        // 2026-11-24T23:59:59.999Z and the moment after.
        let (evening, morning) = (1_795_564_799_999, 1_795_564_800_000);
        let (one, other) = ("111122223333", "444455556666");
        let lines = [event(morning, one), event(evening, one), event(evening, other)].concat();
        let of = |lines: &str| {
            objects(("stanch/1.0", "eu-west-1"), Class::IncidentFinding, lines).unwrap()
        };
        let made = of(&lines);
        let folders: Vec<_> = made.iter().map(|(key, _)| key.rsplit_once('/').unwrap().0).collect();
        let folder = |account: &str, day: &str| {
            format!("ext/stanch/1.0/region=eu-west-1/accountId={account}/eventDay={day}")
        };
        let expected =
            [folder(one, "20261124"), folder(one, "20261125"), folder(other, "20261124")];
        assert_eq!(folders, expected);
        assert_eq!(made, of(&lines));
        for (_, bytes) in &made {
            assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
        }
        assert!(objects(("s", "r"), Class::IncidentFinding, "no event").is_err());
    }
}
