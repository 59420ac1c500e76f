//! Step 4: requests to the gateway, and the search for one of them in the logs of both hops.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use reqwest::{Client, Url};
use tokio::time::Instant;

use super::Question;
use crate::cluster::connect::words;
use crate::cluster::{Cluster, gateway};
use crate::load::classify::{Phase, classify};
use crate::load::client::{ClientSettings, builder};
use crate::verify::facts::{Answered, Facts, Half, LogLook};

/// A line is in the log long before this, or it never comes.
const LOG_PATIENCE: Duration = Duration::from_secs(5);
/// Of a body, as much as the lab's answers ever have.
const BODY: usize = 4_096;
/// Clocks of node and client may differ by some of it.
const LOG_SINCE_S: i64 = 120;

/// Asks the three paths, then looks for the marked one.
pub async fn ask(cluster: &Cluster, question: &Question, url: &Url, facts: &mut Facts) {
    let settings = ClientSettings {
        connect_timeout: Duration::from_secs(3),
        timeout: Duration::from_secs(15),
        keep_alive: false,
        tls: url.scheme() == "https",
    };
    let Ok(client) = builder(settings).user_agent(format!("podwitness-verify/{}", question.id)).build() else { return };
    // Fresh rules take a moment; what does not answer within the patience does not answer.
    let mut health = url.clone();
    health.set_path("/health");
    let _ = gateway::wait_for_answer(&health, question.patience).await;
    for path in ["/health", "/status", "/predict"] {
        facts.http.push(answer(&client, question, url, path).await);
    }
    let started = Instant::now();
    loop {
        facts.gateway_log = search(cluster, question, &facts.gateway).await;
        facts.upstream_log = search(cluster, question, &facts.upstream).await;
        let found = |look: &LogLook| !look.found.is_empty() || look.problem.is_some();
        if (found(&facts.gateway_log) && found(&facts.upstream_log)) || started.elapsed() > LOG_PATIENCE {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// The mark is wherever a log may show it: in the agent's name, in the query, and in the trace id.
async fn answer(client: &Client, question: &Question, url: &Url, path: &str) -> Answered {
    let mut url = url.clone();
    url.set_path(path);
    url.set_query(None);
    let mut answered = Answered { path: path.to_owned(), url: url.to_string(), ..Answered::default() };
    url.set_query(Some(&format!("podwitness-verify={}", question.id)));
    let request = client.get(url).header("traceparent", question.id.traceparent(0));
    match request.send().await {
        Ok(response) => {
            answered.status = Some(response.status().as_u16());
            match response.bytes().await {
                Ok(body) => answered.body = String::from_utf8_lossy(&body[..body.len().min(BODY)]).into_owned(),
                Err(error) => answered.error = Some(classify(&error, Phase::Body).detail),
            }
        }
        Err(error) => answered.error = Some(classify(&error, Phase::Head).detail),
    }
    answered
}

async fn search(cluster: &Cluster, question: &Question, half: &Half) -> LogLook {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &question.target.namespace);
    let params = LogParams { since_seconds: Some(LOG_SINCE_S), ..LogParams::default() };
    let mark = question.id.to_string();
    let mut look = LogLook::default();
    for pod in half.pods.iter().filter(|pod| pod.ready) {
        match pods.logs(&pod.name, &params).await {
            Ok(text) => {
                look.pods_read += 1;
                look.lines += text.lines().count() as u64;
                let marked = text.lines().filter(|line| line.contains(&mark));
                look.found.extend(marked.map(|line| (pod.name.clone(), line.to_owned())));
            }
            Err(error) => look.problem = Some(format!("cannot read the log of pod/{}: {}", pod.name, words(&error))),
        }
    }
    // The probes' lines of http-echo are no request of ours, but they show that it logs.
    look.found.retain(|(_, line)| !line.contains("/health") && !line.contains("/status"));
    look
}
