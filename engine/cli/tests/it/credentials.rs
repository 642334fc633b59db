//! Where credentials come from: each link of AWS's own chain, against something that plays it, until
//! a call is signed with what it gave.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::server::{Folder, Ran};

/// What was asked, by method and path, and with which key a call was signed.
type Asked = Arc<Mutex<Vec<String>>>;

/// Plays the services that give credentials, and STS for the call that is made with them.
async fn give() -> (String, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Asked::default();
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, Arc::clone(&kept)));
        }
    });
    (url, asked)
}

async fn answer(mut stream: TcpStream, asked: Asked) {
    let Some(request) = read(&mut stream).await else { return };
    let line = request.lines().next().unwrap_or_default().to_owned();
    let (status, body) = said(&line, &request);
    let signed = request.split("Credential=").nth(1).and_then(|rest| rest.split('/').next());
    asked.lock().unwrap().push(format!("{line} {}", signed.unwrap_or_default()));
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\
         x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
}

async fn read(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// What each of the services says.
fn said(line: &str, request: &str) -> (&'static str, String) {
    const END: &str = "2099-01-01T00:00:00Z";
    let machine = |key: &str| {
        format!(
            "{{\"Code\": \"Success\", \"AccessKeyId\": \"{key}\", \"SecretAccessKey\": \"s3cr3t\", \
             \"Token\": \"t0k3n\", \"Expiration\": \"{END}\"}}"
        )
    };
    let session = |key: &str| {
        format!(
            "<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s3cr3t</SecretAccessKey>\
             <SessionToken>t0k3n</SessionToken><Expiration>{END}</Expiration></Credentials>"
        )
    };
    let has = |word: &str| request.contains(word);
    let ok = |body: String| ("200 OK", body);
    if line.starts_with("PUT /latest/api/token") {
        ok("imds-token".to_owned())
    } else if line.starts_with("GET /latest/meta-data/iam/security-credentials") {
        match line.contains("/responder ") {
            true => ok(machine("ASIAIMDS")),
            false => ok("responder".to_owned()),
        }
    } else if line.starts_with("GET /latest/meta-data/placement/region") {
        ok("us-east-1".to_owned())
    } else if line.starts_with("GET /container") && has("authorization: from-the-pod") {
        ok(machine("ASIACONTAINER"))
    } else if line.starts_with("GET /federation/credentials") && has("bearer_token: logged-in") {
        ok("{\"roleCredentials\": {\"accessKeyId\": \"ASIASSO\", \"secretAccessKey\": \"s3cr3t\", \
            \"sessionToken\": \"t0k3n\", \"expiration\": 4070908800000}}"
            .to_owned())
    } else if has("Action=AssumeRoleWithWebIdentity") && has("WebIdentityToken=from-the-cluster") {
        let body = session("ASIAWEB");
        ok(format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>{body}\
             </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        ))
    } else if has("Action=AssumeRole&") && has("Credential=AKIASOURCE/") {
        let body = session("ASIAROLE");
        ok(format!(
            "<AssumeRoleResponse><AssumeRoleResult>{body}</AssumeRoleResult></AssumeRoleResponse>"
        ))
    } else if has("Action=GetCallerIdentity") {
        ok("<GetCallerIdentityResponse><GetCallerIdentityResult><Account>111122223333</Account>\
            </GetCallerIdentityResult></GetCallerIdentityResponse>"
            .to_owned())
    } else {
        ("403 Forbidden", "{\"message\": \"secret-of-the-service\"}".to_owned())
    }
}

/// A call without anything that gives credentials.
fn bare(folder: &Folder, url: &str) -> Command {
    let mut command = folder.command(&["aws", "call", "sts:GetCallerIdentity"]);
    command.env("AWS_REGION", "us-east-1").env("AWS_ENDPOINT_URL", url);
    command.env("HOME", folder.path()).env("PATH", "/usr/bin:/bin");
    command
}

async fn ran(mut command: Command) -> Ran {
    Ran::of(command.output().await.unwrap())
}

/// The key that the call itself was signed with.
fn signed_with(asked: &Asked) -> Option<String> {
    let asked = asked.lock().unwrap();
    let call = asked.iter().rfind(|line| line.starts_with("POST / "))?;
    Some(call.rsplit(' ').next()?.to_owned())
}

async fn signs(command: Command, asked: &Asked, key: &str) {
    let ran = ran(command).await;
    assert_eq!(ran.code, 0, "{key}: {ran:?} {asked:?}");
    assert_eq!(ran.json()["Account"], "111122223333");
    assert_eq!(signed_with(asked).as_deref(), Some(key));
}

async fn refused(command: Command, words: &str) {
    let ran = ran(command).await;
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{ran:?}");
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(error["error"]["code"], "no_credentials", "{error}");
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains(words), "{message}");
    assert!(!ran.err.contains("secret-of"), "{}", ran.err);
}

