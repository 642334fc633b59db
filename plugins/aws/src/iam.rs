//! The IAM actions that operations need: `catalogue/iam_actions.tsv` where they differ from an
//! operation's own name.

use std::collections::HashMap;
use std::sync::LazyLock;

use stanch_plugins_sdk::core::operation::IamActions;

use crate::model::Named;

static TABLE: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let lines = include_str!("../catalogue/iam_actions.tsv").lines();
    lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('\t')).collect()
});

/// Prefixes of policies that are not the name in signatures
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/>).
const PREFIXES: [(&str, &str); 2] =
    [("cloudwatch", "cloudwatch"), ("resourcegroupstaggingapi", "tag")];

/// The actions that a call needs.
pub(crate) fn of(named: Named) -> IamActions {
    if let Some(actions) = TABLE.get(&*named.to_string()) {
        let actions = actions.split(',').map(str::to_owned).collect();
        return IamActions { actions, is_assumed: false };
    }
    let exception = PREFIXES.iter().find(|(service, _)| *service == &*named.model.name);
    let prefix = exception.map_or(named.model.metadata.signing_name(), |(_, prefix)| prefix);
    IamActions { actions: vec![format!("{prefix}:{}", named.operation.name)], is_assumed: true }
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
            ("iam:GetUser", "iam:GetUser", true),
            ("elbv2:DescribeTargetHealth", "elasticloadbalancing:DescribeTargetHealth", true),
            ("accessanalyzer:ListAnalyzers", "access-analyzer:ListAnalyzers", true),
            ("cloudwatch:PutMetricData", "cloudwatch:PutMetricData", true),
            ("resourcegroupstaggingapi:GetResources", "tag:GetResources", true),
            ("ecr:DescribeImages", "ecr:DescribeImages", true),
            ("s3:ListObjectsV2", "s3:ListBucket", false),
        ] {
            let found = of(models.operation(operation).unwrap());
            assert_eq!(found.actions, [action]);
            assert_eq!(found.is_assumed, is_assumed, "{operation}");
        }
    }
}
