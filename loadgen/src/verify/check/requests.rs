//! Step 4: what the gateway answers, and what both hops log.

use super::{Check, of};
use crate::verify::facts::{Answered, DeploymentFact, EnvSource, Facts, Half, LogLook};

/// 4.2 to 4.4.
pub fn answers(facts: &Facts) -> Vec<Check> {
    [("4.2", "/health"), ("4.3", "/status"), ("4.4", "/predict")].map(|(task, path)| answer(facts, task, path)).into()
}

fn answer(facts: &Facts, task: &str, path: &str) -> Check {
    let check = of(4, task, format!("GET {path}"));
    let Some(answer) = facts.answer(path) else {
        return check.not_checked("the gateway's URL is not known; give it with --url");
    };
    let by_hand = format!("curl {}", answer.url);
    let Some(status) = answer.status else {
        let error = answer.error.as_deref().unwrap_or("no answer");
        return check.fail(format!("{}: {error}", answer.url), by_hand);
    };
    if status != 200 {
        return check.fail(format!("status {status}: {}", why(facts, status, answer)), by_hand);
    }
    let said = answer.body.trim();
    let wanted = facts.upstream.deployment.there().and_then(text_of).filter(|_| path == "/predict");
    match wanted {
        Some(wanted) if wanted.trim() != said => check.fail(
            format!(
                "the answer is `{said}`, but the template of deployment/{} says `{wanted}`",
                facts.upstream.deployment_name
            ),
            format!(
                "kubectl rollout status -n {} deployment/{}; then {by_hand}",
                facts.namespace, facts.upstream.deployment_name
            ),
        ),
        _ => check.pass(format!("200 `{}`", said.replace('\n', " / "))),
    }
}

/// The text that http-echo was told to answer with.
fn text_of(deployment: &DeploymentFact) -> Option<String> {
    deployment.args.iter().find_map(|arg| arg.trim_start_matches('-').strip_prefix("text=").map(str::to_owned))
}

fn why(facts: &Facts, status: u16, answer: &Answered) -> String {
    let behind = &facts.upstream;
    match status {
        502..=504 if !behind.endpoints.iter().any(|end| end.ready) => {
            format!("service/{} has no ready endpoint (Step 2)", behind.service_name)
        }
        502..=504 => "the gateway gets no answer from behind it".to_owned(),
        404 => "the gateway's configuration has no such location (Step 3.1)".to_owned(),
        _ => answer.body.trim().chars().take(200).collect(),
    }
}

/// 4.5.
pub fn logs(facts: &Facts) -> Vec<Check> {
    [(&facts.gateway, &facts.gateway_log), (&facts.upstream, &facts.upstream_log)]
        .map(|(half, look)| log(facts, half, look))
        .into()
}

fn log(facts: &Facts, half: &Half, look: &LogLook) -> Check {
    let name = &half.deployment_name;
    let check = of(4, "4.5", format!("the request in the log of deployment/{name}"));
    let app = half.deployment.there().and_then(|found| found.labels.get("app")).unwrap_or(name);
    let by_hand = format!("kubectl logs -n {} -l app={app} --tail=10", facts.namespace);
    if let Some((pod, _)) = look.found.first() {
        return check.pass(format!("logged by pod/{pod}"));
    }
    if facts.answer("/predict").is_none_or(|answer| answer.status != Some(200)) {
        return check.not_checked("the request was not answered").by_hand(by_hand);
    }
    if let Some(problem) = &look.problem {
        return check.not_checked(problem).by_hand(by_hand);
    }
    if half.deployment.there().is_some_and(logs_nothing) {
        return check.not_checked("its template turns the log of requests off").by_hand(by_hand);
    }
    if look.lines == 0 {
        return check.not_checked(format!(
            "the logs of its {} pods are silent: the image does not log requests",
            look.pods_read
        ));
    }
    check.fail(
        format!("{} pods logged {} lines, none of them of this request: it went elsewhere", look.pods_read, look.lines),
        by_hand,
    )
}

/// The switch of our own inference server.
fn logs_nothing(deployment: &DeploymentFact) -> bool {
    let off = |variable: &crate::verify::facts::EnvVariable| {
        variable.name == "INFERENCE_ACCESS_LOG" && variable.from == EnvSource::Value("false".to_owned())
    };
    deployment.env.iter().any(off) || deployment.args.iter().any(|arg| arg.ends_with("-access-log=false"))
}
