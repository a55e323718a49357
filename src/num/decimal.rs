//! Lower bounds in decimals that are not above them: a text is a claim too.

/// A number with so many decimals, rounded down.
#[must_use]
pub fn at_most(value: f64, decimals: usize) -> String {
    let nearest = format!("{value:.decimals$}");
    let Ok(shown) = nearest.parse::<f64>() else { return nearest };
    if shown <= value || !shown.is_finite() {
        return nearest;
    }
    let step = f64::powi(10.0, -i32::try_from(decimals).unwrap_or(i32::MAX));
    format!("{:.decimals$}", value - step)
}

/// A number with two decimals and an exponent, rounded down.
#[must_use]
pub fn at_most_e(value: f64) -> String {
    let nearest = format!("{value:.2e}");
    let Ok(shown) = nearest.parse::<f64>() else { return nearest };
    if shown <= value || !shown.is_finite() {
        return nearest;
    }
    let exponent: i32 = nearest.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    format!("{:.2e}", value - f64::powi(10.0, exponent - 2))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_exact_is_kept() {
        assert_eq!(at_most(0.761_066_595_714_757, 9), "0.761066595");
        assert_eq!(at_most(0.5, 9), "0.500000000");
        assert_eq!(at_most(0.0, 9), "0.000000000");
        assert_eq!(at_most_e(0.185_695), "1.85e-1");
        assert_eq!((at_most_e(1.0), at_most_e(0.0)), ("1.00e0".to_owned(), "0.00e0".to_owned()));
        assert_eq!(at_most(f64::INFINITY, 3), "inf");
    }

    proptest! {
        #[test]
        fn a_text_is_not_above_its_number_and_near(value in -1e3..1e3f64, decimals in 0usize..10, power in -200..200i32) {
            let shown: f64 = at_most(value, decimals).parse().unwrap();
            prop_assert!(shown <= value && value - shown <= 2.0 * f64::powi(10.0, -i32::try_from(decimals).unwrap()));
            let value = value.abs() * f64::powi(10.0, power);
            let shown: f64 = at_most_e(value).parse().unwrap();
            prop_assert!(shown <= value && value - shown <= 0.02 * value);
        }
    }
}
