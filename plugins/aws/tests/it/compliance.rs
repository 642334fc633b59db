//! AWS's own cases for its protocols and endpoints, as botocore publishes them: every one of them,
//! through the same door as a playbook's calls.

mod answer;
mod endpoint;
mod request;
mod suite;
mod value;

use std::path::PathBuf;

use stanch_tests::botocore;

use self::suite::{Case, Suite};

/// The folder of botocore's own tests.
fn folder(under: &str) -> PathBuf {
    botocore::tests().join(under)
}

fn suites(direction: &str, protocol: &str) -> Vec<Suite> {
    let folder = folder("unit/protocols").join(direction);
    Suite::load(&folder.join(format!("{protocol}.json")))
}

/// Checks every case of a protocol, and names all that are not as AWS says.
async fn all(direction: &str, protocol: &str, check: impl AsyncFn(&Suite, &Case) -> Vec<String>) {
    let (mut count, mut wrong) = (0, Vec::new());
    for suite in suites(direction, protocol) {
        for case in &suite.cases {
            count += 1;
            let found = check(&suite, case).await;
            wrong.extend(found.into_iter().map(|what| format!("{}: {what}", case.id)));
        }
    }
    assert!(wrong.is_empty(), "{direction}/{protocol}, of {count} cases:\n{}", wrong.join("\n"));
}

macro_rules! protocols {
    ($($name:ident = $protocol:literal,)*) => {
        #[test]
        fn the_cases_are_all_there() {
            for (direction, least) in [("input", 360), ("output", 360)] {
                let count = |protocol: &str| {
                    suites(direction, protocol).iter().map(|suite| suite.cases.len()).sum::<usize>()
                };
                let all: usize = [$($protocol),*].into_iter().map(count).sum();
                assert!(all >= least, "{direction}: {all}");
            }
        }

        mod requests {
            $(#[tokio::test] async fn $name() {
                super::all("input", $protocol, super::request::check).await;
            })*
        }
        mod answers {
            $(#[tokio::test] async fn $name() {
                super::all("output", $protocol, super::answer::check).await;
            })*
        }
    };
}

protocols! {
    ec2 = "ec2",
    json_1_0 = "json_1_0",
    json_1_0_once_query = "json_1_0-query-compatible",
    json_1_1 = "json",
    query = "query",
    rest_json = "rest-json",
    rest_xml = "rest-xml",
    cbor = "smithy-rpc-v2-cbor",
    cbor_once_query = "smithy-rpc-v2-cbor-query-compatible",
    cbor_never_query = "smithy-rpc-v2-cbor-non-query-compatible",
}
