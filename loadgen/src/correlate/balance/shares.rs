//! The share test: are the shares as even as chance makes them? Less even, and more even, are both evidence.

use statrs::distribution::{ChiSquared, ContinuousCDF as _};

use super::choices::count;

/// Below this expected count the chi-square distribution is no good approximation (Cochran 1954).
const LEAST_EXPECTED: f64 = 5.0;

/// Result of the share test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShareTest {
    /// Choosers with enough choices.
    pub choosers: usize,
    /// Their choices.
    pub choices: u64,
    /// Pearson's chi-square, summed over choosers.
    pub statistic: f64,
    /// Both tails.
    pub p: f64,
    /// The shares are more even than the middle of what chance makes.
    pub even: bool,
    /// Cohen's w: 0 for equal shares, 0.1 small, 0.3 medium, 0.5 large.
    pub effect: f64,
}

/// Tests equal shares within each chooser's sequence. `None`: no chooser has enough choices.
pub fn share_test(pods: usize, sequences: &[Vec<usize>]) -> Option<ShareTest> {
    if pods < 2 {
        return None;
    }
    let (mut choosers, mut choices, mut statistic, mut reach) = (0, 0, 0.0, 0.0);
    for sequence in sequences {
        let expected = sequence.len() as f64 / pods as f64;
        if expected < LEAST_EXPECTED {
            continue;
        }
        choosers += 1;
        choices += sequence.len() as u64;
        for seen in count(pods, sequence.iter().copied()) {
            let off = (seen as f64 - expected).abs();
            statistic += off.powi(2) / expected;
            // Counts are whole numbers: "this even or more" reaches half a connection further than the counts themselves.
            reach += (off + 0.5).powi(2) / expected;
        }
    }
    let chi_square = ChiSquared::new((choosers * (pods - 1)) as f64).ok()?;
    let (this_even, this_uneven) = (chi_square.cdf(reach), chi_square.sf(statistic));
    Some(ShareTest {
        choosers,
        choices,
        statistic,
        p: (2.0 * this_even.min(this_uneven)).clamp(0.0, 1.0),
        even: this_even < this_uneven,
        effect: (statistic / choices as f64).sqrt(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn too_even_and_too_uneven_are_told_apart() {
        let turns: Vec<usize> = (0..999).map(|n| n % 3).collect();
        let even = share_test(3, &[turns]).unwrap();
        assert!(even.even && even.p < 0.005, "{even:?}");
        let uneven: Vec<usize> = (0..1_000).map(|n| usize::from(n % 10 == 0)).collect();
        let uneven = share_test(2, &[uneven]).unwrap();
        assert!(!uneven.even && uneven.p < 1e-9 && (uneven.effect - 0.8).abs() < 1e-9, "{uneven:?}");
    }

    #[test]
    fn a_chooser_with_few_choices_is_left_out() {
        assert!(share_test(3, &[vec![0; 14]]).is_none());
        assert_eq!(share_test(3, &[vec![0; 14], vec![0; 15]]).unwrap().choices, 15);
    }
}
