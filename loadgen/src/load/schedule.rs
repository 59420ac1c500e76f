//! When each request is due: a pure function of the schedule, without a clock.
//!
//! Constant, ramp and steps are stretches of linearly changing rate, solved in closed form: ticket *k* is due when the
//! integral of the rate reaches *k*. Poisson arrivals are drawn once, from a seed.

use rand::SeedableRng;
use rand::distr::{Distribution, StandardUniform};
use rand_chacha::ChaCha8Rng;

use serde::{Deserialize, Serialize};

use crate::raw::Schedule;

/// Most arrivals of one run: 50 million due times are 400 MB.
const MOST_ARRIVALS: f64 = 50e6;

/// Rounding must not add or drop a last request.
const EPSILON: f64 = 1e-6;

/// A schedule that can be asked for any ticket.
#[derive(Clone, Debug)]
pub struct Plan {
    shape: Shape,
    length_s: f64,
    shard: Shard,
}

/// One of several senders that share a schedule: every `of`-th ticket from `index` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// From 0.
    pub index: u64,
    /// How many senders there are.
    pub of: u64,
}

impl Shard {
    /// The only sender.
    pub const WHOLE: Self = Self { index: 0, of: 1 };
}

#[derive(Clone, Debug)]
enum Shape {
    Linear { stretches: Vec<Stretch>, tickets: u64 },
    Drawn(Vec<u64>),
}

/// A stretch of linearly changing rate.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    start_s: f64,
    length_s: f64,
    from_per_s: f64,
    to_per_s: f64,
    /// Integral of the rate over the stretches before.
    before: f64,
}

/// A schedule that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// A rate that is not a number of requests.
    #[error("a rate must be a number from 0 to 1,000,000 requests per second, not {0}")]
    Rate(f64),
    /// A length that is not one.
    #[error("a duration must be a positive number of seconds, not {0}")]
    Duration(f64),
    /// Nothing would be sent.
    #[error("the schedule holds no request: raise the rate or the duration")]
    Empty,
    /// More than can be kept.
    #[error("the schedule holds {0:.0} requests; the most in one run is 50,000,000: lower the rate or the duration")]
    TooMany(f64),
}

impl Plan {
    /// Checks a schedule and prepares it.
    pub fn new(schedule: &Schedule) -> Result<Self, ScheduleError> {
        let shape = match schedule {
            Schedule::Constant { rate_per_s, duration_s } => linear(&[(*rate_per_s, *rate_per_s, *duration_s)])?,
            Schedule::Ramp { from_per_s, to_per_s, duration_s } => linear(&[(*from_per_s, *to_per_s, *duration_s)])?,
            Schedule::Steps { steps } => {
                let parts: Vec<_> = steps.iter().map(|&(rate, length)| (rate, rate, length)).collect();
                linear(&parts)?
            }
            Schedule::Poisson { rate_per_s, duration_s, seed } => poisson(*rate_per_s, *duration_s, *seed)?,
        };
        let plan = Self { shape, length_s: schedule.duration_s(), shard: Shard::WHOLE };
        if plan.tickets() == 0 { Err(ScheduleError::Empty) } else { Ok(plan) }
    }

    /// This sender's part of the schedule. All parts together are the schedule: each ticket keeps its number and its time.
    #[must_use]
    pub fn shard(self, shard: Shard) -> Self {
        Self { shard: Shard { index: shard.index, of: shard.of.max(1) }, ..self }
    }

    /// Number of this sender's `n`-th ticket. There may be no such ticket: see [`Plan::due_ns`].
    pub fn ticket(&self, n: u64) -> u64 {
        self.shard.index.saturating_add(n.saturating_mul(self.shard.of))
    }

    /// Nanoseconds from the start at which ticket `k` is due, whoever sends it. `None`: there is no such ticket.
    pub fn due_ns(&self, k: u64) -> Option<u64> {
        match &self.shape {
            Shape::Drawn(due) => due.get(usize::try_from(k).ok()?).copied(),
            Shape::Linear { stretches, tickets } => {
                if k >= *tickets {
                    return None;
                }
                let at = stretches.partition_point(|stretch| stretch.before <= k as f64 + EPSILON);
                let stretch = stretches.get(at.checked_sub(1)?)?;
                Some(stretch.due_ns(k as f64))
            }
        }
    }

    /// How many requests the whole schedule holds.
    pub fn tickets(&self) -> u64 {
        match &self.shape {
            Shape::Drawn(due) => due.len() as u64,
            Shape::Linear { tickets, .. } => *tickets,
        }
    }

    /// How long it is.
    pub fn length_s(&self) -> f64 {
        self.length_s
    }
}

