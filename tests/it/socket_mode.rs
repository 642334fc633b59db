//! Buttons of Slack on a line that this side opens, for networks that let nothing in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use stanch_engine_server::Reply;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::channels::others::Other;
use crate::channels::{configure, slack};
use crate::slack::{ASKS, payload};
use crate::stage::{Plan, Stage, id};

/// What Slack knows the app by.
const TOKEN: &str = "xapp-1-a-token-of-some-length";

/// Slack, as far as lines go: the first time that it is asked for one it says no.
struct Lines {
    url: String,
    asked: Arc<AtomicUsize>,
    opened: mpsc::UnboundedReceiver<WebSocketStream<TcpStream>>,
}

impl Lines {
    async fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let place = format!("ws://{}/link?ticket=1", listener.local_addr().unwrap());
        let (sender, opened) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let line = tokio_tungstenite::accept_async(stream).await.unwrap();
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", api.local_addr().unwrap());
        let asked: Arc<AtomicUsize> = Arc::default();
        let counted = asked.clone();
        let answer = move |request: http::Request<Bytes>| {
            assert_eq!(request.uri().path(), "/apps.connections.open");
            let is_known = request.headers()["authorization"] == format!("Bearer {TOKEN}");
            let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
            let body = match is_known && !first {
                true => json!({"ok": true, "url": place}),
                false => json!({"ok": false, "error": "internal_error"}),
            };
            Reply::Response(http::Response::new(Bytes::from(body.to_string())))
        };
        tokio::spawn(stanch_engine_server::serve_with(api, answer, std::future::pending()));
        Self { url, asked, opened }
    }

    /// The next line that is opened, after its greeting.
    async fn next(&mut self) -> WebSocketStream<TcpStream> {
        let mut line = self.opened.recv().await.unwrap();
        say(&mut line, &json!({"type": "hello", "num_connections": 1})).await;
        line
    }
}

async fn say(line: &mut WebSocketStream<TcpStream>, said: &Value) {
    line.send(Message::text(said.to_string())).await.unwrap();
}

/// What is confirmed next.
async fn confirmed(line: &mut WebSocketStream<TcpStream>) -> Value {
    loop {
        if let Message::Text(text) = line.next().await.unwrap().unwrap() {
            return serde_json::from_str(text.as_str()).unwrap();
        }
    }
}

/// Tells of a button that was pressed, until that is confirmed.
async fn press(line: &mut WebSocketStream<TcpStream>, envelope: &str, pressed: &Value) {
    let said = json!({"type": "interactive", "envelope_id": envelope, "payload": pressed,
        "accepts_response_payload": false});
    say(line, &said).await;
    assert_eq!(confirmed(line).await, json!({"envelope_id": envelope}));
}

async fn set(lines: &Lines, chat: &Other, folder: &std::path::Path) -> Stage {
    let file = folder.join("app.token");
    std::fs::write(&file, TOKEN).unwrap();
    let text = format!(
        "[slack]\napp_token = \"file:{}\"\nbase_url = \"{}\"\n[people.mia]\nslack = \"U1\"\n\
         roles = [\"responder\"]\n[[notify.routes]]\nchannels = [\"ops\"]\n{}",
        file.display(),
        lines.url,
        slack("ops", &chat.url)
    );
    let mut plan = Plan::new();
    plan.ships = false;
    configure(&mut plan.config, folder, &text);
    let stage = plan.set().await;
    stage.publish(ASKS).await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_decides_on_a_line_that_is_opened_again_when_it_ends() {
    let (mut lines, chat) = (Lines::serve().await, Other::play().await);
    let folder = tempfile::tempdir().unwrap();
    let stage = set(&lines, &chat, folder.path()).await;
    let ask = async || {
        let run = stage.start_for_finding("asks").await;
        let approval = id(&stage.approval(&run).await["id"]);
        (run, approval)
    };
    // Slack says no the first time, and is asked again.
    let mut line = lines.next().await;
    assert_eq!(lines.asked.load(Ordering::SeqCst), 2);

    let (run, approval) = ask().await;
    let asked = chat.at("/chat.postMessage", 1).await.remove(0).body.to_string();
    assert!(asked.contains("\"button\""), "{asked}");
    // What is no envelope, or of another kind, harms nothing.
    say(&mut line, &json!("what is this?")).await;
    line.send(Message::text("no json")).await.unwrap();
    say(&mut line, &json!({"type": "slash_commands", "envelope_id": "e0", "payload": {}})).await;
    assert_eq!(confirmed(&mut line).await, json!({"envelope_id": "e0"}));
    press(&mut line, "e1", &payload("U1", "approve", &approval, "it is ours")).await;
    let ended = stage.over(&run).await;
    let result = json!(["approved", ["mia"], "it is ours", "true_positive"]);
    assert_eq!(ended["result"], result, "{ended}");
    let told = stage.admin.list("/audit?verb=approvals.decisions").await;
    assert_eq!((&told[0]["actor"], &told[0]["from"]), (&json!("mia"), &json!("slack U1")));

    // Slack ends a line after some hours, and says so.
    say(&mut line, &json!({"type": "disconnect", "reason": "refresh_requested"})).await;
    let mut line = lines.next().await;
    let (_, approval) = ask().await;
    press(&mut line, "e2", &payload("U9", "approve", &approval, "trust me")).await;
    let heard = chat.at("/chat.postEphemeral", 1).await.pop().unwrap().body;
    assert!(heard["text"].as_str().unwrap().contains("bound to nobody"), "{heard}");

    // A line that breaks is opened again, and a button that is pressed twice counts once.
    drop(line);
    let mut line = lines.next().await;
    let yes = payload("U1", "approve", &approval, "it is ours");
    press(&mut line, "e3", &yes).await;
    press(&mut line, "e3", &yes).await;
    let shown = stage.mia.get(&format!("/approvals/{approval}")).await;
    assert_eq!(shown["decisions"].as_array().unwrap().len(), 1, "{shown}");

    // Nothing is taken at the door: there is no signing secret.
    let http = stanch_plugins_http::client_builder().build().unwrap();
    let posted = http.post(format!("{}/v1/slack/interactions", stage.url)).body("payload=%7B%7D");
    assert_eq!(posted.send().await.unwrap().status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_is_closed_when_the_node_stops() {
    let (mut lines, chat) = (Lines::serve().await, Other::play().await);
    let folder = tempfile::tempdir().unwrap();
    let stage = set(&lines, &chat, folder.path()).await;
    let mut line = lines.next().await;
    stage.runtime.stop().await;
    while let Some(Ok(message)) = line.next().await {
        assert!(!message.is_text(), "nothing is said any more: {message}");
    }
}
