//! Which services a name means: botocore, policies, hosts and signatures each have names of
//! their own.

use super::pack::Entry;

/// Prefixes of policies that are neither a service's name, nor its host's, nor its signature's
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/>).
const PREFIXES: [(&str, &str); 1] = [("tag", "resourcegroupstaggingapi")];

/// Whether `name` may mean the service.
pub(super) fn is_meant(name: &str, entry: &Entry) -> bool {
    *entry.name == *name
        || *entry.prefix == *name
        || entry.signing.as_deref() == Some(name)
        || PREFIXES.contains(&(name, &entry.name))
}