impl Stretch {
    fn due_ns(&self, k: f64) -> u64 {
        let count = (k - self.before).max(0.0);
        let slope = (self.to_per_s - self.from_per_s) / self.length_s;
        // The root of `from·t + slope·t²/2 = count` in the form that does not cancel when the slope is small.
        let root = (self.from_per_s.powi(2) + 2.0 * slope * count).max(0.0).sqrt();
        let after_s = if count == 0.0 { 0.0 } else { 2.0 * count / (self.from_per_s + root) };
        ((self.start_s + after_s.min(self.length_s)) * 1e9).round() as u64
    }

    fn requests(&self) -> f64 {
        f64::midpoint(self.from_per_s, self.to_per_s) * self.length_s
    }
}

fn linear(parts: &[(f64, f64, f64)]) -> Result<Shape, ScheduleError> {
    let mut stretches = Vec::with_capacity(parts.len());
    let (mut start_s, mut before) = (0.0, 0.0);
    for &(from_per_s, to_per_s, length_s) in parts {
        check(from_per_s, length_s)?;
        check(to_per_s, length_s)?;
        let stretch = Stretch { start_s, length_s, from_per_s, to_per_s, before };
        start_s += length_s;
        before += stretch.requests();
        // A pause holds no ticket; the search for a ticket's stretch must not end in it.
        if stretch.requests() > 0.0 {
            stretches.push(stretch);
        }
    }
    if before > MOST_ARRIVALS {
        return Err(ScheduleError::TooMany(before));
    }
    Ok(Shape::Linear { stretches, tickets: (before - EPSILON).ceil().max(0.0) as u64 })
}

fn poisson(rate_per_s: f64, duration_s: f64, seed: u64) -> Result<Shape, ScheduleError> {
    check(rate_per_s, duration_s)?;
    if rate_per_s * duration_s > MOST_ARRIVALS {
        return Err(ScheduleError::TooMany(rate_per_s * duration_s));
    }
    let mut due = Vec::with_capacity((rate_per_s * duration_s * 1.1) as usize);
    if rate_per_s > 0.0 {
        // A named generator: the same seed must give the same arrivals in every version.
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut at_s = 0.0;
        loop {
            let uniform: f64 = StandardUniform.sample(&mut random);
            at_s -= (1.0 - uniform).ln() / rate_per_s;
            if at_s >= duration_s {
                break;
            }
            due.push((at_s * 1e9).round() as u64);
        }
    }
    Ok(Shape::Drawn(due))
}

fn check(rate_per_s: f64, length_s: f64) -> Result<(), ScheduleError> {
    if !(0.0..=1e6).contains(&rate_per_s) {
        return Err(ScheduleError::Rate(rate_per_s));
    }
    if !(length_s.is_finite() && length_s > 0.0) {
        return Err(ScheduleError::Duration(length_s));
    }
    Ok(())
}

impl Schedule {
    /// Its length.
    pub fn duration_s(&self) -> f64 {
        match self {
            Self::Constant { duration_s, .. } | Self::Poisson { duration_s, .. } | Self::Ramp { duration_s, .. } => {
                *duration_s
            }
            Self::Steps { steps } => steps.iter().map(|step| step.1).sum(),
        }
    }

