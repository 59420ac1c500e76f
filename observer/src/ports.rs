//! The set of watched ports, shared between the threads that filter by it.

use std::sync::atomic::{AtomicU64, Ordering};

/// One bit for each port. Reading it takes no lock.
#[derive(Debug)]
pub struct PortSet {
    bits: Vec<AtomicU64>,
    generation: AtomicU64,
}

impl Default for PortSet {
    fn default() -> Self {
        Self { bits: (0..1024).map(|_| AtomicU64::new(0)).collect(), generation: AtomicU64::new(0) }
    }
}

impl PortSet {
    /// The port is watched.
    pub fn contains(&self, port: u16) -> bool {
        let word = self.bits[usize::from(port) / 64].load(Ordering::Relaxed);
        word & (1 << (port % 64)) != 0
    }

    /// Watches exactly these ports. A set that has grown starts a new generation: who filtered by the old one has missed
    /// something.
    pub fn replace(&self, ports: impl IntoIterator<Item = u16>) {
        let mut words = vec![0_u64; self.bits.len()];
        for port in ports {
            words[usize::from(port) / 64] |= 1 << (port % 64);
        }
        let mut grown = false;
        for (bits, word) in self.bits.iter().zip(words) {
            grown |= word & !bits.swap(word, Ordering::Relaxed) != 0;
        }
        if grown {
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// Counts how often the set has grown.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_growth_is_a_new_generation() {
        let ports = PortSet::default();
        ports.replace([80, 30080, 65535, 0]);
        assert!([80, 30080, 65535, 0].into_iter().all(|port| ports.contains(port)));
        assert!(!ports.contains(81));
        assert_eq!(ports.generation(), 1);
        ports.replace([80]);
        assert_eq!((ports.generation(), ports.contains(30080)), (1, false));
        ports.replace([80, 81]);
        assert_eq!(ports.generation(), 2);
    }
}
