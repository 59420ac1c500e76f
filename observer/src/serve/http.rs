//! The routes.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::stream;
use serde::Deserialize;
use tokio::sync::oneshot;

use super::{host, metrics};
use crate::agent::Command;
use crate::agent::core::Handle;
use crate::agent::input::Reply;
use crate::api::{Problem, RunRequest};
use crate::runs::Refused;

/// The core answers within milliseconds, or a close within five seconds; beyond that it is stuck.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// An announcement is a few hundred bytes.
const BODY_MAX: usize = 16 * 1024;

#[derive(Clone, Debug)]
struct App {
    core: Handle,
    node: String,
}

/// Everything.
pub fn api(core: Handle, node: String) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/status", get(status))
        .route("/metrics", get(metrics_text))
        .route("/v1/clock", get(clock))
        .route("/v1/runs", post(open_run))
        .route("/v1/runs/{id}", get(get_run).delete(delete_run))
        .route("/v1/runs/{id}/close", post(close_run))
        .route("/v1/records", get(records))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(App { core, node })
}

/// Only what may be seen from outside the node.
pub fn metrics_only(core: Handle, node: String) -> Router {
    Router::new().route("/healthz", get(healthz)).route("/metrics", get(metrics_text)).with_state(App { core, node })
}

struct Failure(StatusCode, Problem);

impl Failure {
    fn new(code: StatusCode, error: impl Into<String>, fix: impl Into<String>) -> Self {
        Self(code, Problem { error: error.into(), fix: fix.into() })
    }

    fn no_run(id: &str) -> Self {
        let id: String = id.chars().take(40).collect();
        Self::new(StatusCode::NOT_FOUND, format!("no run `{id}` is held"), "`observer status` lists the runs that are")
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

type Answer<T> = Result<T, Failure>;

impl App {
    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Answer<T> {
        let stuck = |what| Failure::new(StatusCode::SERVICE_UNAVAILABLE, what, "look at the agent's log");
        let (reply, answer) = oneshot::channel();
        self.core.send(command(reply)).map_err(|_| stuck("the agent's core has ended"))?;
        match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(stuck("the agent's core has ended")),
            Err(_) => Err(stuck("the agent's core does not answer")),
        }
    }
}

async fn healthz(State(app): State<App>) -> Response {
    match app.ask(Command::Health).await {
        Ok(None) => "ok\n".into_response(),
        Ok(Some(problem)) => (StatusCode::SERVICE_UNAVAILABLE, problem + "\n").into_response(),
        Err(failure) => failure.into_response(),
    }
}

async fn status(State(app): State<App>) -> Answer<Response> {
    app.ask(Command::Status).await.map(|status| Json(status).into_response())
}

async fn metrics_text(State(app): State<App>) -> Answer<Response> {
    let snapshot = app.ask(Command::Snapshot).await?;
    let text = metrics::encode(*snapshot).map_err(|error| {
        Failure::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), "report this as a defect")
    })?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}

async fn clock(State(app): State<App>) -> Response {
    Json(host::clock(app.node)).into_response()
}

async fn open_run(State(app): State<App>, Json(request): Json<RunRequest>) -> Answer<Response> {
    match app.ask(|reply| Command::OpenRun(request, reply)).await? {
        Ok(run) => Ok((StatusCode::CREATED, Json(run)).into_response()),
        Err(Refused::Busy(problem)) => Err(Failure(StatusCode::CONFLICT, problem)),
        Err(Refused::Bad(problem)) => Err(Failure(StatusCode::UNPROCESSABLE_ENTITY, problem)),
    }
}

async fn get_run(State(app): State<App>, Path(id): Path<String>) -> Answer<Response> {
    let run = app.ask(|reply| Command::GetRun(id.clone(), reply)).await?;
    run.map(|run| Json(run).into_response()).ok_or_else(|| Failure::no_run(&id))
}

async fn close_run(State(app): State<App>, Path(id): Path<String>) -> Answer<Response> {
    let run = app.ask(|reply| Command::CloseRun(id.clone(), reply)).await?;
    run.map(|run| Json(run).into_response()).ok_or_else(|| Failure::no_run(&id))
}

async fn delete_run(State(app): State<App>, Path(id): Path<String>) -> Answer<StatusCode> {
    if app.ask(|reply| Command::DeleteRun(id.clone(), reply)).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Failure::no_run(&id))
    }
}

#[derive(Deserialize)]
struct RecordsQuery {
    run: String,
}

async fn records(State(app): State<App>, Query(RecordsQuery { run }): Query<RecordsQuery>) -> Answer<Response> {
    let found = app.ask(|reply| Command::Records(run.clone(), reply)).await?;
    let (lines, end) = found.ok_or_else(|| Failure::no_run(&run))?;
    let last = serde_json::to_vec(&end).map(|mut line| {
        line.push(b'\n');
        line
    });
    let chunks = lines.chain(std::iter::once(last.map_err(Into::into)));
    let body = Body::from_stream(stream::iter(chunks));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}
