//! A child that fires only with its parent: which optima keep it?
//!
//! Data `αp` and `αp + βc` in three dimensions, with a third feature q by itself. At γ = 0 no
//! optimum has the atoms p and c: nested supports are not optimal (theorem `no-nesting`), and
//! for no data at all are they stationary (theorem `inverse-problem`). An atom price γ > 0 makes
//! sharing worth something, and nested optima exist there.
//!
//! ```sh
//! cargo run --release --features full --example hierarchy -- hierarchy.svg
//! ```
//!
//! Claims, asserted: at γ = 0 the truth is refuted with a better point in hand, and a descent
//! from it loses the child; the program for residuals has no solution; at some γ > 0 a point
//! within the tolerance of the certified bound has a nested pair at the true atoms.

use std::error::Error;

use plotters::prelude::*;
use widedict::certificate::Options;
use widedict::coder::Coder;
use widedict::linalg::{axpy, dot};
use widedict::testing::inverse::Structure;
use widedict::testing::planted;
use widedict::trusted::local;
use widedict::{
    Bounding, ColumnGeneration, Dictionary, Factorization, Finite, Matrix, Problem, Run, Verdict, Witness,
    certify,
};

const LAMBDA: f64 = 0.2;
const GAMMAS: [f64; 8] = [0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6];
/// Cosine from which on an atom counts as the true one: the merged direction p + c has 0.866.
const SAME: f64 = 0.92;
/// γ, cosines of the nearest atoms with parent and child, whether both are kept, the certified gap.
type Row = (f64, f64, f64, bool, f64);

/// Share of the largest code from which on an atom counts as firing.
const FIRES: f64 = 1e-6;

fn main() -> Result<(), Box<dyn Error>> {
    let truth = [[1.0, 0.0, 0.0], [0.5, 0.75_f64.sqrt(), 0.0], [0.0, 0.0, 1.0]];
    let supports: Vec<Vec<usize>> = (0..24).map(|i| [vec![0], vec![0, 1], vec![2]][i % 3].clone()).collect();
    let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(3, &truth))?;
    let structure = Structure::of_supports(dictionary.clone(), &supports, LAMBDA, 1.0, 5);
    let noise = planted::gaussian(3, 24, 6);
    let mut data = Matrix::zeros(3, 24);
    for i in 0..24 {
        axpy(0.02, noise.col(i), data.col_mut(i));
        dictionary.atoms().enumerate().for_each(|(k, d)| axpy(structure.codes.get(k, i), d, data.col_mut(i)));
    }

    // γ = 0.
    let problem = Problem::builder(data.clone()).lambda(LAMBDA).build()?;
    let codes = Coder::default().encode(&data, &dictionary, LAMBDA, &())?.codes;
    let point = Factorization::new(dictionary.clone(), codes, None)?;
    let options = Options { local: Some(local::Limits::default()), ..Options::default() };
    let certified = certify(&problem, point.clone(), &Witness::none(), &options)?;
    let settings = Finite { stationarity_tolerance: 1e-8, ..Finite::new(3) };
    let found = settings.solve_with(&problem, &Run::starting_at(&point))?.certified;
    println!(
        "γ = 0: F(truth) {:.6}, {}; from there {:.6} with the child's nearest atom at cosine {:.4}",
        certified.certificate().objective(),
        if matches!(certified.certificate().verdict(), Verdict::Refuted { .. }) {
            "refuted"
        } else {
            "not refuted"
        },
        found.certificate().objective(),
        nearest(found.solution(), &truth[1]).1,
    );
    assert!(matches!(certified.certificate().verdict(), Verdict::Refuted { .. }));
    assert!(found.certificate().objective() < certified.certificate().objective());
    let margin = structure.largest_margin().map(|(margin, _)| margin);
    println!(
        "residuals that make it stationary: {}",
        if margin.is_some_and(|m| m > -1e-7) { "some" } else { "none" }
    );
    assert!(margin.is_none_or(|m| m < -1e-7));

    // γ > 0.
    println!(
        "{:>6} {:>9} {:>9} {:>6} {:>8} {:>8}  child within parent",
        "γ", "F", "gap", "atoms", "parent", "child"
    );
    let mut rows: Vec<Row> = Vec::new();
    for gamma in GAMMAS {
        let problem = Problem::builder(data.clone()).lambda(LAMBDA).gamma(gamma).build()?;
        let solver = ColumnGeneration { gap_tolerance: 1e-4, ..Default::default() };
        let point = solver.solve(&problem)?.certified.into_parts().0;
        let evidence = Bounding::Exact.witness(&problem, &point, 1e-4, &())?;
        let options = Bounding::Exact.options(&problem, Options::default());
        let certified = certify(&problem, point, &evidence.witness, &options)?;
        let (certificate, point) = (certified.certificate(), certified.solution());
        let kept = kept(point, &truth);
        let (parent, child) = (nearest(point, &truth[0]).1, nearest(point, &truth[1]).1);
        println!(
            "{gamma:>6} {:>9.5} {:>9.2e} {:>6} {parent:>8.4} {child:>8.4}  {:>9.2} {}",
            certificate.objective(),
            certificate.relative_gap(),
            certificate.statistics().atoms,
            share_within(point, &truth),
            if kept { "kept" } else { "" }
        );
        rows.push((gamma, parent, child, kept, certificate.relative_gap()));
    }
    assert!(rows.iter().any(|row| row.3 && row.4 < 0.01), "a certified optimum keeps the hierarchy");
    if let Some(file) = std::env::args().nth(1) {
        draw(&file, &rows)?;
        println!("drew {file}");
    }
    Ok(())
}

