//! Content beside the JSON: where AWS's model says that one member is the whole body, as of S3's
//! objects and their parts, its bytes can go and come as they are. In JSON they would be base64, and
//! be there some times over.

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

use serde_json::Value;

use crate::model::{Kind, Named, Shape};

/// Where the content of a call is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    /// In its parameters, and in the value of its answer.
    Within,
    /// Beside both: the body that is sent, if one is, and the body that comes.
    Beside(Option<&'a Bytes>),
}

impl<'a> Content<'a> {
    /// The body that is sent beside the parameters.
    pub(super) fn body(self) -> Option<&'a Bytes> {
        match self {
            Self::Within => None,
            Self::Beside(body) => body,
        }
    }

    /// Whether it goes beside.
    pub(super) fn is_beside(self) -> bool {
        matches!(self, Self::Beside(_))
    }
}

/// The member that is the whole body of a call, where that is bytes.
pub(crate) fn of_input(named: Named) -> Option<&'static str> {
    member(named, named.model.input(named.operation)?)
}

/// The member that is the whole body of an answer, where that is bytes.
pub(crate) fn of_output(named: Named) -> Option<&'static str> {
    member(named, named.model.output(named.operation)?)
}

fn member(named: Named, shape: &'static Shape) -> Option<&'static str> {
    let name = shape.payload.as_deref()?;
    let target = named.model.shape(&shape.members.get(name)?.shape)?;
    (target.kind == Kind::Blob).then_some(name)
}

/// Gives a request its body.
///
/// # Errors
/// In words, when the operation takes none, or has one already.
pub(super) fn put(
    named: Named,
    params: &Value,
    body: &Bytes,
    request: &mut HttpRequest,
) -> Result<(), String> {
    let member = of_input(named).ok_or_else(|| format!("{named} takes no content"))?;
    if params.get(member).is_some_and(|given| !given.is_null()) {
        return Err(format!("{named} has its `{member}` twice: as a parameter and beside them"));
    }
    let headers = request.headers_mut();
    headers.insert("content-length", body.len().to_string());
    if headers.get("content-type").is_none() {
        headers.insert("content-type", "application/octet-stream");
    }
    *request.body_mut() = SdkBody::from(body.clone());
    Ok(())
}

/// Takes the content out of an answer: what is left of it, and the content. Nothing where the
/// operation answers with none.
pub(super) fn take(named: Named, response: &HttpResponse) -> Option<(HttpResponse, Bytes)> {
    of_output(named)?;
    let content = Bytes::copy_from_slice(response.body().bytes()?);
    let mut rest = HttpResponse::new(response.status(), SdkBody::empty());
    for (name, value) in response.headers() {
        rest.headers_mut().try_append(name.to_owned(), value.to_owned()).ok()?;
    }
    Some((rest, content))
}

/// Leaves nothing in the place of what came beside.
pub(super) fn blank(named: Named, value: &mut Value) {
    if let Some(place) = of_output(named).and_then(|member| value.get_mut(member)) {
        *place = Value::Null;
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;
    use serde_json::json;

    use super::super::protocol::request;
    use super::*;
    use crate::model::ModelStore;

    #[test]
    fn content_is_sent_as_it_is_with_its_own_checksum() {
        let models = ModelStore::open(None).unwrap();
        let part = json!({"Bucket": "b", "Key": "k", "UploadId": "u", "PartNumber": 1,
            "ChecksumAlgorithm": "SHA256"});
        let named = models.operation("s3:UploadPart").unwrap();
        let body = Bytes::from_static(b"123456789");
        let beside = request(named, &part, Some(&body)).unwrap();
        assert_eq!(beside.body().bytes(), Some(&body[..]));
        let mut within = part;
        within["Body"] = json!("MTIzNDU2Nzg5");
        let within = request(named, &within, None).unwrap();
        let headers = |request: &HttpRequest| {
            let all = request.headers().iter();
            let mut all: Vec<_> = all.map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            all.sort_unstable();
            all
        };
        assert_eq!(headers(&beside), headers(&within));
        assert_eq!(beside.uri(), within.uri());
    }

    #[test]
    fn what_takes_no_content_or_has_it_already_is_refused() {
        let models = ModelStore::open(None).unwrap();
        let body = Bytes::from_static(b"x");
        let twice = json!({"Bucket": "b", "Key": "k", "Body": "eA=="});
        for (operation, params, expected) in [
            ("s3:PutObject", twice, "twice"),
            ("s3:ListBuckets", json!({}), "takes no content"),
            ("s3:PutBucketTagging", json!({"Bucket": "b", "Tagging": {"TagSet": []}}), "takes no"),
        ] {
            let named = models.operation(operation).unwrap();
            let said = request(named, &params, Some(&body)).unwrap_err().to_string();
            assert!(said.contains(expected), "{operation}: {said}");
        }
    }

    #[test]
    fn the_content_of_an_answer_is_taken_out_of_it_and_its_headers_stay() {
        let models = ModelStore::open(None).unwrap();
        let named = models.operation("s3:GetObject").unwrap();
        let mut response =
            HttpResponse::new(StatusCode::try_from(200).unwrap(), SdkBody::from("\0raw"));
        response.headers_mut().insert("etag", "\"e\"");
        let (rest, content) = take(named, &response).unwrap();
        assert_eq!((&content[..], rest.body().bytes()), (&b"\0raw"[..], Some(&b""[..])));
        assert_eq!(rest.headers().get("etag"), Some("\"e\""));
        assert!(take(models.operation("s3:HeadObject").unwrap(), &response).is_none());
    }
}
