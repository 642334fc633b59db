//! `--models DIR`: services that the pack does not have, and others in the place of its own.

use std::io::Write as _;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::server::{Folder, Ran};

/// A service of one operation.
fn service(protocol: &str, operation: &str) -> Value {
    json!({
        "version": "2.0",
        "metadata": {
            "apiVersion": "2026-01-01", "endpointPrefix": "lamps", "jsonVersion": "1.1",
            "protocol": protocol, "protocols": [protocol], "serviceFullName": "Lamps",
            "serviceId": "Lamps", "signatureVersion": "v4", "targetPrefix": "Lamps",
        },
        "operations": {operation: {
            "name": operation, "http": {"method": "POST", "requestUri": "/"},
            "input": {"shape": "In"}, "output": {"shape": "Out"},
        }},
        "shapes": {
            "In": {"type": "structure", "required": ["Name"], "members": {"Name": {"shape": "Name"}}},
            "Out": {"type": "structure", "members": {
                "Lamps": {"shape": "Names"}, "NextToken": {"shape": "Name"},
            }},
            "Names": {"type": "list", "member": {"shape": "Name"}},
            "Name": {"type": "string", "min": 2, "max": 8, "pattern": "[a-z0-9]+"},
        },
    })
}

fn put(folder: &Folder, path: &str, value: &Value) {
    let path = folder.path().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, value.to_string()).unwrap();
}

/// Answers one request after the other, and gives its address.
async fn answering(answers: Vec<Value>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 65_536];
            let _read = stream.read(&mut request).await.unwrap();
            let body = answer.to_string();
            let length = body.len();
            let head =
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.1";
            let answer = format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    url
}

#[tokio::test]
async fn a_service_of_a_folder_is_described_and_called() {
    let folder = Folder::new();
    put(&folder, "models/lamps/2026-01-01/service-2.json", &service("json", "ListLamps"));
    let pages = json!({"pagination": {"ListLamps": {
        "input_token": "NextToken", "output_token": "NextToken", "result_key": "Lamps",
    }}});
    put(&folder, "models/lamps/2026-01-01/paginators-1.json", &pages);
    let told = folder.run(&["aws", "describe", "lamps:ListLamps", "--models", "models"]).await;
    assert!(told.code == 0 && told.out.contains("Name"), "{told:?}");

    let url = answering(vec![json!({"Lamps": ["a1", "b2"]})]).await;
    let call = ["aws", "call", "lamps:ListLamps", "--models", "models", "--region", "us-east-1"];
    let call = async |params: &str| {
        let more = ["--endpoint-url", &url, "--params", params];
        let mut command = folder.command(&[&call[..], &more[..]].concat());
        command.env("AWS_ACCESS_KEY_ID", "AKIAI44QH8DHBEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "s");
        Ran::of(command.output().await.unwrap())
    };
    let called = call("{\"Name\": \"desk\"}").await;
    assert_eq!(called.code, 0, "{called:?}");
    assert_eq!(called.json()["Lamps"], json!(["a1", "b2"]), "{called:?}");
    let refused = call("{\"Name\": \"DESK LAMP 1\"}").await;
    assert_eq!(refused.code, 1);
    for words in ["`Name` has 11 characters, and takes at most 8", "does not look like [a-z0-9]+"] {
        assert!(refused.err.contains(words), "{refused:?}");
    }
}

#[tokio::test]
async fn what_a_folder_has_takes_the_place_of_the_packs() {
    let folder = Folder::new();
    put(&folder, "models/sts/2026-01-01/service-2.json", &service("json", "LightLamp"));
    let here = folder.run(&["aws", "describe", "sts:LightLamp", "--models", "models"]).await;
    assert_eq!(here.code, 0, "{here:?}");
    let there = folder.run(&["aws", "describe", "sts:LightLamp"]).await;
    assert!(there.code == 1 && there.err.contains("LightLamp"), "{there:?}");
    let other = folder.run(&["aws", "describe", "iam:GetUser", "--models", "models"]).await;
    assert_eq!(other.code, 0, "what the folder lacks is the pack's: {other:?}");
}

#[tokio::test]
async fn a_model_that_leaves_out_its_names_goes_by_its_folder() {
    let folder = Folder::new();
    let mut bare = service("json", "ListLamps");
    bare["metadata"] = json!({"protocols": ["json"], "jsonVersion": "1.1", "targetPrefix": "L"});
    put(&folder, "models/lamps/2026-01-01/service-2.json", &bare);
    let told = folder.run(&["aws", "describe", "lamps", "--models", "models", "--json"]).await;
    assert_eq!(told.code, 0, "{told:?}");
    let told = told.json();
    let names = (&told["full_name"], &told["api_version"], &told["protocol"]);
    assert_eq!(names, (&json!("lamps"), &json!("2026-01-01"), &json!("json")));
    bare["metadata"] = json!({});
    put(&folder, "models/lamps/2026-01-01/service-2.json", &bare);
    let call = ["aws", "call", "lamps:ListLamps", "--models", "models"];
    let refused = folder.run(&call).await;
    for words in ["bad_model", "names no `protocol`"] {
        assert!(refused.code == 1 && refused.err.contains(words), "{refused:?}");
    }
}

#[tokio::test]
async fn models_are_read_as_botocore_ships_them() {
    let folder = Folder::new();
    put(&folder, "models/lamps/2026-01-01/service-2.json", &service("json", "ListLamps"));
    let plain = folder.path().join("models/lamps/2026-01-01/service-2.json");
    let zipped = std::fs::File::create(plain.with_extension("json.gz")).unwrap();
    let mut zipped = flate2::write::GzEncoder::new(zipped, flate2::Compression::fast());
    zipped.write_all(&std::fs::read(&plain).unwrap()).unwrap();
    zipped.finish().unwrap();
    std::fs::remove_file(plain).unwrap();
    let told = folder.run(&["aws", "describe", "lamps", "--models", "models"]).await;
    assert!(told.code == 0 && told.out.contains("ListLamps"), "{told:?}");
}

#[tokio::test]
async fn a_folder_without_models_and_a_model_that_is_none_are_named() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path().join("empty")).unwrap();
    put(&folder, "broken/lamps/2026-01-01/service-2.json", &json!({"operations": 1}));
    let mut lacking = service("json", "ListLamps");
    lacking["shapes"].as_object_mut().unwrap().remove("Names");
    put(&folder, "lacking/lamps/2026-01-01/service-2.json", &lacking);
    for (models, words) in [
        ("nowhere", "nowhere"),
        ("empty", "SERVICE/VERSION/service-2.json"),
        ("broken", "broken/lamps/2026-01-01/service-2.json"),
        ("lacking", "lacks the shape `Names`"),
    ] {
        let told = folder.run(&["aws", "describe", "lamps", "--models", models]).await;
        assert!(told.code == 1 && told.err.contains(words), "{models}: {told:?}");
    }
}
