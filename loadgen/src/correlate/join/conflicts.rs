//! Disagreements between two joins of one thing.

/// How many there are, and the first few in words.
#[derive(Clone, Debug, Default)]
pub struct Conflicts {
    /// All of them.
    pub count: u64,
    /// The first few, for the reader.
    pub examples: Vec<String>,
}

impl Conflicts {
    const EXAMPLES: usize = 3;

    /// Counts one; the words are only made when they are kept.
    pub fn add(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.examples.len() < Self::EXAMPLES {
            self.examples.push(what());
        }
    }
}
