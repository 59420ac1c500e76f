//! From the tests to a pattern.
//!
//! All tests of a run together raise a false alarm in one of 1 / [`FALSE_ALARM`] runs at most: each of `m` tests gets the
//! `m`th part (Bonferroni), which holds whatever the tests have to do with each other.

use statrs::distribution::{ChiSquared, ContinuousCDF as _};

use super::choices::{Choices, Level};
use super::order::{OrderTest, order_test};
use super::shares::{ShareTest, share_test};
use crate::stats::normal_quantile;

/// Runs with independent, even choices that are called something else.
pub const FALSE_ALARM: f64 = 0.001;

/// From this effect on (half of the way from chance to "never", or to "always"), an order has a name.
const CLEAR: f64 = 0.5;

/// A pod that has this share of the connections has all of them, but for accidents.
const ALL: f64 = 0.99;

/// How pods are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Independently, each pod alike.
    Random,
    /// In turn.
    RoundRobin,
    /// The same chooser gets the same pod.
    Sticky,
    /// Independently, some pods more than others.
    Weighted,
    /// Too few choices, or neither of these.
    Undecided,
}

impl Pattern {
    /// As the report spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::RoundRobin => "round_robin",
            Self::Sticky => "sticky",
            Self::Weighted => "weighted",
            Self::Undecided => "undecided",
        }
    }
}

/// One test at one level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Test {
    /// See [`share_test`].
    Shares(ShareTest),
    /// See [`order_test`].
    Order(OrderTest),
}

/// The decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The pattern.
    pub pattern: Pattern,
    /// Why, in words.
    pub why: String,
    /// What it stands on.
    pub tests: Vec<(Level, Test)>,
    /// Each test's own limit.
    pub p_limit: f64,
}

/// Fewest choices for a decision: ten for each pod, and thirty.
pub fn least_choices(pods: usize) -> u64 {
    (10 * pods as u64).max(30)
}

/// The smallest deviation of one pod's share from an equal one (the others share what is left) that this many choices show
/// as uneven in nine of ten runs.
pub fn smallest_difference(pods: usize, choices: u64, p_limit: f64) -> Option<f64> {
    if pods < 2 || choices == 0 {
        return None;
    }
    let freedom = (pods - 1) as f64;
    // The share test gives half of its limit to either tail.
    let critical = ChiSquared::new(freedom).ok()?.inverse_cdf(1.0 - p_limit / 2.0);
    // The non-central chi-square as a normal distribution: mean ν + λ, variance 2 (ν + 2λ). Settles in a few rounds.
    let mut strength = critical;
    for _ in 0..50 {
        strength = (critical - freedom + normal_quantile(0.9) * (2.0 * freedom + 4.0 * strength).sqrt()).max(0.0);
    }
    let share = 1.0 / pods as f64;
    Some((strength * share * (1.0 - share) / choices as f64).sqrt())
}

/// Decides. `false_alarm`: see [`FALSE_ALARM`].
pub fn decide(choices: &Choices, false_alarm: f64) -> Decision {
    let mut tests = Vec::new();
    for (level, sequences) in choices.by_level() {
        tests.extend(share_test(choices.pods, &sequences).map(|test| (level, Test::Shares(test))));
        tests.extend(order_test(choices.pods, &sequences).map(|test| (level, Test::Order(test))));
    }
    let p_limit = false_alarm / tests.len().max(1) as f64;
    let (total, least) = (choices.len() as u64, least_choices(choices.pods));
    let (pattern, why) = if choices.pods < 2 {
        (Pattern::Undecided, "there are not two pods to choose from".to_owned())
    } else if total < least {
        (Pattern::Undecided, format!("{total} new connections are too few to tell: {least} are needed"))
    } else {
        judge(choices, &tests, p_limit)
    };
    Decision { pattern, why, tests, p_limit }
}

fn judge(choices: &Choices, tests: &[(Level, Test)], p_limit: f64) -> (Pattern, String) {
    let total = choices.len() as u64;
    let most = choices.counts().into_iter().max().unwrap_or(0);
    if most as f64 >= ALL * total as f64 {
        let why = format!("{most} of {total} connections went to one pod; weights of zero would look the same");
        return (Pattern::Sticky, why);
    }
    let orders = || {
        tests.iter().filter_map(|(level, test)| match test {
            Test::Order(order) if order.p < p_limit => Some((*level, *order)),
            _ => None,
        })
    };
    // A chooser shows its order only in its own sequence: the clearest level is the chooser's. Of equals the finest.
    let clearest = orders()
        .max_by(|(a_level, a), (b_level, b)| a.effect().abs().total_cmp(&b.effect().abs()).then(a_level.cmp(b_level)));
    if let Some((level, order)) = clearest {
        let seen = format!(
            "{}, {} of {} consecutive connections went to the same pod as the one before, where chance makes {:.0} ({})",
            level.in_words(),
            order.repeats,
            order.pairs,
            order.expected,
            small(order.p)
        );
        return match order.effect() {
            effect if effect <= -CLEAR => (Pattern::RoundRobin, format!("in turn: {seen}")),
            effect if effect >= CLEAR => (Pattern::Sticky, format!("the same again: {seen}")),
            effect if effect < 0.0 => {
                (Pattern::Undecided, format!("neither chance nor turns: fewer repeats than chance, {seen}"))
            }
            _ => (Pattern::Undecided, format!("choosers prefer pods of their own, without keeping to one: {seen}")),
        };
    }
    let shares = |even: bool| {
        let significant = tests.iter().filter_map(move |(level, test)| match test {
            Test::Shares(shares) if shares.p < p_limit && shares.even == even => Some((*level, *shares)),
            _ => None,
        });
        significant.min_by(|(_, a), (_, b)| a.p.total_cmp(&b.p))
    };
    if let Some((level, test)) = shares(false) {
        let (level, p) = (level.in_words(), small(test.p));
        return (
            Pattern::Weighted,
            format!("less even than chance makes them, {level} ({p}, effect w = {:.2})", test.effect),
        );
    }
    if let Some((level, test)) = shares(true) {
        let why = format!(
            "more even than chance makes them, {} ({}), though no chooser's own turns are seen",
            level.in_words(),
            small(test.p)
        );
        return (Pattern::RoundRobin, why);
    }
    let order = tests.iter().find_map(|(level, test)| match test {
        Test::Order(order) if *level == Level::Whole => Some(order),
        _ => None,
    });
    let repeats = order.map_or(String::new(), |order| {
        format!(
            ", and {:.1} % of consecutive connections went to the same pod (chance: {:.1} %, turns: 0 %)",
            order.repeat_ratio() * 100.0,
            order.expected_ratio() * 100.0
        )
    });
    (Pattern::Random, format!("as even as chance makes them{repeats}"))
}

/// A p value as people write it.
fn small(p: f64) -> String {
    if p < 0.000_1 { "p < 0.0001".to_owned() } else { format!("p = {p:.4}") }
}