/// The atom closest to a feature, with the cosine.
fn nearest(point: &Factorization, feature: &[f64]) -> (usize, f64) {
    let mut best = (0, f64::NEG_INFINITY);
    for (k, d) in point.dictionary().atoms().enumerate() {
        let cosine = dot(d, feature);
        if cosine > best.1 {
            best = (k, cosine);
        }
    }
    best
}

/// Share of the child's datapoints at which the parent fires too, of the atoms nearest to them.
#[expect(clippy::cast_precision_loss, reason = "few datapoints")]
fn share_within(point: &Factorization, truth: &[[f64; 3]; 3]) -> f64 {
    let rows = point.codes().rows();
    let fires = |feature: &[f64]| -> Vec<usize> {
        let Some(row) = rows.get(nearest(point, feature).0) else { return Vec::new() };
        let most = row.iter().map(|(_, z)| z).fold(0.0, widedict::num::max);
        row.iter().filter(|(_, z)| *z > FIRES * most).map(|(i, _)| i).collect()
    };
    let (parent, child) = (fires(&truth[0]), fires(&truth[1]));
    if child.is_empty() {
        return 0.0;
    }
    child.iter().filter(|i| parent.contains(i)).count() as f64 / child.len() as f64
}

/// Whether parent and child have an atom each, the child's support within the parent's.
fn kept(point: &Factorization, truth: &[[f64; 3]; 3]) -> bool {
    let ((parent, near), (child, close)) = (nearest(point, &truth[0]), nearest(point, &truth[1]));
    parent != child && near > SAME && close > SAME && share_within(point, truth) >= 1.0
}

/// Cosines of the nearest atoms with parent (red) and child (blue) over γ; full marks where the
/// hierarchy is kept.
fn draw(file: &str, rows: &[Row]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(file, (640, 360)).into_drawing_area();
    root.fill(&WHITE)?;
    let least = rows.iter().map(|row| widedict::num::min(row.1, row.2)).fold(1.0, widedict::num::min);
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .caption(
            "cosine of the nearest atom with parent (red) and child (blue); full: nested",
            ("sans-serif", 14),
        )
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d((0.018..0.65).log_scale(), least - 0.01..1.005)?;
    chart.configure_mesh().x_desc("γ").draw()?;
    for (color, value) in [(RED, (|row| row.1) as fn(&Row) -> f64), (BLUE, |row| row.2)] {
        chart.draw_series(LineSeries::new(rows.iter().map(|row| (row.0, value(row))), color))?;
        chart.draw_series(rows.iter().map(|row| {
            let style = if row.3 { color.filled() } else { color.stroke_width(1) };
            Circle::new((row.0, value(row)), 4, style)
        }))?;
    }
    root.present()?;
    Ok(())
}
