//! Progress on stderr: a line that moves on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::color;
use crate::experiment::Narrator;
use crate::load::counters::Snapshot;

/// Seconds between plain lines.
const PLAIN_EVERY_S: u64 = 10;

/// The narrator on stderr.
pub struct Progress {
    bar: Option<ProgressBar>,
    color: bool,
    told_at_s: AtomicU64,
}

impl Progress {
    /// Looks whether stderr is a terminal.
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = terminal.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        Self { bar, color: color(&std::io::stderr()), told_at_s: AtomicU64::new(0) }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Narrator for Progress {
    fn step(&self, what: &str) {
        self.line(&format!("· {what}"));
    }

    fn warn(&self, what: &str) {
        let word = if self.color { "\u{1b}[33m!\u{1b}[0m" } else { "!" };
        self.line(&format!("{word} {what}"));
    }

    fn load(&self, elapsed: Duration, total: Option<Duration>, counts: Snapshot) {
        let of = total.map(|total| format!(" of {} s", total.as_secs())).unwrap_or_default();
        let starved =
            if counts.starved > 0 { format!(", {} late for want of a worker", counts.starved) } else { String::new() };
        let text = format!(
            "{} s{of}: {} sent, {} succeeded, {} failed, {} in flight{starved}",
            elapsed.as_secs(),
            counts.sent,
            counts.succeeded,
            counts.failed,
            counts.in_flight()
        );
        if let Some(bar) = &self.bar {
            bar.set_message(text);
            return;
        }
        let now_s = elapsed.as_secs();
        if now_s >= self.told_at_s.load(Ordering::Relaxed) + PLAIN_EVERY_S {
            self.told_at_s.store(now_s, Ordering::Relaxed);
            self.line(&format!("  {text}"));
        }
    }

    fn load_ended(&self) {
        if let Some(bar) = &self.bar {
            bar.set_message("");
        }
    }
}
