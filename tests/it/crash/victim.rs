//! The process that is killed: a whole node.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use stanch_engine_cli::wiring::{self, Seams};
use stanch_engine_core::time::Timestamp;
use stanch_engine_core::world::World;
use stanch_engine_runtime::system;
use stanch_plugins_aws::sandbox::Sandbox;
use tokio::net::TcpListener;

use super::playbooks;
use super::point::{Killer, Point};
use super::story::Plot;
use crate::clock::FastClock;

/// Lives as a node until its input ends or it is killed.
pub(super) async fn live(orders: &str) {
    let orders: Value = serde_json::from_str(orders).unwrap();
    let text = |name: &str| orders[name].as_str().unwrap();
    let at = u32::try_from(orders["at"].as_u64().unwrap()).unwrap();
    let point = Point::ALL.into_iter().find(|point| format!("{point:?}") == text("point"));
    let killer = Killer::new(point.map(|point| (point, at)));
    let plot = Plot::ALL.into_iter().find(|plot| format!("{plot:?}") == text("plot")).unwrap();
    let mut config = playbooks::plan(plot).config;
    config.data_dir = Some(Path::new(text("dir")).to_owned());
    config.aws.endpoint_url = Some(text("aws").to_owned());
    let behind = killer.clone();
    let seams = Seams {
        on_commit: Some(killer.on_commit()),
        catalogue: Some(Box::new(move |catalogue| behind.behind(catalogue))),
        credentials: Some(Sandbox::runner()),
        ..Seams::default()
    };
    let began_at = Timestamp::parse(text("began_at")).unwrap();
    let clock = Arc::new(FastClock::since(began_at));
    let world = World { clock, ..system::world() };
    let node = wiring::start(&config, world, &|_| None, seams).await.unwrap();
    playbooks::publish(&node.runtime, plot).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("listening at http://{}", listener.local_addr().unwrap());
    let router = stanch_engine_server::router(node.runtime.clone(), node.server.clone());
    // Its parent is gone when its input ends.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    stanch_engine_server::serve(listener, router, std::future::pending()).await.unwrap();
}
