//! The autoscaler's formula for CPU as a percentage of requests, before any limit.
//!
//! The algorithm is the controller's own (`pkg/controller/podautoscaler/replica_calculator.go` and
//! `metrics/utilization.go` of Kubernetes 1.36; in words: "Algorithm details" of its documentation on Horizontal Pod
//! Autoscaling): desired = ceil(pods × ratio), ratio = whole percent of use ÷ target percent, and no change while the
//! ratio is within the tolerance of 1.

/// What a pod counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// It has a sample that counts: so many millicores.
    Measured(i64),
    /// It is not ready, or its sample began before it was: its use counts as 0 on the way up and not at all on the way
    /// down.
    Unready,
    /// It runs but has no sample: 0 on the way up, its whole request on the way down.
    Missing,
    /// It runs and has a sample, which was gone when we asked for it.
    Unseen,
    /// It is on its way out, or has failed.
    Ignored,
}

/// A pod of the scaled Deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pod {
    /// What it counts for.
    pub standing: Standing,
    /// CPU that it requests.
    pub request_milli: i64,
}

/// Deviation of the ratio from 1 that is left alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Above 1.
    pub up: f64,
    /// Below 1.
    pub down: f64,
}

impl Default for Tolerance {
    /// `--horizontal-pod-autoscaler-tolerance`.
    fn default() -> Self {
        Self { up: 0.1, down: 0.1 }
    }
}

impl Tolerance {
    fn contains(self, ratio: f64) -> bool {
        (1.0 - self.down..=1.0 + self.up).contains(&ratio)
    }
}

/// The views that those that are [`Standing::Unseen`] can stand for, where the controller told an average: whatever they used
/// together must give it, rounded down.
pub fn with_unseen(pods: Vec<Pod>, average_milli: Option<i64>) -> Vec<Vec<Pod>> {
    let unseen = pods.iter().filter(|pod| pod.standing == Standing::Unseen).count();
    if unseen == 0 {
        return vec![pods];
    }
    let Some(average_milli) = average_milli else { return Vec::new() };
    let measured = pods.iter().filter_map(|pod| match pod.standing {
        Standing::Measured(milli) => Some(milli),
        _ => None,
    });
    let count = (measured.clone().count() + unseen) as i64;
    let least = average_milli * count - measured.sum::<i64>();
    let view = |together: i64| {
        // Only the sum counts.
        let mut rest = Some(together);
        let seen = |pod: &Pod| match pod.standing {
            Standing::Unseen => Pod { standing: Standing::Measured(rest.take().unwrap_or(0)), ..*pod },
            _ => *pod,
        };
        pods.iter().map(seen).collect()
    };
    (least..least + count).filter(|together| *together >= 0).map(view).collect()
}

/// What the formula asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recommendation {
    /// Replicas.
    pub replicas: i32,
    /// Use of the pods that count, in whole percent of their requests: what the autoscaler's status shows.
    pub percent: i64,
    /// Millicores of one of them, rounded down: what the status shows beside it.
    pub average_milli: i64,
    /// How it came about.
    pub reason: Reason,
}

/// How a recommendation came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The ratio is too near to 1.
    WithinTolerance,
    /// Pods × ratio, rounded up.
    Ratio,
    /// The same with pods that are not ready or have no sample filled in.
    Filled,
    /// Filling in turned the direction round, or made the change too small.
    FilledToNothing,
}

/// The formula has nothing to work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// No pod has a sample that counts.
    #[error("no pod has a sample that counts")]
    NoSample,
    /// Pods that count request no CPU.
    #[error("the pods request no CPU")]
    NoRequest,
}

/// Applies the formula to the pods of a Deployment that has `current` replicas.
pub fn recommend(
    current: i32,
    target_percent: i32,
    tolerance: Tolerance,
    pods: &[Pod],
) -> Result<Recommendation, NoAnswer> {
    let of = |wanted: fn(Standing) -> bool| pods.iter().filter(move |pod| wanted(pod.standing));
    let measured: Vec<(i64, i64)> = pods
        .iter()
        .filter_map(|pod| match pod.standing {
            Standing::Measured(milli) => Some((milli, pod.request_milli)),
            _ => None,
        })
        .collect();
    if measured.is_empty() {
        return Err(NoAnswer::NoSample);
    }
    let percent = percent_of(&measured).ok_or(NoAnswer::NoRequest)?;
    let average_milli = measured.iter().map(|(milli, _)| milli).sum::<i64>() / measured.len() as i64;
    let ratio = percent as f64 / f64::from(target_percent);
    let answer = |replicas, reason| Ok(Recommendation { replicas, percent, average_milli, reason });

    let unready = of(|standing| standing == Standing::Unready).count();
    let missing = of(|standing| standing == Standing::Missing).count();
    if (unready == 0 || ratio <= 1.0) && missing == 0 {
        return if tolerance.contains(ratio) {
            answer(current, Reason::WithinTolerance)
        } else {
            answer(times(ratio, measured.len()), Reason::Ratio)
        };
    }

    let mut filled = measured;
    if ratio < 1.0 {
        let percent = i64::from(target_percent.max(100));
        filled.extend(
            of(|standing| standing == Standing::Missing)
                .map(|pod| (pod.request_milli * percent / 100, pod.request_milli)),
        );
    } else if ratio > 1.0 {
        filled.extend(
            of(|standing| matches!(standing, Standing::Missing | Standing::Unready)).map(|pod| (0, pod.request_milli)),
        );
    }
    let new_ratio = percent_of(&filled).ok_or(NoAnswer::NoRequest)? as f64 / f64::from(target_percent);
    let turned = (ratio < 1.0 && new_ratio > 1.0) || (ratio > 1.0 && new_ratio < 1.0);
    if tolerance.contains(new_ratio) || turned {
        return answer(current, Reason::FilledToNothing);
    }
    let replicas = times(new_ratio, filled.len());
    if (new_ratio < 1.0 && replicas > current) || (new_ratio > 1.0 && replicas < current) {
        return answer(current, Reason::FilledToNothing);
    }
    answer(replicas, Reason::Filled)
}

/// Whole percent, rounded down.
fn percent_of(pods: &[(i64, i64)]) -> Option<i64> {
    let requests: i64 = pods.iter().map(|(_, request)| request).sum();
    (requests > 0).then(|| pods.iter().map(|(milli, _)| milli).sum::<i64>() * 100 / requests)
}

/// The product is rounded as the controller rounds it: in binary fractions, so that 1.1 × 10 is 12.
fn times(ratio: f64, pods: usize) -> i32 {
    (ratio * pods as f64).ceil() as i32
}
