//! The rates that AWS documents: `catalogue/quotas.tsv`, and those of the configuration over them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::bucket::Rate;

static DOCUMENTED: LazyLock<Vec<(&'static str, Rate)>> = LazyLock::new(|| {
    include_str!("../../catalogue/quotas.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(row)
        .collect()
});

fn row(line: &'static str) -> Option<(&'static str, Rate)> {
    let mut columns = line.split('\t');
    let pattern = columns.next()?;
    let mut number = || columns.next()?.parse().ok();
    Some((pattern, Rate { per_second: number()?, burst: number()? }))
}

/// Whether an operation is one of a pattern: its name, or the beginning of it before a `*`.
fn fits(pattern: &str, operation: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => operation.starts_with(beginning),
        None => operation == pattern,
    }
}

/// How fast an operation may be called, where something says so.
pub(super) fn rate(operation: &str, told: &BTreeMap<String, Rate>) -> Option<Rate> {
    let longest = |rates: &mut dyn Iterator<Item = (&str, Rate)>| {
        let fitting = rates.filter(|(pattern, _)| fits(pattern, operation));
        fitting.max_by_key(|(pattern, _)| pattern.len()).map(|(_, rate)| rate)
    };
    let mut told = told.iter().map(|(pattern, rate)| (pattern.as_str(), *rate));
    longest(&mut told).or_else(|| longest(&mut DOCUMENTED.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelStore;

    #[test]
    fn every_row_is_read_and_names_operations_that_there_are() {
        let store = ModelStore::open(None).unwrap();
        for line in include_str!("../../catalogue/quotas.tsv").lines() {
            if line.starts_with('#') {
                continue;
            }
            let (pattern, rate) = row(line).unwrap_or_else(|| panic!("{line}"));
            assert!(rate.per_second > 0.0 && rate.burst >= 1.0, "{line}");
            let (service, _) = pattern.split_once(':').unwrap();
            let names = store.service(service).unwrap().operations.keys();
            let any = names.into_iter().any(|name| fits(pattern, &format!("{service}:{name}")));
            assert!(any, "{line}");
        }
    }

    #[test]
    fn the_longest_pattern_holds_and_the_configuration_before_all() {
        let none = BTreeMap::new();
        let per_second = |operation, told: &_| rate(operation, told).map(|rate| rate.per_second);
        assert_eq!(per_second("cloudtrail:LookupEvents", &none), Some(2.0));
        assert_eq!(per_second("cloudtrail:StopLogging", &none), Some(1.0));
        assert_eq!(per_second("ec2:DescribeInstances", &none), Some(20.0));
        assert_eq!(per_second("iam:UpdateAccessKey", &none), None);
        let told =
            BTreeMap::from([("cloudtrail:*".to_owned(), Rate { per_second: 7.0, burst: 7.0 })]);
        assert_eq!(per_second("cloudtrail:LookupEvents", &told), Some(7.0));
        assert_eq!(per_second("ec2:DescribeInstances", &told), Some(20.0));
    }
}
