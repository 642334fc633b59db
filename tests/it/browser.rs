//! Pages as people meet them: in a real browser, on a desktop and on a phone, by day and by night.

mod console;
mod front;
mod links;
mod report;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use stanch_tests::browser::{Browser, DESKTOP, PHONE};
use stanch_tests::variable_if_set;

/// What somebody writes into a text that others will read: a script, an image that runs one, and a turn
/// of direction that makes `cod.exe` of `exe.doc`.
const HOSTILE: &str = "<script>window.ran = 1; document.title = 'ran'</script>\
    <img src=x onerror=\"window.ran = 2\"> \u{202e}exe.doc";

/// The page has nothing wrong with it, wherever it is looked at from, and the browser complains of
/// nothing. `STANCH_TEST_PICTURES` names a folder for pictures of it, for people to look at.
async fn is_well(browser: &Browser, name: &str) {
    for (window, place) in [(DESKTOP, "desktop"), (PHONE, "phone")] {
        browser.look_from(window).await;
        for (is_dark, light) in [(false, "day"), (true, "night")] {
            browser.darken(is_dark).await;
            let name = format!("{name}-{place}-{light}");
            if let Some(folder) = variable_if_set("STANCH_TEST_PICTURES") {
                let picture = BASE64.decode(browser.picture().await).unwrap();
                std::fs::write(Path::new(&folder).join(format!("{name}.png")), picture).unwrap();
            }
            assert_eq!(browser.audit().await, [""; 0], "{name}");
        }
    }
    browser.look_from(DESKTOP).await;
    browser.darken(false).await;
    is_quiet(browser).await;
}

/// Nothing was refused, and no script failed. That an answer is an error is told in it, too.
async fn is_quiet(browser: &Browser) {
    let mut said = browser.console().await;
    said.retain(|line| !line.contains("the server responded with a status of 4"));
    assert_eq!(said, [""; 0]);
}

/// Nothing of a hostile text ran, or became a part of the page, and it is read as it was written but for
/// what is not seen.
async fn is_only_text(browser: &Browser) {
    let found = "return [document.title === 'ran', window.ran ?? null, document.scripts.length, \
        document.images.length, document.body.innerText.includes('\\u202e')]";
    let nothing = serde_json::json!([false, null, 0, 0, false]);
    assert_eq!(browser.eval(found).await, nothing);
    let words = browser.words().await;
    assert!(words.contains("onerror=\"window.ran = 2\"> \u{fffd}exe.doc"), "{words}");
}

/// What the page was told about itself holds: whatever came into it would not run and not be loaded.
async fn is_sealed(browser: &Browser) {
    let intrude = "const script = document.createElement('script'); script.textContent = 'window.ran = 3'; \
        const image = new Image(); image.src = '/favicon.ico?intruder'; \
        document.body.append(script, image); return window.ran ?? null";
    assert_eq!(browser.eval(intrude).await, serde_json::Value::Null);
    let refused = stanch_tests::eventually("two refusals of the policy", async || {
        let said = browser.console().await;
        (!said.is_empty()).then_some(said)
    });
    let refused = refused.await.concat();
    assert!(refused.contains("Content Security Policy"), "{refused}");
}
