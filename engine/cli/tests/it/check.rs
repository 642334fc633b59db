//! `stanch check` says what is wrong, where, and what would be right.

use crate::server::Folder;

async fn said(body: &str) -> String {
    let folder = Folder::new();
    folder
        .write("p.rhai", &format!("const PLAYBOOK = #{{ name: \"p\", title: \"t\" }};\n{body}\n"));
    let ran = folder.run(&["check", "p.rhai"]).await;
    assert_eq!(ran.code, 1, "{body}: {ran:?}");
    format!("{}{}", ran.out, ran.err)
}

#[tokio::test]
async fn mistakes_are_named_with_line_and_column() {
    for (body, place, words) in [
        ("let a = ;", "p.rhai:2:", "unexpected"),
        ("aproval(\"x\", #{});", "p.rhai:2:1", "`approval`"),
        ("let a = aws(\"iam:GetUsr\", #{});", "p.rhai:2:", "GetUser"),
        ("let g = approval(\"x\", #{ expries: \"1h\" });", "p.rhai:2:", "expires"),
        ("[2, 1].sort(|x, y| { log(\"x\"); x - y });", "p.rhai:2:", "sort"),
        ("print(alert.titel);", "p.rhai:2:", "title"),
        ("import \"lib/nowhere\" as n;", "p.rhai:2:", "nowhere"),
        ("eval(\"1\");", "p.rhai:2:", "eval"),
        ("let a = #{}; a.default", "p.rhai:2:", "x[\"default\"]"),
    ] {
        let said = said(body).await.to_lowercase();
        assert!(said.contains(place), "{body}: {said}");
        assert!(said.contains(&words.to_lowercase()), "{body}: {words}: {said}");
    }
}

#[tokio::test]
async fn the_header_is_checked_too() {
    for (text, place, words) in [
        ("1", "p.rhai:1:1", "PLAYBOOK"),
        ("const PLAYBOOK = 1;", "p.rhai:1:1", "the header is wrong"),
        ("\n\nconst PLAYBOOK = #{ title: \"t\" };", "p.rhai:3:1", "name"),
        (
            "const PLAYBOOK = #{ name: \"p\", title: \"t\",\n  mood: \"ask\" };",
            "p.rhai:2:3",
            "mode",
        ),
        (
            "const PLAYBOOK = #{ name: \"p\",\n title: \"t\", mode: \"yolo\" };",
            "p.rhai:2:20",
            "observe",
        ),
    ] {
        let folder = Folder::new();
        folder.write("p.rhai", text);
        let ran = folder.run(&["check", "p.rhai"]).await;
        assert_eq!(ran.code, 1, "{text}: {ran:?}");
        let said = format!("{}{}", ran.out, ran.err);
        assert!(said.contains(words), "{text}: {words}: {said}");
        assert!(said.contains(place), "{text}: {place}: {said}");
    }
}

#[tokio::test]
async fn what_is_shipped_fits() {
    let folder = Folder::new();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../playbooks");
    let ran = folder.run(&["check", shipped]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = folder.run(&["check", "nowhere.rhai"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("nowhere.rhai"), "{ran:?}");
}

#[tokio::test]
async fn the_policies_are_no_wider_than_the_playbook() {
    let folder = Folder::new();
    let file =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../playbooks/iam-access-key-compromise.rhai");
    let report = folder.run(&["--json", "check", file]).await.json();
    let policies = &report["files"][0]["policies"];
    let contain = &policies["contain"]["Statement"][0]["Action"];
    let changes = ["iam:DeleteUserPolicy", "iam:PutUserPolicy", "iam:UpdateAccessKey"];
    assert_eq!(*contain, serde_json::json!(changes));
    let read = policies["read"]["Statement"][0]["Action"].to_string();
    assert!(read.contains("cloudtrail:LookupEvents") && !read.contains("Update"), "{read}");
    assert!(
        read.contains("ec2:DescribeRegions"),
        "collecting in enabled regions asks which: {read}"
    );
    // What is protected by tags has them read before a change.
    assert!(!read.contains("iam:GetRole") && !read.contains("tag:GetResources"), "{read}");
    folder.write("stanch.toml", "[[guard.protect]]\nname = \"p\"\nreason = \"r\"\nowner = \"o\"\ntags = { stage = \"prod\" }\n");
    let report = folder.run(&["--json", "check", file]).await.json();
    let read = report["files"][0]["policies"]["read"]["Statement"][0]["Action"].to_string();
    assert!(read.contains("iam:GetRole") && read.contains("iam:GetUser"), "{read}");
    let said = folder.run(&["check", "--policies", file]).await.out;
    assert!(said.contains("\"Version\": \"2012-10-17\""), "{said}");
    let bare = "const PLAYBOOK = #{ name: \"bare\", title: \"t\" };\nlog(\"x\");";
    folder.write("bare.rhai", bare);
    let said = folder.run(&["check", "--policies", "bare.rhai"]).await.out;
    // IAM takes no policy without a statement.
    assert!(said.contains("it needs nothing") && !said.contains("Statement"), "{said}");
    let runbook =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../playbooks/ec2-instance-compromise.rhai");
    let said = folder.run(&["check", "--policies", runbook]).await.out;
    assert!(said.contains("`automation_role`"), "{said}");
}
