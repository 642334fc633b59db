//! What is done to payloads by chance: bytes and members are changed, by seeds that a failure
//! names; nothing panics, nothing hangs, and memory keeps within a bound of the body.
//!
//! `STANCH_TEST_PAYLOADS` names another folder than the fixtures, `STANCH_TEST_FUZZ` how often each
//! file is changed.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops where it fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use serde_json::{Value, json};
use stanch_engine_cli::config::Config;
use stanch_engine_cli::wiring;
use stanch_engine_core::limits;
use stanch_engine_runtime::intake;
use stanch_plugins_aws::Roles;
use stanch_plugins_http::Secrets;
use stanch_plugins_sdk::Catalogue;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// How often each file is changed.
const TIMES: u64 = 60;

/// Bytes beside the body that reading one payload may take, whatever its size. Four times the body
/// alone does not hold for small ones: a member of a tree of JSON weighs more than its text, and a node
/// of the tree is as large with one member as with eleven.
const FIXED: usize = 64 * 1024;

/// Times the body that reading it may take.
const FACTOR: usize = 4;

/// How many of the sources each changed file is read by, beside `auto`.
const PER_BODY: usize = 4;

/// How long reading may take; a debug build on a busy machine takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

struct Dice(TestRng);

impl Dice {
    fn of(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(seed.to_le_bytes()).for_each(|(to, from)| *to = from);
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.0.next_u64() % most.max(1) as u64).unwrap()
    }
}

/// Changes bytes: flipped, taken out, put in, cut off, repeated.
fn change_bytes(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.is_empty() {
        return;
    }
    let at = dice.below(bytes.len());
    let to = at + dice.below((bytes.len() - at).min(64));
    match dice.below(6) {
        0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (at % 8)),
        1 => drop(bytes.drain(at..to)),
        2 => bytes.insert(at, b"{}[]\",:\\0e-\xff"[dice.below(12)]),
        3 => bytes.truncate(at),
        4 => {
            let part: Vec<u8> = bytes.iter().skip(at).take(to - at).copied().collect();
            drop(bytes.splice(at..at, part));
        }
        _ => bytes.iter_mut().skip(at).take(to - at).for_each(|byte| *byte = b'9'),
    }
}

