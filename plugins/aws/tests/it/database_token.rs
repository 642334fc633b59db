//! Tokens for RDS, beside those that botocore makes of the same.

use stanch_plugins_aws::{Aws, AwsSettings, StaticCredentials};
use stanch_plugins_sdk::core::time::Timestamp;
use stanch_tests::python;

/// Botocore's own, at a time that it believes it is.
const BOTOCORE: &str = r#"
import datetime, sys, botocore.session, botocore.auth, botocore.signers
when = datetime.datetime(2026, 11, 24, 3, 0, 0)
class Clock(datetime.datetime):
    @classmethod
    def utcnow(cls): return when
    @classmethod
    def now(cls, tz=None): return when.replace(tzinfo=tz)
botocore.auth.get_current_datetime = lambda remove_tzinfo=True: when
host, port, user, region = sys.argv[1:]
session = botocore.session.Session()
session.set_credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "a/token+of=a session")
client = session.create_client("rds", region_name=region)
print(client.generate_db_auth_token(host, int(port), user))
"#;

fn aws() -> Aws {
    let credentials = StaticCredentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        session_token: Some("a/token+of=a session".to_owned()),
    };
    Aws::open(&AwsSettings { credentials: Some(credentials), ..AwsSettings::default() }).unwrap()
}

/// The parameters of a token, in the order of their names.
fn sorted(token: &str) -> (String, Vec<(String, String)>) {
    let (place, query) = token.split_once("/?").unwrap();
    let mut pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    pairs.sort();
    (place.to_owned(), pairs)
}

#[tokio::test]
async fn a_token_is_the_one_that_botocore_makes() {
    let now = Timestamp::parse("2026-11-24T03:00:00Z").unwrap();
    for user in ["stanch", "an app@x+y"] {
        let host = "stanch.abc123.eu-central-1.rds.amazonaws.com";
        let output = tokio::process::Command::new(python())
            .args(["-c", BOTOCORE, host, "5432", user, "eu-central-1"])
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let theirs = String::from_utf8(output.stdout).unwrap();
        let ours = aws().database_token((host, 5432, user), now).await.unwrap();
        assert_eq!(sorted(&ours), sorted(theirs.trim()));
        assert!(ours.contains("X-Amz-Date=20261124T030000Z"), "{ours}");
    }
}
