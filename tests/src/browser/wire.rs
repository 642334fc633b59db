//! The few calls of WebDriver: JSON over HTTP, to a port of this machine.

use std::io::{Read as _, Write as _};
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
        let answer = self.exchange(method, path, body).map_err(|error| error.to_string())?;
        let (head, body) =
            answer.split_once("\r\n\r\n").ok_or("the answer has no end of its head")?;
        let answer: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
        let value = answer.get("value").unwrap_or(&Value::Null);
        match head.split(' ').nth(1) {
            Some("200") => Ok(value.clone()),
            _ => Err(format!("{} {}", value["error"], value["message"])),
        }
    }

    fn exchange(self, method: &str, path: &str, body: &Value) -> std::io::Result<String> {
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
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}
