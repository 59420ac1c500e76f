//! Flags and environment.

use std::ffi::OsString;

use clap::{ArgAction, Parser};

use crate::behaviour::Behaviour;
use crate::listen::Listen;
use crate::switches::Switches;

/// An inference server for the lab: http-echo's flags and manners, the pod's name in every answer, and switches for slowness, failure
/// and CPU.
#[derive(Clone, Debug, Parser)]
#[command(name = "inference", disable_version_flag = true)]
pub struct Args {
    /// Address to listen on: :PORT or ADDRESS:PORT (port 0 takes a free one)
    #[arg(long, env = "INFERENCE_LISTEN", default_value = ":5678")]
    pub listen: Listen,
    /// Text to answer with; a newline is added
    #[arg(long, env = "ECHO_TEXT", default_value = "OK!", hide_env_values = true)]
    pub text: String,
    /// Status of an answer that is not told to fail
    #[arg(long, env = "INFERENCE_STATUS_CODE", default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..600))]
    pub status_code: u16,
    /// Which http-echo release to be on SIGTERM: 0.2.3 serves on until SIGKILL, 1.0.0 closes its listener at once
    #[arg(long, env = "INFERENCE_BEHAVIOUR", default_value = "1.0.0")]
    pub behaviour: Behaviour,
    /// Version to show in `x-version` [default: the behaviour's release]
    #[arg(long, env = "INFERENCE_VERSION")]
    pub app_version: Option<String>,
    /// Pod to name in `x-pod-name` [default: the host's name]
    #[arg(long, env = "POD_NAME")]
    pub pod_name: Option<String>,
    /// Write a line to stdout for each request
    #[arg(long, env = "INFERENCE_ACCESS_LOG", default_value_t = true, action = ArgAction::Set)]
    pub access_log: bool,
    /// Let the switches slow or fail the kubelet's probes as well; without it a slow pod stays ready
    #[arg(long, env = "INFERENCE_AFFECT_PROBES", default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub affect_probes: bool,
    /// What each answer does beside answering, until it is changed at run time
    #[command(flatten)]
    pub switches: Switches,
}

/// Go's flag package takes `-listen=:5000` as well as `--listen=:5000`, and the lab's manifests write the former. clap would read
/// `-l -i -s …`, so a single dash before a word becomes two.
pub fn with_double_dashes(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    args.into_iter()
        .enumerate()
        .map(|(index, arg)| match arg.to_str() {
            Some(text) if index > 0 && is_go_flag(text) => OsString::from(format!("-{text}")),
            _ => arg,
        })
        .collect()
}

fn is_go_flag(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|word| {
        let mut letters = word.chars();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic()) && letters.next().is_some_and(|c| c != '=')
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(args: &[&str]) -> Args {
        let all = std::iter::once("inference").chain(args.iter().copied()).map(OsString::from);
        Args::try_parse_from(with_double_dashes(all)).unwrap()
    }

    #[test]
    fn takes_the_manifest_s_flags() {
        let args = parse(&["-listen=:5000", r#"-text={"predictions": [2.5], "version": "1.0"}"#]);
        assert_eq!(args.listen, Listen::AnyAddress(5000));
        assert_eq!(args.text, r#"{"predictions": [2.5], "version": "1.0"}"#);
    }

    #[test]
    fn takes_double_dashes_and_separate_values() {
        let args = parse(&["--listen", "127.0.0.1:0", "-text", "hi", "--behaviour", "0.2.3", "--burn-ms=3"]);
        assert_eq!((args.text.as_str(), args.behaviour, args.switches.burn_ms), ("hi", Behaviour::V0_2_3, 3));
    }

    #[test]
    fn leaves_negative_numbers_and_short_flags_alone() {
        let args = ["inference", "-h", "-1", "-"].map(OsString::from);
        assert_eq!(with_double_dashes(args.clone()), args);
    }
}
