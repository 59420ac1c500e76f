//! Rates that change, as they are written on the command line.

use std::time::Duration;

/// `FROM:TO`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ramp {
    /// At the start.
    pub from_per_s: f64,
    /// At the end.
    pub to_per_s: f64,
}

/// `RATE:TIME`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Rate.
    pub rate_per_s: f64,
    /// For this long.
    pub length: Duration,
}

impl std::str::FromStr for Ramp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once(':').and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        let (from_per_s, to_per_s) = parts.ok_or("write it as FROM:TO, e.g. 50:500")?;
        Ok(Self { from_per_s, to_per_s })
    }
}

impl std::str::FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once(':');
        let parts = parts.and_then(|(rate, time)| Some((rate.parse().ok()?, humantime::parse_duration(time).ok()?)));
        let (rate_per_s, length) = parts.ok_or("write each step as RATE:TIME, e.g. 100:30s")?;
        Ok(Self { rate_per_s, length })
    }
}