fn write(folder: &Folder, name: &str, text: &str) {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[tokio::test]
async fn from_the_metadata_of_a_machine() {
    let (folder, (url, asked)) = (Folder::new(), give().await);
    let mut command = bare(&folder, &url);
    command.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url);
    signs(command, &asked, "ASIAIMDS").await;
    let first = asked.lock().unwrap()[0].clone();
    assert!(first.starts_with("PUT /latest/api/token"), "a token is asked for first: {first}");
}

#[tokio::test]
async fn from_the_container_that_it_runs_in() {
    let (folder, (url, asked)) = (Folder::new(), give().await);
    write(&folder, "pod-token", "from-the-pod");
    let mut command = bare(&folder, &url);
    command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{url}/container"));
    command.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", folder.path().join("pod-token"));
    signs(command, &asked, "ASIACONTAINER").await;
    // Nobody else's host is told the token.
    let mut elsewhere = bare(&folder, &url);
    elsewhere.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/container");
    elsewhere.env("AWS_EC2_METADATA_DISABLED", "true");
    refused(elsewhere, "AWS_ACCESS_KEY_ID").await;
}

#[tokio::test]
async fn from_a_web_identity() {
    let (folder, (url, asked)) = (Folder::new(), give().await);
    write(&folder, "web-token", "from-the-cluster");
    let mut command = bare(&folder, &url);
    command.env("AWS_WEB_IDENTITY_TOKEN_FILE", folder.path().join("web-token"));
    command.env("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/responder");
    signs(command, &asked, "ASIAWEB").await;
    write(&folder, "web-token", "of-somebody-else");
    let mut other = bare(&folder, &url);
    other.env("AWS_WEB_IDENTITY_TOKEN_FILE", folder.path().join("web-token"));
    other.env("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/responder");
    other.env("AWS_EC2_METADATA_DISABLED", "true");
    refused(other, "`aws sts get-caller-identity`").await;
}

#[tokio::test]
async fn from_a_role_that_a_profile_takes_and_from_a_process_that_it_runs() {
    let (folder, (url, asked)) = (Folder::new(), give().await);
    let script = folder.path().join("vault.sh");
    write(
        &folder,
        "vault.sh",
        "#!/bin/sh\necho '{\"Version\": 1, \"AccessKeyId\": \"ASIAPROCESS\", \
         \"SecretAccessKey\": \"s3cr3t\", \"SessionToken\": \"t0k3n\"}'\n",
    );
    write(&folder, "broken.sh", "#!/bin/sh\necho secret-of-the-process >&2\nexit 3\n");
    for name in ["vault.sh", "broken.sh"] {
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path().join(name), mode).unwrap();
    }
    let config = format!(
        "[profile source]\naws_access_key_id = AKIASOURCE\naws_secret_access_key = s3cr3t\n\
         [profile taken]\nsource_profile = source\n\
         role_arn = arn:aws:iam::111122223333:role/responder\n\
         [profile vault]\ncredential_process = {}\n\
         [profile broken]\ncredential_process = {}\n",
        script.display(),
        folder.path().join("broken.sh").display()
    );
    write(&folder, ".aws/config", &config);
    for (profile, key) in [("taken", "ASIAROLE"), ("vault", "ASIAPROCESS")] {
        let mut command = bare(&folder, &url);
        command.env("AWS_PROFILE", profile);
        signs(command, &asked, key).await;
    }
    for profile in ["broken", "nobody"] {
        let mut command = bare(&folder, &url);
        command.env("AWS_PROFILE", profile).env("AWS_EC2_METADATA_DISABLED", "true");
        refused(command, "AWS_PROFILE").await;
    }
}

#[tokio::test]
async fn from_a_login_by_sso_until_it_ends() {
    let (folder, (url, asked)) = (Folder::new(), give().await);
    let config = "[profile corp]\nsso_session = corp\nsso_account_id = 111122223333\n\
        sso_role_name = Responder\n[sso-session corp]\nsso_region = us-east-1\n\
        sso_start_url = https://corp.awsapps.com/start\n";
    write(&folder, ".aws/config", config);
    // Its name is the SHA-1 of `corp`.
    let file = ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json";
    for (ends, is_over) in [("2099-01-01T00:00:00Z", false), ("2020-01-01T00:00:00Z", true)] {
        let token = format!(
            "{{\"accessToken\": \"logged-in\", \"expiresAt\": \"{ends}\", \"region\": \"us-east-1\"}}"
        );
        write(&folder, file, &token);
        let mut command = bare(&folder, &url);
        command.env("AWS_PROFILE", "corp").env("AWS_EC2_METADATA_DISABLED", "true");
        match is_over {
            false => signs(command, &asked, "ASIASSO").await,
            true => refused(command, "`aws sso login`").await,
        }
    }
}
