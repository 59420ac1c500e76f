//! What a pod's CPU time was in a part of a request's way: for how long its limit stopped it, others had the CPU, and it ran.

use super::cluster::{PodLife, Ran, UsedUp};
use crate::report::schema::SlowCause;

/// What three sources say: the agent's readings of each stop, and of waits and runs, and the kubelet's sums, which are seconds apart.
#[derive(Clone, Copy, Debug)]
pub struct Stopped {
    least_us: u64,
    most_us: u64,
    part_us: u64,
    used_up: Option<UsedUp>,
    waited_us: u64,
    ran: Option<Ran>,
    around: Option<Throttled>,
}

impl Stopped {
    /// Of a part of a request that lasted from `request.0` to `request.1`. Only where the records are whole is it known what a pod did
    /// not do.
    pub fn of(life: &PodLife<'_>, part: (u64, u64), request: (u64, u64), records_whole: bool) -> Self {
        let (from_ns, to_ns) = part;
        let part_us = to_ns.saturating_sub(from_ns) / 1_000;
        let around = Throttled::around(life, request);
        let coarse_us = around.and_then(|around| around.within_us(part_us)).unwrap_or(0);
        let stops = life.stops.iter().map(|stops| stops.within_us(from_ns, to_ns));
        let (least_us, most_us) = stops.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let bounded = |us: u64| us.min(part_us).max(coarse_us);
        let used_up = UsedUp::throughout(&life.stops, from_ns, to_ns);
        let waits = life.pressures.iter().map(|pressure| pressure.waited_within_us(from_ns, to_ns));
        let waited_us = waits.sum::<u64>().min(part_us);
        let ran = Ran::within(&life.pressures, from_ns, to_ns).filter(|_| records_whole);
        Self { least_us: bounded(least_us), most_us: bounded(most_us), part_us, used_up, waited_us, ran, around }
    }

    /// Why the pod of this name did nothing: its limit, or others that had the CPU. `None`: neither is proven.
    pub fn reason(self, name: &str) -> Option<(SlowCause, String)> {
        if self.explains() {
            let long = self.in_words();
            return Some((SlowCause::CpuThrottled, format!("{name}'s CPU limit stopped it for {long}")));
        }
        let waited_ms = self.waited_us as f64 / 1e3;
        let others = "the processors of its node were busy with others";
        let ran = self.ran_in_words().map_or(String::new(), |ran| format!(", and {ran}"));
        let text = format!("{name} had work and got no CPU for {waited_ms:.0} ms of that time{ran}: {others}");
        self.waited_most().then_some((SlowCause::CpuPressure, text))
    }

    /// The limit is the reason: it stopped the pod for at least half of the time. Or, where the pod ran for what its limit allows
    /// throughout, for no less than that, and for at least half of what is left, in which it could only wait. Or, where it had work and no
    /// CPU for half of the time, for at least half of that; and there it is enough that the pod ran for what its limit allows throughout:
    /// whoever else had the CPU took none that it could have used.
    fn explains(self) -> bool {
        let stopped_us = self.middle_us();
        let ran_us = self.used_up.map_or(0, |used_up| used_up.ran_us(self.part_us));
        let by_stops = stopped_us >= ran_us && stopped_us * 2 >= self.part_us.saturating_sub(ran_us);
        let of_waits = self.used_up.is_some() || stopped_us * 2 >= self.waited_us;
        self.part_us > 0 && (by_stops || (self.waited_most() && of_waits))
    }

    /// For half of the time. Or for half of what is left beside its own work, the time in which it ran, and for no less than that. The kernel
    /// tells less than was waited where threads move from one CPU to another, and at most all that is left: the middle counts.
    fn waited_most(self) -> bool {
        let ran_us = self.ran.map_or(0, |ran| ran.least_us.min(self.part_us));
        let left_us = self.part_us - ran_us;
        let middle_us = u64::midpoint(self.waited_us.min(left_us), left_us);
        let beside_own_work = self.waited_us * 2 >= left_us && middle_us >= ran_us;
        self.waited_us > 0 && (self.waited_us * 2 >= self.part_us || beside_own_work)
    }

    fn middle_us(self) -> u64 {
        u64::midpoint(self.least_us, self.most_us)
    }

    /// "ran for 90 to 95 ms". `None`: not measured.
    pub fn ran_in_words(self) -> Option<String> {
        self.ran.map(|ran| format!("ran for {}", range_ms(ran.least_us, ran.most_us)))
    }

    /// "90 ms of that time", or both bounds.
    fn in_words(self) -> String {
        let used_up = self.used_up.map_or(String::new(), |UsedUp { quota_us, period_us }| {
            let (quota, period) = (quota_us as f64 / 1e3, period_us as f64 / 1e3);
            format!("; the {quota:.0} ms that it allows of every {period:.0} were used up throughout")
        });
        format!("{} of that time{used_up}", range_ms(self.least_us, self.most_us))
    }

