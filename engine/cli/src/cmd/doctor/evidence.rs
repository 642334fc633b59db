//! The bucket that evidence is kept in, and the key in KMS that signs it.

use serde_json::{Value, json};

use super::super::by_hand::{Caller, text, told};
use super::report::Report;
use crate::config::Config;

/// What it signs by.
const ALGORITHM: &str = "ED25519_SHA_512";

/// The bucket is there, and can lock what is put into it where that is asked for.
pub(super) async fn bucket(config: &Config, caller: &Caller, report: &mut Report) {
    let Some(settings) = config.bucket_settings() else { return };
    let region = settings.region.as_deref();
    let shown = format!("s3://{}/{}", settings.bucket, settings.prefix);
    // What a start asks first: a bucket that lacks is named, and so is a right.
    let params = json!({"Bucket": settings.bucket, "Prefix": settings.prefix, "MaxUploads": 1});
    if let Err(error) = caller.call("s3:ListMultipartUploads", params, region).await {
        let mend = "make it, or allow what docs/evidence.md lists; `store` and `region` of [evidence] name it";
        return report.missing("evidence_bucket", &shown, told(&error), mend);
    }
    if settings.lock.is_none() {
        let mend = "`lock = \"governance\"` of [evidence] with a bucket that has Object Lock: nobody takes evidence out then";
        return report.warn(
            "evidence_bucket",
            &shown,
            "it is there, and nothing in it is locked",
            mend,
        );
    }
    let params = json!({"Bucket": settings.bucket});
    let found = match caller.call("s3:GetObjectLockConfiguration", params, region).await {
        Ok(done) => text(&done.value, "/ObjectLockConfiguration/ObjectLockEnabled").to_owned(),
        Err(error) => told(&error),
    };
    match found.as_str() {
        "Enabled" => report.ok("evidence_bucket", &shown, "it is there, and can lock what is kept"),
        why => {
            let mend = "make the bucket with Object Lock, or allow s3:GetBucketObjectLockConfiguration to see it";
            report.missing(
                "evidence_bucket",
                &shown,
                format!("it has no Object Lock: {why}"),
                mend,
            );
        }
    }
}

/// The key is there, and is one whose signatures verifiers know.
pub(super) async fn key(config: &Config, caller: &Caller, report: &mut Report) {
    let Some(arn) = config.signing_key() else { return };
    let region = arn.split(':').nth(3);
    let mend = "make an asymmetric key for SIGN_VERIFY of the kind ECC_NIST_EDWARDS25519, and allow \
                kms:GetPublicKey and kms:Sign on it";
    match caller.call("kms:GetPublicKey", json!({"KeyId": arn}), region).await {
        Ok(done) => {
            let ways = done.value.get("SigningAlgorithms").and_then(Value::as_array);
            let ways: Vec<&str> = ways.into_iter().flatten().filter_map(Value::as_str).collect();
            if ways.contains(&ALGORITHM) {
                return report.ok("evidence_key", arn, "it signs evidence");
            }
            let found = format!("it signs by {}, which verifiers don't know", ways.join(", "));
            report.missing("evidence_key", arn, found, mend);
        }
        Err(error) => report.missing("evidence_key", arn, told(&error), mend),
    }
}
