//! What the programs themselves have to say, in the agent's own log.

use aya::Ebpf;
use aya_log::EbpfLogger;

/// Hands the programs' log on to `tracing`.
struct ToTracing;

impl log::Log for ToTracing {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let (place, text) = (record.target(), record.args());
        match record.level() {
            log::Level::Error => tracing::error!(program = place, "{text}"),
            log::Level::Warn => tracing::warn!(program = place, "{text}"),
            log::Level::Info => tracing::info!(program = place, "{text}"),
            log::Level::Debug | log::Level::Trace => tracing::debug!(program = place, "{text}"),
        }
    }

    fn flush(&self) {}
}

/// The programs' log.
pub struct ProgramLog(Option<EbpfLogger<ToTracing>>);

impl ProgramLog {
    /// Takes it from the loaded object. Without it the agent works all the same: everything in it is counted as well.
    pub fn of(ebpf: &mut Ebpf) -> Self {
        let logger = EbpfLogger::init_with_logger(ebpf, ToTracing);
        Self(logger.inspect_err(|error| tracing::debug!("the programs have no log: {error}")).ok())
    }

    /// Writes what has come since the last time. Never blocks.
    pub fn flush(&mut self) {
        if let Some(logger) = &mut self.0 {
            logger.flush();
        }
    }
}
