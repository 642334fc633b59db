//! Content that an answer leads to by a link into S3, such as the code of a function.
//!
//! Whoever has the link gets the content: it is in no error and no log. It is followed only to where AWS
//! keeps such content, and not from there to elsewhere: whoever writes an answer does not choose whom
//! this machine asks.

use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::base64;
use http::Uri;
use http_body_util::BodyExt as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use stanch_plugins_sdk::core::step::ErrorKind;
use stanch_plugins_sdk::{ActionError, Sink};

use super::call::Client;
use super::http as outward;
use crate::model::Named;

/// Bytes of what is fetched, at most: a package of Lambda has 250 MB unpacked
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const MOST_BYTES: u64 = 256 << 20;

/// Where an answer says where its content is, and what its SHA-256 is, in base64: JSON pointers.
pub(crate) struct Lead {
    link: &'static str,
    sha256: &'static str,
}

/// The code of a function.
const OF_FUNCTION: Lead = Lead { link: "/Code/Location", sha256: "/Configuration/CodeSha256" };

/// The archive of a layer.
const OF_LAYER: Lead = Lead { link: "/Content/Location", sha256: "/Content/CodeSha256" };

/// Where the content is that an operation's answer leads to, if it leads to some.
pub(crate) fn lead(named: Named) -> Option<&'static Lead> {
    match (&*named.model.name, &*named.operation.name) {
        ("lambda", "GetFunction") => Some(&OF_FUNCTION),
        ("lambda", "GetLayerVersion" | "GetLayerVersionByArn") => Some(&OF_LAYER),
        _ => None,
    }
}

/// Why content was not fetched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// There is no link.
    #[error("it leads to no content: what is in a container image lies in its registry")]
    Nowhere,
    /// It leads where it must not.
    #[error("its link leads to {0}, where AWS keeps no such content: nothing was asked for")]
    Elsewhere(String),
    /// Nobody answers.
    #[error("{0}, where its link leads, gave no answer")]
    Silent(String),
    /// It is not given.
    #[error("{host}, where its link leads, answered {status}{why}")]
    Refused {
        /// Who says so.
        host: String,
        /// The HTTP status.
        status: u16,
        /// What may be meant by it.
        why: &'static str,
    },
    /// It ended too early.
    #[error("its content was cut off after {0} bytes")]
    CutOff(u64),
    /// There is more of it than is taken.
    #[error("its content has more than {} bytes", MOST_BYTES)]
    TooLarge,
    /// It is not what the answer says.
    #[error("its content has the SHA-256 {came}, and AWS says {said}")]
    Other {
        /// In base64.
        came: String,
        /// In base64.
        said: String,
    },
    /// It could not be kept.
    #[error(transparent)]
    Sink(#[from] ActionError),
}

impl LinkError {
    /// The error of the call of `named`.
    pub(crate) fn into_error(self, named: Named) -> ActionError {
        let (kind, code) = match &self {
            Self::Nowhere => (ErrorKind::Permanent, "no_content"),
            Self::Elsewhere(_) => (ErrorKind::Permanent, "link_refused"),
            Self::Refused { status, .. } if *status < 500 => (ErrorKind::Permanent, "link_failed"),
            Self::Silent(_) | Self::Refused { .. } => (ErrorKind::Transient, "link_failed"),
            Self::CutOff(_) | Self::Other { .. } => (ErrorKind::Transient, "content_damaged"),
            Self::TooLarge => (ErrorKind::Permanent, "content_too_large"),
            Self::Sink(_) => (ErrorKind::Transient, "evidence"),
        };
        match self {
            Self::Sink(error) => error,
            other => ActionError::new(kind, code, format!("{named}: {other}")),
        }
    }
}

