//! Kubernetes quantities, as far as CPU needs them.

/// A CPU quantity in millicores, rounded up as the API's own `MilliValue` does. `None`: it is none.
pub fn milli(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+')));
    let (number, suffix) = text.split_at(digits.unwrap_or(text.len()));
    // Nano is the finest that the API knows: in it every quantity is a whole number.
    let per_unit: i128 = match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => 1_000_000_000,
        "k" => 1_000_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let negative = whole.starts_with('-');
    let part = |digits: &str| if digits.is_empty() { Some(0) } else { digits.parse::<i128>().ok() };
    let whole = part(whole.trim_start_matches(['-', '+']))?;
    if number.trim_start_matches(['-', '+']).is_empty() || fraction.len() > 18 {
        return None;
    }
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let nano = whole.checked_mul(per_unit)?.checked_add(part(fraction)?.checked_mul(per_unit)? / scale)?;
    let nano = if negative { -nano } else { nano };
    let milli = nano.div_euclid(1_000_000) + i128::from(nano.rem_euclid(1_000_000) > 0);
    i64::try_from(milli).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_cpu_is_read_and_rounded_up() {
        let cases = [
            ("0", Some(0)),
            ("200m", Some(200)),
            ("2", Some(2_000)),
            ("0.1", Some(100)),
            ("2154321n", Some(3)),
            ("2000000n", Some(2)),
            ("1500u", Some(2)),
            ("1.5m", Some(2)),
            ("1k", Some(1_000_000)),
            ("", None),
            ("m", None),
            ("12Mi", None),
            ("x", None),
        ];
        for (text, milli_cores) in cases {
            assert_eq!(milli(text), milli_cores, "{text}");
        }
    }
}
