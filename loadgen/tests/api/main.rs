//! The shape of the calls to the API server: method, path, body, and what follows from an answer. What a cluster makes
//! of them is tested on a real one.

#![allow(clippy::unwrap_used)]

mod slow;

use hyper::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use loadgen::cluster::Timeline;
use loadgen::cluster::act::{ActError, Actor, Which};
use loadgen::cluster::restore::{Change, undo};
use serde_json::{Value, json};
use tower_test::mock::Handle;

type Server = Handle<Request<Body>, Response<Body>>;

fn actor() -> (Actor, Server) {
    let (service, server) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let client = Client::new(service, "lab");
    (Actor { client, namespace: "lab".into(), timeline: Timeline::nowhere() }, server)
}

/// Waits for a call, checks where it goes, answers, and returns its body.
async fn expect(server: &mut Server, method: Method, path: &str, status: u16, answer: &Value) -> Value {
    let (request, send) = server.next_request().await.expect("a request");
    assert_eq!(request.method(), method, "{}", request.uri());
    assert_eq!(request.uri().path(), path);
    let body = request.into_body().collect_bytes().await.unwrap();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    let bytes = serde_json::to_vec(answer).unwrap();
    send.send_response(Response::builder().status(status).body(Body::from(bytes)).unwrap());
    body
}

const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/lab/deployments/d";

/// Answers the question for the pods of a Deployment: itself, its `ReplicaSet`s, and all pods with its labels.
async fn expect_pods(server: &mut Server, pods: &Value) {
    expect(server, Method::GET, DEPLOYMENT, 200, &deployment("1", &json!({}))).await;
    let set = |uid: &str, deployment: &str| json!({"metadata": {"name": uid, "uid": uid, "ownerReferences": owner("Deployment", deployment)}});
    let sets = json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {},
        "items": [set("own", "u1"), set("foreign", "u9")]});
    expect(server, Method::GET, "/apis/apps/v1/namespaces/lab/replicasets", 200, &sets).await;
    expect(server, Method::GET, "/api/v1/namespaces/lab/pods", 200, pods).await;
}

fn owner(kind: &str, uid: &str) -> Value {
    json!([{"apiVersion": "apps/v1", "kind": kind, "name": uid, "uid": uid, "controller": true}])
}

fn deployment(version: &str, template: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "d", "namespace": "lab", "uid": "u1", "resourceVersion": version, "generation": 1},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "d"}}, "template": template,
            "aFieldFromTheFuture": {"kept": true}},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
    })
}

fn conflict() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 409, "reason": "Conflict",
        "message": "the object has been modified"})
}

#[tokio::test]
async fn a_restart_is_kubectls_annotation() {
    let (actor, mut server) = actor();
    let answers = async {
        let body = expect(&mut server, Method::PATCH, DEPLOYMENT, 200, &deployment("2", &json!({}))).await;
        let at = body.pointer("/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt").unwrap();
        assert!(at.as_str().unwrap().contains('T'), "{at}");
        assert_eq!(body.as_object().unwrap().len(), 1, "nothing else changes: {body}");
    };
    let (result, ()) = tokio::join!(actor.restart("d"), answers);
    result.unwrap();
}

#[tokio::test]
async fn a_template_change_carries_the_version_it_was_made_on_and_is_made_again_after_a_conflict() {
    let (actor, mut server) = actor();
    let answers = async {
        let first = deployment("7", &json!({"a": 1}));
        expect(&mut server, Method::GET, DEPLOYMENT, 200, &first).await;
        let sent = expect(&mut server, Method::PUT, DEPLOYMENT, 409, &conflict()).await;
        assert_eq!(sent["metadata"]["resourceVersion"], "7");
        expect(&mut server, Method::GET, DEPLOYMENT, 200, &deployment("8", &json!({"a": 2}))).await;
        let sent = expect(&mut server, Method::PUT, DEPLOYMENT, 200, &first).await;
        assert_eq!(sent["metadata"]["resourceVersion"], "8");
        assert_eq!(sent["spec"]["template"], json!({"a": 2, "b": true}), "made on what was read last");
        assert_eq!(sent["spec"]["aFieldFromTheFuture"], json!({"kept": true}), "unknown fields survive");
    };
    let change = actor.change_template("d", "patch_template", "x", |template| template["b"] = json!(true));
    let (changed, ()) = tokio::join!(change, answers);
    assert!(changed.unwrap());
}

