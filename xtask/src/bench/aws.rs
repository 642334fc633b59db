//! The client for AWS beside AWS's own typed one, for the same operation, in one run.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::cargo;

/// What `--check` asks: of the time of the typed client at most.
const LARGEST_RATIO: f64 = 1.2;

/// What `--check` asks of the largest model, in milliseconds.
const LARGEST_DECODE_MS: f64 = 25.0;

/// What the measurement prints.
#[derive(Debug, Deserialize)]
pub(super) struct Calls {
    operations: BTreeMap<String, Call>,
    decode_ec2_ms: f64,
}

#[derive(Debug, Deserialize)]
struct Call {
    ours_us: f64,
    typed_us: f64,
    ratio: f64,
}

/// Builds and runs the measurement.
pub(super) fn measure(root: &Path) -> Result<Calls> {
    let mut command = cargo::command();
    command.args(["bench", "--package", "stanch-plugins-aws", "--bench", "call"]);
    let output = command.current_dir(root).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the bench of the client for AWS failed");
    super::parse(&String::from_utf8_lossy(&output.stdout)).context("the client for AWS")
}

impl Calls {
    /// Whether it holds what `--check` asks.
    pub(super) fn is_fast(&self) -> bool {
        self.operations.values().all(|call| call.ratio <= LARGEST_RATIO)
            && self.decode_ec2_ms <= LARGEST_DECODE_MS
    }

    /// What is asked, in words.
    pub(super) fn asked() -> String {
        format!(
            "slower than {LARGEST_RATIO} times the typed client, or EC2's model takes more than \
             {LARGEST_DECODE_MS} ms"
        )
    }

    /// The figures in Markdown.
    pub(super) fn table(&self) -> String {
        let mut text = "| call to parsed result | ours µs | aws-sdk-ssm µs | ratio |\n\
                        |---|--:|--:|--:|\n"
            .to_owned();
        for (name, Call { ours_us, typed_us, ratio }) in &self.operations {
            text += &format!("| {name} | {ours_us:.0} | {typed_us:.0} | {ratio:.2} |\n");
        }
        text + &format!("\nEC2's model is decoded in {:.1} ms.\n", self.decode_ec2_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(ratio: f64, decode_ec2_ms: f64) -> Calls {
        let call = Call { ours_us: 100.0 * ratio, typed_us: 100.0, ratio };
        Calls { operations: BTreeMap::from([("ssm:GetParameter".to_owned(), call)]), decode_ec2_ms }
    }

    #[test]
    fn the_bars_are_those_of_one_run() {
        assert!(calls(1.2, 25.0).is_fast());
        assert!(!calls(1.21, 10.0).is_fast());
        assert!(!calls(1.0, 25.1).is_fast());
    }

    #[test]
    fn the_table_is_markdown() {
        let table = calls(1.1, 9.5).table();
        assert!(table.contains("| ssm:GetParameter | 110 | 100 | 1.10 |"), "{table}");
    }
}
