//! Splitting on spheres: what M atoms cost over an atom a datapoint, against M.
//!
//! Data on the unit sphere of dimension n − 1 have no features: every direction is as good as
//! every other. The excess over the wide limit falls like M^(−2/(n−1)) (theorem `excess-law`),
//! so the objective goes on splitting. arXiv:2509.02565 calls the scaling of an autoencoder with a
//! feature manifold pathological where the loss on the manifold falls more slowly, M^(−β), than
//! the frequencies of features, k^(−1−α): β < α (a summary of its claim). Here β = 2/(n − 1).
//!
//! Is the unsplit basis ±e₁ … ±eₙ a saddle or a minimum of its own width (arXiv:2606.06333)? On data
//! that are symmetric about the axes it is stationary, and theorem `local-radius` decides.
//!
//! ```sh
//! cargo run --release --features full --example splitting_spheres -- splitting_spheres.svg
//! ```
//!
//! Claims, asserted: the fitted exponents are within a quarter of 2/(n − 1); the excess is positive at
//! every width, certified; one more atom, or two, lower the value below the unsplit basis.

use std::error::Error;

use plotters::prelude::*;
use widedict::certificate::Options;
use widedict::coder::Coder;
use widedict::linalg::norm;
use widedict::testing::planted;
use widedict::trusted::{Subject, bounds, local};
use widedict::wide::fit_power_law;
use widedict::{Codes, Dictionary, Factorization, Finite, Matrix, Problem, Run, Verdict, Witness, certify};

const LAMBDA: f64 = 0.3;
/// How far aside, as a share of an atom.
const ASIDE: f64 = 1e-3;
const POINTS: usize = 3000;
const WIDTHS: [usize; 5] = [8, 12, 16, 24, 32];