    /// Its highest rate.
    pub fn peak_per_s(&self) -> f64 {
        match self {
            Self::Constant { rate_per_s, .. } | Self::Poisson { rate_per_s, .. } => *rate_per_s,
            Self::Ramp { from_per_s, to_per_s, .. } => from_per_s.max(*to_per_s),
            Self::Steps { steps } => steps.iter().map(|step| step.0).fold(0.0, f64::max),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn all(plan: &Plan) -> Vec<u64> {
        (0..plan.tickets()).map(|k| plan.due_ns(k).unwrap()).collect()
    }

    fn schedules() -> impl Strategy<Value = Schedule> {
        let rate = 0.5_f64..2000.0;
        let length = 0.1_f64..5.0;
        prop_oneof![
            (rate.clone(), length.clone())
                .prop_map(|(rate_per_s, duration_s)| Schedule::Constant { rate_per_s, duration_s }),
            (rate.clone(), length.clone(), any::<u64>()).prop_map(|(rate_per_s, duration_s, seed)| Schedule::Poisson {
                rate_per_s,
                duration_s,
                seed
            }),
            (0.0_f64..2000.0, rate.clone(), length.clone())
                .prop_map(|(from_per_s, to_per_s, duration_s)| Schedule::Ramp { from_per_s, to_per_s, duration_s }),
            prop::collection::vec((prop_oneof![Just(0.0), rate], length), 1..6)
                .prop_map(|steps| Schedule::Steps { steps }),
        ]
    }

    proptest! {
        #[test]
        fn due_times_never_go_back_and_stay_inside(schedule in schedules()) {
            let Ok(plan) = Plan::new(&schedule) else { return Ok(()) };
            let due = all(&plan);
            prop_assert!(due.windows(2).all(|pair| pair[0] <= pair[1]));
            let end_ns = (schedule.duration_s() * 1e9).ceil() as u64 + 1;
            prop_assert!(due.iter().all(|&at| at <= end_ns));
            prop_assert_eq!(plan.due_ns(plan.tickets()), None);
        }

        #[test]
        fn the_number_of_requests_is_the_integral_of_the_rate(from in 0.0_f64..500.0, to in 1.0_f64..500.0, length in 0.5_f64..20.0) {
            let plan = Plan::new(&Schedule::Ramp { from_per_s: from, to_per_s: to, duration_s: length }).unwrap();
            let wanted = f64::midpoint(from, to) * length;
            prop_assert!((plan.tickets() as f64 - wanted).abs() <= 1.0, "{} {}", plan.tickets(), wanted);
        }

        #[test]
        fn steps_hold_each_steps_own_requests(steps in prop::collection::vec((1_u32..300, 1_u32..5), 1..5)) {
            let schedule = Schedule::Steps { steps: steps.iter().map(|&(r, l)| (f64::from(r), f64::from(l))).collect() };
            let due = all(&Plan::new(&schedule).unwrap());
            let mut start_ns = 0;
            for (rate, length) in steps {
                let end_ns = start_ns + u64::from(length) * 1_000_000_000;
                let inside = due.iter().filter(|&&at| (start_ns..end_ns).contains(&at)).count();
                prop_assert_eq!(inside as u32, rate * length);
                start_ns = end_ns;
            }
        }

        #[test]
        fn the_shards_of_a_schedule_are_the_schedule(schedule in schedules(), of in 1_u64..8) {
            let Ok(plan) = Plan::new(&schedule) else { return Ok(()) };
            let whole: Vec<_> = (0..plan.tickets()).map(|k| (k, plan.due_ns(k).unwrap())).collect();
            let part = |index| {
                let part = plan.clone().shard(Shard { index, of });
                (0..).map(|n| part.ticket(n)).map_while(|k| Some((k, part.due_ns(k)?))).collect::<Vec<_>>()
            };
            let parts: Vec<_> = (0..of).map(part).collect();
            let longest = parts.iter().map(Vec::len).max().unwrap();
            prop_assert!(parts.iter().all(|part| part.len() + 1 >= longest), "one sender has more to do than another");
            let mut union: Vec<_> = parts.into_iter().flatten().collect();
            union.sort_unstable();
            prop_assert_eq!(union, whole);
        }

        #[test]
        fn a_seed_gives_the_same_arrivals_again(seed in any::<u64>()) {
            let schedule = Schedule::Poisson { rate_per_s: 100.0, duration_s: 2.0, seed };
            prop_assert_eq!(all(&Plan::new(&schedule).unwrap()), all(&Plan::new(&schedule).unwrap()));
        }
    }

    #[test]
    fn constant_is_even_to_the_nanosecond() {
        let plan = Plan::new(&Schedule::Constant { rate_per_s: 250.0, duration_s: 25.0 }).unwrap();
        assert_eq!(plan.tickets(), 6250);
        assert!((0..6250).all(|k| plan.due_ns(k) == Some(k * 4_000_000)));
    }

    #[test]
    fn a_pause_between_steps_sends_nothing() {
        let steps = vec![(10.0, 1.0), (0.0, 2.0), (10.0, 1.0)];
        let due = all(&Plan::new(&Schedule::Steps { steps }).unwrap());
        assert_eq!(due.len(), 20);
        assert_eq!(due[9], 900_000_000);
        assert_eq!(due[10], 3_000_000_000);
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_the_spread_of_an_exponential() {
        let plan = Plan::new(&Schedule::Poisson { rate_per_s: 1000.0, duration_s: 50.0, seed: 7 }).unwrap();
        let gaps: Vec<f64> = all(&plan).windows(2).map(|pair| (pair[1] - pair[0]) as f64 / 1e6).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let sd = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64).sqrt();
        assert!((mean - 1.0).abs() < 0.03 && (sd - 1.0).abs() < 0.05, "mean {mean} ms, sd {sd} ms");
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        let constant = |rate_per_s, duration_s| Plan::new(&Schedule::Constant { rate_per_s, duration_s }).unwrap_err();
        assert!(matches!(constant(-1.0, 1.0), ScheduleError::Rate(_)));
        assert!(matches!(constant(f64::NAN, 1.0), ScheduleError::Rate(_)));
        assert!(matches!(constant(1.0, 0.0), ScheduleError::Duration(_)));
        assert!(matches!(constant(1.0, f64::INFINITY), ScheduleError::Duration(_)));
        assert_eq!(constant(0.0, 1.0), ScheduleError::Empty);
        assert!(matches!(constant(1e6, 1e6), ScheduleError::TooMany(_)));
    }
}
