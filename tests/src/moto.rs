//! A moto of a test's own, which plays AWS.

use tokio::process::Command;

use crate::environment::python;
use crate::process::Process;

/// Runs the server until its standard input ends, which it does when this process is gone,
/// however it went.
const SERVER: &str = "
import os, sys, threading

def leave_with_parent():
    sys.stdin.buffer.read()
    os._exit(0)

threading.Thread(target=leave_with_parent, daemon=True).start()

from moto.server import main
main(sys.argv[1:])
";

/// What the server prints before its address, once it listens.
const LISTENING: &str = "Running on ";

/// A running moto without any state. It is stopped when this value is dropped.
#[derive(Debug)]
pub struct Moto {
    url: String,
    process: Process,
}

impl Moto {
    /// Starts one and waits until it answers.
    pub async fn start() -> Self {
        let mut command = Command::new(python());
        command.args(["-c", SERVER, "-H", "127.0.0.1", "-p", "0"]);
        let mut process = Process::start(&mut command);
        let line = process.wait_for_line(|line| line.contains(LISTENING)).await;
        let (_, url) = line.split_once(LISTENING).expect("the line was found by it");
        Self { url: url.to_owned(), process }
    }

    /// Its address, for `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it logged: a line for each request.
    pub fn log(&self) -> String {
        self.process.output()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn it_answers_as_soon_as_it_is_started() {
        let moto = Moto::start().await;
        let address = moto.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /moto-api/data.json HTTP/1.0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    #[tokio::test]
    async fn each_has_its_own_address_and_goes_when_it_is_dropped() {
        let (first, second) = tokio::join!(Moto::start(), Moto::start());
        assert_ne!(first.url(), second.url());
        let address = first.url().strip_prefix("http://").unwrap().to_owned();
        drop(first);
        while TcpStream::connect(&address).await.is_ok() {}
        TcpStream::connect(second.url().strip_prefix("http://").unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn it_leaves_when_the_test_is_gone() {
        let mut moto = Moto::start().await;
        // As when this process dies: the pipe closes and nobody kills.
        moto.process.close_input();
        assert!(moto.process.wait().await.success());
    }
}