impl Client {
    /// Fetches the content that an answer leads to, and takes the link out of the answer. Gives a
    /// caveat where nothing says what the content must be.
    ///
    /// # Errors
    /// [`LinkError`] says why not; what was given to the sink is nothing then.
    pub(crate) async fn follow(
        &self,
        named: Named,
        lead: &Lead,
        region: &str,
        answer: &mut Value,
        sink: &mut dyn Sink,
    ) -> Result<Option<String>, LinkError> {
        let link = answer.pointer_mut(lead.link).map(Value::take);
        let link = link.as_ref().and_then(Value::as_str).ok_or(LinkError::Nowhere)?;
        let own = [
            self.endpoint_url("S3").await,
            self.endpoint_url(&named.model.metadata.service_id).await,
        ];
        let suffix = self.models.partitions().ok().and_then(|all| all.of(region));
        let suffix = suffix.as_ref().and_then(|outputs| outputs.get("dnsSuffix")?.as_str());
        let uri = place(link, region, suffix.unwrap_or("amazonaws.com"), own.iter().flatten())?;
        let came = Box::pin(self.fetch(&uri, sink)).await?;
        match answer.pointer(lead.sha256).and_then(Value::as_str) {
            None => Ok(Some("AWS says no SHA-256 of the content".to_owned())),
            Some(said) if base64::decode(said).is_ok_and(|said| said == came) => Ok(None),
            Some(said) => {
                Err(LinkError::Other { came: base64::encode(&came), said: said.to_owned() })
            }
        }
    }

    /// Gives what lies at an address to the sink, and its SHA-256.
    async fn fetch(&self, uri: &Uri, sink: &mut dyn Sink) -> Result<Vec<u8>, LinkError> {
        let host = || uri.host().unwrap_or_default().to_owned();
        let silent = || LinkError::Silent(host());
        let request = HttpRequest::get(uri.to_string()).map_err(|_| silent())?;
        let connector = self.links.get_or_init(outward::connector);
        let response = connector.call(request).await.map_err(|_| silent())?;
        let status = response.status();
        if status.as_u16() != 200 {
            let why = match status.as_u16() {
                300..=399 => ": it leads elsewhere, and is not followed there",
                403 => ": the link holds no more, or a policy of S3 denies it",
                _ => "",
            };
            return Err(LinkError::Refused { host: host(), status: status.as_u16(), why });
        }
        let said =
            response.headers().get("content-length").and_then(|said| said.parse::<u64>().ok());
        if said.is_some_and(|said| said > MOST_BYTES) {
            return Err(LinkError::TooLarge);
        }
        let (mut hasher, mut bytes) = (Sha256::new(), 0_u64);
        let mut body = std::pin::pin!(response.into_body());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| LinkError::CutOff(bytes))?;
            let Ok(piece) = frame.into_data() else { continue };
            bytes += piece.len() as u64;
            if bytes > MOST_BYTES {
                return Err(LinkError::TooLarge);
            }
            hasher.update(&piece);
            sink.take(piece).await?;
        }
        Ok(hasher.finalize().to_vec())
    }
}

/// The address of a link, if it leads to S3 in that region, or to an address that settings give for
/// AWS.
fn place<'o>(
    link: &str,
    region: &str,
    suffix: &str,
    own: impl IntoIterator<Item = &'o String>,
) -> Result<Uri, LinkError> {
    let nowhere = || LinkError::Elsewhere("an address that can't be read".to_owned());
    let uri: Uri = link.parse().map_err(|_| nowhere())?;
    let authority =
        uri.authority().filter(|all| !all.as_str().contains('@')).ok_or_else(nowhere)?;
    let is_secure = uri.scheme_str() == Some("https");
    let is_aws = is_secure
        && matches!(uri.port_u16(), None | Some(443))
        && is_of_s3(authority.host(), region, suffix);
    let is_own = |own: &String| {
        let own = own.parse::<Uri>().ok();
        own.is_some_and(|own| own.scheme() == uri.scheme() && own.authority() == Some(authority))
    };
    if is_aws || own.into_iter().any(is_own) {
        return Ok(uri);
    }
    let scheme = if is_secure { "" } else { " without TLS" };
    Err(LinkError::Elsewhere(format!("{}{scheme}", authority.as_str())))
}

