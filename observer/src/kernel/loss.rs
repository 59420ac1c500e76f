//! The kernel side's counters.

use std::collections::BTreeMap;

use aya::{
    Ebpf,
    maps::{MapData, PerCpuArray},
};
use observer_ebpf::wire::Counter;

use super::{fdinfo, programs};

/// The kernel skipped a program, since a packet's interrupt came while the same one ran on that CPU (for another socket).
const SKIPPED: &str = "program_skipped";

/// How often it did, of all programs together that have no twin to tell it. `None`: this kernel does not count it (before 5.12).
fn skipped(ebpf: &Ebpf, attached: impl Fn(&str) -> bool) -> Option<u64> {
    let of = |spec: &programs::Spec| {
        let skipped = fdinfo::number(&fdinfo::of(ebpf, spec.name)?, "recursion_misses")?;
        Some(if spec.twin.is_some_and(&attached) { 0 } else { skipped })
    };
    programs::TABLE.iter().filter_map(of).reduce(|sum, more| sum + more)
}

/// Counters by name, summed over the CPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Each of these means that something was not told.
    pub lost: BTreeMap<String, u64>,
    /// Worth knowing, no loss.
    pub seen: BTreeMap<String, u64>,
}

impl Counters {
    /// Sum of the losses.
    pub fn total_lost(&self) -> u64 {
        self.lost.values().sum()
    }

    /// Reads the per-CPU array, and what the kernel itself counts. What cannot be read is missing from the answer.
    pub(super) fn read(map: &PerCpuArray<MapData, u64>, ebpf: &Ebpf, attached: impl Fn(&str) -> bool) -> Self {
        let mut all = Self::default();
        for counter in Counter::ALL {
            let Ok(values) = map.get(&counter.index, 0) else { continue };
            let of = if counter.lost { &mut all.lost } else { &mut all.seen };
            of.insert(counter.name.into(), values.iter().sum());
        }
        if let Some(skipped) = skipped(ebpf, attached) {
            all.lost.insert(SKIPPED.into(), skipped);
        }
        all
    }
}
