//! Commands beside a server, and without one.

use stanch_tests::eventually;

use crate::server::{Folder, finding};

#[tokio::test]
async fn a_person_works_from_the_command_line_alone() {
    let server = Folder::new().serve().await;
    let run = async |arguments: &[&str]| {
        let ran = server.run(arguments).await;
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran
    };
    server.folder.write("alert.json", &finding("1").to_string());
    let normalized = run(&["normalize", "alert.json"]).await.json();
    assert_eq!(normalized["alerts"][0]["title"], "finding 1", "{normalized}");

    let started = run(&["--json", "run", "asks", "--alert", "alert.json"]).await.json();
    let id = started["id"].as_str().unwrap().to_owned();
    for what in ["alerts", "incidents", "runs", "approvals"] {
        let listed = run(&[what, "list"]).await.out;
        assert!(listed.lines().count() >= 2, "{what}: {listed}");
        let item = run(&["--json", what, "list"]).await.json()["items"][0].clone();
        let key = item[if what == "alerts" { "alert_id" } else { "id" }].as_str().unwrap();
        let shown = run(&[what, "show", key]).await.out;
        assert!(shown.contains(key), "{what}: {shown}");
    }
    run(&["halt", "--reason", "a drill"]).await;
    assert_eq!(server.get("/readyz").await.1["halted"], true);
    run(&["unhalt"]).await;
    run(&["pause", &id, "--reason", "wait"]).await;
    // It is paused once it has come to a rest.
    eventually("the run to go on", async || {
        let ran = server.run(&["resume", &id, "--reason", "go on"]).await;
        (ran.code == 0).then_some(())
    })
    .await;
    run(&["cancel", &id, "--reason", "enough"]).await;
    let incidents = run(&["--json", "incidents", "list"]).await.json();
    let incident = incidents["items"][0]["id"].as_str().unwrap().to_owned();
    run(&["incidents", "ack", &incident]).await;
    assert!(run(&["kpis"]).await.out.contains("Time to contain"));
    run(&["export", &incident, "-o", "incident.zip"]).await;

    let key = "data/keys/evidence.pub";
    let verified = run(&["--json", "verify", "incident.zip", "--key", key]).await.json();
    assert_eq!(verified["whole"], true);
    let file = server.folder.path().join("incident.zip");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let ran = server.run(&["verify", "incident.zip", "--key", key]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("NOT WHOLE"), "{ran:?}");

    let made =
        run(&["--json", "token", "create", "--name", "lea", "--role", "viewer"]).await.json();
    let secret = made["token"].as_str().unwrap();
    assert!(secret.starts_with("stk_"));
    let as_lea = ["--token", secret, "halt", "--reason", "x"];
    assert_eq!(server.run(&as_lea).await.code, 1);
    run(&["token", "revoke", "lea"]).await;
    let ran = server.run(&["--token", secret, "runs", "list"]).await;
    assert!(ran.code == 1 && ran.err.contains("ST03"), "{ran:?}");
}

