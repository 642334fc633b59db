//! The IAM actions that operations need: `catalogue/iam_actions.tsv` where they differ from an
//! operation's own name. Those of `catalogue/responders.txt` were all looked up; any other without a
//! row is assumed to be named as its operation.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use stanch_plugins_sdk::core::operation::IamActions;

use crate::model::Named;

static TABLE: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = include_str!("../catalogue/iam_actions.tsv").lines();
    lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t')).collect()
});

static LOOKED_UP: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("../catalogue/responders.txt").lines().collect());

/// Prefixes of policies that are not the name in signatures
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/>).
const PREFIXES: [(&str, &str); 2] =
    [("cloudwatch", "cloudwatch"), ("resourcegroupstaggingapi", "tag")];

/// The actions that a call needs.
pub(crate) fn of(named: Named) -> IamActions {
    let name = named.to_string();
    if let Some(actions) = TABLE.get(&*name) {
        let actions = actions.split(',').map(str::to_owned).collect();
        return IamActions { actions, is_assumed: false };
    }
    let exception = PREFIXES.iter().find(|(service, _)| *service == &*named.model.name);
    let prefix = exception.map_or(named.model.metadata.signing_name(), |(_, prefix)| prefix);
    IamActions {
        actions: vec![format!("{prefix}:{}", named.operation.name)],
        is_assumed: !LOOKED_UP.contains(&*name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelStore;

    #[test]
    fn every_row_names_an_operation_and_says_what_the_name_does_not() {
        let models = ModelStore::open(None).unwrap();
        for (operation, actions) in TABLE.iter() {
            let named = models.operation(operation).unwrap();
            assert_eq!(named.to_string(), *operation);
            assert_ne!(operation, actions);
            assert!(actions.split(',').all(|action| action.contains(':')), "{operation}");
        }
        let lines = include_str!("../catalogue/iam_actions.tsv").lines();
        let rows: Vec<_> = lines.filter(|line| !line.starts_with('#')).collect();
        assert!(rows.is_sorted() && rows.len() == TABLE.len());
    }

    #[test]
    fn prefixes_are_those_of_policies() {
        let models = ModelStore::open(None).unwrap();
        for (operation, action, is_assumed) in [
            ("iam:GetUser", "iam:GetUser", false),
            ("iam:GetGroup", "iam:GetGroup", true),
            ("elbv2:DescribeTargetHealth", "elasticloadbalancing:DescribeTargetHealth", false),
            ("accessanalyzer:ListAnalyzers", "access-analyzer:ListAnalyzers", false),
            ("cloudwatch:PutMetricData", "cloudwatch:PutMetricData", false),
            ("resourcegroupstaggingapi:GetResources", "tag:GetResources", false),
            ("ecr:DescribeImages", "ecr:DescribeImages", false),
            ("s3:ListObjectsV2", "s3:ListBucket", false),
        ] {
            let found = of(models.operation(operation).unwrap());
            assert_eq!(found.actions, [action]);
            assert_eq!(found.is_assumed, is_assumed, "{operation}");
        }
    }
}
