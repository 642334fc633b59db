//! The demo: the README's first command.

use stanch_tests::process::Process;
use tokio::process::Command;

use crate::server::{Folder, STANCH};

#[tokio::test]
async fn it_tells_the_whole_story_by_itself() {
    let folder = Folder::new();
    let ran = folder.run(&["demo", "--yes", "--dir", "story"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let mut rest = ran.out.as_str();
    for words in [
        "POST /v1/webhooks/guardduty  202",
        "duplicate: true, nothing started",
        "Cut off AKIAIOSFODNN7EXAMPLE of ci-deploy in 111122223333?",
        "change iam:UpdateAccessKey: accepted",
        "probe iam:ListAccessKeys: it is effective",
        "is CONTAINED",
        "whole: ",
        "Time to contain",
        "Take back what run_",
        "is open again: what was changed is changed back",
    ] {
        let (_, after) = rest.split_once(words).unwrap_or_else(|| panic!("{words}:\n{}", ran.out));
        rest = after;
    }
    assert_eq!(ran.err, "", "nothing goes wrong on the way");
    let again = folder.run(&["demo", "--yes", "--dir", "story"]).await;
    assert!(again.code == 1 && again.err.contains("story"), "{again:?}");
}

#[tokio::test]
async fn it_waits_for_a_person_with_the_commands_that_it_prints() {
    let folder = Folder::new();
    let mut process = Process::start(&mut folder.command(&["demo", "--dir", "story"]));
    let set = process.wait_for_line(|line| line.contains("export STANCH_URL=")).await;
    let (url, token) =
        set.trim().strip_prefix("export STANCH_URL=").unwrap().split_once(' ').unwrap();
    let token = token.strip_prefix("STANCH_TOKEN=").unwrap();
    let person = async |line: &str| {
        let command = line.split_once(STANCH).unwrap().1;
        let script = format!("{STANCH}{command}");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).current_dir(folder.path());
        let output =
            command.env("STANCH_URL", url).env("STANCH_TOKEN", token).output().await.unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
    };
    for prefix in ["look:", "approve:", "export:", "verify:", "undo:", "look:", "approve:"] {
        let line = process.wait_for_line(|line| line.trim_start().starts_with(prefix)).await;
        person(&line).await;
    }
    process.wait_for_line(|line| line.contains("is open again")).await;
    process.wait_for_line(|line| line.starts_with("The server goes on at")).await;
    assert!(process.terminate().await.success());
}
