//! The repository is tidy: the same check as `cargo xtask tidy`.

use xtask::tidy::{self, Tree};
use xtask::workspace::Workspace;

#[test]
fn the_repository_is_tidy() {
    let tree = Tree::load(&Workspace::load().unwrap()).unwrap();
    let findings: Vec<String> = tidy::check(&tree).iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}
