//! Time-stamps: what an authority has signed of the ends of chains goes along in bundles, and proves the
//! time to whoever trusts that authority, and to nobody else.

use std::io::Cursor;
use std::sync::Arc;

use stanch_engine_core::digest::Sha256;
use stanch_engine_core::time::Timestamp;
use stanch_engine_runtime::evidence::stamps::{Authorities, StampError, proved};
use stanch_engine_runtime::evidence::verify::{self, Brought};
use stanch_tests::eventually;
use stanch_tests::moto::Moto;

use super::anchors::{export, open, stage};
use super::tsa::{Flaw, Tsa};
use crate::bundle::{both_with, pack};
use crate::stage::Plan;

const TOKEN: &[u8] = include_bytes!("../../fixtures/tsa/openssl.token");
const CA: &str = include_str!("../../fixtures/tsa/ca.pem");

/// What the token of `openssl` is about.
const TEXT: &[u8] = b"what was stamped";

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

async fn is_stamped(plan: Plan) {
    let (moto, tsa) = (Arc::new(Moto::start().await), Tsa::new(Flaw::None));
    let stage = stage(&moto, plan, Some(tsa.serve().await)).await;
    let incident = open(&stage).await;
    let files = eventually("a stamp in the bundle", async || {
        let files = export(&stage, &incident).await;
        files.contains_key("timestamps.jsonl").then_some(files)
    })
    .await;
    let (bundle, key) = (pack(&files), stage.runtime.public_key());
    let trusted = Authorities::read(tsa.root()).unwrap();
    let keys = [key.as_str()];
    let by = |authorities| Brought { keys: &keys, authorities, ..Brought::default() };
    let verified = verify::prove(Cursor::new(&bundle), &by(Some(&trusted))).unwrap();
    let stamped = verified.stamped.unwrap();
    assert_eq!(stamped.at, time("2026-11-24T03:00:00.25Z"));
    let records = stamped.records;
    assert!(records > 0 && records < verified.records as u64, "{stamped:?} of {verified:?}");
    both_with(&bundle, &by(Some(&trusted))).unwrap();

    let other = Authorities::read(Tsa::new(Flaw::None).root()).unwrap();
    let said = verify::prove(Cursor::new(&bundle), &by(Some(&other))).unwrap_err().to_string();
    assert!(said.starts_with("timestamps.jsonl: line 1: no certificate that you gave"), "{said}");
    let verified = verify::prove(Cursor::new(&bundle), &by(None)).unwrap();
    assert_eq!(verified.stamped, None, "nobody looked at it");

    // Of a bundle that is shared without its words, the stamp stays.
    let path = format!("/incidents/{incident}/export?redact=true");
    let redacted = stage.mia.bytes(&path).await;
    let verified = verify::prove(Cursor::new(&redacted), &by(Some(&trusted))).unwrap();
    assert!(verified.stamped.is_some() && verified.withheld > 0, "{verified:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_chain_is_stamped_and_the_bundle_proves_when_it_was_there() {
    is_stamped(Plan::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_chain_is_stamped_and_the_bundle_proves_when_it_was_there_on_postgres() {
    is_stamped(Plan::new().on_postgres().await).await;
}

#[test]
fn a_token_of_openssl_proves_what_it_is_about_to_whoever_has_its_authority() {
    let ca = Authorities::read(CA).unwrap();
    let nonce = [0, 0x8b, 0x99, 0x99, 0xba, 0x1c, 0x67, 0x7e, 0x25];
    for nonce in [None, Some(&nonce[..])] {
        assert_eq!(proved(TOKEN, TEXT, nonce, &ca), Ok(time("2026-11-30T20:24:41Z")));
    }
    assert_eq!(proved(TOKEN, b"something else", None, &ca), Err(StampError::Imprint));
    assert_eq!(proved(TOKEN, TEXT, Some(&[1]), &ca), Err(StampError::Nonce));
    let other = Authorities::read(Tsa::new(Flaw::None).root()).unwrap();
    assert_eq!(proved(TOKEN, TEXT, None, &other), Err(StampError::Untrusted));
    for end in 0..TOKEN.len() {
        assert_eq!(proved(&TOKEN[..end], TEXT, None, &ca), Err(StampError::Unread), "{end}");
    }
    // Another minute, and another signature.
    let minute = TOKEN.windows(8).position(|part| part == b"20261130").unwrap() + 10;
    for at in [minute, TOKEN.len() - 1] {
        let mut changed = TOKEN.to_vec();
        changed[at] ^= 1;
        assert_eq!(proved(&changed, TEXT, None, &ca), Err(StampError::Signature), "{at}");
    }
    for pem in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        assert!(Authorities::read(pem).is_err(), "{pem}");
    }
}

#[test]
fn an_authority_that_was_not_one_then_or_is_not_one_alone_proves_nothing() {
    let prove = |tsa: &Tsa| {
        let token = tsa.token(Sha256::of(TEXT).bytes(), &[1]);
        proved(&token, TEXT, Some(&[1]), &Authorities::read(tsa.root()).unwrap())
    };
    let tsa = Tsa::new(Flaw::None);
    assert_eq!(prove(&tsa), Ok(time("2026-11-24T03:00:00.25Z")));
    for (text, at) in
        [("20190101000000Z", "2019-01-01T00:00:00Z"), ("20910101000000Z", "2091-01-01T00:00:00Z")]
    {
        tsa.says(text);
        assert_eq!(prove(&tsa), Err(StampError::NotThen(time(at))));
    }
    for flaw in [Flaw::ForMore, Flaw::ForAnything] {
        assert_eq!(prove(&Tsa::new(flaw)), Err(StampError::Purpose));
    }
}
