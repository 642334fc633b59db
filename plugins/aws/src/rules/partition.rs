//! AWS's partitions: the parts of it that share nothing, such as China.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

/// Every partition.
#[derive(Debug, Deserialize)]
pub(crate) struct Partitions {
    partitions: Vec<Partition>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Partition {
    id: Box<str>,
    region_regex: Box<str>,
    regions: BTreeMap<Box<str>, Value>,
    outputs: Value,
}

impl Partitions {
    /// What holds in the partition of a region: by its name, else by the form of its name, else
    /// AWS's own partition.
    pub(crate) fn of(&self, region: &str) -> Option<Value> {
        let named = self.partitions.iter().find(|p| p.regions.contains_key(region));
        let formed = || self.partitions.iter().find(|p| fits(&p.region_regex, region));
        let usual = || self.partitions.iter().find(|p| &*p.id == "aws");
        let partition = named.or_else(formed).or_else(usual)?;
        let mut outputs = partition.outputs.clone();
        if let (Value::Object(outputs), Some(Value::Object(own))) =
            (&mut outputs, partition.regions.get(region))
        {
            outputs.extend(own.iter().map(|(name, value)| (name.clone(), value.clone())));
            outputs.remove("description");
        }
        outputs.as_object_mut()?.insert("name".to_owned(), json!(partition.id));
        Some(outputs)
    }
}

/// Whether a region's name fits a partition's expression. They are all of one form, with dashes
/// between words, `\w+`, `\d+` and choices: `^(us|eu)\-\w+\-\d+$`.
fn fits(expression: &str, region: &str) -> bool {
    let expression = expression.trim_start_matches('^').trim_end_matches('$');
    let (mut parts, mut words) = (expression.split("\\-"), region.split('-'));
    loop {
        let fits = match (parts.next(), words.next()) {
            (None, None) => return true,
            (Some("\\w+"), Some(word)) => {
                !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            }
            (Some("\\d+"), Some(word)) => {
                !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
            }
            (Some(part), Some(word)) => {
                part.trim_matches(['(', ')']).split('|').any(|choice| choice == word)
            }
            _ => false,
        };
        if !fits {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regions_name_tells_its_partition() {
        let aws = r"^(us|eu|ap|sa|ca|me|af|il|mx)\-\w+\-\d+$";
        let gov = r"^us\-gov\-\w+\-\d+$";
        for (expression, region, expected) in [
            (aws, "eu-new-7", true),
            (aws, "us-gov-west-1", false),
            (aws, "us-east", false),
            (aws, "xx-east-1", false),
            (gov, "us-gov-west-9", true),
            (gov, "us-gov-west-x", false),
        ] {
            assert_eq!(fits(expression, region), expected, "{expression} {region}");
        }
    }
}
