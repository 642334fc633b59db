//! Whether an answer is whole, and one of AWS at all. Readers of XML take what there is, and an
//! answer that was cut off, or a page of a proxy's, would read like one that names nothing: a probe
//! that looks for nothing would pass.

use aws_smithy_cbor::decode::Decoder;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use roxmltree::{Document, Error};
use serde::de::IgnoredAny;

use crate::model::{Kind, Named, Shape};

/// What is wrong with an answer that can't be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Wrong {
    /// It was cut off, or is not AWS's: another attempt may get the right one.
    #[error("{0}")]
    NotWhole(&'static str),
    /// It is no XML.
    #[error("it is no XML: {0}")]
    NoXml(Error),
}

/// What an answer in XML turned out to be.
pub(super) enum Seen {
    /// An answer to the call.
    Answer,
    /// An error, although the status says that it is none, as S3's copies may end
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>).
    Error,
}

/// Looks at an answer whose status is a success. The content of an object is looked at by nobody, and
/// JSON only where it can't be read, by [`is_cut`].
///
/// # Errors
/// When it ends too early, or is somebody else's.
pub(super) fn look(named: Named, response: &HttpResponse) -> Result<Seen, Wrong> {
    let body = response.body().bytes().unwrap_or_default();
    if named.model.protocol() == "smithy-rpc-v2-cbor" && !body.is_empty() {
        // A reader would look for the next item of what ends too early for ever.
        let is_whole = Decoder::new(body).skip().is_ok();
        let cut = Wrong::NotWhole("it ends in the middle of its CBOR");
        return if is_whole { Ok(Seen::Answer) } else { Err(cut) };
    }
    if !named.model.speaks_xml() {
        return Ok(Seen::Answer);
    }
    let Some(output) = named.model.output(named.operation) else { return Ok(Seen::Answer) };
    if is_content(named, output) || !has_body(output) {
        return Ok(Seen::Answer);
    }
    if body.is_empty() {
        // Of rest-xml, there are calls whose payload may be left out.
        return match named.model.protocol() {
            "rest-xml" => Ok(Seen::Answer),
            _ => Err(Wrong::NotWhole("it is empty")),
        };
    }
    let Ok(text) = std::str::from_utf8(body) else { return Ok(Seen::Answer) };
    let document = match Document::parse(text.trim_start()) {
        Ok(document) => document,
        Err(Error::UnexpectedEndOfStream | Error::UnclosedRootNode) => {
            return Err(Wrong::NotWhole("it ends in the middle of its XML"));
        }
        Err(Error::NoRootNode) => return Err(Wrong::NotWhole("it holds no XML")),
        Err(_) if is_page(text) => return Err(Wrong::NotWhole(PAGE)),
        Err(error) => return Err(Wrong::NoXml(error)),
    };
    let root = document.root_element();
    let holds = |name: &str| root.children().any(|child| child.tag_name().name() == name);
    match root.tag_name().name() {
        name if name.eq_ignore_ascii_case("html") => return Err(Wrong::NotWhole(PAGE)),
        "Error" | "ErrorResponse" => return Ok(Seen::Error),
        "Response" if holds("Errors") => return Ok(Seen::Error),
        _ => {}
    }
    let wrapper = named.operation.output.as_ref().and_then(|o| o.result_wrapper.as_deref());
    match wrapper {
        Some(wrapper) if !holds(wrapper) => {
            Err(Wrong::NotWhole("it holds no result of this operation"))
        }
        _ => Ok(Seen::Answer),
    }
}

const PAGE: &str = "it is a page of HTML, of a proxy perhaps";

fn is_page(text: &str) -> bool {
    let start: String = text.trim_start().chars().take(15).collect();
    let start = start.to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html")
}

/// Whether the answer is the content of something, and no XML of the protocol.
fn is_content(named: Named, output: &Shape) -> bool {
    let payload = output.payload.as_deref().and_then(|name| output.members.get(name));
    let payload = payload.and_then(|member| named.model.shape(&member.shape));
    payload.is_some_and(|shape| shape.kind != Kind::Structure)
}

