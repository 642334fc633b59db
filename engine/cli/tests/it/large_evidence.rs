//! An item that is larger than the memory which the program may take: in, out and proved.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use stanch_engine_cli::config::environment;
use stanch_tests::process::Process;

use crate::server::{Folder, Server};

/// What the program may take, in bytes.
pub(crate) const MEMORY: u64 = 100 << 20;

/// The item: 160 MiB, or as many GiB as the variable says.
fn size() -> u64 {
    let gib = environment("STANCH_LARGE_GIB").and_then(|text| text.parse::<u64>().ok());
    gib.map_or(160 << 20, |gib| gib << 30)
}

/// A figure of a process's memory, in bytes, for as long as it runs.
pub(crate) fn memory(id: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// Runs a command to its end, and gives what it said, and the most that it and the server had taken: the
/// pages of the program itself, which are many in a build without polish, are the system's.
pub(crate) async fn watched(server: &Server, arguments: &[&str]) -> (String, u64, u64) {
    let mut command = server.folder.command(arguments);
    command.env("STANCH_URL", &server.url);
    let mut process = Process::start(&mut command);
    let (id, serving) = (process.id().unwrap(), server.process.id().unwrap());
    let (mut most, mut most_serving) = (0, 0);
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    // Its numbers are there for as long as it runs.
    while let Some(now) = memory(id, "RssAnon") {
        most = most.max(now);
        most_serving = most_serving.max(memory(serving, "RssAnon").unwrap());
        looks.tick().await;
    }
    let ended = process.wait().await;
    assert!(ended.success(), "{arguments:?}: {}", process.output());
    (process.output(), most, most_serving)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_is_larger_than_memory_goes_in_and_out() {
    let server = Folder::new().serve().await;
    let (image, bundle) = (server.folder.path().join("disk.img"), "incident.zip");
    File::create(&image).unwrap().set_len(size()).unwrap();
    let opened =
        server.run(&["incidents", "create", "--title", "a disk", "--severity", "high"]).await;
    let incident = opened.out.trim();
    let begun = Instant::now();
    let (said, adding, taking) =
        watched(&server, &["evidence", "add", incident, "disk.img", "--label", "disk"]).await;
    assert!(said.contains(&format!("{} bytes", size())), "{said}");
    let (_, exporting, giving) = watched(&server, &["export", incident, "-o", bundle]).await;
    assert!(server.folder.path().join(bundle).metadata().unwrap().len() > size());
    let (said, verifying, _) =
        watched(&server, &["verify", bundle, "--key", "data/keys/evidence.pub"]).await;
    assert!(said.starts_with("whole:"), "{said}");
    assert!(taking > 0 && giving > 0);
    for (who, most) in [
        ("the server, while it came", taking),
        ("the server, while it went", giving),
        ("evidence add", adding),
        ("export", exporting),
        ("verify", verifying),
    ] {
        assert!(most < MEMORY, "{who} took {} MiB", most >> 20);
        println!("{who}: {} MiB at most", most >> 20);
    }
    println!("{} MiB in and out in {:.1?}", size() >> 20, begun.elapsed());
    assert_eq!(partial(&server.folder.path().join("data/evidence")), 0);
}

fn partial(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with('.')).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_whose_server_is_killed_in_the_middle_leaves_nothing() {
    let mut server = Folder::new().serve().await;
    let opened =
        server.run(&["incidents", "create", "--title", "a disk", "--severity", "high"]).await;
    let (incident, evidence) = (opened.out.trim(), server.folder.path().join("data/evidence"));
    // What never ends: the server is killed while it comes.
    let mut command =
        server.folder.command(&["evidence", "add", incident, "/dev/zero", "--label", "endless"]);
    let mut adding = Process::start(command.env("STANCH_URL", &server.url));
    stanch_tests::eventually("some of it on the disk", async || {
        (partial(&evidence) == 1).then_some(())
    })
    .await;
    server.process.kill().await;
    assert!(!adding.wait().await.success());
    let Server { folder, .. } = server;
    let server = folder.serve().await;
    assert_eq!(partial(&evidence), 0, "what was left is cleared");
    let listed = server.run(&["evidence", "list", incident, "--json"]).await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 0);
}
