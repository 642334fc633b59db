//! Those whom Stanch tells: Slack, PagerDuty, receivers of webhooks and a mail server, each at a
//! port of its own, over HTTP and SMTP.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use stanch_engine_server::Reply;
use stanch_tests::eventually;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) path: String,
    pub(crate) headers: http::HeaderMap,
    pub(crate) raw: Bytes,
    pub(crate) body: Value,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
    }
}

/// What is answered instead of yes.
pub(crate) enum Trouble {
    Answer(u16, Value),
    /// Nothing, for as long as the test lasts.
    Silence,
}

/// Something that is told over HTTP.
#[derive(Clone)]
pub(crate) struct Other {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    trouble: Arc<Mutex<VecDeque<Trouble>>>,
}

impl Other {
    /// Answers as Slack does, and as PagerDuty does, who look at other members.
    pub(crate) async fn play() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let other = Self { url, heard: Arc::default(), trouble: Arc::default() };
        let played = other.clone();
        let answer = move |request| played.answer(request);
        tokio::spawn(stanch_engine_server::serve_with(listener, answer, std::future::pending()));
        other
    }

    fn answer(&self, request: http::Request<Bytes>) -> Reply {
        let (head, raw) = request.into_parts();
        let body = serde_json::from_slice(&raw).unwrap_or_default();
        let path = head.uri.to_string();
        let mut heard = self.heard.lock().unwrap();
        heard.push(Heard { path, headers: head.headers, raw, body });
        let number = heard.len();
        let usual = json!({"ok": true, "channel": "C1", "ts": format!("17.{number:03}"), "status": "success"});
        let trouble = self.trouble.lock().unwrap().pop_front();
        let (status, body) = match trouble {
            None => (200, usual),
            Some(Trouble::Answer(status, body)) => (status, body),
            Some(Trouble::Silence) => return Reply::Late(Box::pin(std::future::pending())),
        };
        let answer = http::Response::builder().status(status);
        Reply::Response(answer.body(Bytes::from(body.to_string())).unwrap())
    }

    /// Has the next requests answered so, one after the other.
    pub(crate) fn will(&self, trouble: impl IntoIterator<Item = Trouble>) {
        self.trouble.lock().unwrap().extend(trouble);
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// The requests that fit, when there are so many.
    pub(crate) async fn when(
        &self,
        what: &str,
        times: usize,
        fits: impl Fn(&Heard) -> bool,
    ) -> Vec<Heard> {
        eventually(what, async || {
            let found: Vec<Heard> = self.heard().into_iter().filter(|heard| fits(heard)).collect();
            (found.len() >= times).then_some(found)
        })
        .await
    }

    /// The requests to a path, when there are so many.
    pub(crate) async fn at(&self, path: &str, times: usize) -> Vec<Heard> {
        self.when(&format!("{times} calls of {path}"), times, |heard| heard.path == path).await
    }
}

/// A mail server that speaks TLS from the first byte.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    mails: Arc<Mutex<Vec<String>>>,
}

impl MailServer {
    /// Serves, and leaves its certificate in a file.
    pub(crate) async fn serve(roots: &Path) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(roots, made.cert.pem()).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, mails: Arc::default() };
        let mails = server.mails.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, mails) = (acceptor.clone(), mails.clone());
                tokio::spawn(async move {
                    // A client that does not trust the certificate hangs up.
                    if let Ok(stream) = acceptor.accept(socket).await {
                        converse(stream, &mails).await;
                    }
                });
            }
        });
        server
    }

    /// The mails, when there are so many, with what was said before each.
    pub(crate) async fn mails(&self, times: usize) -> Vec<String> {
        eventually(&format!("{times} mails"), async || {
            let mails = self.mails.lock().unwrap().clone();
            (mails.len() >= times).then_some(mails)
        })
        .await
    }
}

async fn converse(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    mails: &Mutex<Vec<String>>,
) {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.test ESMTP\r\n").await.unwrap();
    let mut said = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        said.push_str(&line);
        let answer: &[u8] = match line.split_whitespace().next().unwrap_or_default() {
            "EHLO" => b"250-mail.test\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n",
            "AUTH" => b"235 welcome\r\n",
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.unwrap();
                stream.flush().await.unwrap();
                while !said.ends_with("\r\n.\r\n") {
                    stream.read_line(&mut said).await.unwrap();
                }
                mails.lock().unwrap().push(std::mem::take(&mut said));
                b"250 taken\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 yes\r\n",
        };
        stream.write_all(answer).await.unwrap();
        stream.flush().await.unwrap();
    }
}

/// A mail as its reader sees it: without the dots of SMTP (RFC 5321 section 4.5.2) and the
/// quoted-printable encoding (RFC 2045 section 6.7), as far as ours goes.
pub(crate) fn plain(mail: &str) -> String {
    mail.replace("\r\n..", "\r\n.").replace("=\r\n", "").replace("=3D", "=")
}
