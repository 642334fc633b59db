//! Where a request may go, and how far it reaches there.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Method, Url};
use stanch_plugins_sdk::core::effect::Effect;

/// Hosts whose calls change what AWS holds, or run what somebody deployed there. `aws(…)` knows
/// what its operations do; of a request by hand nobody does.
const AWS: [&str; 4] = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".on.aws"];

/// Why the address may not be asked: it gives out the credentials of the machine that Stanch runs
/// on (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>).
pub(crate) fn forbidden(url: &Url) -> Option<String> {
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
    let is_own = host.parse().is_ok_and(is_own_address);
    is_own.then(|| format!("{host} is not asked: it gives out the credentials of this machine"))
}

/// Addresses that belong to the machine's own link: the metadata services are there.
fn is_own_address(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => {
            let mapped = v6.to_ipv4_mapped().is_some_and(|v4| v4.is_link_local());
            let of_ec2 = v6.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
                || v6.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23];
            mapped || of_ec2 || v6.is_unicast_link_local()
        }
    }
}

/// How far a request reaches at least, whatever the playbook says of it.
pub(crate) fn least(url: &Url, method: &Method) -> Effect {
    if method.is_safe() {
        return Effect::Read;
    }
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    let is_signed = url.query_pairs().any(|(name, _)| {
        name.eq_ignore_ascii_case("X-Amz-Signature") || name.eq_ignore_ascii_case("AWSAccessKeyId")
    });
    let is_aws = AWS.iter().any(|domain| host.ends_with(domain));
    if is_aws || is_signed { Effect::Change } else { Effect::Notify }
}

/// Names that lead to the machine's own link lead nowhere.
pub(crate) struct Elsewhere;

impl Resolve for Elsewhere {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> =
                found.filter(|address| !is_own_address(address.ip())).collect();
            if found.is_empty() {
                return Err(format!("{} has no address that may be asked", name.as_str()).into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_services_are_not_asked_however_they_are_written() {
        for address in [
            "http://169.254.169.254/latest/meta-data/",
            "http://169.254.170.2/v2/credentials/x",
            "http://2852039166/latest/api/token",
            "http://0xa9fea9fe/",
            "http://0251.0376.0251.0376/",
            "http://[fd00:ec2::254]/latest/",
            "http://[fe80::1]/",
            "http://[::ffff:169.254.169.254]/",
        ] {
            let url: Url = address.parse().unwrap();
            assert!(forbidden(&url).is_some(), "{address} is {url}");
        }
        for address in ["http://127.0.0.1:8080/", "https://example.com/169.254.169.254"] {
            assert!(forbidden(&address.parse().unwrap()).is_none(), "{address}");
        }
    }

    #[test]
    fn what_goes_to_aws_by_hand_is_a_change() {
        for (method, address, expected) in [
            (Method::POST, "https://hooks.example.com/x", Effect::Notify),
            (Method::GET, "https://b.s3.amazonaws.com/k?X-Amz-Signature=x", Effect::Read),
            (Method::PUT, "https://b.s3.eu-west-1.amazonaws.com/k", Effect::Change),
            (Method::PUT, "https://files.example.com/k?X-Amz-Signature=x", Effect::Change),
            (Method::POST, "https://abc.lambda-url.us-east-1.on.aws/", Effect::Change),
            (Method::POST, "https://sqs.us-east-1.API.AWS/q", Effect::Change),
        ] {
            assert_eq!(least(&address.parse().unwrap(), &method), expected, "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_found() {
        let found = Elsewhere.resolve("localhost".parse().unwrap()).await;
        assert!(found.is_ok_and(|mut addresses| addresses.next().is_some()));
    }
}
