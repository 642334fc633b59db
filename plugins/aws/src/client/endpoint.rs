//! Which host serves a call, and how the call is signed: AWS's endpoint rules, asked with what a
//! call knows.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::model::{Model, ModelStore, Named};
use crate::rules::{Resolved, RuleSet};

/// Where a call goes and how it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Scheme and host.
    pub url: String,
    /// The region in the scope of the signature.
    pub signing_region: String,
    /// The name in the scope of the signature.
    pub signing_name: String,
    /// Whether calls there are signed in a way that is known: SigV4, and not SigV4a or that of S3
    /// Express.
    pub is_signable: bool,
    /// What the rules say of it beside, such as `authSchemes`.
    pub properties: Value,
    /// Headers that calls there must have, each with its values.
    pub headers: Value,
}

/// Which of a service's hosts are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variant {
    /// Those with validated cryptography.
    pub fips: bool,
    /// Those that have IPv6 addresses too.
    pub dual_stack: bool,
}

/// Finds the endpoint of a call.
///
/// # Errors
/// In words, when the service has none there.
pub(crate) fn resolve(
    models: &ModelStore,
    named: Named,
    region: &str,
    variant: Variant,
    params: &Value,
) -> Result<Endpoint, String> {
    let service = (named.model, named.rules);
    let endpoint = of_service(models, service, region, variant, context(named, params))?;
    if !endpoint.is_signable {
        return Err(format!(
            "{} takes only signatures by SigV4a or by a session of S3 Express, which are not made \
             here: name a bucket, or an access point in one region",
            endpoint.url
        ));
    }
    Ok(Endpoint { url: with_label(&endpoint.url, &host_label(named, params)?), ..endpoint })
}

/// The host that a call to a given address names, where its operation puts something before the
/// host. The connection goes to the given address all the same: the name before that of a stand-in
/// or of an endpoint in one's own network is seldom known to anybody.
///
/// # Errors
/// In words, when a parameter can't be part of a host's name.
pub(super) fn labelled_host(
    named: Named,
    params: &Value,
    url: &str,
) -> Result<Option<String>, String> {
    let label = host_label(named, params)?;
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Ok((!label.is_empty() && !host.starts_with(&label)).then(|| format!("{label}{host}")))
}

