//! The protocol of a service: AWS's crates for all but ec2.

use aws_smithy_cbor::protocol::RpcV2CborProtocol;
use aws_smithy_json::protocol::aws_json_rpc::AwsJsonRpcProtocol;
use aws_smithy_json::protocol::aws_rest_json_1::AwsRestJsonProtocol;
use aws_smithy_query::protocol::AwsQueryProtocol;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, Metadata};
use aws_smithy_schema::codec::Codec as _;
use aws_smithy_schema::protocol::{ServiceShapeName, SharedClientProtocol};
use aws_smithy_schema::serde::SerdeError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{ConfigBag, Layer};
use aws_smithy_types::date_time::Format;
use aws_smithy_xml::codec::{XmlCodec, XmlCodecSettings};
use aws_smithy_xml::protocol::aws_rest_xml::AwsRestXmlProtocol;
use bytes::Bytes;
use serde_json::Value;

use super::finish::finish;
use super::read::blank;
use super::write::Input;
use super::{checksum, content, ec2, header, ids};
use crate::model::{Named, Within};

/// Writes the request of a call, with its body where that goes beside the parameters. It has a path
/// and no host yet.
pub(crate) fn request(
    named: Named,
    params: &Value,
    body: Option<&Bytes>,
) -> Result<HttpRequest, SerdeError> {
    let params = &ids::as_taken(named, params);
    let params = &checksum::asking(named, params);
    let params = &header::encoded(named, params);
    let mut request = match protocol(named)? {
        None => ec2_request(named, params)?,
        Some(protocol) => {
            let input = Input::new(named, params).map_err(|e| SerdeError::custom(e.to_string()))?;
            protocol.serialize_request(&input, input.input_schema(), "", &bag(named))?
        }
    };
    finish(named, params, &mut request).map_err(|error| SerdeError::custom(error.to_string()))?;
    if let Some(body) = body {
        content::put(named, params, body, &mut request).map_err(SerdeError::custom)?;
    }
    checksum::sign(named, params, &mut request).map_err(SerdeError::custom)?;
    Ok(request)
}

/// Reads the answer of a call that succeeded.
pub(crate) fn answer(named: Named, response: &HttpResponse) -> Result<Value, SerdeError> {
    let Named { model, operation, .. } = named;
    let Some(output) = &operation.output else { return Ok(blank(model, None)) };
    let is_empty = response.body().bytes().is_some_and(<[u8]>::is_empty);
    if is_empty && matches!(model.protocol(), "query" | "ec2") {
        return Ok(blank(model, Some(&output.shape)));
    }
    let reader =
        model.reader(&output.shape).map_err(|error| SerdeError::custom(error.to_string()))?;
    let schema = reader.schema();
    let Some(protocol) = protocol(named)? else {
        let body = response.body().bytes().unwrap_or_default();
        let mut from = xml().create_deserializer(body);
        return reader.read(schema, &mut from);
    };
    let bag = bag(named);
    let readable = header::readable(named, response);
    let response = readable.as_ref().unwrap_or(response);
    let mut from = protocol.deserialize_response(response, schema, &bag)?;
    let mut value = reader.read(schema, &mut *from)?;
    header::decode(named, &mut value);
    Ok(value)
}

/// Reads the members of an error of the operation.
pub(super) fn error(
    named: Named,
    known: &'static Within,
    response: &HttpResponse,
) -> Result<Value, SerdeError> {
    let reader = named.model.reader(&known.shape);
    let reader = reader.map_err(|error| SerdeError::custom(error.to_string()))?;
    let schema = reader.schema();
    // An error of the query protocol has nothing around it any more.
    let protocol = match named.model.protocol() {
        "query" => None,
        _ => protocol(named)?,
    };
    let Some(protocol) = protocol else {
        let body = response.body().bytes().unwrap_or_default();
        return reader.read(schema, &mut xml().create_deserializer(body));
    };
    let bag = bag(named);
    let mut from = protocol.deserialize_response(response, schema, &bag)?;
    reader.read(schema, &mut *from)
}

/// The crate for the protocol of a service; none for ec2.
fn protocol(named: Named) -> Result<Option<SharedClientProtocol>, SerdeError> {
    let metadata = &named.model.metadata;
    let target = || metadata.target_prefix.as_deref().unwrap_or_default();
    Ok(Some(match (named.model.protocol(), metadata.json_version.as_deref()) {
        ("ec2", _) => return Ok(None),
        ("query", _) => SharedClientProtocol::new(
            AwsQueryProtocol::new().with_service_version(&*metadata.api_version),
        ),
        ("json", Some("1.0")) => SharedClientProtocol::new(
            AwsJsonRpcProtocol::aws_json_1_0().with_target_prefix(target()),
        ),
        ("json", _) => SharedClientProtocol::new(
            AwsJsonRpcProtocol::aws_json_1_1().with_target_prefix(target()),
        ),
        ("rest-json", _) => SharedClientProtocol::new(AwsRestJsonProtocol::new()),
        ("rest-xml", _) => SharedClientProtocol::new(AwsRestXmlProtocol::new()),
        ("smithy-rpc-v2-cbor", _) => SharedClientProtocol::new(RpcV2CborProtocol::new()),
        (other, _) => {
            return Err(SerdeError::custom(format!("the protocol `{other}` is not known")));
        }
    }))
}

/// What the protocol crates look up of an operation.
fn bag(named: Named) -> ConfigBag {
    let metadata = &named.model.metadata;
    let mut layer = Layer::new("operation");
    if let Some(target) = metadata.target_prefix.as_deref() {
        layer.store_put(ServiceShapeName::new(target.to_owned()));
    }
    layer.store_put(Metadata::new(
        named.operation.name.to_string(),
        metadata.service_id.to_string(),
    ));
    ConfigBag::of_layers(vec![layer])
}

fn ec2_request(named: Named, params: &Value) -> Result<HttpRequest, SerdeError> {
    let body = ec2::form(named, params);
    let length = body.len();
    let mut request = HttpRequest::new(SdkBody::from(body));
    let custom = |error: &dyn std::fmt::Display| SerdeError::custom(error.to_string());
    request.set_method("POST").map_err(|error| custom(&error))?;
    request.set_uri("/").map_err(|error| custom(&error))?;
    request.headers_mut().insert("content-type", "application/x-www-form-urlencoded");
    request.headers_mut().insert("content-length", length.to_string());
    Ok(request)
}

fn xml() -> XmlCodec {
    XmlCodec::new(XmlCodecSettings::builder().default_timestamp_format(Format::DateTime).build())
}

/// Reads an answer that came from elsewhere than the network.
#[cfg(test)]
pub(crate) fn read_answer(
    named: Named,
    response: http::Response<bytes::Bytes>,
) -> Result<Value, SerdeError> {
    answer(named, &HttpResponse::try_from(response.map(SdkBody::from)).unwrap())
}
