//! What fewer atoms cost: the excess of dictionaries of a given width over the
//! wide limit, on 1797 handwritten digits.
//!
//! ```sh
//! cargo run --release --features full --example digits_width -- digits_width.svg
//! ```
//!
//! Claims, asserted: every width lies above the certified wide limit and below what
//! an online learner reached with minutes of work; the excess falls about like a
//! power of the width (an estimate over this range, not a theorem).

use std::error::Error;

use widedict::plot::{CurvePoint, curve};
use widedict::solve::path;
use widedict::trusted::bounds;
use widedict::{Finite, Problem, datasets, wide};

/// Widths with the objective of SPAMS' `trainDL` after 4, 45, 198 and 187 seconds on two cores.
const WIDTHS: [(usize, f64); 4] = [(56, 1.5454), (224, 1.3409), (449, 1.2639), (898, 1.1895)];

fn main() -> Result<(), Box<dyn Error>> {
    let problem = Problem::builder(datasets::digits()).lambda(0.3).build()?;
    let limit = bounds::wide_limit(&problem).lower.get();
    println!(
        "wide limit {limit:.6}, attained from width {} on",
        wide::population(&problem, None).distinct_directions
    );

    let widths = WIDTHS.map(|(width, _)| width);
    // The local test of a width takes longer than finding its point: not here.
    let settings = Finite { local: None, ..Finite::new(1) };
    let steps = path::over_widths(&problem, &widths, &settings, &widedict::Run::default())?;
    let mut points = Vec::new();
    let mut excesses = Vec::new();
    println!("{:>6} {:>10} {:>10} {:>8} {:>7}", "width", "objective", "excess", "share", "L0");
    for (step, (width, learner)) in steps.iter().zip(WIDTHS) {
        let certificate = step.solution.certified.certificate();
        let excess = certificate.objective() - limit;
        let mean_l0 = certificate.statistics().mean_l0;
        println!(
            "{width:>6} {:>10.6} {excess:>10.6} {:>8.4} {mean_l0:>7.2}",
            certificate.objective(),
            excess / limit
        );
        assert!(certificate.lower_bound().get() <= certificate.objective());
        assert!(
            certificate.objective() <= learner,
            "width {width}: {} above {learner}",
            certificate.objective()
        );
        excesses.push((width, excess));
        points.push(CurvePoint {
            x: ratio(width, problem.len()),
            objective: certificate.objective(),
            lower_bound: certificate.lower_bound().get(),
            atoms: certificate.statistics().atoms,
            mean_l0,
        });
    }
    let law = wide::fit_power_law(&excesses).ok_or("four widths make a fit")?;
    println!("excess ≈ {:.3}·M^-{:.3} (an estimate over these widths)", law.constant, law.exponent);
    assert!((0.3..1.2).contains(&law.exponent));

    if let Some(file) = std::env::args().nth(1) {
        std::fs::write(&file, curve(&points, "atoms per datapoint", Some(limit))?)?;
        println!("drew {file}");
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn ratio(width: usize, points: usize) -> f64 {
    width as f64 / points as f64
}
