//! What the README shows is fit to be copied.

use std::path::Path;

use stanch_engine_cli::config::Config;

use crate::server::Folder;

const README: &str = include_str!("../../../../README.md");

/// The one block of a language.
fn block(language: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn the_configuration_is_one() {
    let folder = Folder::new();
    folder.write("shown.toml", block("toml"));
    let file = folder.path().join("shown.toml");
    let config = Config::load(Some(&file), &|_| None).unwrap();
    assert_eq!(config.accounts.len(), 1);
    assert_eq!(config.notify.topics.len(), 1);
    assert!(config.heartbeat.is_some());
}

#[tokio::test]
async fn the_playbook_is_one() {
    let folder = Folder::new();
    folder.write("shown.rhai", block("rhai"));
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../playbooks/lib/contain.rhai");
    std::fs::create_dir(folder.path().join("lib")).unwrap();
    folder.write("lib/contain.rhai", &std::fs::read_to_string(library).unwrap());
    let ran = folder.run(&["check", "shown.rhai"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
}