#[tokio::test]
async fn what_is_not_there_is_said_with_what_to_do() {
    let server = Folder::new().serve().await;
    for (arguments, words) in [
        (&["runs", "show", "run_01M87VQBM55RB8VF4ZNEQGSCGY"][..], "there is no run"),
        (&["runs", "show", "nonsense"], "nonsense"),
        (&["run", "askss"], "`asks`"),
        (&["run", "asks", "--input", "{"], "input"),
        (&["approve", "apr_01M87VQBM55RB8VF4ZNEQGSCGY", "--reason", "x"], "there is no approval"),
        (&["kpis", "--window", "soon"], "soon"),
        (&["runs", "list", "--status", "asleep"], "`asleep` is none of queued, running"),
        (&["approvals", "list", "--status", "open"], "`open` is none of pending, approved"),
        (&["verify", "nowhere.zip"], "nowhere.zip"),
        (&["normalize", "stanch.toml"], "JSON"),
        (&["explain", "ST9999"], "ST9999"),
    ] {
        let ran = server.run(arguments).await;
        assert_eq!(ran.code, 1, "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(words), "{arguments:?}: {words}: {ran:?}");
    }
    let ran = server.run(&["aprove"]).await;
    assert!(ran.code == 2 && ran.err.contains("approve"), "{ran:?}");
}

#[tokio::test]
async fn a_slip_in_who_is_disabled_is_seen() {
    let server = Folder::new().serve().await;
    let made = server.run(&["token", "create", "--name", "lea", "--role", "viewer"]).await;
    assert_eq!(made.code, 0, "{made:?}");
    let slip = server.run(&["people", "disable", "lae", "--reason", "left"]).await;
    assert!(slip.code == 0 && slip.out.contains("stanch people enable lae"), "{slip:?}");
    let gone = server.run(&["people", "disable", "lea", "--reason", "left"]).await;
    assert!(gone.out.contains("1 tokens are revoked"), "{gone:?}");
    assert!(!gone.out.contains("slip"), "{gone:?}");
}

#[tokio::test]
async fn what_is_wrong_with_one_of_many_keeps_nobody_from_the_others() {
    let server = Folder::new().serve().await;
    for _ in 0..2 {
        assert_eq!(server.run(&["run", "asks"]).await.code, 0);
    }
    let listed = server.run(&["--json", "approvals", "list"]).await.json();
    let ids: Vec<String> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect();
    let nowhere = "apr_01M87VQBM55RB8VF4ZNEQGSCGY";
    let ran = server.run(&["reject", &ids[0], nowhere, &ids[1], "--reason", "no"]).await;
    assert!(ran.code == 1 && ran.err.contains("1 of 3 are not decided"), "{ran:?}");
    assert!(ran.err.contains(&format!("{nowhere} is not decided")), "{ran:?}");
    for id in &ids {
        assert!(ran.out.contains(&format!("{id} is rejected")), "{ran:?}");
    }
}

#[tokio::test]
async fn without_a_server_the_command_says_so() {
    let folder = Folder::new();
    let ran =
        folder.run(&["--token", "stk_x", "--server", "http://127.0.0.1:9", "runs", "list"]).await;
    assert!(
        ran.code == 1 && ran.err.contains("no server answers at http://127.0.0.1:9"),
        "{ran:?}"
    );
    let ran = folder.run(&["runs", "list"]).await;
    assert!(ran.code == 1 && ran.err.contains("STANCH_TOKEN"), "{ran:?}");
}

#[tokio::test]
async fn every_error_is_explained() {
    let folder = Folder::new();
    let all = folder.run(&["explain"]).await.out;
    let codes: Vec<&str> = all.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(codes.len() > 15, "{all}");
    for code in codes {
        let page = folder.run(&["explain", code]).await;
        assert!(page.code == 0 && page.out.contains(code) && page.out.len() > 100, "{page:?}");
    }
}

#[tokio::test]
async fn a_dead_letter_is_found_shown_and_read_again_from_the_command_line() {
    let server = Folder::new().serve().await;
    let token = server.folder.secret("webhook.token");
    let (status, _) = server.post("/v1/webhooks/guardduty", &token, "not json").await;
    assert_eq!(status, 422);
    let listed = server.run(&["--json", "alerts", "dead-letter", "list"]).await.json();
    let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
    let open = server.run(&["alerts", "dead-letter", "list", "--status", "open"]).await;
    assert!(open.out.contains(&id) && open.out.contains("it is no JSON"), "{open:?}");
    let shown = server.run(&["alerts", "dead-letter", "show", &id]).await;
    assert!(shown.out.contains("guardduty") && shown.out.contains("not json"), "{shown:?}");
    let body = server.run(&["alerts", "dead-letter", "show", &id, "--body"]).await;
    assert_eq!(body.out, "not json");
    let replayed = server.run(&["alerts", "dead-letter", "replay", &id]).await;
    assert_eq!(replayed.code, 1);
    assert!(replayed.err.contains("ST0401"), "{replayed:?}");

    server.send("1").await;
    let alerts = server.run(&["--json", "alerts", "list"]).await.json();
    let alert = alerts["items"][0]["alert_id"].as_str().unwrap();
    let replayed = server.run(&["--json", "alerts", "replay", alert]).await.json();
    assert_eq!(replayed["alert_id"], alert);
    assert_eq!(replayed["run_ids"].as_array().unwrap().len(), 1, "{replayed}");
}

#[tokio::test]
async fn alerts_are_kept_quiet_and_incidents_made_one_from_the_command_line() {
    let server = Folder::new().serve().await;
    let quiet = "suppressions create --resource i-1 --for 2h --reason scanner --json";
    let quiet: Vec<&str> = quiet.split(' ').collect();
    let made = server.run(&quiet).await;
    assert_eq!(made.code, 0, "{made:?}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let (_, kept) = server.send("1").await;
    assert_eq!(kept["alerts"][0]["suppressed_by"], id.as_str());
    let listed = server.run(&["suppressions", "list", "--status", "open"]).await;
    assert!(listed.out.contains(&id) && listed.out.contains("scanner"), "{listed:?}");
    let alerts = server.run(&["--json", "alerts", "list", "--status", "suppressed"]).await.json();
    assert_eq!(alerts["items"][0]["alert_id"], kept["alert_id"]);
    let ended = server.run(&["suppressions", "end", &id]).await;
    assert!(ended.out.contains("ended at"), "{ended:?}");
    let again = server.run(&["suppressions", "end", &id]).await;
    assert!(again.code == 1 && again.err.contains("is over already"), "{again:?}");
    let all = server.run(&["suppressions", "create", "--for", "2h", "--reason", "x"]).await;
    assert!(all.code == 1 && all.err.contains("every alert"), "{all:?}");

    let incident = async |number: &str| {
        let sent = server.send(number).await.1;
        let (id, alert) = (sent["incident_id"].clone(), sent["alert_id"].clone());
        for run in sent["run_ids"].as_array().unwrap() {
            server.run(&["cancel", run.as_str().unwrap(), "--reason", "x"]).await;
        }
        (id.as_str().unwrap().to_owned(), alert.as_str().unwrap().to_owned())
    };
    let ((one, _), (other, alert)) = (incident("2").await, incident("3").await);
    let merged = eventually("the run's end", async || {
        let ran =
            server.run(&["incidents", "merge", &other, "--into", &one, "--reason", "one"]).await;
        (ran.code == 0).then_some(ran)
    })
    .await;
    assert!(merged.out.contains("goes on in"), "{merged:?}");
    let split =
        server.run(&["incidents", "split", &one, "--alert", &alert, "--reason", "no"]).await;
    assert!(split.code == 0 && split.out.contains("was taken out of"), "{split:?}");
}

#[tokio::test]
async fn an_incident_is_made_a_part_of_another_and_is_shown_as_one() {
    let server = Folder::new().serve().await;
    let run = async |arguments: &[&str]| {
        let ran = server.run(&[&["incidents"][..], arguments].concat()).await;
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran.out
    };
    let made = async |title: &str| {
        let made = run(&["create", "--title", title, "--severity", "high"]).await;
        made.trim().to_owned()
    };
    let (whole, part) = (made("a campaign").await, made("a host").await);
    run(&["attach", &part, "--to", &whole, "--reason", "one campaign"]).await;
    let shown = run(&["show", &whole]).await;
    assert!(shown.contains(&format!("part: {part}  open  high  a host")), "{shown}");
    assert!(run(&["show", &part]).await.contains(&format!("a part of {whole}")));
    run(&["detach", &part, "--reason", "it was the printer"]).await;
    assert!(!run(&["show", &whole]).await.contains("part: "));
}
