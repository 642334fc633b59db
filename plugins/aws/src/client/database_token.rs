//! Passwords for RDS: a signed request that is never sent
//! (<https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.Connecting.html>).

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use stanch_plugins_sdk::core::time::Timestamp;

/// For how long a token makes connections: as long as RDS takes any.
pub(crate) const LASTS: Duration = Duration::from_secs(15 * 60);

/// The token by which a user connects to a database.
///
/// # Errors
/// In words.
pub(crate) fn database_token(
    credentials: Credentials,
    region: &str,
    (host, port, user): (&str, u16, &str),
    now: Timestamp,
) -> Result<String, String> {
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    settings.expires_in = Some(LASTS);
    settings.signature_location = SignatureLocation::QueryParams;
    let now_ms = u64::try_from(now.millis()).unwrap_or_default();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("rds-db")
        .time(SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms))
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?;
    let user: String = form_urlencoded::byte_serialize(user.as_bytes()).collect();
    let url = format!("https://{host}:{port}/?Action=connect&DBUser={}", user.replace('+', "%20"));
    let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]))
        .map_err(|error| error.to_string())?;
    let signed = sign(request, &params.into()).map_err(|error| error.to_string())?;
    let mut signed_url = http::Request::get(&url).body(()).map_err(|error| error.to_string())?;
    signed.into_parts().0.apply_to_request_http1x(&mut signed_url);
    let url = signed_url.uri().to_string();
    Ok(url.strip_prefix("https://").unwrap_or(&url).to_owned())
}