/// Whether a host is S3 in a region, or a bucket there.
fn is_of_s3(host: &str, region: &str, suffix: &str) -> bool {
    let is_known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    let rest = host.strip_suffix(suffix).and_then(|rest| rest.strip_suffix('.'));
    let Some(rest) = rest.filter(|_| host.chars().all(is_known)) else { return false };
    let mut forms = vec![
        format!("s3.{region}"),
        format!("s3-{region}"),
        format!("s3.dualstack.{region}"),
        format!("s3-fips.{region}"),
        format!("s3-fips.dualstack.{region}"),
    ];
    // S3 of before there were regions.
    if region == "us-east-1" {
        forms.push("s3".to_owned());
    }
    let is_bucket = |bucket: &str| bucket.len() > 1 && bucket.ends_with('.');
    forms.iter().any(|form| rest.strip_suffix(form).is_some_and(|b| b.is_empty() || is_bucket(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leads(link: &str) -> bool {
        let own = ["http://127.0.0.1:4566/".to_owned()];
        place(link, "us-east-1", "amazonaws.com", &own).is_ok()
    }

    #[test]
    fn a_link_leads_to_s3_in_its_region_or_to_the_address_that_was_given() {
        for link in [
            "https://awslambda-us-east-1-tasks.s3.us-east-1.amazonaws.com/snapshots/1?X-Amz-Date=2",
            "https://prod-04-2014-tasks.s3.dualstack.us-east-1.amazonaws.com/snapshots/1",
            "https://awslambda-us-east-1-tasks.s3.amazonaws.com/snapshots/1",
            "https://s3.us-east-1.amazonaws.com/bucket/1",
            "https://s3-us-east-1.amazonaws.com:443/bucket/1",
            "https://s3-fips.us-east-1.amazonaws.com/bucket/1",
            "http://127.0.0.1:4566/bucket/1",
        ] {
            assert!(leads(link), "{link}");
        }
        let china = "https://b.s3.cn-north-1.amazonaws.com.cn/1";
        assert!(place(china, "cn-north-1", "amazonaws.com.cn", []).is_ok());
        assert!(!leads(china));
    }

    #[test]
    fn a_link_to_anywhere_else_is_not_followed() {
        for link in [
            "http://b.s3.us-east-1.amazonaws.com/1",
            "https://b.s3.eu-west-1.amazonaws.com/1",
            "https://b.s3.us-east-1.amazonaws.com.evil.example/1",
            "https://b.s3.us-east-1.amazonaws.com@evil.example/1",
            "https://user:word@b.s3.us-east-1.amazonaws.com/1",
            "https://b.s3.us-east-1.amazonaws.com:8443/1",
            "https://evils3.us-east-1.amazonaws.com/1",
            "https://.s3.us-east-1.amazonaws.com/1",
            "https://s3.us-east-1.evil.amazonaws.com/1",
            "https://ec2-1-2-3-4.compute-1.amazonaws.com/1",
            "https://s3-1.us-east-1.elb.amazonaws.com/1",
            "https://evil.example/b.s3.us-east-1.amazonaws.com",
            "https://amazonaws.com/1",
            "https://169.254.169.254/latest/meta-data",
            "http://169.254.169.254/latest/meta-data",
            "https://[::1]/1",
            "https://127.0.0.1:4566/1",
            "http://127.0.0.1/1",
            "http://127.0.0.1:4567/1",
            "http://x@127.0.0.1:4566/1",
            "s3://awslambda-us-east-1-tasks/1",
            "file:///etc/passwd",
            "/etc/passwd",
            "",
        ] {
            assert!(!leads(link), "{link}");
        }
    }

    #[test]
    fn what_is_said_of_a_link_is_its_host_and_not_what_opens_it() {
        let link = "https://evil.example/code?X-Amz-Signature=5d672d79";
        let said = place(link, "us-east-1", "amazonaws.com", []).unwrap_err().to_string();
        assert!(said.contains("evil.example") && !said.contains("5d672d79"), "{said}");
        let said = place("https://a:5d672d79@b/", "r", "s", []).unwrap_err().to_string();
        assert!(!said.contains("5d672d79"), "{said}");
    }
}
