//! What the guard may have to ask AWS before a change, so that a role that reads can be allowed it.

use std::collections::BTreeSet;

use stanch_plugins_sdk::core::guard::target::Wants;

use super::reach::OF_POLICY;
use super::{TAGGED, instances};
use crate::target::runs_a_document;

/// The operations that may be called with the role that reads, before a change by an operation.
/// What is asked with other credentials, of the organization and of the keys of evidence, is not
/// among them.
pub(crate) fn asks(operation: &str, wants: &Wants) -> BTreeSet<&'static str> {
    let (service, name) = operation.split_once(':').unwrap_or(("", operation));
    let mut asked = BTreeSet::new();
    if OF_POLICY.contains(&operation) {
        asked.extend(["iam:ListEntitiesForPolicy", "iam:GetGroup"]);
    } else if service == "iam" && name.contains("Group") {
        asked.insert("iam:GetGroup");
    } else if instances::may_lie_in_one(operation) {
        asked.extend(instances::asked_of(operation));
    } else if runs_a_document(operation) {
        asked.insert("ec2:DescribeTags");
    }
    if wants.replaced && service == "s3" {
        asked.extend(["s3:HeadObject", "s3:GetBucketVersioning"]);
    }
    if service == "iam" && (wants.paths || wants.tags) {
        asked.extend(["iam:GetRole", "iam:GetUser"]);
    }
    if wants.tags && service == "s3" {
        asked.insert("s3:GetBucketTagging");
    }
    if wants.tags && (TAGGED.contains(&service) || runs_a_document(operation)) {
        asked.insert("resourcegroupstaggingapi:GetResources");
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_depends_on_what_is_protected() {
        let nothing = Wants::default();
        let tags = Wants { tags: true, ..Wants::default() };
        let asked = |operation: &str, wants: &Wants| {
            asks(operation, wants).into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(asked("iam:UpdateAccessKey", &nothing), "");
        assert_eq!(asked("iam:UpdateAccessKey", &tags), "iam:GetRole iam:GetUser");
        assert_eq!(asked("iam:AddUserToGroup", &nothing), "iam:GetGroup");
        assert_eq!(asked("ec2:StopInstances", &tags), "resourcegroupstaggingapi:GetResources");
        assert_eq!(asked("ec2:DetachVolume", &nothing), "ec2:DescribeVolumes");
        assert_eq!(asked("ec2:DetachNetworkInterface", &nothing), "ec2:DescribeNetworkInterfaces");
        assert_eq!(asked("ssm:SendCommand", &nothing), "ec2:DescribeTags");
        let added = Wants { replaced: true, ..Wants::default() };
        assert_eq!(asked("s3:PutObject", &added), "s3:GetBucketVersioning s3:HeadObject");
    }
}
