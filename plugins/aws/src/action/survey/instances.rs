//! The instances behind what a change names: a network interface, an address, a volume, an
//! association with a role.

use serde_json::json;
use stanch_plugins_sdk::ActionError;

use super::reach::{Reach, texts};
use crate::target::partition;

/// What lies in an instance, by the beginning of its id: the operation that says in which, and the
/// filter that takes such an id.
struct Part {
    prefix: &'static str,
    operation: &'static str,
    filter: &'static str,
    list: &'static str,
    /// Where the instance stands in an item of the list.
    instance: &'static str,
}

const INTERFACES: &str = "ec2:DescribeNetworkInterfaces";

const PARTS: [Part; 6] = [
    part("eni-", INTERFACES, "network-interface-id"),
    part("eni-attach-", INTERFACES, "attachment.attachment-id"),
    part("eipassoc-", INTERFACES, "association.association-id"),
    part("eipalloc-", INTERFACES, "association.allocation-id"),
    Part {
        prefix: "vol-",
        operation: "ec2:DescribeVolumes",
        filter: "volume-id",
        list: "Volumes",
        instance: "/Attachments/0/InstanceId",
    },
    Part {
        prefix: "iip-assoc-",
        operation: "ec2:DescribeIamInstanceProfileAssociations",
        filter: "association-id",
        list: "IamInstanceProfileAssociations",
        instance: "/InstanceId",
    },
];

const fn part(prefix: &'static str, operation: &'static str, filter: &'static str) -> Part {
    Part {
        prefix,
        operation,
        filter,
        list: "NetworkInterfaces",
        instance: "/Attachment/InstanceId",
    }
}

/// Changes to what lies in an instance that are changes to the instance.
const CHANGES: [&str; 15] = [
    "ec2:AssignIpv6Addresses",
    "ec2:AssignPrivateIpAddresses",
    "ec2:AssociateAddress",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteVolume",
    "ec2:DetachNetworkInterface",
    "ec2:DetachVolume",
    "ec2:DisassociateAddress",
    "ec2:DisassociateIamInstanceProfile",
    "ec2:ModifyNetworkInterfaceAttribute",
    "ec2:ReleaseAddress",
    "ec2:ReplaceIamInstanceProfileAssociation",
    "ec2:ResetNetworkInterfaceAttribute",
    "ec2:UnassignIpv6Addresses",
    "ec2:UnassignPrivateIpAddresses",
];

/// Whether an operation changes what may lie in an instance.
pub(super) fn may_lie_in_one(operation: &str) -> bool {
    CHANGES.contains(&operation)
}

/// The operations that are asked about such a change.
pub(super) fn asked_of(operation: &str) -> impl Iterator<Item = &'static str> + use<'_> {
    let fits = move |part: &&Part| match part.prefix {
        "vol-" => operation.ends_with("Volume"),
        "iip-assoc-" => operation.contains("IamInstanceProfile"),
        _ => !operation.ends_with("Volume") && !operation.contains("IamInstanceProfile"),
    };
    PARTS.iter().filter(fits).map(|part| part.operation)
}

impl Reach<'_> {
    /// The ARNs of the instances in which something lies that the change names.
    pub(super) async fn instances(&self) -> Result<Vec<String>, ActionError> {
        let last = |arn: &String| arn.rsplit('/').next().map(str::to_owned);
        let named = self.targets.arns.iter().filter_map(last);
        let named: Vec<String> = named.chain(self.targets.words.iter().cloned()).collect();
        let mut found = Vec::new();
        for part in &PARTS {
            let is_longer = |id: &&String| part.prefix == "eni-" && id.starts_with("eni-attach-");
            let ids: Vec<&String> =
                named.iter().filter(|id| id.starts_with(part.prefix) && !is_longer(id)).collect();
            if ids.is_empty() {
                continue;
            }
            let params = json!({"Filters": [{"Name": part.filter, "Values": ids}]});
            let answer = self.look(part.operation, &params).await?;
            found.extend(texts(&answer, part.list, part.instance).map(|id| self.instance(id)));
        }
        Ok(found)
    }

    fn instance(&self, id: &str) -> String {
        let region = self.context.region.as_deref();
        let account = self.context.account.as_deref().unwrap_or(self.home);
        let (partition, region) = (partition(region), region.unwrap_or("*"));
        format!("arn:{partition}:ec2:{region}:{account}:instance/{id}")
    }
}
