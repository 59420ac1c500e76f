//! The shard itself: a few routes around one load.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::{Stream, StreamExt as _};
use observer::api::{Clock, Problem};
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, Notify};

use super::api::{Order, Progress, RecordsEnd, State};
use crate::cluster::restore::leftovers::boot_id;
use crate::load::{Counters, Lags, Load, LoadPlan, Plan, Reason, Recorder, Stop, monotonic_ns, realtime_ns};
use crate::raw::{GooseCheck, Lag};

/// A shard could not run.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// It cannot listen, or not be told to end.
    #[error("cannot serve on port {port} of loopback: {source}")]
    Serve {
        /// The port.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
}

/// A connection to a shard's records is answered in pieces of this size.
const PIECE: usize = 256 * 1024;

#[derive(Clone)]
struct App {
    dir: Arc<PathBuf>,
    node: Arc<str>,
    stop: Stop,
    end: Arc<Notify>,
    counters: Arc<Counters>,
    sending: Arc<Mutex<Sending>>,
}

struct Sending {
    state: State,
    dropped: u64,
    written: u64,
    lags: Vec<Lag>,
    goose: Option<GooseCheck>,
    error: Option<String>,
}

/// Listens until it is told to end. Its records are kept in `dir`.
pub async fn serve(dir: &Path, port: u16) -> Result<(), ShardError> {
    let failed = |source| ShardError::Serve { port, source };
    let listener =
        tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let app = App {
        dir: Arc::new(dir.to_owned()),
        node: std::env::var("NODE_NAME").unwrap_or_default().into(),
        stop: Stop::default(),
        end: Arc::new(Notify::new()),
        counters: Arc::default(),
        sending: Arc::new(Mutex::new(Sending {
            state: State::Waiting,
            dropped: 0,
            written: 0,
            lags: Vec::new(),
            goose: None,
            error: None,
        })),
    };
    let end = Arc::clone(&app.end);
    let routes = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/v1/clock", get(clock))
        .route("/v1/load", get(progress).post(load))
        .route("/v1/stop", post(stop))
        .route("/v1/records", get(records))
        .route("/v1/lags", get(lags))
        .route("/v1/end", post(async |Shared(app): Shared<App>| app.end.notify_one()))
        .with_state(app);
    tokio::select! {
        served = axum::serve(listener, routes) => served.map_err(failed),
        () = end.notified() => {
            // The answer to this very request must have left.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            Ok(())
        }
        _ = terminate.recv() => Ok(()),
    }
}

fn refuse(code: StatusCode, error: impl Into<String>, fix: &str) -> Response {
    (code, Json(Problem { error: error.into(), fix: fix.to_owned() })).into_response()
}

async fn clock(Shared(app): Shared<App>) -> Json<Clock> {
    let before = monotonic_ns();
    let realtime_ns = realtime_ns();
    let monotonic_ns = before.midpoint(monotonic_ns());
    Json(Clock { node: app.node.to_string(), boot_id: boot_id(), monotonic_ns, realtime_ns })
}

async fn progress(Shared(app): Shared<App>) -> Json<Progress> {
    Json(app.progress(&*app.sending.lock().await))
}

impl App {
    fn progress(&self, sending: &Sending) -> Progress {
        Progress {
            state: sending.state,
            counts: self.counters.snapshot(),
            records_dropped: sending.dropped,
            goose: sending.goose.clone(),
            error: sending.error.clone(),
        }
    }

    fn file(&self) -> PathBuf {
        self.dir.join("client.ndjson")
    }
}

async fn load(Shared(app): Shared<App>, Json(order): Json<Order>) -> Response {
    let mut sending = app.sending.lock().await;
    if sending.state != State::Waiting {
        return refuse(StatusCode::CONFLICT, "this shard has its order already", "start a new Job");
    }
    let prepared = prepare(&app, &order);
    let (load, recorder) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            return refuse(StatusCode::UNPROCESSABLE_ENTITY, error, "use a load generator of the same version");
        }
    };
    sending.state = State::Sending;
    tokio::spawn(send(app.clone(), load, recorder));
    Json(app.progress(&sending)).into_response()
}