/// Endpoints that the rules gave before, to calls of which they are told no more than the region.
#[derive(Debug, Default)]
pub(crate) struct Endpoints(Mutex<HashMap<(&'static str, String, Variant), Resolution>>);

type Resolution = Result<Endpoint, String>;

/// Endpoints that are kept: more than all services have in the regions that one node looks at.
const KEPT: usize = 4_096;

impl Endpoints {
    /// Finds the endpoint of a call, as [`resolve`] does.
    pub(crate) fn resolve(
        &self,
        models: &ModelStore,
        named: Named,
        region: &str,
        variant: Variant,
        params: &Value,
    ) -> Resolution {
        let asks_more =
            named.operation.endpoint.is_some() || context(named, params).next().is_some();
        if asks_more {
            return resolve(models, named, region, variant, params);
        }
        let key = (&*named.model.name, region.to_owned(), variant);
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept().get(&key) {
            return found.clone();
        }
        let found = resolve(models, named, region, variant, params);
        let mut kept = kept();
        if kept.len() < KEPT {
            kept.insert(key, found.clone());
        }
        found
    }
}

/// Finds the endpoint of a service, whatever is called there.
///
/// # Errors
/// In words, when the service has none there.
pub(crate) fn of_service(
    models: &ModelStore,
    (model, rules): (&Model, Option<&RuleSet>),
    region: &str,
    variant: Variant,
    context: impl Iterator<Item = (&'static str, Value)>,
) -> Result<Endpoint, String> {
    let partitions = models.partitions().map_err(|error| error.to_string())?;
    let given = [
        ("Region", Value::from(region)),
        ("UseFIPS", variant.fips.into()),
        ("UseDualStack", variant.dual_stack.into()),
        // Paths of S3's operations have the bucket in them.
        ("ForcePathStyle", true.into()),
    ];
    let Resolved { url, signing_region, signing_name, is_signable, properties, headers } =
        match rules {
            Some(rules) => rules.resolve(partitions, given.into_iter().chain(context))?,
            None => {
                let outputs = partitions.of(region).unwrap_or_default();
                let suffix = outputs.get("dnsSuffix").and_then(Value::as_str);
                let prefix = &model.metadata.endpoint_prefix;
                let url =
                    format!("https://{prefix}.{region}.{}", suffix.unwrap_or("amazonaws.com"));
                Resolved {
                    url,
                    signing_region: None,
                    signing_name: None,
                    is_signable: true,
                    properties: Value::Null,
                    headers: Value::Object(Map::new()),
                }
            }
        };
    Ok(Endpoint {
        url,
        signing_region: signing_region.unwrap_or_else(|| region.to_owned()),
        signing_name: signing_name.unwrap_or_else(|| model.metadata.signing_name().to_owned()),
        is_signable,
        properties,
        headers,
    })
}

/// What a service's rules say to parameters as they name them.
///
/// # Errors
/// In the words of the rules, when there is no endpoint for these parameters.
pub(crate) fn by_rules(
    models: &ModelStore,
    model: &Model,
    rules: Option<&RuleSet>,
    params: &Map<String, Value>,
) -> Result<Endpoint, String> {
    let partitions = models.partitions().map_err(|error| error.to_string())?;
    let rules = rules.ok_or_else(|| format!("{} has no endpoint rules", model.name))?;
    let given = params.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let Resolved { url, signing_region, signing_name, is_signable, properties, headers } =
        rules.resolve(partitions, given)?;
    let region = params.get("Region").and_then(Value::as_str).unwrap_or_default();
    Ok(Endpoint {
        url,
        signing_region: signing_region.unwrap_or_else(|| region.to_owned()),
        signing_name: signing_name.unwrap_or_else(|| model.metadata.signing_name().to_owned()),
        is_signable,
        properties,
        headers,
    })
}

/// The bucket of a call of S3 that has a host of its own: an access point, or a directory of S3
/// Express. Any other stands in the path.
fn special_bucket(named: Named, params: &Value) -> Option<&str> {
    let bucket = params.get("Bucket")?.as_str().filter(|_| &*named.model.name == "s3")?;
    (bucket.starts_with("arn:") || bucket.ends_with("--x-s3")).then_some(bucket)
}

/// A request's address without the bucket, where the host says it.
pub(super) fn without_bucket(named: Named, params: &Value, uri: &str) -> Option<String> {
    special_bucket(named, params)?;
    let (path, query) = uri.split_once('?').map_or((uri, None), |(path, q)| (path, Some(q)));
    let rest = path.strip_prefix('/')?.split_once('/').map_or("", |(_, rest)| rest);
    Some(match query {
        Some(query) => format!("/{rest}?{query}"),
        None => format!("/{rest}"),
    })
}

/// What the rules are told of this operation and its parameters. S3's rules are told only of a
/// bucket that has a host of its own; of what is done to another, the rules without one would
/// think that it is a directory, and ask S3 Express.
fn context<'a>(
    named: Named,
    params: &'a Value,
) -> impl Iterator<Item = (&'static str, Value)> + 'a {
    let special = special_bucket(named, params);
    let is_directory = special.is_some_and(|bucket| bucket.ends_with("--x-s3"));
    let fixed = named.operation.static_context_params.iter();
    let fixed = fixed.map(|(name, value)| (&**name, value.value.clone()));
    let fixed =
        fixed.filter(move |(name, _)| *name != "UseS3ExpressControlEndpoint" || is_directory);
    let members = named.model.input(named.operation).into_iter().flat_map(|s| &s.members);
    let of_call = members.filter_map(|(name, member)| {
        let known = member.context_param.as_ref()?;
        let value = params.get(&**name).filter(|value| !value.is_null())?;
        Some((&*known.name, value.clone()))
    });
    let of_call = of_call.filter(move |_| special.is_some() || &*named.model.name != "s3");
    let in_host = special.map(|_| ("ForcePathStyle", false.into()));
    fixed.chain(of_call).chain(in_host)
}

/// What an operation puts before the host, its parameters filled in.
///
/// # Errors
/// In words, when a parameter can't be part of a host's name: it could lead elsewhere.
fn host_label(named: Named, params: &Value) -> Result<String, String> {
    let Some(template) = &named.operation.endpoint else { return Ok(String::new()) };
    let mut label = template.host_prefix.to_string();
    while let Some((before, rest)) = label.split_once('{') {
        let (name, after) = rest.split_once('}').unwrap_or((rest, ""));
        let value = params.get(name).and_then(Value::as_str).unwrap_or_default();
        let is_part_of_a_name = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if value.is_empty() || !value.bytes().all(is_part_of_a_name) {
            return Err(format!(
                "`{name}` becomes a part of the host's name, and {value:?} can't: write letters, \
                 digits and hyphens"
            ));
        }
        label = format!("{before}{value}{after}");
    }
    Ok(label)
}

/// The address with a label before its host, where the rules did not put it there already.
fn with_label(url: &str, label: &str) -> String {
    match url.split_once("://") {
        Some((scheme, host)) if !host.starts_with(label) => format!("{scheme}://{label}{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(operation: &str, region: &str, variant: Variant) -> Result<Endpoint, String> {
        let models = ModelStore::open(None).unwrap();
        let named = models.operation(operation).unwrap();
        let params = json!({"AccountId": "111122223333", "Bucket": "evidence"});
        resolve(&models, named, region, variant, &params)
    }

    #[test]
    fn hosts_and_signing_regions() {
        for (operation, region, host, signed) in [
            ("ec2:DescribeRegions", "eu-south-2", "ec2.eu-south-2.amazonaws.com", "eu-south-2"),
            ("sts:GetCallerIdentity", "eu-west-1", "sts.eu-west-1.amazonaws.com", "eu-west-1"),
            ("iam:GetUser", "eu-west-1", "iam.amazonaws.com", "us-east-1"),
            ("iam:GetUser", "cn-northwest-1", "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("iam:GetUser", "us-gov-east-1", "iam.us-gov.amazonaws.com", "us-gov-west-1"),
            (
                "organizations:ListAccounts",
                "ap-south-1",
                "organizations.us-east-1.amazonaws.com",
                "us-east-1",
            ),
            ("ec2:DescribeRegions", "cn-north-1", "ec2.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            (
                "cloudwatch:ListMetrics",
                "us-east-2",
                "monitoring.us-east-2.amazonaws.com",
                "us-east-2",
            ),
            ("s3:GetObject", "eu-west-1", "s3.eu-west-1.amazonaws.com", "eu-west-1"),
            ("s3:PutPublicAccessBlock", "eu-west-1", "s3.eu-west-1.amazonaws.com", "eu-west-1"),
            ("s3:DeleteBucketPolicy", "eu-west-1", "s3.eu-west-1.amazonaws.com", "eu-west-1"),
            ("s3:CreateBucket", "eu-west-1", "s3.eu-west-1.amazonaws.com", "eu-west-1"),
            (
                "s3control:GetPublicAccessBlock",
                "us-east-2",
                "111122223333.s3-control.us-east-2.amazonaws.com",
                "us-east-2",
            ),
        ] {
            let endpoint = of(operation, region, Variant::default()).unwrap();
            assert_eq!(endpoint.url, format!("https://{host}"), "{operation} {region}");
            assert_eq!(endpoint.signing_region, signed, "{operation} {region}");
            if operation.starts_with("s3:") {
                assert_eq!(endpoint.signing_name, "s3", "{operation}");
            }
        }
    }

    #[test]
    fn an_access_point_has_a_host_of_its_own_and_one_without_a_region_is_refused() {
        let models = ModelStore::open(None).unwrap();
        let named = models.operation("s3:GetObject").unwrap();
        let found = |bucket: &str| {
            let params = json!({"Bucket": bucket, "Key": "k"});
            resolve(&models, named, "us-east-1", Variant::default(), &params)
        };
        for (bucket, host, region, signing) in [
            (
                "arn:aws:s3:eu-west-1:111122223333:accesspoint/logs",
                "logs-111122223333.s3-accesspoint.eu-west-1.amazonaws.com",
                "eu-west-1",
                "s3",
            ),
            (
                "arn:aws:s3-object-lambda:us-east-1:111122223333:accesspoint/masked",
                "masked-111122223333.s3-object-lambda.us-east-1.amazonaws.com",
                "us-east-1",
                "s3-object-lambda",
            ),
            (
                "arn:aws:s3-outposts:us-east-1:111122223333:outpost/op-01234567890123456/accesspoint/site",
                "site-111122223333.op-01234567890123456.s3-outposts.us-east-1.amazonaws.com",
                "us-east-1",
                "s3-outposts",
            ),
        ] {
            let endpoint = found(bucket).unwrap();
            assert_eq!(endpoint.url, format!("https://{host}"), "{bucket}");
            let signed = (endpoint.signing_region.as_str(), endpoint.signing_name.as_str());
            assert_eq!(signed, (region, signing), "{bucket}");
        }
        for (bucket, words) in [
            ("arn:aws:s3::111122223333:accesspoint/mfzwi23gnjvgw.mrap", "SigV4a"),
            ("evidence--use1-az4--x-s3", "S3 Express"),
            ("arn:aws:s3:::evidence", "ARN"),
            ("arn:aws:sqs:us-east-1:111122223333:queue", "Invalid ARN"),
        ] {
            let refused = found(bucket).unwrap_err();
            assert!(refused.contains(words), "{bucket}: {refused}");
        }
    }

    #[test]
    fn the_bucket_that_is_in_the_host_is_not_in_the_path() {
        let models = ModelStore::open(None).unwrap();
        let without = |operation: &str, bucket: &str| {
            let named = models.operation(operation).unwrap();
            let params = json!({"Bucket": bucket, "Key": "a/b c"});
            let request = super::super::protocol::request(named, &params, None).unwrap();
            without_bucket(named, &params, request.uri())
        };
        let point = "arn:aws:s3:eu-west-1:111122223333:accesspoint/logs";
        assert_eq!(without("s3:DeleteObject", point).as_deref(), Some("/a/b%20c"));
        assert_eq!(without("s3:ListObjectsV2", point).as_deref(), Some("/?list-type=2"));
        assert_eq!(without("s3:DeleteObject", "evidence"), None);
    }

    #[test]
    fn fips_and_dual_stack_have_hosts_of_their_own() {
        let both = Variant { fips: true, dual_stack: true };
        let endpoint = of("sts:GetCallerIdentity", "us-east-1", both).unwrap();
        assert_eq!(endpoint.url, "https://sts-fips.us-east-1.api.aws");
        let fips = Variant { fips: true, dual_stack: false };
        assert_eq!(
            of("iam:GetUser", "us-east-1", fips).unwrap().url,
            "https://iam-fips.amazonaws.com"
        );
    }

    #[test]
    fn a_parameter_cannot_lead_to_another_host() {
        let models = ModelStore::open(None).unwrap();
        let named = models.operation("s3control:GetPublicAccessBlock").unwrap();
        let params = json!({"AccountId": "evil.example/"});
        let found = resolve(&models, named, "us-east-1", Variant::default(), &params);
        assert!(found.is_err(), "{found:?}");
        let refused = labelled_host(named, &params, "http://127.0.0.1:4566").unwrap_err();
        assert!(refused.contains("`AccountId` becomes a part of the host's name"), "{refused}");
    }

    #[test]
    fn a_given_address_is_named_with_the_label_before_it() {
        let models = ModelStore::open(None).unwrap();
        let named = models.operation("s3control:GetPublicAccessBlock").unwrap();
        let params = json!({"AccountId": "111122223333"});
        let host = |url: &str| labelled_host(named, &params, url).unwrap();
        for (url, host_of_url) in [
            ("http://127.0.0.1:4566", Some("111122223333.127.0.0.1:4566")),
            ("https://user@s3.example/path", Some("111122223333.s3.example")),
            ("https://111122223333.s3.example", None),
        ] {
            assert_eq!(host(url).as_deref(), host_of_url, "{url}");
        }
        let plain = models.operation("iam:GetUser").unwrap();
        assert_eq!(labelled_host(plain, &params, "http://127.0.0.1:4566"), Ok(None));
    }
}
