//! Socket cookies, which are unique on a node, as numbers that are unique in the run.

use rustc_hash::FxHashMap;

/// The kernel hands cookies out in rows, so that those of one run lie close together: a number is a place on a page of this many.
/// Of two measured runs a page held eleven sockets.
const PAGE: u64 = 16;

/// All cookies.
#[derive(Clone, Debug, Default)]
pub struct Cookies {
    /// Number of each page. Empty beside some pages: not needed any more, and made again where it is.
    numbers: FxHashMap<(u16, u64), u32>,
    /// Node of each page.
    nodes: Vec<u16>,
    /// First cookie of each page.
    firsts: Vec<u64>,
}

impl Cookies {
    /// Number of a socket of that node.
    pub fn number(&mut self, node: u16, cookie: u64) -> u32 {
        self.page(node, cookie / PAGE) * PAGE as u32 + (cookie % PAGE) as u32
    }

    fn page(&mut self, node: u16, page: u64) -> u32 {
        if self.numbers.is_empty() {
            self.numbers = self.pages().zip(0..).collect();
        }
        let next = self.firsts.len() as u32;
        let number = *self.numbers.entry((node, page)).or_insert(next);
        if number == next {
            self.nodes.push(node);
            self.firsts.push(page * PAGE);
        }
        number
    }

    fn pages(&self) -> impl Iterator<Item = (u16, u64)> {
        self.nodes.iter().zip(&self.firsts).map(|(node, first)| (*node, first / PAGE))
    }

    /// Keeps the pages of another list; tells the number of each, in their order.
    pub fn append(&mut self, other: &Self) -> Vec<u32> {
        other.pages().map(|(node, page)| self.page(node, page)).collect()
    }

    /// Gives back memory that is not used, after the last cookie.
    pub fn shrink(&mut self) {
        self.numbers = FxHashMap::default();
        self.nodes.shrink_to_fit();
        self.firsts.shrink_to_fit();
    }

    /// Number of a socket whose list was kept by [`Self::append`].
    pub fn moved(pages: &[u32], number: u32) -> u32 {
        pages[number as usize / PAGE as usize] * PAGE as u32 + number % PAGE as u32
    }

    /// Its cookie.
    pub fn cookie(&self, number: u32) -> u64 {
        self.firsts[number as usize / PAGE as usize] + u64::from(number) % PAGE
    }

    /// All numbers are below.
    pub fn len(&self) -> usize {
        self.firsts.len() * PAGE as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_one_number_and_its_cookie_comes_back() {
        let mut cookies = Cookies::default();
        let sockets = [(0, 0), (0, 15), (0, 16), (1, 15), (0, u64::MAX), (1, 2_365_128)];
        let numbers: Vec<u32> = sockets.iter().map(|(node, cookie)| cookies.number(*node, *cookie)).collect();
        for ((node, cookie), number) in sockets.iter().zip(&numbers) {
            assert_eq!(cookies.number(*node, *cookie), *number);
            assert_eq!(cookies.cookie(*number), *cookie);
            assert!((*number as usize) < cookies.len());
        }
        cookies.shrink();
        let again: Vec<u32> = sockets.iter().map(|(node, cookie)| cookies.number(*node, *cookie)).collect();
        assert_eq!(again, numbers);
        let different: std::collections::HashSet<&u32> = numbers.iter().collect();
        assert_eq!(different.len(), sockets.len());
    }
}
