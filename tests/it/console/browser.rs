//! What a browser does with a page: it keeps a cookie, and sends a form from where it found it.

use reqwest::{Method, Url};

/// An answer.
pub(super) struct Shown {
    pub(super) status: u16,
    pub(super) location: String,
    pub(super) cookie: String,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) page: String,
}

pub(super) struct Browser {
    http: reqwest::Client,
    url: String,
    /// What it says that its pages come from.
    pub(super) origin: String,
    /// The cookie that it holds, with its name.
    pub(super) cookie: Option<String>,
}

impl Browser {
    pub(super) fn new(url: &str) -> Self {
        let http = stanch_plugins_http::client_builder().build().unwrap();
        Self { http, url: url.to_owned(), origin: url.to_owned(), cookie: None }
    }

    /// Asks with any headers.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Shown {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).body(body);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = |name: &str| {
            headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        let (location, cookie) = (text("location"), text("set-cookie"));
        Shown { status, location, cookie, headers, page: answer.text().await.unwrap() }
    }

    pub(super) async fn get(&self, path: &str) -> Shown {
        self.ask(Method::GET, path, &[], String::new()).await
    }

    /// A page that must be there.
    pub(super) async fn page(&self, path: &str) -> String {
        let shown = self.get(path).await;
        assert_eq!(shown.status, 200, "{path}: {} {}", shown.location, shown.page);
        shown.page
    }

    /// Signs in, and keeps the cookie.
    pub(super) async fn sign_in(&mut self, token: &str) -> Shown {
        let body = form(&[("secret", token), ("next", "/console")]);
        let headers = [("origin", self.origin.as_str()), ("sec-fetch-site", "same-origin")];
        let shown = self.ask(Method::POST, "/console/sign-in", &headers, body).await;
        if let Some((cookie, _)) = shown.cookie.split_once(';') {
            self.cookie = Some(cookie.to_owned());
        }
        shown
    }

    /// Sends a form of the page at a path, with what the page has hidden in it.
    pub(super) async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let token = form_token(&self.page("/console/halt").await);
        let mut all = vec![("form_token", token.as_str())];
        all.extend(fields);
        let headers = [("origin", self.origin.as_str())];
        self.ask(Method::POST, path, &headers, form(&all)).await
    }
}

/// What says on a page that its forms are of this session.
pub(super) fn form_token(page: &str) -> String {
    let after = page.split("name=\"form_token\" value=\"").nth(1).unwrap();
    after.split('"').next().unwrap().to_owned()
}

/// A form as browsers send it.
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    let mut url = Url::parse("http://form.invalid").unwrap();
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}
