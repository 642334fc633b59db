//! Where the browser comes back to: a port of this machine's own, for as long as one sign-in takes.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::Url;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Bytes of a request's head, at most.
const HEAD_BYTES: usize = 16 * 1024;

/// How the page looks.
const STYLE: &str = ":root { color-scheme: light dark; } body { font: 1rem/1.5 system-ui, sans-serif; \
                     max-width: 32rem; margin: 4rem auto; padding: 0 1rem; }";

/// How long a browser may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
}

/// Listens on this machine only.
pub(super) async fn listen(port: Option<u16>) -> anyhow::Result<Listener> {
    let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
    let tcp = TcpListener::bind(wanted).await.with_context(|| format!("{wanted}"))?;
    let address = tcp.local_addr()?;
    Ok(Listener { tcp, address })
}

/// What a request says.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    /// The code of this sign-in.
    Code(String),
    /// The provider says no.
    Refused(String),
    /// It is of another sign-in, or of nobody's; the real one may still come.
    Stranger(&'static str),
}

impl Listener {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the code of this sign-in, and gives it with the browser that waits for what comes of it.
    /// Whatever else comes is refused and told.
    pub(super) async fn code(self, state: &str, issuer: &str) -> anyhow::Result<(String, Waiting)> {
        let (sender, mut heads) = mpsc::channel(1);
        loop {
            let (mut stream, head) = tokio::select! {
                // A browser opens connections ahead, and says nothing on them: none keeps the next waiting.
                accepted = self.tcp.accept() => {
                    tokio::spawn(hear(accepted?.0, sender.clone()));
                    continue;
                }
                Some(heard) = heads.recv() => heard,
            };
            match read(&head, self.address, state, issuer) {
                Came::Code(code) => return Ok((code, Waiting(stream))),
                Came::Refused(why) => {
                    Waiting(stream).tell(false).await;
                    bail!("the identity provider says no: {why}");
                }
                Came::Stranger(why) => {
                    eprintln!("refused: {why}");
                    let words = "Open the address that the terminal shows now.";
                    answer(&mut stream, "400 Bad Request", ["This is of another sign-in", words])
                        .await;
                }
            }
        }
    }
}

/// A browser that waits for the end of its sign-in.
pub(super) struct Waiting(TcpStream);

impl Waiting {
    /// Says whether somebody is signed in now.
    pub(super) async fn tell(mut self, is_signed_in: bool) {
        let (status, title, words) = match is_signed_in {
            true => ("200 OK", "You are signed in", "This window can be closed."),
            false => (
                "400 Bad Request",
                "Nobody is signed in",
                "The terminal says why. This window can be closed.",
            ),
        };
        answer(&mut self.0, status, [title, words]).await;
    }
}

/// Hands on what a browser says first, if it does so in time.
async fn hear(mut stream: TcpStream, heads: mpsc::Sender<(TcpStream, String)>) {
    if let Ok(Ok(head)) = tokio::time::timeout(PATIENCE, head(&mut stream)).await {
        // Whoever signed in already waits for nothing more.
        let _ = heads.send((stream, head)).await;
    }
}

async fn head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let mut piece = [0; 2_048];
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") && bytes.len() < HEAD_BYTES {
        match stream.read(&mut piece).await? {
            0 => break,
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read(head: &str, address: SocketAddr, state: &str, issuer: &str) -> Came {
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let host = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    });
    // A page elsewhere whose name leads here is not the one who was sent here.
    if host != Some(address.to_string().as_str()) {
        return Came::Stranger("what came is not for this address");
    }
    let url = Url::parse(&format!("http://{address}{target}"));
    let Some(url) = url.ok().filter(|url| method == "GET" && url.path() == "/callback") else {
        return Came::Stranger("what came is no end of a sign-in");
    };
    let one = |wanted: &str| {
        let mut found = url.query_pairs().filter(|(name, _)| name == wanted);
        let value = found.next().map(|(_, value)| value.into_owned());
        // What stands there twice is nothing (RFC 6749 section 3.1).
        if found.next().is_some() { None } else { value }
    };
    if one("state").as_deref() != Some(state) {
        return Came::Stranger("the `state` is not the one of this sign-in");
    }
    // Whose answer it is, where the provider says it (RFC 9207).
    if one("iss").is_some_and(|iss| iss != issuer) {
        return Came::Stranger("the answer is of another identity provider");
    }
    match (one("code"), one("error")) {
        (Some(code), None) => Came::Code(code),
        (_, Some(error)) => {
            let why = one("error_description").map(|why| format!(": {why}")).unwrap_or_default();
            let why = format!("{error}{why}");
            Came::Refused(why.chars().filter(|c| !c.is_control()).take(300).collect())
        }
        (None, None) => Came::Stranger("what came holds no code"),
    }
}

async fn answer(stream: &mut TcpStream, status: &str, [title, words]: [&str; 2]) {
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"><title>{title} - Stanch</title><style>{STYLE}\
         </style></head><body><main><h1>{title}</h1><p>{words}</p></main></body></html>\n"
    );
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\n\
         content-security-policy: default-src 'none'; style-src 'unsafe-inline'\r\n\
         connection: close\r\n\r\n{page}",
        page.len()
    );
    // Whoever signed in is signed in, whether or not the browser shows it.
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(target: &str, host: &str) -> Came {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 7_777));
        let head = format!("GET {target} HTTP/1.1\r\nAccept: */*\r\nHost: {host}\r\n\r\n");
        read(&head, address, "right", "https://idp")
    }

    #[test]
    fn only_the_answer_to_this_sign_in_is_taken() {
        let here = |target: &str| came(target, "127.0.0.1:7777");
        let code = |code: &str| Came::Code(code.to_owned());
        assert_eq!(here("/callback?code=a%2Fb&state=right"), code("a/b"));
        assert_eq!(here("/callback?code=x&state=right&iss=https%3A%2F%2Fidp"), code("x"));
        for target in [
            "/callback?code=x&state=wrong",
            "/callback?code=x",
            "/callback?code=x&state=right&state=wrong",
            "/callback?code=x&state=right&iss=https%3A%2F%2Fother",
            "/callback?state=right",
            "/callback?code=x&code=y&state=right",
            "/favicon.ico",
            "/callback/../other?code=x&state=right",
        ] {
            assert!(matches!(here(target), Came::Stranger(_)), "{target}");
        }
        let elsewhere = came("/callback?code=x&state=right", "evil.example");
        assert!(matches!(elsewhere, Came::Stranger(_)));
        let no = here("/callback?error=access_denied&error_description=not%0Ayou&state=right");
        assert_eq!(no, Came::Refused("access_denied: notyou".to_owned()));
        let other = here("/callback?error=access_denied&state=wrong");
        assert!(matches!(other, Came::Stranger(_)));
    }
}
