//! From values to places on a chart.

/// Width of every chart, in its own units.
pub const WIDTH: f64 = 960.0;
/// Room for names on the left.
pub const GUTTER: f64 = 230.0;
/// Room on the right, so that the last mark is not cut.
const MARGIN: f64 = 24.0;

/// A mark on an axis.
pub struct Tick {
    /// Place.
    pub x: String,
    /// Its name.
    pub text: String,
}

/// Maps values to places.
#[derive(Clone, Copy)]
pub struct Scale {
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Scale {
    /// Even steps.
    pub fn linear(from: f64, to: f64) -> Self {
        Self { from, to: if to > from { to } else { from + 1.0 }, logarithmic: false }
    }

    /// Powers of ten from 1; values up to 1 are all at the beginning.
    pub fn logarithmic(to: f64) -> Self {
        Self { from: 0.0, to: to.max(10.0).log10(), logarithmic: true }
    }

    /// Place of a value, never outside of the chart.
    pub fn place(self, value: f64) -> f64 {
        let value = if self.logarithmic { value.max(1.0).log10() } else { value };
        let part = ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0);
        GUTTER + part * (WIDTH - GUTTER - MARGIN)
    }

    /// Place of a value as an attribute.
    pub fn x(self, value: f64) -> String {
        format!("{:.1}", self.place(value))
    }

    /// Marks: powers of ten, or about eight round steps.
    pub fn ticks(self, text: impl Fn(f64) -> String) -> Vec<Tick> {
        let values: Vec<f64> = if self.logarithmic {
            (0..=self.to.floor() as i32).map(|power| 10_f64.powi(power)).collect()
        } else {
            let step = round_step((self.to - self.from) / 8.0);
            let first = (self.from / step).ceil() as i64;
            let last = (self.to / step).floor() as i64;
            (first..=last).map(|n| n as f64 * step).collect()
        };
        values.into_iter().map(|value| Tick { x: self.x(value), text: text(value) }).collect()
    }
}

/// The next of 1, 2, 5, 10, … that is not below.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|n| n * power).find(|n| *n >= step).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_on_the_chart() {
        for scale in [Scale::linear(0.0, 10.0), Scale::logarithmic(1_000.0), Scale::linear(5.0, 5.0)] {
            for value in [-1.0, 0.0, 3.0, 1e9] {
                assert!((GUTTER..=WIDTH).contains(&scale.place(value)));
            }
        }
    }

    #[test]
    fn ticks_are_round() {
        let texts: Vec<String> =
            Scale::linear(-2.0, 25.0).ticks(|v| format!("{v}")).into_iter().map(|t| t.text).collect();
        assert_eq!(texts, ["0", "5", "10", "15", "20", "25"]);
        assert_eq!(Scale::logarithmic(5_000.0).ticks(|v| format!("{v}")).len(), 4);
    }
}