fn prepare(app: &App, order: &Order) -> Result<(Load, Recorder), String> {
    let words = |error: &dyn std::error::Error| error.to_string();
    let plan = LoadPlan {
        url: order.url.parse().map_err(|e| format!("`{}` is no URL: {e}", order.url))?,
        schedule: Plan::new(&order.schedule).map_err(|e| words(&e))?.shard(order.shard),
        workers: order.workers,
        client: order.client(),
        run_id: order.run_id.parse().map_err(|e: crate::load::trace::RunIdError| words(&e))?,
        start_ns: Some(order.start_ns),
    };
    let recorder = Recorder::create(&app.file(), app.stop.clone()).map_err(|e| words(&e))?;
    Ok((Load::new(plan), recorder))
}

/// Sends all of it, and writes down how that ended.
async fn send(app: App, load: Load, recorder: Recorder) {
    let lags = Lags::watch();
    let outcome = Box::pin(load.run(Arc::clone(&app.counters), recorder.sender(), app.stop.clone())).await;
    let lags = lags.finish().await;
    let recorded = recorder.finish().await;
    let mut sending = app.sending.lock().await;
    (sending.dropped, sending.written) = (recorded.dropped, recorded.written);
    sending.lags = lags;
    sending.error = recorded.error.map(|error| error.to_string());
    match outcome {
        Ok(outcome) => sending.goose = Some(outcome.goose),
        Err(error) => sending.error = Some(error.to_string()),
    }
    if let Some(Reason::Error(error)) = app.stop.reason() {
        sending.error = Some(error);
    }
    sending.state = State::Ended;
}

async fn stop(Shared(app): Shared<App>) -> Json<Progress> {
    app.stop.set(Reason::Done);
    progress(Shared(app)).await
}

/// The client's records as they were written, and how many they are.
async fn records(Shared(app): Shared<App>) -> Response {
    let written = match app.sending.lock().await {
        sending if sending.state == State::Ended => sending.written,
        _ => return too_early(),
    };
    let file = match tokio::fs::File::open(app.file()).await {
        Ok(file) => file,
        Err(error) => return refuse(StatusCode::INTERNAL_SERVER_ERROR, error.to_string(), "run the load again"),
    };
    let pieces = pieces(file).chain(futures::stream::iter([Ok(last_line(written).into())]));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(pieces)).into_response()
}

/// When it did not run, in the same form.
async fn lags(Shared(app): Shared<App>) -> Response {
    let sending = app.sending.lock().await;
    if sending.state != State::Ended {
        return too_early();
    }
    // Plain values: they cannot fail to be written.
    let line = |lag| serde_json::to_string(lag).unwrap_or_default() + "\n";
    let lines: String = sending.lags.iter().map(line).chain([last_line(sending.lags.len() as u64)]).collect();
    ([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response()
}

fn too_early() -> Response {
    refuse(StatusCode::CONFLICT, "the load has not ended", "ask for /v1/load until it has")
}

fn last_line(records_before: u64) -> String {
    serde_json::to_string(&RecordsEnd { records_before }).unwrap_or_default() + "\n"
}

/// A file, piece by piece.
fn pieces(file: tokio::fs::File) -> impl Stream<Item = std::io::Result<Bytes>> {
    futures::stream::unfold(Some(file), async |file| {
        let mut file = file?;
        let mut piece = Vec::with_capacity(PIECE);
        match (&mut file).take(PIECE as u64).read_to_end(&mut piece).await {
            Ok(0) => None,
            Ok(_) => Some((Ok(piece.into()), Some(file))),
            Err(error) => Some((Err(error), None)),
        }
    })
}
