//! An authority for time-stamps (RFC 3161), as small as one can be: it signs what it is asked to, with the
//! time and the certificate that the test wants.

use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair, SigningKey as _, date_time_ymd,
};
use ring::digest::{SHA256, digest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// An authority, and the two above it.
#[derive(Clone)]
pub(super) struct Tsa(Arc<Inner>);

struct Inner {
    /// The uppermost certificate, in PEM.
    root: String,
    certificate: Vec<u8>,
    /// The one between them.
    between: Vec<u8>,
    key: KeyPair,
    /// The time that it stamps, as DER has it.
    time: Mutex<String>,
}

/// What an authority's certificate is like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// It may stamp times, and prove hosts.
    ForMore,
    /// Nobody says what it is for.
    ForAnything,
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len();
    let head = match u8::try_from(length) {
        Ok(short @ 0..=0x7f) => vec![tag, short],
        Ok(long) => vec![tag, 0x81, long],
        Err(_) => [&[tag, 0x82][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
    };
    [head, content].concat()
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const ZEROTH: u8 = 0xa0;

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    der(SEQUENCE, parts)
}

fn number(bytes: &[u8]) -> Vec<u8> {
    der(2, &[bytes])
}

fn octets(bytes: &[u8]) -> Vec<u8> {
    der(4, &[bytes])
}

fn oid(dotted: &[u64]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(dotted[0] * 40 + dotted[1]).unwrap()];
    for part in &dotted[2..] {
        let groups = (0..10_u32).rev().map(|group| (*part >> (7 * group)) & 0x7f);
        let groups: Vec<_> = groups.skip_while(|group| *group == 0).collect();
        let last = groups.len().max(1) - 1;
        bytes.extend(
            groups.iter().enumerate().map(|(at, group)| {
                u8::try_from(*group).unwrap() | if at < last { 0x80 } else { 0 }
            }),
        );
    }
    der(6, &[&bytes])
}

fn pkcs(last: &[u64]) -> Vec<u8> {
    oid(&[&[1, 2, 840, 113_549, 1][..], last].concat())
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Tsa {
    pub(super) fn new(flaw: Flaw) -> Self {
        let above = |name: &str| {
            let mut params = named(name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            (params, KeyPair::generate().unwrap())
        };
        let (params, root_key) = above("root");
        let root = params.self_signed(&root_key).unwrap().pem();
        let upper = Issuer::new(params, root_key);
        let (params, between_key) = above("between");
        let between = params.signed_by(&between_key, &upper).unwrap().der().to_vec();
        let issuer = Issuer::new(params, between_key);
        let stamping = oid(&[1, 3, 6, 1, 5, 5, 7, 3, 8]);
        let serving = oid(&[1, 3, 6, 1, 5, 5, 7, 3, 1]);
        let purposes = match flaw {
            Flaw::ForMore => sequence(&[&stamping, &serving]),
            Flaw::None | Flaw::ForAnything => sequence(&[&stamping]),
        };
        let mut params = named("authority");
        (params.not_before, params.not_after) =
            (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1));
        if flaw != Flaw::ForAnything {
            let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 37], purposes);
            extension.set_criticality(true);
            params.custom_extensions.push(extension);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap().der().to_vec();
        let time = Mutex::new("20261124030000.25Z".to_owned());
        Self(Arc::new(Inner { root, certificate, between, key, time }))
    }

    /// The certificate that whoever verifies has, in PEM.
    pub(super) fn root(&self) -> &str {
        &self.0.root
    }

    /// Stamps another time from now on.
    pub(super) fn says(&self, time: &str) {
        time.clone_into(&mut self.0.time.lock().unwrap());
    }

    /// A token about what has this SHA-256.
    pub(super) fn token(&self, imprint: &[u8], nonce: &[u8]) -> Vec<u8> {
        let Inner { certificate, between, key, time, .. } = &*self.0;
        let hash = |bytes: &[u8]| digest(&SHA256, bytes).as_ref().to_vec();
        let sha256 = sequence(&[&oid(&[2, 16, 840, 1, 101, 3, 4, 2, 1])]);
        let info_kind = pkcs(&[9, 16, 1, 4]);
        let info = sequence(&[
            &number(&[1]),
            &oid(&[1, 2, 3, 4, 1]),
            &sequence(&[&sha256, &octets(imprint)]),
            &number(&[7]),
            &der(0x18, &[time.lock().unwrap().as_bytes()]),
            &number(nonce),
        ]);
        let attribute = |kind: &[u64], value: &[u8]| sequence(&[&pkcs(kind), &der(SET, &[value])]);
        let signer = sequence(&[&sequence(&[&sequence(&[&octets(&hash(certificate))])])]);
        let attributes = [
            attribute(&[9, 3], &info_kind),
            attribute(&[9, 4], &octets(&hash(&info))),
            attribute(&[9, 16, 2, 47], &signer),
        ]
        .concat();
        let signature = key.sign(&der(SET, &[&attributes])).unwrap();
        let signer = sequence(&[
            &number(&[1]),
            &sequence(&[&sequence(&[]), &number(&[1])]),
            &sha256,
            &der(ZEROTH, &[&attributes]),
            &sequence(&[&oid(&[1, 2, 840, 10_045, 4, 3, 2])]),
            &octets(&signature),
        ]);
        let data = sequence(&[
            &number(&[3]),
            &der(SET, &[&sha256]),
            &sequence(&[&info_kind, &der(ZEROTH, &[&octets(&info)])]),
            &der(ZEROTH, &[between, certificate]),
            &der(SET, &[&signer]),
        ]);
        sequence(&[&pkcs(&[7, 2]), &der(ZEROTH, &[&data])])
    }

    /// Answers requests by HTTP, and gives the address.
    pub(super) async fn serve(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/tsa", listener.local_addr().unwrap());
        let tsa = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(tsa.clone(), stream));
            }
        });
        url
    }
}

/// What a request holds: a version, SHA-256 and the hash, a nonce of eight bytes, and that the
/// certificate is wanted.
const REQUEST: usize = 69;

async fn answer(tsa: Tsa, mut stream: TcpStream) {
    let mut bytes = Vec::new();
    let body = loop {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(body) = end.map(|end| &bytes[end + 4..]).filter(|body| body.len() >= REQUEST) {
            break body.to_vec();
        }
    };
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    assert!(head.contains("content-type: application/timestamp-query"), "{head}");
    let imprint = &body[REQUEST - 45..REQUEST - 13];
    let token = tsa.token(imprint, &body[REQUEST - 11..REQUEST - 3]);
    let answer = sequence(&[&sequence(&[&number(&[0])]), &token]);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/timestamp-reply\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        answer.len()
    );
    stream.write_all(&[head.as_bytes(), &answer].concat()).await.unwrap();
}
