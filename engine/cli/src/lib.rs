//! The command line, and the place where everything is put together.
//!
//! Owns: configuration, wiring (the only place that names concrete plugins), and the commands.
//!
//! Must never: hold a law of its own. What a command does, a library does.
//!
//! Start reading at [`wiring`], then `cmd/serve.rs` and `cmd/demo.rs`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line prints")]
#![expect(clippy::indexing_slicing, reason = "a member that an answer lacks reads as null")]

mod args;
mod client;
mod cmd;
pub mod config;
mod otlp;
mod output;
mod shipped;
mod sign_in;
pub mod wiring;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

/// `stanch … | head` ends without a word when `head` has seen enough.
fn end_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>().map(String::as_str);
        let is_gone = |said: &str| said.starts_with("failed printing to stdout: Broken pipe");
        if said.is_some_and(is_gone) {
            std::process::exit(0);
        }
        usual(panic);
    }));
}

/// Runs the program with these arguments. 0 is success, 1 a failure, 2 a usage error.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    end_with_the_reader();
    let args = match args::Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() { 2 } else { 0 };
            // Nobody is there to read it when this fails.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime.map_err(anyhow::Error::from).and_then(|rt| rt.block_on(cmd::run(args)));
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
