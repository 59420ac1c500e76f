//! A pod is slowed, and made fast again: this pod and no other.

use hyper::Method;
use loadgen::cluster::act::slow::{Cpu, Told};
use loadgen::cluster::restore::{Change, undo};
use serde_json::{Value, json};

use super::{actor, expect};

const POD: &str = "/api/v1/namespaces/lab/pods/p";

fn pod(uid: &str, limit: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "lab", "uid": uid},
        "status": {"containerStatuses": [{"name": "c", "image": "i", "imageID": "", "ready": true, "restartCount": 0,
            "resources": {"limits": {"cpu": limit}}}]}})
}

#[tokio::test]
async fn a_wait_is_put_back_through_the_api_server() {
    let (actor, mut server) = actor();
    let change = Change::PodDelay { pod: "p".into(), uid: "u".into(), port: 5000, delay_ms: 3, jitter_ms: 1 };
    let answers = async {
        expect(&mut server, Method::GET, POD, 200, &pod("u", "1")).await;
        let path = "/api/v1/namespaces/lab/pods/p:5000/proxy/_admin";
        expect(&mut server, Method::POST, path, 200, &json!({"delay_ms": 3, "jitter_ms": 1, "burn_ms": 0})).await;
    };
    let (done, ()) = tokio::join!(undo(&actor, &change), answers);
    assert!(done.unwrap().contains("waits 3 ms before each answer, as before"));
}

#[tokio::test]
async fn a_server_that_does_not_take_the_wait_is_an_error() {
    let (actor, mut server) = actor();
    let change = Change::PodDelay { pod: "p".into(), uid: "u".into(), port: 5000, delay_ms: 3, jitter_ms: 1 };
    let answers = async {
        expect(&mut server, Method::GET, POD, 200, &pod("u", "1")).await;
        let path = "/api/v1/namespaces/lab/pods/p:5000/proxy/_admin";
        expect(&mut server, Method::POST, path, 200, &json!({"predictions": [1]})).await;
    };
    let (done, ()) = tokio::join!(undo(&actor, &change), answers);
    assert!(done.unwrap_err().to_string().contains("fix:"));
}

#[tokio::test]
async fn another_pod_of_that_name_is_left_alone() {
    let (actor, mut server) = actor();
    let changes = [
        Change::PodDelay { pod: "p".into(), uid: "u".into(), port: 5000, delay_ms: 0, jitter_ms: 0 },
        Change::PodCpu { pod: "p".into(), uid: "u".into(), container: "c".into(), limit: "1".into(), request: None },
    ];
    for change in changes {
        let answer = pod("another", "1");
        let (done, _) = tokio::join!(undo(&actor, &change), expect(&mut server, Method::GET, POD, 200, &answer));
        assert!(done.unwrap().contains("is gone"));
    }
}

#[tokio::test]
async fn a_limit_is_changed_in_place_and_waited_for() {
    let (actor, mut server) = actor();
    let cpu = Cpu { container: "c".into(), limit: "20m".into(), request: Some("10m".into()) };
    let answers = async {
        let sent = expect(&mut server, Method::PATCH, &format!("{POD}/resize"), 200, &pod("u", "100m")).await;
        let resources = &sent["spec"]["containers"][0]["resources"];
        assert_eq!(resources, &json!({"limits": {"cpu": "20m"}, "requests": {"cpu": "10m"}}));
        assert_eq!(sent["metadata"]["uid"], "u", "a namesake would be spared");
        expect(&mut server, Method::GET, POD, 200, &pod("u", "100m")).await;
        expect(&mut server, Method::GET, POD, 200, &pod("u", "0.02")).await;
    };
    let told = Told { name: "slow_pod_cpu", detail: "" };
    let (done, ()) = tokio::join!(actor.set_cpu("p", "u", &cpu, told), answers);
    done.unwrap();
}