#[tokio::test]
async fn a_refusal_is_not_retried() {
    let (actor, mut server) = actor();
    let busy = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 503, "message": "busy"});
    let (result, _) = tokio::join!(actor.restart("d"), expect(&mut server, Method::PATCH, DEPLOYMENT, 503, &busy));
    let text = result.unwrap_err().to_string();
    assert!(text.contains("cannot restart deployment/d: busy (503"), "{text}");
}

#[tokio::test]
async fn the_pod_that_was_chosen_is_deleted_and_no_other() {
    let (actor, mut server) = actor();
    let pod = |name: &str, uid: &str, set: &str, at: &str, ending: Option<&str>| {
        json!({"metadata": {"name": name, "uid": uid, "creationTimestamp": at, "deletionTimestamp": ending,
            "ownerReferences": owner("ReplicaSet", set)}})
    };
    let old = pod("old", "u2", "own", "2026-01-02T00:00:00Z", None);
    let pods = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [
        pod("young", "u3", "own", "2026-01-03T00:00:00Z", None),
        pod("ending", "u1", "own", "2026-01-01T00:00:00Z", Some("2026-01-04T00:00:00Z")),
        pod("canary", "u4", "foreign", "2026-01-01T00:00:00Z", None),
        old,
    ]});
    let answers = async {
        expect_pods(&mut server, &pods).await;
        let path = "/api/v1/namespaces/lab/pods/old";
        expect(&mut server, Method::DELETE, path, 200, &old).await
    };
    let act = async {
        let pod = actor.choose("d", &Which::Oldest).await.unwrap();
        actor.delete(&pod, Some(0)).await.unwrap();
    };
    let ((), body) = tokio::join!(act, answers);
    assert_eq!(body["gracePeriodSeconds"], 0);
    assert_eq!(body["preconditions"]["uid"], "u2", "a namesake would be spared");
}

#[tokio::test]
async fn a_pod_that_does_not_exist_is_named_with_those_that_do() {
    let (actor, mut server) = actor();
    let pods = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [
        {"metadata": {"name": "ml-abc", "uid": "u", "ownerReferences": owner("ReplicaSet", "own")}}]});
    let which = Which::Name("ml-abd".into());
    let (result, ()) = tokio::join!(actor.choose("d", &which), expect_pods(&mut server, &pods));
    let text = result.unwrap_err().to_string();
    assert!(text.contains("did you mean `ml-abc`?") && text.contains("fix:"), "{text}");
}

fn template_change(uid: &str, template: Value) -> Change {
    Change::Template { deployment: "d".into(), uid: uid.into(), template }
}

#[tokio::test]
async fn undoing_puts_the_whole_template_back() {
    let (actor, mut server) = actor();
    let now =
        deployment("9", &json!({"spec": {"containers": [{"lifecycle": {"preStop": {"sleep": {"seconds": 5}}}}]}}));
    let before = json!({"spec": {"containers": [{"lifecycle": {"preStop": {"exec": {"command": ["x"]}}}}]}});
    let answers = async {
        expect(&mut server, Method::GET, DEPLOYMENT, 200, &now).await;
        expect(&mut server, Method::GET, DEPLOYMENT, 200, &now).await;
        let sent = expect(&mut server, Method::PUT, DEPLOYMENT, 200, &now).await;
        assert_eq!(sent["spec"]["template"], before);
        expect(&mut server, Method::GET, DEPLOYMENT, 200, &now).await;
    };
    let change = template_change("u1", before.clone());
    let (done, ()) = tokio::join!(undo(&actor, &change), answers);
    assert!(done.unwrap().contains("again"));
}

