//! The two ways to die.

use std::time::Duration;

use clap::ValueEnum;

/// Which release of http-echo to be on a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Behaviour {
    /// Knows only SIGINT. SIGTERM changes nothing: it serves until SIGKILL ends the grace period.
    #[value(name = "0.2.3")]
    V0_2_3,
    /// SIGTERM and SIGINT close the listener at once; open requests get five seconds.
    #[value(name = "1.0.0")]
    V1_0_0,
}

impl Behaviour {
    /// How long open requests may take once the listener is closed.
    pub const DRAIN: Duration = Duration::from_secs(5);
    /// Exit code when every open request ended in time.
    pub const EXIT_DRAINED: u8 = 2;
    /// Exit code when some did not.
    pub const EXIT_CUT: u8 = 1;

    /// The release's name, as in its image's tag.
    pub fn release(self) -> &'static str {
        match self {
            Self::V0_2_3 => "0.2.3",
            Self::V1_0_0 => "1.0.0",
        }
    }

    /// Whether SIGTERM begins the shutdown.
    pub fn stops_on_sigterm(self) -> bool {
        self == Self::V1_0_0
    }
}