fn main() -> Result<(), Box<dyn Error>> {
    let mut curves = Vec::new();
    for n in [2, 3, 4_usize] {
        let problem = Problem::builder(sphere(n, POINTS, 1)).lambda(LAMBDA).build()?;
        let limit = bounds::wide_limit(&problem);
        let mut curve = Vec::new();
        for width in WIDTHS {
            let settings =
                Finite { local: None, stationarity_tolerance: 1e-3, ..Finite::new(width * (n - 1)) };
            let point = settings.solve(&problem)?.certified.into_parts().0;
            let primal = Subject::of(&problem, &point)?.primal();
            let excess = primal.value() - limit.lower.get();
            // The point found costs more than the wide limit, every rounding included.
            assert!(primal.lower.get() > limit.lower.get() * (1.0 + 1e-9));
            curve.push((point.width(), excess / limit.lower.get()));
        }
        let law = fit_power_law(&curve).ok_or("several widths")?;
        let rate = 2.0 / dimension(n);
        println!(
            "S^{}: excess {} ~ M^-{:.3} (the law: {rate:.3}); pathological where frequencies fall with α > {rate:.3}",
            n - 1,
            curve.iter().map(|(m, e)| format!("{m}: {e:.4}  ")).collect::<String>(),
            law.exponent
        );
        assert!((law.exponent / rate - 1.0).abs() < 0.25, "{n}: {}", law.exponent);
        curves.push((n, curve));
    }

    println!("\nthe unsplit basis on symmetric data");
    for n in [2, 3_usize] {
        for lambda in [0.1, 0.3, 0.5] {
            basis(n, lambda)?;
        }
    }
    if let Some(file) = std::env::args().nth(1) {
        draw(&file, &curves)?;
        println!("drew {file}");
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a small dimension")]
fn dimension(n: usize) -> f64 {
    (n - 1) as f64
}

/// Random points of the unit sphere.
fn sphere(n: usize, points: usize, seed: u64) -> Matrix {
    let mut x = planted::gaussian(n, points, seed);
    for i in 0..points {
        let length = norm(x.col(i));
        x.col_mut(i).iter_mut().for_each(|v| *v /= length);
    }
    x
}

/// The images of points under permutations of the axes and changes of their signs.
fn symmetric(points: &Matrix) -> Matrix {
    let n = points.nrows();
    let orders: &[&[usize]] = match n {
        2 => &[&[0, 1], &[1, 0]],
        _ => &[&[0, 1, 2], &[0, 2, 1], &[1, 0, 2], &[1, 2, 0], &[2, 0, 1], &[2, 1, 0]],
    };
    let mut images = Vec::new();
    for x in points.columns() {
        for order in orders {
            for signs in 0..1_u32 << n {
                let sign = |q: usize| if signs >> q & 1 == 1 { -1.0 } else { 1.0 };
                images.push((0..n).map(|q| sign(q) * x[order[q]]).collect::<Vec<f64>>());
            }
        }
    }
    Matrix::from_columns(n, &images)
}

/// Judges ±e₁ … ±eₙ, and what one and two more atoms reach.
fn basis(n: usize, lambda: f64) -> Result<(), Box<dyn Error>> {
    let data = symmetric(&sphere(n, 5, 3));
    let problem = Problem::builder(data.clone()).lambda(lambda).build()?;
    let axis = |k: usize| (0..n).map(move |q| if q == k % n { if k < n { 1.0 } else { -1.0 } } else { 0.0 });
    let axes: Vec<Vec<f64>> = (0..2 * n).map(|k| axis(k).collect()).collect();
    let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(n, &axes))?;
    // What a descent reaches from atoms a little aside.
    let shift = planted::gaussian(n, 2 * n, 9);
    let aside = Matrix::from_fn(n, 2 * n, |q, k| axes[k][q] + ASIDE * shift.get(q, k));
    let (aside, _) = Dictionary::normalize(aside)?;
    let zero = Factorization::new(aside, Codes::zeros(2 * n, data.ncols()), None)?;
    let settings = Finite { local: None, stationarity_tolerance: 1e-6, ..Finite::new(2 * n) };
    let near = settings.solve_with(&problem, &Run::starting_at(&zero))?.certified;
    let near = near.certificate().objective();
    let codes = Coder::default().encode(&data, &dictionary, lambda, &())?.codes;
    let point = Factorization::new(dictionary, codes, None)?;
    let options = Options { local: Some(local::Limits::default()), ..Options::default() };
    let certified = certify(&problem, point, &Witness::none(), &options)?;
    let certificate = certified.certificate();
    let verdict = match certificate.verdict() {
        Verdict::Local => "a strict local minimum",
        Verdict::Refuted { .. } => "a saddle: refuted",
        Verdict::Global => "global",
        Verdict::Undecided { .. } | Verdict::Rejected { .. } | Verdict::Feasible | _ => "undecided",
    };
    let value = certificate.objective();
    let wider = |more: usize| -> Result<f64, Box<dyn Error>> {
        let settings = Finite { local: None, restarts: 4, ..Finite::new(2 * n + more) };
        Ok(settings.solve(&problem)?.certified.certificate().objective())
    };
    let (same, one, two) = (wider(0)?, wider(1)?, wider(2)?);
    println!(
        "n = {n}, λ = {lambda}: {value:.6}, {verdict}; from {ASIDE} aside {near:.6}, best found {same:.6}, \
         with one more {one:.6}, two more {two:.6}"
    );
    if let Some(reason) = certificate.verdict().reason() {
        println!("    {reason}");
    }
    assert!(certificate.kkt().relative() < 1e-6);
    // A minimum is where a descent from close by ends again.
    assert!(*certificate.verdict() != Verdict::Local || (near / value - 1.0).abs() < 1e-6);
    assert!(one < value && two < value, "splitting lowers the value");
    Ok(())
}

/// Relative excess over M, both logarithmic, with lines of the law's slope.
#[expect(clippy::cast_precision_loss, reason = "small widths")]
fn draw(file: &str, curves: &[(usize, Vec<(usize, f64)>)]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(file, (640, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let least = curves.iter().flat_map(|c| &c.1).map(|p| p.1).fold(1.0, widedict::num::min);
    let most = curves.iter().flat_map(|c| &c.1).map(|p| p.1).fold(0.0, widedict::num::max);
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .caption("(F − F∞)/F∞ over M; thin lines: M^(−2/(n−1))", ("sans-serif", 14))
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d((7.0..110.0).log_scale(), (0.8 * least..1.3 * most).log_scale())?;
    chart.configure_mesh().x_desc("M").draw()?;
    for ((n, curve), color) in curves.iter().zip([RED, BLUE, GREEN]) {
        let points: Vec<(f64, f64)> = curve.iter().map(|(m, e)| (*m as f64, *e)).collect();
        let (first, last) = (points[0], points[points.len() - 1]);
        let end = first.1 * (last.0 / first.0).powf(-2.0 / dimension(*n));
        chart.draw_series(LineSeries::new([first, (last.0, end)], color.mix(0.4)))?;
        chart
            .draw_series(LineSeries::new(points, &color).point_size(3))?
            .label(format!("S^{}", n - 1))
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
    }
    chart.configure_series_labels().background_style(WHITE).draw()?;
    root.present()?;
    Ok(())
}
