//! The set of watched ports: one bit a port.

use aya::maps::{Array, MapData, MapError};

const WORDS: usize = 65_536 / 64;

/// The set as the programs see it.
pub(super) struct Ports {
    map: Array<MapData, u64>,
    now: [u64; WORDS],
}

impl Ports {
    pub(super) fn new(map: Array<MapData, u64>) -> Self {
        Self { map, now: [0; WORDS] }
    }

    /// Replaces the set; only words that differ are written.
    pub(super) fn replace(&mut self, ports: &[u16]) -> Result<(), MapError> {
        for (index, (word, now)) in bits(ports).iter().zip(&mut self.now).enumerate() {
            if word != now {
                self.map.set(index as u32, word, 0)?;
                *now = *word;
            }
        }
        Ok(())
    }
}

fn bits(ports: &[u16]) -> [u64; WORDS] {
    let mut words = [0; WORDS];
    for port in ports.iter().filter(|port| **port != 0) {
        words[usize::from(port >> 6)] |= 1 << (port & 63);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::bits;

    #[test]
    fn one_bit_a_port() {
        let words = bits(&[0, 1, 80, 65_535]);
        assert_eq!(words[0], 0b10);
        assert_eq!(words[1], 1 << 16);
        assert_eq!(words[1023], 1 << 63);
        assert_eq!(words.iter().map(|word| word.count_ones()).sum::<u32>(), 3);
    }
}
