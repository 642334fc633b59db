//! The names that CloudWatch's notifications have for regions.

use stanch_plugins_sdk::payload::arn::is_region;

/// A region's code: the text itself where it is one, or that of a name such as `EU (Ireland)`.
pub(super) fn code(text: &str) -> Option<String> {
    let text = text.trim();
    if is_region(text) {
        return Some(text.to_owned());
    }
    let place =
        |name: &&(&str, &str)| text.ends_with(name.0) || text.contains(&format!("({})", name.0));
    NAMES.iter().find(place).map(|(_, code)| (*code).to_owned())
}

/// Places, the longer names first where one ends with another
/// (<https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html>).
const NAMES: &[(&str, &str)] = &[
    ("Bahrain", "me-south-1"),
    ("Beijing", "cn-north-1"),
    ("Calgary", "ca-west-1"),
    ("Canada West", "ca-west-1"),
    ("Cape Town", "af-south-1"),
    ("Central", "ca-central-1"),
    ("Dublin", "eu-west-1"),
    ("Frankfurt", "eu-central-1"),
    ("Hong Kong", "ap-east-1"),
    ("Hyderabad", "ap-south-2"),
    ("Ireland", "eu-west-1"),
    ("Jakarta", "ap-southeast-3"),
    ("London", "eu-west-2"),
    ("Malaysia", "ap-southeast-5"),
    ("Melbourne", "ap-southeast-4"),
    ("Mexico Central", "mx-central-1"),
    ("Milan", "eu-south-1"),
    ("Mumbai", "ap-south-1"),
    ("N. California", "us-west-1"),
    ("N. Virginia", "us-east-1"),
    ("New Zealand", "ap-southeast-6"),
    ("Ningxia", "cn-northwest-1"),
    ("Ohio", "us-east-2"),
    ("Oregon", "us-west-2"),
    ("Osaka", "ap-northeast-3"),
    ("Osaka-Local", "ap-northeast-3"),
    ("Paris", "eu-west-3"),
    ("Sao Paulo", "sa-east-1"),
    ("Seoul", "ap-northeast-2"),
    ("Singapore", "ap-southeast-1"),
    ("Spain", "eu-south-2"),
    ("Stockholm", "eu-north-1"),
    ("Sydney", "ap-southeast-2"),
    ("São Paulo", "sa-east-1"),
    ("Taipei", "ap-east-2"),
    ("Tel Aviv", "il-central-1"),
    ("Thailand", "ap-southeast-7"),
    ("Tokyo", "ap-northeast-1"),
    ("UAE", "me-central-1"),
    ("US-East", "us-gov-east-1"),
    ("US-West", "us-gov-west-1"),
    ("Virginia", "us-east-1"),
    ("Zurich", "eu-central-2"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_are_read_and_placeholders_are_not() {
        for (text, expected) in [
            ("eu-west-1", Some("eu-west-1")),
            ("EU (Ireland)", Some("eu-west-1")),
            ("EU - Ireland", Some("eu-west-1")),
            ("Europe (Ireland)", Some("eu-west-1")),
            ("US East (N. Virginia)", Some("us-east-1")),
            ("US (Virginia)", Some("us-east-1")),
            ("Asia Pacific (Sydney)", Some("ap-southeast-2")),
            ("AWS GovCloud (US-West)", Some("us-gov-west-1")),
            ("Canada (Central)", Some("ca-central-1")),
            ("EXAMPLE", None),
            ("", None),
        ] {
            assert_eq!(code(text).as_deref(), expected, "{text}");
        }
    }
}
