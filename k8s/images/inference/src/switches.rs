//! What an answer does beside answering.
//!
//! Each switch has one name in four places: flag (`--delay-ms`), environment (`INFERENCE_DELAY_MS`), query of a request or of
//! `POST /_admin` (`delay_ms=`), and header of a request (`x-inference-delay-ms`). A request's own switches hold for that request only.

use clap::Args;

/// The switches with their values; all off by default.
#[derive(Clone, Copy, Debug, PartialEq, Args)]
pub struct Switches {
    /// Wait before answering
    #[arg(long, env = "INFERENCE_DELAY_MS", default_value_t = 0)]
    pub delay_ms: u64,
    /// Spread the wait evenly over `delay_ms` ± this, never below zero
    #[arg(long, env = "INFERENCE_JITTER_MS", default_value_t = 0)]
    pub jitter_ms: u64,
    /// Share of requests that get `fail_status`; every n-th by count, so 0.25 fails exactly each fourth
    #[arg(long, env = "INFERENCE_FAIL_RATIO", default_value_t = 0.0, value_parser = parse_ratio)]
    pub fail_ratio: f64,
    /// Status of those
    #[arg(long, env = "INFERENCE_FAIL_STATUS", default_value_t = 500, value_parser = clap::value_parser!(u16).range(400..600))]
    pub fail_status: u16,
    /// CPU time to spend on each answer, on a thread of its own
    #[arg(long, env = "INFERENCE_BURN_MS", default_value_t = 0)]
    pub burn_ms: u64,
    /// Exact size of the body; 0 means the text as it is
    #[arg(long, env = "INFERENCE_BODY_BYTES", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=MAX_BODY_BYTES))]
    pub body_bytes: u64,
}

/// More than this would only test this server's memory limit.
const MAX_BODY_BYTES: u64 = 64 << 20;

/// A switch that does not exist, or a value that it cannot have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSwitch {
    /// No switch of this name.
    #[error("there is no switch `{0}`; there are delay_ms, jitter_ms, fail_ratio, fail_status, burn_ms and body_bytes")]
    Unknown(String),
    /// The value is out of range or no number.
    #[error("`{value}` is no value for {name}: {expected}")]
    Value {
        /// The switch.
        name: &'static str,
        /// What was given.
        value: String,
        /// What would have been right.
        expected: &'static str,
    },
}

fn parse_ratio(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio)).ok_or_else(|| RATIO.to_owned())
}

const RATIO: &str = "a number from 0 to 1";
const MILLISECONDS: &str = "whole milliseconds";

