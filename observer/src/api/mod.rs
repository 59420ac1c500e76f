//! What the agent says over HTTP, on the node's loopback only.
//!
//! | method, path | answer |
//! |---|---|
//! | `GET /healthz` | 200 `ok`, or 503 with the reason |
//! | `GET /status` | [`Status`] |
//! | `GET /metrics` | Prometheus text |
//! | `GET /v1/clock` | [`Clock`] |
//! | `POST /v1/runs` with [`RunRequest`] | 201 [`Run`]; 409 with [`Problem`] when another run is open |
//! | `GET /v1/runs/{id}` | [`Run`] |
//! | `POST /v1/runs/{id}/close` | [`Run`], after everything seen so far has been joined |
//! | `DELETE /v1/runs/{id}` | 204; its records are gone |
//! | `GET /v1/records?run={id}` | NDJSON of [`crate::record::Record`]; the last line is [`RecordsEnd`] |

mod clock;
mod run;
mod status;

pub use clock::Clock;
pub use run::{Problem, RecordsEnd, Run, RunRequest};
pub use status::{Cost, HopSummary, Loss, ProgramStatus, Status, Watch, WatchedPort};

/// Port of the agent's API on the node's loopback address.
pub const DEFAULT_PORT: u16 = 9414;
