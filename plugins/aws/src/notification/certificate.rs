//! The certificates that SNS signs with: fetched once, their chains and dates checked for each
//! message by the time that it was sent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use stanch_plugins_sdk::core::limits;
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_plugins_sdk::{Denied, Fetch};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::address::is_of_authority;

/// Authorities between a certificate and a root.
const DEPTH: usize = 4;

/// Certificates, by the address that each was fetched from.
pub(super) struct Certificates {
    roots: Vec<TrustAnchor<'static>>,
    kept: Mutex<BTreeMap<String, Arc<Chain>>>,
}

/// A certificate, and those of the authorities above it as far as they are known.
type Chain = Vec<CertificateDer<'static>>;

fn forged(why: impl Into<String>) -> Denied {
    Denied::Forged(why.into())
}

impl Certificates {
    pub(super) fn new(roots: Vec<TrustAnchor<'static>>) -> Self {
        Self { roots, kept: Mutex::default() }
    }

    pub(super) fn with_roots(roots: &[Vec<u8>]) -> Result<Self, String> {
        let anchor = |der: &Vec<u8>| {
            let der = CertificateDer::from(der.clone());
            let anchor = anchor_from_trusted_cert(&der).map(|anchor| anchor.to_owned());
            anchor.map_err(|error| format!("a root: {error}"))
        };
        Ok(Self::new(roots.iter().map(anchor).collect::<Result<_, _>>()?))
    }

    /// The key of the certificate at an address that was checked, valid at the time of the message.
    pub(super) async fn key(
        &self,
        url: &str,
        at: Timestamp,
        fetch: &dyn Fetch,
    ) -> Result<Vec<u8>, Denied> {
        let known = self.lock().get(url).cloned();
        let mut chain = match &known {
            Some(chain) => Chain::clone(chain),
            None => {
                let pem = get(fetch, url).await?;
                let chain: Result<Chain, _> = CertificateDer::pem_slice_iter(&pem).collect();
                chain.map_err(|_| forged("the certificate at `SigningCertURL` can't be read"))?
            }
        };
        chain.truncate(DEPTH);
        while let Err(error) = self.verify(&chain, at) {
            let above = match error {
                webpki::Error::UnknownIssuer if chain.len() < DEPTH => issuer_of(&chain),
                _ => None,
            };
            let Some(above) = above else {
                return Err(forged(format!(
                    "the certificate of SNS is not to be trusted: {error}"
                )));
            };
            chain.push(CertificateDer::from(get(fetch, &above).await?));
        }
        let key = key_of(&chain)?;
        if known.as_deref() != Some(&chain) {
            let mut kept = self.lock();
            if kept.len() >= limits::CERTIFICATES_KEPT {
                kept.clear();
            }
            kept.insert(url.to_owned(), Arc::new(chain));
        }
        Ok(key)
    }

    fn verify(
        &self,
        chain: &[CertificateDer<'static>],
        at: Timestamp,
    ) -> Result<(), webpki::Error> {
        let (leaf, above) = chain.split_first().ok_or(webpki::Error::BadDer)?;
        let seconds = u64::try_from(at.millis() / 1_000).unwrap_or_default();
        EndEntityCert::try_from(leaf)?.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &self.roots,
            above,
            UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            KeyUsage::server_auth(),
            None,
            None,
        )?;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Chain>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn get(fetch: &dyn Fetch, url: &str) -> Result<Vec<u8>, Denied> {
    let got = fetch.get(url, limits::CERTIFICATE_BYTES).await;
    got.map_err(|why| {
        Denied::Unavailable(format!("the certificate of SNS can't be fetched: {why}"))
    })
}

/// Where the certificate above the last of a chain is, by what that one says, when it is at one
/// of Amazon's authorities.
fn issuer_of(chain: &[CertificateDer<'static>]) -> Option<String> {
    let (_, last) = X509Certificate::from_der(chain.last()?).ok()?;
    let mut urls = last.extensions().iter().flat_map(|extension| {
        let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() else {
            return Vec::new();
        };
        let described = access.accessdescs.iter();
        let above = described.filter(|d| d.access_method == OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS);
        above
            .filter_map(|d| match &d.access_location {
                GeneralName::URI(url) => Some((*url).to_owned()),
                _ => None,
            })
            .collect()
    });
    urls.find(|url| is_of_authority(url))
}

/// The public key of a certificate that is SNS's.
fn key_of(chain: &[CertificateDer<'static>]) -> Result<Vec<u8>, Denied> {
    let leaf = chain.first().ok_or_else(|| forged("there is no certificate"))?;
    let (_, leaf) = X509Certificate::from_der(leaf)
        .map_err(|_| forged("the certificate at `SigningCertURL` can't be read"))?;
    let names = leaf.subject_alternative_name().ok().flatten();
    let mut names = names.iter().flat_map(|extension| &extension.value.general_names);
    let is_sns = |name: &GeneralName<'_>| matches!(name, GeneralName::DNSName(dns) if is_sns(dns));
    if !names.any(is_sns) {
        return Err(forged("the certificate at `SigningCertURL` is not of SNS"));
    }
    Ok(leaf.public_key().subject_public_key.data.to_vec())
}

/// `sns.amazonaws.com`, and what it is called in some regions.
fn is_sns(name: &str) -> bool {
    let suffix = name.strip_suffix(".cn").unwrap_or(name).strip_suffix(".amazonaws.com");
    suffix.is_some_and(|rest| rest == "sns" || rest.starts_with("sns.") || rest.starts_with("sns-"))
}