    /// What happened near by and may be the reason. Empty: nothing.
    pub fn around_in_words(self) -> String {
        self.around.filter(|around| around.us > 0).map_or(String::new(), |Throttled { us, window_us }| {
            let s = window_us as f64 / 1e6;
            format!("; its CPU limit stopped it for {us} µs of the {s:.1} s around, which may be the reason")
        })
    }
}

/// "90 ms", or "90 to 95 ms".
fn range_ms(least_us: u64, most_us: u64) -> String {
    let ms = |us: u64| format!("{:.0}", us as f64 / 1e3);
    let (least, most) = (ms(least_us), ms(most_us));
    if least == most { format!("{least} ms") } else { format!("{least} to {most} ms") }
}

/// How long a pod was throttled between the kubelet's two readings around a request.
#[derive(Clone, Copy, Debug)]
struct Throttled {
    us: u64,
    window_us: u64,
}

impl Throttled {
    fn around(life: &PodLife<'_>, (from_ns, to_ns): (u64, u64)) -> Option<Self> {
        let (before_ns, before_us) = life.throttled_us.iter().rev().find(|(ns, _)| *ns <= from_ns)?;
        let (after_ns, after_us) = life.throttled_us.iter().find(|(ns, _)| *ns >= to_ns)?;
        Some(Self { us: after_us.checked_sub(*before_us)?, window_us: (after_ns - before_ns) / 1_000 })
    }

    /// What of it must have fallen into a part of the window: whatever the rest of the window cannot hold.
    /// `None`: nothing is proven.
    fn within_us(self, part_us: u64) -> Option<u64> {
        let rest_us = self.window_us.saturating_sub(part_us);
        self.us.checked_sub(rest_us).filter(|us| *us > 0).map(|us| us.min(part_us))
    }
}

#[cfg(test)]
mod tests {
    use super::{Ran, Stopped, Throttled, UsedUp};

    /// As measured beside four busy processes: 80 ms of work, 20 ms allowed of every 100.
    #[test]
    fn a_limit_that_was_used_up_is_the_reason_also_where_others_were_busy() {
        let used_up = Some(UsedUp { quota_us: 20_000, period_us: 100_000 });
        let (least_us, most_us, part_us, waited_us) = (61_000, 125_000, 346_000, 255_000);
        let stopped = Stopped { least_us, most_us, part_us, used_up, waited_us, ran: None, around: None };
        assert!(stopped.explains());
        assert!(!Stopped { used_up: None, ..stopped }.explains(), "then others had the CPU");
        assert!(!Stopped { waited_us: 100_000, ..stopped }.explains(), "it did not wait for most of the time");
    }

    /// As measured beside four busy processes and eight for each processor: 130 ms of work took 348 ms.
    #[test]
    fn what_a_pod_ran_is_its_own_work_and_half_of_the_rest_is_enough() {
        let (part_us, waited_us, around) = (347_564, 171_500, None);
        let unknown = Stopped { least_us: 0, most_us: 0, part_us, used_up: None, waited_us, ran: None, around };
        assert!(!unknown.waited_most());
        let ran = |us| Some(Ran { least_us: us, most_us: us });
        assert!(Stopped { ran: ran(130_000), ..unknown }.waited_most());
        assert!(!Stopped { ran: ran(175_000), ..unknown }.waited_most(), "it ran for longer than it can have waited");
        let shorter = Stopped { part_us: 278_000, waited_us: 113_000, ran: ran(125_000), ..unknown };
        assert!(shorter.waited_most(), "it waited for 113 to 153 ms");
        assert!(!Stopped { waited_us: 80_000, ran: ran(130_000), ..shorter }.waited_most(), "for 80 to 148");
        let for_half = Stopped { waited_us: part_us / 2 + 1, ran: ran(400_000), ..unknown };
        assert!(for_half.waited_most(), "whatever it ran on several CPUs");
        assert!(!Stopped { ran: ran(0), ..unknown }.waited_most());
        assert!(!Stopped { waited_us: 0, ran: ran(900_000), ..unknown }.waited_most(), "three CPUs");
    }

    #[test]
    fn throttling_is_only_claimed_where_the_rest_of_the_window_cannot_hold_it() {
        let throttled = Throttled { us: 900, window_us: 1_000 };
        assert_eq!(throttled.within_us(300), Some(200));
        assert_eq!(throttled.within_us(1_000), Some(900));
        assert_eq!(throttled.within_us(100), None);
        assert_eq!(Throttled { us: 0, window_us: 10 }.within_us(10), None);
    }
}
