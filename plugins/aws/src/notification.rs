//! Who sent a message of SNS: its signature, by a certificate of AWS's, and its topic, by a list of
//! those that may send
//! (<https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html>).
//!
//! Nothing is fetched from an address that a message names before the address was checked, and a
//! subscription is confirmed at an address that is made here from the topic and the token.

mod address;
mod certificate;
mod message;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use stanch_plugins_sdk::core::limits;
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::{BoxFuture, Denied, Fetch, Verified, Verifier};

use address::Endpoint;
use certificate::Certificates;
use message::{Kind, Message};

/// How far AWS's clock may be ahead of ours, in milliseconds.
const AHEAD_MS: i64 = 15 * 60 * 1_000;

/// Bytes of the answer to a confirmation.
const ANSWER_BYTES: usize = 64 * 1024;

/// Checks that messages come from SNS and from topics that may send.
pub struct TopicSender {
    topics: Vec<String>,
    certificates: Certificates,
    fetch: Arc<dyn Fetch>,
}

impl std::fmt::Debug for TopicSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicSender").field("topics", &self.topics).finish_non_exhaustive()
    }
}

fn forged<T>(why: impl Into<String>) -> Result<T, Denied> {
    Err(Denied::Forged(why.into()))
}

impl TopicSender {
    /// Of topics by their ARNs; one that ends in `*` stands for all that begin so. The roots are
    /// those that the web trusts.
    pub fn new(topics: Vec<String>, fetch: Arc<dyn Fetch>) -> Self {
        let certificates = Certificates::new(webpki_roots::TLS_SERVER_ROOTS.to_vec());
        Self { topics, certificates, fetch }
    }

    /// The same, with roots of one's own, each a certificate in DER.
    ///
    /// # Errors
    /// In words, when one is no certificate.
    pub fn with_roots(
        topics: Vec<String>,
        fetch: Arc<dyn Fetch>,
        roots: &[Vec<u8>],
    ) -> Result<Self, String> {
        Ok(Self { topics, certificates: Certificates::with_roots(roots)?, fetch })
    }

    fn is_allowed(&self, topic: &str) -> bool {
        self.topics.iter().any(|allowed| match allowed.strip_suffix('*') {
            Some(start) => topic.starts_with(start),
            None => topic == allowed,
        })
    }

    async fn check(&self, body: &[u8], now: Timestamp) -> Result<Verified, Denied> {
        let message = Message::read(body).map_err(Denied::Forged)?;
        // The topic stands first: for a stranger's topic nothing is fetched at all.
        if !self.is_allowed(&message.topic_arn) {
            return forged("the topic is not among `sns_topics` of this source");
        }
        let Some(endpoint) = Endpoint::of_topic(&message.topic_arn) else {
            return forged("`TopicArn` is no ARN of a topic");
        };
        let Ok(sent_at) = Timestamp::parse(&message.timestamp) else {
            return forged("`Timestamp` is no time");
        };
        let age_ms = now.ms_since(sent_at);
        if !(-AHEAD_MS..=limits::SNS_AGE_MS).contains(&age_ms) {
            return forged("`Timestamp` is too far from now");
        }
        if !endpoint.has_certificate(&message.signing_cert_url) {
            return forged("`SigningCertURL` is not of SNS in the topic's region");
        }
        let url = &message.signing_cert_url;
        let key = self.certificates.key(url, sent_at, &*self.fetch).await?;
        verify(&message, &key)?;
        self.act(&message, &endpoint).await
    }

    async fn act(&self, message: &Message, endpoint: &Endpoint) -> Result<Verified, Denied> {
        let topic = &message.topic_arn;
        match message.kind {
            Kind::Notification => Ok(Verified::Payload),
            Kind::UnsubscribeConfirmation => {
                Ok(Verified::Ended(format!("its subscription to {topic} was deleted")))
            }
            Kind::SubscriptionConfirmation => {
                let named = message.subscribe_url.as_deref().unwrap_or_default();
                let token = message.token.as_deref().unwrap_or_default();
                let Some(url) = endpoint.confirmation(topic, token, named) else {
                    return forged("`SubscribeURL` or `Token` is not of SNS in the topic's region");
                };
                let answer = self.fetch.get(&url, ANSWER_BYTES).await;
                answer.map_err(|why| {
                    Denied::Unavailable(format!("the subscription can't be confirmed: {why}"))
                })?;
                Ok(Verified::Done(format!("the subscription to {topic} is confirmed")))
            }
        }
    }
}

impl Verifier for TopicSender {
    fn verify<'a>(
        &'a self,
        body: &'a [u8],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Verified, Denied>> {
        Box::pin(self.check(body, now))
    }
}

fn verify(message: &Message, key: &[u8]) -> Result<(), Denied> {
    let algorithm = match message.signature_version.as_str() {
        "1" => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        "2" => &RSA_PKCS1_2048_8192_SHA256,
        _ => return forged("`SignatureVersion` is neither 1 nor 2"),
    };
    let Ok(signature) = BASE64.decode(&message.signature) else {
        return forged("`Signature` is no base64");
    };
    let signed = message.canonical();
    UnparsedPublicKey::new(algorithm, key)
        .verify(signed.as_bytes(), &signature)
        .or_else(|_| forged("`Signature` is wrong"))
}
