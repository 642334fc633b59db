//! A browser that one test has for itself, without a window, driven by WebDriver. It reaches this
//! machine and nothing else.

mod wire;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::environment::variable_if_set;
use crate::process::Process;
use crate::waiting::eventually;

use wire::Wire;

/// Becomes the driver, which is killed when its input ends: when this process is gone, however it went.
/// The browser goes with its driver, since what it is told comes by a pipe.
const GUARD: &str =
    "exec 3<&0; (cat <&3; kill -9 $$) >/dev/null 2>&1 & exec \"$@\" 3<&- </dev/null";

/// What the driver prints before its port, once it listens.
const LISTENING: &str = "started successfully on port ";

/// What is wrong with a page, in words; see there.
const AUDIT: &str = include_str!("browser/audit.js");

/// What a reference to an element is called in JSON (WebDriver, section 12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A desktop's window.
pub const DESKTOP: (u32, u32) = (1_280, 800);

/// A phone's.
pub const PHONE: (u32, u32) = (390, 844);

/// A running browser. It is gone with this value, and so is all that it kept.
#[derive(Debug)]
pub struct Browser {
    wire: Wire,
    session: String,
    // The driver goes before the folder that it writes to.
    _driver: Process,
    _profile: TempDir,
}

impl Browser {
    /// Starts one.
    pub async fn start() -> Self {
        let named = ["STANCH_TEST_BROWSER", "STANCH_TEST_CHROMEDRIVER"].map(variable_if_set);
        let [Some(program), Some(driver)] = named else {
            panic!("there is no browser; `cargo xtask test` says when it starts what to install")
        };
        let profile = tempfile::tempdir().expect("a folder can be made");
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard", &driver, "--port=0"]);
        for name in ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env(name, profile.path());
        }
        let mut driver = Process::start(&mut command);
        let line = driver.wait_for_line(|line| line.contains(LISTENING)).await;
        let (_, port) = line.split_once(LISTENING).expect("the line was found by it");
        let port = port.trim_end_matches('.').parse().expect("a port is a number");
        let wire = Wire { port };
        let wanted = wanted(&program, &profile);
        let session = wire.ask("POST", "/session".to_owned(), wanted).await;
        let session = session
            .get("sessionId")
            .and_then(Value::as_str)
            .expect("a session has an id")
            .to_owned();
        let browser = Self { wire, session, _driver: driver, _profile: profile };
        browser.look_from(DESKTOP).await;
        browser
    }

    async fn ask(&self, method: &'static str, path: &str, body: Value) -> Value {
        self.wire.ask(method, format!("/session/{}{path}", self.session), body).await
    }

    /// Calls the browser's own tools.
    pub async fn tool(&self, name: &str, params: Value) -> Value {
        self.ask("POST", "/goog/cdp/execute", json!({"cmd": name, "params": params})).await
    }

    /// Opens an address, and waits until the page is there.
    pub async fn open(&self, url: &str) {
        self.ask("POST", "/url", json!({"url": url})).await;
    }

    /// Where it is.
    pub async fn url(&self) -> String {
        text(&self.ask("GET", "/url", Value::Null).await)
    }

    /// What a function with this body gives on the page.
    pub async fn eval(&self, body: &str) -> Value {
        self.ask("POST", "/execute/sync", json!({"script": body, "args": []})).await
    }

    /// What is read on the page.
    pub async fn words(&self) -> String {
        text(&self.eval("return document.body?.innerText ?? ''").await)
    }

    /// Waits until these words are read on the page.
    pub async fn reads(&self, words: &str) {
        eventually(&format!("{words:?} on a page"), async || {
            self.words().await.contains(words).then_some(())
        })
        .await;
    }

    /// Waits until this is the page's heading.
    pub async fn is_headed(&self, heading: &str) {
        let read = "return document.querySelector('h1')?.innerText ?? ''";
        eventually(&format!("the heading {heading:?}"), async || {
            (self.eval(read).await == heading).then_some(())
        })
        .await;
    }

    /// What is read in the first element of a CSS selector.
    pub async fn text(&self, selector: &str) -> String {
        let element = self.find(selector).await;
        text(&self.ask("GET", &format!("/element/{element}/text"), Value::Null).await)
    }

    /// Presses the first element of a CSS selector, as a mouse does: nothing may lie over it.
    pub async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        self.ask("POST", &format!("/element/{element}/click"), json!({})).await;
    }

    /// Types into the first element of a CSS selector. An option of a list is typed, too.
    pub async fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        self.ask("POST", &format!("/element/{element}/value"), json!({"text": text})).await;
    }

    /// Empties the first element of a CSS selector.
    pub async fn clear(&self, selector: &str) {
        let element = self.find(selector).await;
        self.ask("POST", &format!("/element/{element}/clear"), json!({})).await;
    }

    /// Goes into the first frame of the page; what is asked from then on is about that.
    pub async fn enter_frame(&self) {
        self.ask("POST", "/frame", json!({"id": 0})).await;
    }

    async fn find(&self, selector: &str) -> String {
        let by = json!({"using": "css selector", "value": selector});
        text(self.ask("POST", "/element", by).await.get(ELEMENT).unwrap_or(&Value::Null))
    }

    /// Looks at pages from a window of this size, in points; a narrow one is a phone's.
    pub async fn look_from(&self, (width, height): (u32, u32)) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": width < 600});
        self.tool("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// Wishes for dark pages, or for light ones.
    pub async fn darken(&self, is_dark: bool) {
        let value = if is_dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": value}]});
        self.tool("Emulation.setEmulatedMedia", features).await;
    }

    /// Runs no script of the pages that are opened from now on.
    pub async fn forbid_scripts(&self) {
        self.tool("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    }

    /// What the console says since it was asked last: errors of scripts, and what a policy forbade.
    pub async fn console(&self) -> Vec<String> {
        let said = self.ask("POST", "/se/log", json!({"type": "browser"})).await;
        said.as_array().into_iter().flatten().map(|line| text(&line["message"])).collect()
    }

    /// What is wrong with the page for somebody who can't see well, or looks at a small screen.
    pub async fn audit(&self) -> Vec<String> {
        let wrong = self.eval(AUDIT).await;
        wrong.as_array().into_iter().flatten().map(text).collect()
    }

    /// The page on paper: a PDF, in base64.
    pub async fn print(&self) -> String {
        text(&self.ask("POST", "/print", json!({})).await)
    }

    /// The whole page as a picture: a PNG, in base64.
    pub async fn picture(&self) -> String {
        let whole = json!({"captureBeyondViewport": true, "format": "png"});
        text(self.tool("Page.captureScreenshot", whole).await.get("data").unwrap_or(&Value::Null))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends before its driver is killed. Where it doesn't, it goes with the pipe.
        let _ = self.wire.ask_now("DELETE", &format!("/session/{}", self.session), &Value::Null);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// What a session is to be.
fn wanted(program: &str, profile: &TempDir) -> Value {
    let folder = format!("--user-data-dir={}", profile.path().join("profile").display());
    let mut words = vec![
        "--headless=new",
        "--remote-debugging-pipe",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--no-first-run",
        "--lang=en",
        "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
        &folder,
    ];
    // It refuses to be root otherwise.
    if rustix::process::geteuid().is_root() {
        words.push("--no-sandbox");
    }
    json!({"capabilities": {"alwaysMatch": {
        "browserName": "chrome",
        "goog:chromeOptions": {"binary": program, "args": words},
        "goog:loggingPrefs": {"browser": "ALL"},
        // What is looked for may be on a page that is on its way.
        "timeouts": {"implicit": 20_000},
    }}})
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "data:text/html,<!doctype html><html lang=en><meta name=viewport \
        content=width=device-width><title>A</title><h1>B</h1><form><label>C \
        <input id=c style=padding:9px></label><button style=padding:9px>D</button></form>";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_page_is_opened_read_filled_in_and_printed() {
        let browser = Browser::start().await;
        browser.open(PAGE).await;
        assert_eq!(browser.text("h1").await, "B");
        browser.fill("#c", "it is ours").await;
        assert_eq!(browser.eval("return document.querySelector('#c').value").await, "it is ours");
        assert_eq!(browser.audit().await, [""; 0]);
        assert!(browser.print().await.starts_with("JVBERi"), "it is a PDF");
        assert!(browser.picture().await.starts_with("iVBORw"), "it is a PNG");
        assert_eq!(browser.console().await, [""; 0]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_wrong_with_a_page_is_found() {
        let browser = Browser::start().await;
        let found = async |page: &str| {
            browser.open(&format!("data:text/html,<!doctype html>{page}")).await;
            browser.audit().await.join("; ")
        };
        let start = "<html lang=en><meta name=viewport content=width=device-width><title>A</title>";
        for (page, what) in [
            ("<title>A</title><h1>B</h1>".to_owned(), "no language"),
            ("<html lang=en><title>A</title><h1>B</h1>".to_owned(), "no viewport"),
            ("<html lang=en><h1>B</h1>".to_owned(), "no title"),
            (format!("{start}<p>B"), "0 headings of the first level"),
            (format!("{start}<h1>B</h1><h3>C</h3>"), "h3 follows h1"),
            (format!("{start}<h1>B</h1><input name=c>"), "no label: input c"),
            (format!("{start}<h1>B</h1><button></button>"), "no name: button"),
            (format!("{start}<h1>B</h1><p style=color:%23aaa>C"), "contrast of 2.3"),
            (format!("{start}<h1>B</h1><p style=width:200vw>C"), "wider than the window"),
            (format!("{start}<h1>B</h1><i id=c></i><i id=c></i>"), "the id c twice"),
        ] {
            let found = found(&page).await;
            assert!(found.contains(what), "{what}: {found}");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn scripts_phones_and_the_dark_are_as_they_are_wished_for() {
        let browser = Browser::start().await;
        let scripted = format!("{PAGE}<script>document.title = 'run'; console.error('x')</script>");
        browser.open(&scripted).await;
        assert_eq!(browser.eval("return document.title").await, "run");
        assert!(browser.console().await.concat().contains('x'));
        browser.forbid_scripts().await;
        browser.look_from(PHONE).await;
        browser.darken(true).await;
        browser.open(&scripted).await;
        let seen = "return [document.title, innerWidth, \
            matchMedia('(prefers-color-scheme: dark)').matches]";
        assert_eq!(browser.eval(seen).await, json!(["A", 390, true]));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_leaves_nothing_behind() {
        let browser = Browser::start().await;
        let (folder, wire) = (browser._profile.path().to_owned(), browser.wire);
        assert!(folder.join("profile").exists());
        drop(browser);
        assert!(!folder.exists());
        eventually("the end of the driver", async || {
            wire.ask_now("GET", "/status", &Value::Null).err()
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn it_leaves_when_the_test_is_gone() {
        let mut browser = Browser::start().await;
        // As when this process dies: the pipe closes and nobody kills.
        browser._driver.close_input();
        assert!(!browser._driver.wait().await.success());
    }
}
