//! The few calls of WebDriver: JSON over HTTP, to a port of this machine.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::process::DEADLINE;

/// Where the driver listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wire {
    pub(super) port: u16,
}

impl Wire {
    /// Asks for what must be given.
    pub(super) async fn ask(self, method: &'static str, path: String, body: Value) -> Value {
        let asked = path.clone();
        let answer = tokio::task::spawn_blocking(move || self.ask_now(method, &path, &body)).await;
        let answer = answer.expect("a call does not panic");
        answer.unwrap_or_else(|why| panic!("{method} {asked}: {why}"))
    }

    /// The same, for whoever can't wait otherwise.
    pub(super) fn ask_now(self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let (status, body) =
            self.exchange(method, path, body).map_err(|error| error.to_string())?;
        let answer: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let value = answer.get("value").unwrap_or(&Value::Null);
        match status.split(' ').nth(1) {
            Some("200") => Ok(value.clone()),
            _ => Err(format!("{} {}", value["error"], value["message"])),
        }
    }

    fn exchange(
        self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> std::io::Result<(String, Vec<u8>)> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )?;
        // The browser that the driver has started keeps the connection open: its end is no end of the answer.
        let mut stream = BufReader::new(stream);
        let (mut status, mut length) = (String::new(), 0);
        stream.read_line(&mut status)?;
        for line in stream.by_ref().lines() {
            let line = line?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(said) = line.strip_prefix("content-length:") {
                length = said.trim().parse().map_err(std::io::Error::other)?;
            }
        }
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer)?;
        Ok((status, answer))
    }
}
