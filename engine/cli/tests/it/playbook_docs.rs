//! What the page about playbooks shows is fit to be copied.

use stanch_engine_cli::config::Config;

use crate::server::Folder;

const PAGE: &str = include_str!("../../../../docs/playbooks.md");

/// The blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    let begun = PAGE.split(&fence[..]).skip(1);
    begun.map(|rest| rest.split_once("```").unwrap().0).collect()
}

#[tokio::test]
async fn every_example_is_found_fit() {
    let examples = blocks("rhai");
    assert!(examples.len() >= 10, "{}", examples.len());
    let folder = Folder::new();
    for example in examples {
        let text = format!("const PLAYBOOK = #{{ name: \"shown\", title: \"t\" }};\n{example}");
        folder.write("shown.rhai", &text);
        let ran = folder.run(&["check", "shown.rhai"]).await;
        assert_eq!(ran.code, 0, "{example}\n{ran:?}");
    }
}

#[test]
fn the_quotas_are_read() {
    let folder = Folder::new();
    folder.write("shown.toml", blocks("toml")[0]);
    let file = folder.path().join("shown.toml");
    let config = Config::load(Some(&file), &|_| None).unwrap();
    assert_eq!(config.aws.quotas.len(), 2);
}

const NOISE: &str = include_str!("../../../../docs/noise.md");

#[tokio::test]
async fn what_the_page_about_noise_shows_is_fit_too() {
    let of = |language: &str| {
        let fence = format!("```{language}\n");
        let begun: Vec<_> = NOISE.split(&fence[..]).skip(1).collect();
        begun.into_iter().map(|rest| rest.split_once("```").unwrap().0).collect::<Vec<_>>()
    };
    let folder = Folder::new();
    let file = folder.path().join("shown.toml");
    let shown = of("toml");
    assert_eq!(shown.len(), 6);
    for text in shown {
        folder.write("shown.toml", text);
        Config::load(Some(&file), &|_| None).unwrap();
    }
    std::fs::create_dir(folder.path().join("lib")).unwrap();
    folder.write("lib/enrich.rhai", include_str!("../../../../playbooks/lib/enrich.rhai"));
    let playbook = of("rhai").into_iter().find(|text| text.contains("const PLAYBOOK")).unwrap();
    folder.write("shown.rhai", playbook);
    let ran = folder.run(&["check", "shown.rhai"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
}
