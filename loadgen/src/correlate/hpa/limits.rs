//! From what the formula asks for to what is done: stabilization, rate limits, minimum and maximum.
//!
//! Two ways, as in the controller (`horizontal.go` of Kubernetes 1.36): an autoscaler without `behavior` has the
//! controller's own window of five minutes and a fixed limit upwards; with `behavior`, its rules.

use crate::raw::scaling::{ScalingBehavior, ScalingPolicy, ScalingRules};

const SECOND_NS: u64 = 1_000_000_000;

/// `--horizontal-pod-autoscaler-downscale-stabilization`.
pub const DEFAULT_DOWN_WINDOW_S: u32 = 300;

/// What the formula asked for, and how long it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Past {
    /// First sync that asked for it.
    pub first_ns: u64,
    /// Last sync that did, at the latest.
    pub last_ns: u64,
    /// Replicas.
    pub replicas: i32,
}

/// What the autoscaler remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Recommendations, in order of time.
    pub asked: Vec<Past>,
    /// Its own changes: when, and by how many replicas.
    pub changed: Vec<(u64, i32)>,
}

/// One moment of decision.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Now.
    pub at_ns: u64,
    /// Replicas there are.
    pub current: i32,
    /// What the formula asks for.
    pub asked: i32,
    /// Never fewer.
    pub min: i32,
    /// Never more.
    pub max: i32,
    /// Its rules. `None`: the controller's own.
    pub behavior: Option<&'a ScalingBehavior>,
}

/// What is done, and what held it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Replicas.
    pub replicas: i32,
    /// The first thing that changed what was asked for.
    pub held_by: Option<HeldBy>,
}

/// What holds a recommendation back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBy {
    /// More was asked for within the stabilization window of the way down.
    DownWindow,
    /// Less was asked for within the stabilization window of the way up.
    UpWindow,
    /// The policies of the way up.
    UpRate,
    /// The policies of the way down.
    DownRate,
    /// The smallest number.
    Min,
    /// The largest number.
    Max,
}

/// Decides. `shift_ns` moves the beginning of every window: positive makes windows longer.
pub fn decide(moment: Moment<'_>, history: &History, shift_ns: i64) -> Decision {
    // Outside of the limits nothing else counts.
    if moment.current > moment.max {
        return Decision { replicas: moment.max, held_by: Some(HeldBy::Max) };
    }
    if moment.current < moment.min {
        return Decision { replicas: moment.min, held_by: Some(HeldBy::Min) };
    }
    let since = |window_s: u32| {
        moment.at_ns.saturating_sub(u64::from(window_s) * SECOND_NS).saturating_add_signed(shift_ns.saturating_neg())
    };
    match moment.behavior {
        None => by_default(moment, history, &since),
        Some(behavior) => by_rules(moment, history, behavior, &since),
    }
}

fn by_default(moment: Moment<'_>, history: &History, since: &dyn Fn(u32) -> u64) -> Decision {
    let cutoff = since(DEFAULT_DOWN_WINDOW_S);
    let highest = asked_since(history, cutoff).fold(moment.asked, i32::max);
    let window = (highest != moment.asked).then_some(HeldBy::DownWindow);
    // "Increased at most twofold, or to four."
    let up_limit = (moment.current * 2).max(4);
    let (most, most_by) = if moment.max > up_limit { (up_limit, HeldBy::UpRate) } else { (moment.max, HeldBy::Max) };
    if highest < moment.min {
        return Decision { replicas: moment.min, held_by: window.or(Some(HeldBy::Min)) };
    }
    if highest > most {
        return Decision { replicas: most, held_by: window.or(Some(most_by)) };
    }
    Decision { replicas: highest, held_by: window }
}

fn by_rules(moment: Moment<'_>, history: &History, behavior: &ScalingBehavior, since: &dyn Fn(u32) -> u64) -> Decision {
    let up_cutoff = since(behavior.up.window_s.unwrap_or(0));
    let down_cutoff = since(behavior.down.window_s.unwrap_or(DEFAULT_DOWN_WINDOW_S));
    let lowest = if behavior.up.window_s.unwrap_or(0) == 0 {
        moment.asked
    } else {
        asked_since(history, up_cutoff).fold(moment.asked, i32::min)
    };
    let highest = asked_since(history, down_cutoff).fold(moment.asked, i32::max);
    let stable = moment.current.max(lowest).min(highest);
    let window = (stable != moment.asked).then_some(if moment.asked >= moment.current {
        HeldBy::UpWindow
    } else {
        HeldBy::DownWindow
    });

    let change = |policy: &ScalingPolicy| {
        let cutoff = since(policy.period_s);
        history.changed.iter().filter(|(at_ns, _)| *at_ns > cutoff).map(|(_, change)| change).sum::<i32>()
    };
    if stable > moment.current {
        let limit = rate_limit(&behavior.up, moment.current, change, true).max(moment.current);
        let (most, by) = if moment.max > limit { (limit, HeldBy::UpRate) } else { (moment.max, HeldBy::Max) };
        if stable > most {
            return Decision { replicas: most, held_by: window.or(Some(by)) };
        }
    } else if stable < moment.current {
        let limit = rate_limit(&behavior.down, moment.current, change, false).min(moment.current);
        let (least, by) = if moment.min < limit { (limit, HeldBy::DownRate) } else { (moment.min, HeldBy::Min) };
        if stable < least {
            return Decision { replicas: least, held_by: window.or(Some(by)) };
        }
    }
    Decision { replicas: stable, held_by: window }
}

/// What was asked for at some sync after `cutoff_ns`.
fn asked_since(history: &History, cutoff_ns: u64) -> impl Iterator<Item = i32> {
    history.asked.iter().filter(move |past| past.last_ns > cutoff_ns).map(|past| past.replicas)
}

/// As far as the policies let it go. `change` is what the period has changed already.
fn rate_limit(rules: &ScalingRules, current: i32, change: impl Fn(&ScalingPolicy) -> i32, up: bool) -> i32 {
    let proposals = rules.policies.iter().map(|policy| {
        let at_start = current - change(policy);
        match (policy.kind.as_str(), up) {
            ("Pods", true) => at_start + policy.value,
            ("Pods", false) => at_start - policy.value,
            // Rounded up, so that one pod can become two; on the way down cut off.
            (_, true) => (f64::from(at_start) * (1.0 + f64::from(policy.value) / 100.0)).ceil() as i32,
            (_, false) => (f64::from(at_start) * (1.0 - f64::from(policy.value) / 100.0)) as i32,
        }
    });
    // The largest change is the highest number on the way up and the lowest on the way down.
    let limit = match (rules.select.as_str(), up) {
        ("Disabled", _) => None,
        ("Min", true) | ("Max", false) => proposals.min(),
        _ => proposals.max(),
    };
    limit.unwrap_or(current)
}