/// Whether anything of an answer is in its body.
fn has_body(output: &Shape) -> bool {
    output.payload.is_some() || output.members.values().any(|member| member.location.is_none())
}

/// Whether an answer that can't be read is JSON that ends too early.
pub(super) fn is_cut(named: Named, response: &HttpResponse) -> bool {
    let body = response.body().bytes().unwrap_or_default();
    let is_json = matches!(named.model.protocol(), "json" | "rest-json");
    is_json && serde_json::from_slice::<IgnoredAny>(body).is_err_and(|error| error.is_eof())
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::model::ModelStore;

    /// What is made of an answer: `answer`, `error`, or what is wrong with it.
    fn seen(operation: &str, body: &str) -> String {
        let models = ModelStore::open(None).unwrap();
        let named = models.operation(operation).unwrap();
        let status = StatusCode::try_from(200).unwrap();
        match look(named, &HttpResponse::new(status, SdkBody::from(body))) {
            Ok(Seen::Answer) => "answer".to_owned(),
            Ok(Seen::Error) => "error".to_owned(),
            Err(wrong) => wrong.to_string(),
        }
    }

    const USERS: &str = "<?xml version=\"1.0\"?>\n<ListUsersResponse><ListUsersResult><Users><member>\
        <UserName>a</UserName></member></Users></ListUsersResult></ListUsersResponse>\n";

    #[test]
    fn what_is_cut_off_anywhere_is_no_answer() {
        assert_eq!(seen("iam:ListUsers", USERS), "answer");
        for end in 0..USERS.trim_end().len() {
            let cut = seen("iam:ListUsers", &USERS[..end]);
            assert_ne!(cut, "answer", "{}", &USERS[..end]);
        }
        let groups = "<DescribeSecurityGroupsResponse><securityGroupInfo/>";
        assert!(seen("ec2:DescribeSecurityGroups", groups).contains("in the middle"));
        let list = "<ListBucketResult><Name>b</Name>";
        assert!(seen("s3:ListObjectsV2", list).contains("in the middle"));
    }

    #[test]
    fn cbor_is_whole_or_no_answer() {
        let models = ModelStore::open(None).unwrap();
        let name = "eventbridgev2:ListEventBuses";
        let named = models.operation(name).unwrap();
        let seen = |body: &[u8]| {
            let status = StatusCode::try_from(200).unwrap();
            look(named, &HttpResponse::new(status, SdkBody::from(body.to_vec()))).is_ok()
        };
        let whole = b"\xbf\x6aEventBuses\x9f\xbfdNameax\xff\xbfdNameay\xff\xff\x69NextTokenat\xff";
        assert!(seen(whole));
        for end in 1..whole.len() {
            assert!(!seen(&whole[..end]), "{end}");
        }
        for lying in
            [&b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff"[..], b"\xa1\x61a\x9a\x7f\xff\xff\xff"]
        {
            assert!(!seen(lying), "{lying:?}");
        }
    }

    #[test]
    fn what_is_somebody_elses_is_no_answer() {
        for (operation, body, expected) in [
            ("iam:ListUsers", "<html><body>log in</body></html>", PAGE),
            ("s3:ListObjectsV2", "<!DOCTYPE html><html><p>log in</html>", PAGE),
            ("iam:ListUsers", "<Foo/>", "it holds no result of this operation"),
            ("ec2:DescribeInstances", "", "it is empty"),
            ("ec2:DescribeInstances", "not xml", "it is no XML"),
        ] {
            let seen = seen(operation, body);
            assert!(seen.starts_with(expected), "{operation} {body}: {seen}");
        }
    }

    #[test]
    fn an_error_that_comes_late_is_one_and_an_object_that_reads_like_it_is_not() {
        let late = "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code></Error>";
        assert_eq!(seen("s3:CopyObject", late), "error");
        assert_eq!(seen("s3:GetObject", late), "answer");
        let throttled = "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>";
        assert_eq!(seen("iam:ListUsers", throttled), "error");
        let of_ec2 = "<Response><Errors><Error><Code>X</Code></Error></Errors></Response>";
        assert_eq!(seen("ec2:DescribeInstances", of_ec2), "error");
    }
}
