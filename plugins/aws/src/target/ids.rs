//! Ids that say by their form what they are, wherever they stand: in the values of a target, in the
//! text of a script (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>).

/// The beginnings of ids, and the parameter of EC2 by which `catalogue/resources.tsv` says what such
/// an id names.
const KINDS: [(&str, &str); 16] = [
    ("acl", "NetworkAclId"),
    ("ami", "ImageId"),
    ("eipalloc", "AllocationId"),
    ("eni", "NetworkInterfaceId"),
    ("i", "InstanceId"),
    ("igw", "InternetGatewayId"),
    ("lt", "LaunchTemplateId"),
    ("nat", "NatGatewayId"),
    ("rtb", "RouteTableId"),
    ("sg", "GroupId"),
    ("snap", "SnapshotId"),
    ("subnet", "SubnetId"),
    ("tgw", "TransitGatewayId"),
    ("vol", "VolumeId"),
    ("vpc", "VpcId"),
    ("vpce", "VpcEndpointId"),
];

/// The ids in a text, each with the parameter of EC2 that it would be given as.
pub(super) fn in_text(text: &str) -> impl Iterator<Item = (&'static str, &str)> {
    let apart = |c: char| !(c.is_ascii_alphanumeric() || c == '-');
    text.split(apart).filter_map(|part| Some((parameter_of(part)?, part)))
}

fn parameter_of(id: &str) -> Option<&'static str> {
    let (kind, rest) = id.split_once('-')?;
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let is_id = matches!(rest.len(), 8 | 17) && rest.bytes().all(is_hex);
    let known = KINDS.iter().find(|(known, _)| *known == kind).filter(|_| is_id);
    known.map(|(_, parameter)| *parameter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_by_their_form_and_nothing_else_is() {
        let found: Vec<_> = in_text("stop i-0abc1234def567890,sg-12345678 (i-1, my-host-00000000)")
            .map(|(parameter, id)| format!("{parameter} {id}"))
            .collect();
        assert_eq!(found, ["InstanceId i-0abc1234def567890", "GroupId sg-12345678"]);
    }

    #[test]
    fn every_kind_is_a_resource_of_the_catalogue() {
        for (kind, parameter) in KINDS {
            let row = super::super::TABLE.get(&("ec2", parameter));
            assert!(matches!(row, Some(super::super::Row::Arn(_))), "{kind} {parameter}");
        }
    }
}