#[tokio::test]
async fn undoing_leaves_alone_what_is_right_already_or_another_object() {
    let (actor, mut server) = actor();
    let now = deployment("9", &json!({"a": 1}));
    let other = template_change("another-uid", json!({"a": 2}));
    let (done, _) = tokio::join!(undo(&actor, &other), expect(&mut server, Method::GET, DEPLOYMENT, 200, &now));
    assert!(done.unwrap().contains("made anew"));

    let same = template_change("u1", json!({"a": 1}));
    let answers = async {
        expect(&mut server, Method::GET, DEPLOYMENT, 200, &now).await;
        expect(&mut server, Method::GET, DEPLOYMENT, 200, &now).await;
    };
    let (done, ()) = tokio::join!(undo(&actor, &same), answers);
    assert!(done.unwrap().contains("already"));

    let gone = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound",
        "message": "not found"});
    let (done, _) = tokio::join!(undo(&actor, &same), expect(&mut server, Method::GET, DEPLOYMENT, 404, &gone));
    assert!(done.unwrap().contains("gone"));
}

#[tokio::test]
async fn an_error_names_what_was_tried() {
    let (actor, mut server) = actor();
    let forbidden = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403,
        "reason": "Forbidden", "message": "deployments is forbidden"});
    let (result, _) = tokio::join!(actor.template("d"), expect(&mut server, Method::GET, DEPLOYMENT, 403, &forbidden));
    assert!(matches!(&result, Err(ActError::Api { .. })));
    assert_eq!(result.unwrap_err().to_string(), "cannot read deployment/d: deployments is forbidden (403 Forbidden)");
}

#[tokio::test]
async fn scaling_goes_through_the_scale_subresource_and_is_undone_there() {
    let (actor, mut server) = actor();
    let scale = json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d", "uid": "u1"},
        "spec": {"replicas": 4}});
    let path = format!("{DEPLOYMENT}/scale");
    let (result, body) =
        tokio::join!(actor.scale("d", 4, "scale_deployment"), expect(&mut server, Method::PATCH, &path, 200, &scale));
    result.unwrap();
    assert_eq!(body, json!({"spec": {"replicas": 4}}));

    let now = deployment("9", &json!({}));
    let back = Change::Replicas { deployment: "d".into(), uid: "u1".into(), replicas: 2 };
    let answers = async {
        expect(&mut server, Method::GET, DEPLOYMENT, 200, &now).await;
        let sent = expect(&mut server, Method::PATCH, &path, 200, &scale).await;
        assert_eq!(sent, json!({"spec": {"replicas": 2}}));
        expect(&mut server, Method::GET, DEPLOYMENT, 200, &now).await;
    };
    let (done, ()) = tokio::join!(undo(&actor, &back), answers);
    assert!(done.unwrap().contains("2 replicas of before the run again"));
    let same = Change::Replicas { deployment: "d".into(), uid: "u1".into(), replicas: 1 };
    let (done, _) = tokio::join!(undo(&actor, &same), expect(&mut server, Method::GET, DEPLOYMENT, 200, &now));
    assert!(done.unwrap().contains("already"));
}

#[tokio::test]
async fn an_autoscaler_that_does_not_exist_is_named_with_those_that_do() {
    let (actor, mut server) = actor();
    let path = "/apis/autoscaling/v2/namespaces/lab/horizontalpodautoscalers";
    let list = |items: Value| json!({"kind": "HorizontalPodAutoscalerList", "apiVersion": "autoscaling/v2", "metadata": {}, "items": items});
    let one = list(json!([{"metadata": {"name": "ml-inference-hpa"}, "spec": {"maxReplicas": 3,
        "scaleTargetRef": {"kind": "Deployment", "name": "d"}}}]));
    let (result, _) =
        tokio::join!(actor.autoscaler("ml-inferense-hpa"), expect(&mut server, Method::GET, path, 200, &one));
    let text = result.unwrap_err().to_string();
    assert!(text.contains("did you mean `ml-inference-hpa`?") && text.contains("fix:"), "{text}");
    let none = list(json!([]));
    let (result, _) = tokio::join!(actor.autoscaler("x"), expect(&mut server, Method::GET, path, 200, &none));
    assert!(result.unwrap_err().to_string().contains("kubectl apply -k k8s/lab/step9"));
}