/// Changes a value somewhere in a payload.
fn change_value(value: &mut Value, dice: &mut Dice) {
    let goes_on = dice.below(5) > 0;
    match value {
        Value::Object(members) if goes_on && !members.is_empty() => {
            let name = members.keys().nth(dice.below(members.len())).unwrap().clone();
            match dice.below(12) {
                0 => drop(members.remove(&name)),
                1 => {
                    let inner = members.remove(&name).unwrap();
                    members.insert(name.to_uppercase(), inner);
                }
                2 => {
                    let inner = members[&name].clone();
                    members.insert("detail".to_owned(), inner);
                }
                _ => change_value(&mut members[&name], dice),
            }
        }
        Value::Array(items) if goes_on && !items.is_empty() => {
            let at = dice.below(items.len());
            match dice.below(6) {
                0 => drop(items.remove(at)),
                1 => items.push(items[at].clone()),
                _ => change_value(&mut items[at], dice),
            }
        }
        other => {
            *other = match dice.below(10) {
                0 => Value::Null,
                1 => json!(true),
                2 => json!(dice.0.next_u64()),
                3 => json!(-1.5e300),
                4 => json!("x".repeat(dice.below(5_000))),
                5 => json!([other.clone()]),
                6 => json!({ "Message": other.to_string() }),
                7 => json!(other.to_string()),
                8 => json!("arn:aws:::::\u{202e}"),
                _ => json!({}),
            }
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn mutated(whole: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    if let (Ok(mut payload), true) = (serde_json::from_slice::<Value>(whole), dice.below(2) == 0) {
        for _ in 0..=dice.below(4) {
            change_value(&mut payload, dice);
        }
        bytes = serde_json::to_vec(&payload).unwrap();
    }
    for _ in 0..dice.below(4) {
        change_bytes(&mut bytes, dice);
    }
    bytes
}

/// Reads a body by a source: the most memory that it took meanwhile, in bytes.
fn read(catalogue: &Catalogue, source: &str, body: &[u8], shown: &str) -> usize {
    let (before, begun) = (MEMORY.current_usage(), Instant::now());
    MEMORY.reset_peak_usage();
    let reading = intake::normalize(catalogue, source, body);
    let (peak, elapsed) = (MEMORY.peak_usage(), begun.elapsed());
    drop(reading);
    assert!(elapsed < PATIENCE, "{shown}: {elapsed:?}");
    peak.saturating_sub(before)
}

#[test]
fn whatever_is_changed_in_a_payload_reading_it_ends_within_time_and_memory() {
    let catalogue =
        wiring::catalogue(&Config::default(), None, Secrets::default(), Roles::default()).unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/payloads");
    let folder = std::env::var_os("STANCH_TEST_PAYLOADS").map_or(fixtures, PathBuf::from);
    let times = std::env::var_os("STANCH_TEST_FUZZ");
    let times = times.map_or(TIMES, |times| times.to_str().unwrap().parse().unwrap());
    let (auto, doors) = ("auto".to_owned(), catalogue.door_names());
    let (mut tried, mut most) = (0, BTreeMap::<String, (f64, usize, u64)>::new());
    let mut beside = (0, String::new());
    for (number, file) in files(&folder).into_iter().enumerate() {
        let whole = std::fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        for time in 0..times {
            let seed = number as u64 * 1_000_003 + time;
            // The first is the file as it is.
            let body = if time == 0 { whole.clone() } else { mutated(&whole, &mut Dice::of(seed)) };
            // Every source by its name, and every door, each in its turn; the widest door always.
            let at = usize::try_from(time).unwrap() + number;
            let mut names =
                doors.iter().cycle().skip(at * PER_BODY).take(PER_BODY).collect::<Vec<_>>();
            names.push(&auto);
            for source in names {
                let shown = format!("{name}, seed {seed}, {source}, {} bytes", body.len());
                let taken = read(&catalogue, source, &body, &shown);
                tried += 1;
                let ratio = taken as f64 / body.len().max(1) as f64;
                let is_worse = |known: &(f64, usize, u64)| ratio > known.0 && body.len() > 1_000;
                let known = most.entry(name.clone()).or_default();
                if is_worse(known) {
                    *known = (ratio, body.len(), seed);
                }
                let more = taken.saturating_sub(FACTOR * body.len());
                if more > beside.0 {
                    beside = (more, shown.clone());
                }
                let allowed = FIXED + FACTOR * body.len();
                assert!(taken <= allowed, "{shown}: {taken} of {allowed} bytes of memory");
            }
        }
    }
    for (name, (ratio, length, seed)) in &most {
        println!("{name}: {ratio:.1} times {length} bytes (seed {seed})");
    }
    println!("{tried} payloads, the most memory by file above");
    println!("at most {} bytes beside {FACTOR} times the body: {}", beside.0, beside.1);
    assert!(tried > 0);
}

/// Bodies that nobody sends who means well: each as large as a body may be, so that what is beside it
/// does not count.
fn hostile() -> Vec<(&'static str, String)> {
    let most = limits::REQUEST_BYTES - 64;
    let fill = |part: &str| part.repeat(most / part.len());
    let members = |count: usize| {
        let members: Vec<String> = (0..count).map(|n| format!("\"m{n}\":{n}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let finding = include_str!("../../../../tests/fixtures/payloads/guardduty.event.json");
    let titled = finding.replacen("A key was used", &"x".repeat(900_000), 1);
    vec![
        ("lists in lists", "[".repeat(most)),
        ("objects in objects", fill("{\"a\":")),
        ("empty objects", format!("[{}0]", fill("{},"))),
        ("small objects", format!("[{}0]", fill("{\"a\":{\"b\":1}},"))),
        ("numbers", format!("[{}0]", fill("0,"))),
        ("empty texts", format!("[{}0]", fill("\"\","))),
        ("many members", members(60_000)),
        ("one long text", format!("\"{}\"", fill("x"))),
        ("escapes", format!("{{\"title\":\"{}\"}}", fill("\\u0041"))),
        ("texts in texts", Value::from(Value::from("\"".repeat(most / 8)).to_string()).to_string()),
        (
            "dense in a text",
            json!({"Type": "Notification", "MessageId": "m", "TopicArn": "t",
            "Message": format!("[{}0]", fill("{},"))})
            .to_string(),
        ),
        ("digits", fill("9")),
        ("spaces", fill(" ")),
        ("a long title", titled),
    ]
}

/// Times the body that reading a body of that kind may take: its tree, at most
/// [`limits::TREE_TIMES_TEXT`] times it, and the text that the alert keeps while it is written.
const HOSTILE_FACTOR: usize = limits::TREE_TIMES_TEXT + 4;

#[test]
fn whatever_stands_in_a_body_of_the_largest_size_its_tree_stays_small() {
    let catalogue =
        wiring::catalogue(&Config::default(), None, Secrets::default(), Roles::default()).unwrap();
    for (kind, body) in hostile() {
        for source in ["auto", "aws", "sns", "guardduty", "generic", "cloudtrail", "securityhub"] {
            let shown = format!("{kind} by {source}, {} bytes", body.len());
            let taken = read(&catalogue, source, body.as_bytes(), &shown);
            let factor = taken as f64 / body.len() as f64;
            println!("{shown}: {factor:.1} times");
            assert!(taken <= FIXED + HOSTILE_FACTOR * body.len(), "{shown}: {taken} bytes");
        }
    }
}
