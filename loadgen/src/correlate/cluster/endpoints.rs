//! A Service's endpoints over time.

/// How many endpoints a Service had from a moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointState {
    /// From then on.
    pub at_ns: u64,
    /// Endpoints that get new traffic.
    pub ready: u32,
    /// Endpoints on their way out that still answer: used when none is ready.
    pub draining: u32,
}

impl EndpointState {
    /// Nobody to send a connection to.
    pub fn is_empty(self) -> bool {
        self.ready == 0 && self.draining == 0
    }
}

/// A Service's endpoints over time.
#[derive(Clone, Debug, Default)]
pub struct EndpointHistory {
    states: Vec<EndpointState>,
}

impl EndpointHistory {
    pub(super) fn push(&mut self, state: EndpointState) {
        self.states.push(state);
    }

    /// A state without any endpoint that was in force at some time from `from_ns` to `until_ns`.
    pub fn empty_within(&self, from_ns: u64, until_ns: u64) -> Option<EndpointState> {
        self.in_force(from_ns, until_ns).find(|state| state.is_empty())
    }

    /// Fewest ready endpoints at any time from `from_ns` to `until_ns`.
    pub fn fewest_ready(&self, from_ns: u64, until_ns: u64) -> Option<u32> {
        self.in_force(from_ns, until_ns).map(|state| state.ready).min()
    }

    /// State in force at `at_ns`.
    pub fn at(&self, at_ns: u64) -> Option<EndpointState> {
        self.states.iter().rev().find(|state| state.at_ns <= at_ns).copied()
    }

    fn in_force(&self, from_ns: u64, until_ns: u64) -> impl Iterator<Item = EndpointState> {
        self.states.iter().enumerate().filter_map(move |(position, state)| {
            let ends_ns = self.states.get(position + 1).map_or(u64::MAX, |next| next.at_ns);
            (state.at_ns <= until_ns && ends_ns > from_ns).then_some(*state)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_in_force_until_the_next_one() {
        let mut history = EndpointHistory::default();
        for (at_ns, ready, draining) in [(0, 3, 0), (100, 0, 0), (200, 0, 1), (300, 2, 0)] {
            history.push(EndpointState { at_ns, ready, draining });
        }
        assert!(history.empty_within(50, 99).is_none());
        assert_eq!(history.empty_within(150, 160).map(|state| state.at_ns), Some(100));
        assert!(history.empty_within(200, 400).is_none(), "a draining endpoint still gets traffic");
        assert_eq!(history.fewest_ready(0, 50), Some(3));
        assert_eq!(history.fewest_ready(250, 400), Some(0));
    }
}
