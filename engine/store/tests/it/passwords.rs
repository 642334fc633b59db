//! Passwords that end, over TLS, on a Postgres of its own that asks for them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use stanch_engine_core::time::Timestamp;
use stanch_engine_store::{BoxFuture, Options, Passwords, Place, Store, nodes};
use stanch_tests::eventually;
use stanch_tests::own_postgres::OwnPostgres;
use stanch_tests::postgres::Database;

/// Gives the password of now.
#[derive(Default)]
struct Current {
    password: Mutex<String>,
    asked: AtomicUsize,
}

impl Current {
    /// From now on another password makes connections, and cuts those that are there.
    async fn change(&self, database: &Database, password: &str) {
        *self.password.lock().unwrap() = password.to_owned();
        database.query(&format!("alter role app password '{password}'")).await;
        database.cut_connections().await;
    }
}

impl Passwords for Current {
    fn lasts_ms(&self) -> u64 {
        20
    }

    fn password<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<String, String>> {
        assert_eq!((place.host, place.user), ("127.0.0.1", "app"));
        self.asked.fetch_add(1, Ordering::Relaxed);
        let password = self.password.lock().unwrap().clone();
        Box::pin(
            async move { if password.is_empty() { Err("none".to_owned()) } else { Ok(password) } },
        )
    }
}

/// A Postgres that takes `app` only with a password, and only over TLS by this certificate.
struct Guarded {
    database: Database,
    url: String,
    folder: tempfile::TempDir,
    _server: OwnPostgres,
}

impl Guarded {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("server.crt"), made.cert.pem()).unwrap();
        std::fs::write(path("server.key"), made.signing_key.serialize_pem()).unwrap();
        let server = OwnPostgres::start(&[
            "--set",
            "ssl=on",
            "--file",
            &format!("server.crt={}", path("server.crt")),
            "--file",
            &format!("server.key={}", path("server.key")),
            "--hba",
            "host all postgres 127.0.0.1/32 trust",
            "--hba",
            "hostssl all app 127.0.0.1/32 scram-sha-256",
        ])
        .await;
        let database = server.database().await;
        database.query("create role app login password 'first'").await;
        database.query("grant all on schema public to app").await;
        let url = database.url().replace("postgres@", "app@");
        Self { database, url, folder, _server: server }
    }

    fn verified(&self) -> String {
        let bundle = self.folder.path().join("server.crt");
        format!("{}?sslmode=verify-full&sslrootcert={}", self.url, bundle.display())
    }
}

async fn works(store: &Store) -> bool {
    let read = store.read(|conn| Box::pin(nodes::list(conn))).await;
    let written = store.write(|tx| Box::pin(nodes::clock(tx, Timestamp::from_micros(0)))).await;
    read.is_ok() && written.is_ok()
}

#[tokio::test]
async fn connections_are_made_with_the_password_of_the_moment() {
    let server = Guarded::start().await;
    let current = Arc::new(Current::default());
    let options =
        || Options { passwords: Some(current.clone()), ..Options::new(server.verified()) };
    let refused = Store::open(options()).await.err().unwrap().to_string();
    assert!(refused.contains("none"), "{refused}");
    *current.password.lock().unwrap() = "first".to_owned();
    let store = Store::open(options()).await.unwrap();
    assert!(works(&store).await);
    let mut hints = store.hints().await.unwrap().unwrap();
    current.change(&server.database, "second").await;
    eventually("a store that works with the new password", async || {
        works(&store).await.then_some(())
    })
    .await;
    // Its connection is lost, and what it knew of is the old password.
    while hints.next().await.is_ok() {}
    let mut hints = store.hints().await.unwrap().unwrap();
    store.hint().await.unwrap();
    hints.next().await.unwrap();
    assert!(current.asked.load(Ordering::Relaxed) > 4);
    store.close().await;
}

#[tokio::test]
async fn only_the_server_whose_certificate_is_known_is_talked_to() {
    let server = Guarded::start().await;
    let with = |end: &str| format!("{}?{end}", server.url.replace("app@", "app:first@"));
    let open = async |url: String| Store::open(Options::new(url)).await;

    assert!(open(with("sslmode=disable")).await.is_err(), "the server takes no one unencrypted");
    let unknown = open(with("sslmode=verify-full")).await.err().unwrap().to_string();
    assert!(unknown.to_lowercase().contains("certificate"), "{unknown}");
    let bundle = server.folder.path().join("server.crt").display().to_string();
    let by_name = with(&format!("sslmode=verify-full&sslrootcert={bundle}"));
    let misnamed = by_name.replace("127.0.0.1", "localhost");
    assert!(open(misnamed).await.is_err(), "the certificate is for another name");
    let store = open(by_name).await.unwrap();
    let sql = "select count(*) > 0 and bool_and(ssl) from pg_stat_ssl join pg_stat_activity \
               using (pid) where usename = 'app'";
    assert_eq!(server.database.query(sql).await, "t");
    store.close().await;
}
