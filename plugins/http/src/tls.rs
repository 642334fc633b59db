//! TLS for HTTP clients.

/// The beginning of a client: TLS by `ring`, no redirects, no cookies.
pub fn client_builder() -> reqwest::ClientBuilder {
    // The first one that asks sets it for the process; later ones find it set.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none())
}
