//! Socket cookies, which are unique on a node, as numbers that are unique in the run.

use rustc_hash::FxHashMap;

/// The kernel hands cookies out in rows, so that those of one run lie close together: a number is a place on a page of this many.
/// Of two measured runs a page held eleven sockets.
const PAGE: u64 = 16;

/// All cookies.
#[derive(Clone, Debug, Default)]
pub struct Cookies {
    pages: FxHashMap<(u16, u64), u32>,
    /// First cookie of each page.
    firsts: Vec<u64>,
}

impl Cookies {
    /// Number of a socket of that node.
    pub fn number(&mut self, node: u16, cookie: u64) -> u32 {
        self.page(node, cookie / PAGE) * PAGE as u32 + (cookie % PAGE) as u32
    }

    fn page(&mut self, node: u16, page: u64) -> u32 {
        let next = self.firsts.len() as u32;
        let number = *self.pages.entry((node, page)).or_insert(next);
        if number == next {
            self.firsts.push(page * PAGE);
        }
        number
    }

    /// Keeps the pages of another list; tells the number of each, in their order.
    pub fn append(&mut self, other: &Self) -> Vec<u32> {
        let mut pages = vec![(0, 0); other.firsts.len()];
        for (page, number) in &other.pages {
            pages[*number as usize] = *page;
        }
        pages.into_iter().map(|(node, page)| self.page(node, page)).collect()
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
        let different: std::collections::HashSet<&u32> = numbers.iter().collect();
        assert_eq!(different.len(), sockets.len());
    }
}