impl Switches {
    /// Sets one switch by its name.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), BadSwitch> {
        let number = |name, expected, max| {
            let parsed = value.parse::<u64>().ok().filter(|n| *n <= max);
            parsed.ok_or_else(|| BadSwitch::Value { name, value: value.to_owned(), expected })
        };
        match name {
            "delay_ms" => self.delay_ms = number("delay_ms", MILLISECONDS, u64::from(u32::MAX))?,
            "jitter_ms" => self.jitter_ms = number("jitter_ms", MILLISECONDS, u64::from(u32::MAX))?,
            "burn_ms" => self.burn_ms = number("burn_ms", MILLISECONDS, u64::from(u32::MAX))?,
            "body_bytes" => self.body_bytes = number("body_bytes", "whole bytes, at most 64 MiB", MAX_BODY_BYTES)?,
            "fail_status" => {
                let status = value.parse().ok().filter(|status| (400..600).contains(status));
                self.fail_status = status.ok_or_else(|| BadSwitch::Value {
                    name: "fail_status",
                    value: value.to_owned(),
                    expected: "a status from 400 to 599",
                })?;
            }
            "fail_ratio" => {
                self.fail_ratio = parse_ratio(value).map_err(|_| BadSwitch::Value {
                    name: "fail_ratio",
                    value: value.to_owned(),
                    expected: RATIO,
                })?;
            }
            _ => return Err(BadSwitch::Unknown(name.to_owned())),
        }
        Ok(())
    }

    /// These switches with one request's own on top. Names that are no switch are the caller's business and pass; a status alone means
    /// that this very request is to fail.
    pub fn for_request<'a>(mut self, own: impl Iterator<Item = (String, &'a str)>) -> Result<Self, BadSwitch> {
        let (mut status_given, mut ratio_given) = (false, false);
        for (name, value) in own {
            match self.set(&name, value) {
                Err(BadSwitch::Unknown(_)) => continue,
                result => result?,
            }
            status_given |= name == "fail_status";
            ratio_given |= name == "fail_ratio";
        }
        if status_given && !ratio_given {
            self.fail_ratio = 1.0;
        }
        Ok(self)
    }

    /// Whether the request with this ordinal number (from 0) fails: by count, not by chance, so that a test can say how many.
    pub fn fails(&self, ordinal: u64) -> bool {
        let until = |n: u64| (n as f64 * self.fail_ratio).floor();
        until(ordinal + 1) > until(ordinal)
    }

    /// How long that request waits. The same numbers come in the same order on every start.
    pub fn wait_ms(&self, ordinal: u64) -> u64 {
        if self.jitter_ms == 0 {
            return self.delay_ms;
        }
        let offset = scramble(ordinal) % (2 * self.jitter_ms + 1);
        (self.delay_ms + offset).saturating_sub(self.jitter_ms)
    }

    /// As JSON, names as in the query.
    pub fn to_json(self) -> serde_json::Value {
        serde_json::json!({
            "delay_ms": self.delay_ms, "jitter_ms": self.jitter_ms, "fail_ratio": self.fail_ratio,
            "fail_status": self.fail_status, "burn_ms": self.burn_ms, "body_bytes": self.body_bytes,
        })
    }
}

/// The switches' `name=value` pairs in a query.
pub fn pairs(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Spreads consecutive numbers over the whole range (the finaliser of `SplitMix64`).
fn scramble(n: u64) -> u64 {
    let mut z = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const OFF: Switches =
        Switches { delay_ms: 0, jitter_ms: 0, fail_ratio: 0.0, fail_status: 500, burn_ms: 0, body_bytes: 0 };

    #[test]
    fn a_ratio_fails_exactly_its_share() {
        for (ratio, expected) in [(0.0, 0), (0.01, 10), (0.25, 250), (0.5, 500), (1.0, 1000)] {
            let switches = Switches { fail_ratio: ratio, ..OFF };
            assert_eq!((0..1000).filter(|n| switches.fails(*n)).count(), expected, "{ratio}");
        }
    }

    #[test]
    fn jitter_stays_within_its_bounds_and_uses_them() {
        let switches = Switches { delay_ms: 10, jitter_ms: 4, ..OFF };
        let waits: Vec<u64> = (0..1000).map(|n| switches.wait_ms(n)).collect();
        assert_eq!((waits.iter().min(), waits.iter().max()), (Some(&6), Some(&14)));
        assert_eq!(
            Switches { jitter_ms: 50, ..switches }.wait_ms(0),
            Switches { jitter_ms: 50, ..switches }.wait_ms(0)
        );
    }

    #[test]
    fn a_request_s_status_alone_makes_it_fail() {
        let own = |text| OFF.for_request(pairs(Some(text)).map(|(k, v)| (k.to_owned(), v)));
        assert!(own("fail_status=503").unwrap().fails(0));
        assert!(!own("fail_status=503&fail_ratio=0").unwrap().fails(0));
        assert_eq!(own("model=x&delay_ms=7").unwrap().delay_ms, 7);
    }

    #[test]
    fn wrong_values_are_named() {
        let mut switches = OFF;
        for (name, value) in [
            ("delay_ms", "-1"),
            ("fail_ratio", "1.5"),
            ("fail_ratio", "NaN"),
            ("fail_status", "200"),
            ("body_bytes", "99999999999"),
        ] {
            let text = switches.set(name, value).unwrap_err().to_string();
            assert!(text.contains(name) && text.contains(value), "{text}");
        }
        assert!(switches.set("dely_ms", "1").unwrap_err().to_string().contains("delay_ms"));
        assert_eq!(switches, OFF);
    }
}
