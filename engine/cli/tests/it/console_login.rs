//! People sign in at the console by the identity provider, and nobody by an answer that is another's.

use reqwest::Url;

use crate::login::{set, signed_in};
use crate::server::Server;

/// What a browser is answered: the status, the cookies, and the page or where it leads.
struct Answer {
    status: u16,
    cookies: Vec<String>,
    to: String,
    page: String,
}

impl Answer {
    /// The cookie whose name ends so, as it is sent back.
    fn cookie(&self, end: &str) -> String {
        let named = self.cookies.iter().map(|cookie| cookie.split(';').next().unwrap());
        let mut named = named.filter(|cookie| cookie.split('=').next().unwrap().ends_with(end));
        named.next().unwrap_or_else(|| panic!("{end}: {:?}", self.cookies)).to_owned()
    }
}

async fn get(server: &Server, path: &str, cookie: &str) -> Answer {
    let http = stanch_plugins_http::client_builder().build().unwrap();
    let request = http.get(format!("{}{path}", server.url)).header("cookie", cookie);
    let answer = request.send().await.unwrap();
    let all = answer.headers().get_all("set-cookie").iter();
    let cookies = all.map(|cookie| cookie.to_str().unwrap().to_owned()).collect();
    let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
    let (status, to) = (answer.status().as_u16(), to.unwrap_or_default());
    Answer { status, cookies, to, page: answer.text().await.unwrap() }
}

/// Begins to sign in: what the browser keeps of it, and where the provider sends it back to.
async fn begin(server: &Server) -> (String, String) {
    let begun = get(server, "/console/sign-in/provider", "").await;
    assert_eq!(begun.status, 303, "{}", begun.page);
    let kept = begun.cookies.first().unwrap();
    assert!(kept.contains("HttpOnly") && kept.contains("SameSite=Lax"), "{kept}");
    let asked = Url::parse(&begun.to).unwrap();
    assert!(!begun.to.contains("code_verifier"), "{}", begun.to);
    let back = signed_in(&asked).await;
    assert_eq!(back.path(), "/console/sign-in/callback");
    (begun.cookie("_pending"), format!("{}?{}", back.path(), back.query().unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_in_at_the_provider_is_signed_in_at_the_console_and_nobody_by_their_answer() {
    let (server, _provider) = set().await;
    let page = get(&server, "/console/sign-in", "").await.page;
    assert!(page.contains("id=\"sign-in-provider\"") && page.contains("id=\"secret\""), "{page}");
    let (kept, back) = begin(&server).await;
    let (other, _) = begin(&server).await;
    let twice = format!("{back}&state=x");
    let (before, _) = back.split_once("&iss=").unwrap();
    let theirs = format!("{before}&iss=https%3A%2F%2Fevil.example");
    for (back, cookie) in [
        (back.as_str(), ""),
        (back.as_str(), other.as_str()),
        (twice.as_str(), kept.as_str()),
        (theirs.as_str(), kept.as_str()),
        ("/console/sign-in/callback?error=access_denied", kept.as_str()),
    ] {
        let answer = get(&server, back, cookie).await;
        let has_session = answer.cookies.iter().any(|cookie| cookie.starts_with("stanch_console="));
        assert!(answer.status == 401 && !has_session, "{back}: {} {}", answer.status, answer.page);
    }

    let answer = get(&server, &back, &kept).await;
    assert_eq!(answer.status, 200, "{}", answer.page);
    assert!(answer.page.contains("url=/console"), "{}", answer.page);
    assert!(
        answer.cookies.iter().any(|cookie| cookie.contains("SameSite=Strict")),
        "{:?}",
        answer.cookies
    );
    let session = answer.cookie("stanch_console");
    let page = get(&server, "/console/halt", &session).await;
    assert!(
        page.status == 200 && page.page.contains("<span id=\"who\">mia</span>"),
        "{}",
        page.page
    );
    assert!(
        page.page.contains("id=\"halt-button\""),
        "mia is of the group of responders: {}",
        page.page
    );

    let again = get(&server, &back, &kept).await;
    assert_eq!(again.status, 401, "a code is good once: {}", again.page);
}
