//! Choices of a pod, and who made them.

use rustc_hash::FxHashMap;

use crate::raw::compact::Numbers;

/// Who may be the one that chooses. A balancer with a state of its own (a turn, a count) shows its pattern only in its own
/// choices: those of several, mixed, look like chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// All choices are one chooser's.
    Whole,
    /// Each node chooses by itself, as kube-proxy's rules do.
    Node,
    /// Each gateway pod, as a proxy with a list of pods does.
    GatewayPod,
    /// Each thread of a gateway pod, as nginx' workers do without a shared zone.
    GatewayThread,
    /// Each client's address leads to its own pod, as with session affinity.
    Client,
}

impl Level {
    /// From the coarsest to the finest.
    pub const ALL: [Self; 5] = [Self::Whole, Self::Node, Self::GatewayPod, Self::GatewayThread, Self::Client];

    /// As the report spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Node => "node",
            Self::GatewayPod => "gateway_pod",
            Self::GatewayThread => "gateway_thread",
            Self::Client => "client",
        }
    }

    /// Continues "seen …".
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Whole => "over all connections",
            Self::Node => "node by node",
            Self::GatewayPod => "gateway pod by gateway pod",
            Self::GatewayThread => "gateway thread by gateway thread",
            Self::Client => "client address by client address",
        }
    }
}

/// Number of the chooser at each level.
pub type Choosers = [u32; Level::ALL.len()];

/// One choice: a new connection of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Choice {
    /// Position of the pod among those compared.
    pod: u32,
    /// Place of its choosers.
    by: u32,
}

/// Choices in order of time.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// Pods that could be chosen.
    pub pods: usize,
    list: Vec<Choice>,
    /// Each combination once, in order of its first choice: there may be millions of choices, and few choosers.
    choosers: Numbers<Choosers>,
}

impl Choices {
    /// Of so many pods, with room for so many choices.
    pub fn new(pods: usize, room: usize) -> Self {
        Self { pods, list: Vec::with_capacity(room), ..Self::default() }
    }

    /// The next choice in order of time: a position among the pods, and who made it.
    pub fn push(&mut self, pod: u32, choosers: Choosers) {
        let by = self.choosers.of_value(choosers);
        self.list.push(Choice { pod, by });
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// How often each pod was chosen.
    pub fn counts(&self) -> Vec<u64> {
        count(self.pods, self.list.iter().map(|choice| choice.pod as usize))
    }

    /// The choosers' own sequences of pods, at each level that parts the choices in another way than a coarser one. One level after
    /// the other: there may be millions of choices.
    pub fn by_level(&self) -> impl Iterator<Item = (Level, Vec<Vec<usize>>)> {
        let mut known: Vec<Vec<u32>> = Vec::new();
        Level::ALL.into_iter().filter_map(move |level| {
            // Numbers by first appearance: equal lists are equal partitions.
            let mut numbers = FxHashMap::default();
            let mut partition = Vec::with_capacity(self.choosers.len());
            for choosers in self.choosers.list() {
                let next = numbers.len() as u32;
                partition.push(*numbers.entry(choosers[level as usize]).or_insert(next));
            }
            if known.contains(&partition) {
                return None;
            }
            let chooser = |choice: &Choice| partition[choice.by as usize] as usize;
            let lengths = count(numbers.len(), self.list.iter().map(chooser));
            let mut sequences: Vec<Vec<usize>> = lengths.iter().map(|n| Vec::with_capacity(*n as usize)).collect();
            for choice in &self.list {
                sequences[chooser(choice)].push(choice.pod as usize);
            }
            known.push(partition);
            Some((level, sequences))
        })
    }
}

/// How often each of `pods` pods comes.
pub fn count(pods: usize, chosen: impl Iterator<Item = usize>) -> Vec<u64> {
    let mut counts = vec![0; pods];
    for pod in chosen {
        counts[pod] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_that_part_alike_are_one() {
        let mut choices = Choices::new(2, 3);
        for (pod, gateway) in [(0, 4), (1, 5), (1, 4)] {
            choices.push(pod, [0, 7, gateway, gateway + 10, 3]);
        }
        let levels: Vec<_> = choices.by_level().collect();
        assert_eq!(levels.len(), 2);
        assert_eq!(levels[0], (Level::Whole, vec![vec![0, 1, 1]]));
        assert_eq!(levels[1], (Level::GatewayPod, vec![vec![0, 1], vec![1]]));
        assert_eq!(choices.counts(), [1, 2]);
    }
}
