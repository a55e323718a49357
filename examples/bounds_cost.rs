//! What certificate one gets, for how long: each bound's certified gap and time against
//! the number of datapoints.
//!
//! ```sh
//! cargo run --release --features full --example bounds_cost -- docs/bounds_cost.svg 100000
//! ```
//!
//! The second argument is the largest number of datapoints (600 without one). Gaps are to the objective of column
//! generation at an estimated gap of 2e-2, so the best ones contain its own. Claims, asserted: no
//! bound is above that objective, and none is below the bound of one eigenvalue.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use plotters::prelude::*;
use widedict::certificate::{Options, certify};
use widedict::testing::planted;
use widedict::{Bounding, ColumnGeneration, Factorization, Matrix, Problem, Witness, datasets, io};

/// Most datapoints for which a bound is taken: the relaxation's steps are of O(N³), the exact
/// polar's cells grow with N.
const LIMITS: [(Bounding, usize); 6] = [
    (Bounding::Fast, usize::MAX),
    (Bounding::Nuclear, usize::MAX),
    (Bounding::Quartic, usize::MAX),
    (Bounding::Relaxation, 600),
    (Bounding::Auto, usize::MAX),
    (Bounding::Exact, 100),
];

/// Largest dimension of the exact polar here.
const EXACT_DIM: usize = 3;

/// Largest dimension of the quartic bound.
const QUARTIC_DIM: usize = 64;

/// A data set at one number of datapoints.
struct Case {
    name: &'static str,
    problem: Problem,
}

/// One bound of one case.
struct Line {
    name: &'static str,
    bounding: Bounding,
    points: usize,
    gap: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let most: usize = std::env::args().nth(2).map_or(Ok(600), |text| text.parse())?;
    let mut lines = Vec::new();
    println!(
        "| data | n | N | solve, s | bound | proved by | gap, % | s |\n|---|---|---|---|---|---|---|---|"
    );
    for case in cases(most)? {
        let started = Instant::now();
        let settings = ColumnGeneration { gap_tolerance: 2e-2, ..ColumnGeneration::default() };
        let point = settings.solve(&case.problem)?.certified.into_parts().0;
        let solving = started.elapsed().as_secs_f64();
        let mut least = 0.0;
        for (bounding, limit) in LIMITS {
            let dim = case.problem.dim();
            let large = (bounding == Bounding::Exact && dim > EXACT_DIM)
                || (bounding == Bounding::Quartic && dim > QUARTIC_DIM);
            if large || case.problem.len() > limit {
                continue;
            }
            let (row, gap, lower) = bound(&case.problem, &point, bounding)?;
            if bounding == Bounding::Fast {
                least = lower;
            }
            assert!(lower >= least && gap >= 0.0, "{bounding} at {} {}", case.name, case.problem.len());
            let (dim, points) = (case.problem.dim(), case.problem.len());
            println!("| {} | {dim} | {points} | {solving:.2} | {bounding} | {row}", case.name);
            lines.push(Line { name: case.name, bounding, points, gap });
        }
    }
    if let Some(file) = std::env::args().nth(1) {
        std::fs::write(&file, draw(&lines)?)?;
        println!("drew {file}");
    }
    Ok(())
}

/// Digits, tokens and planted mixtures, up to so many datapoints.
fn cases(most: usize) -> Result<Vec<Case>, Box<dyn Error>> {
    let mut cases = Vec::new();
    let digits = datasets::digits();
    for (name, gamma) in [("digits, γ = 0.15", 0.15), ("digits, γ = 0.05", 0.05)] {
        for count in [300, 600, 1200, digits.ncols()] {
            // Every so manieth image.
            let pick = |i: usize| i * digits.ncols() / count;
            let x = Matrix::from_fn(digits.nrows(), count, |j, i| digits.get(j, pick(i)));
            cases.push(Case { name, problem: Problem::builder(x).lambda(0.3).gamma(gamma).build()? });
        }
    }
    let tokens = io::read_atoms(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/tokens_512.npy"))?;
    let problem = Problem::builder(tokens).lambda(0.75).gamma(0.3).centered(true).build()?;
    cases.push(Case { name: "tokens, γ = 0.3", problem });
    for count in [1000, 10_000, 100_000] {
        let x = planted::mixture(64, count, 200, 5, 0.05, 1);
        let problem = Problem::builder(x).lambda(0.5).gamma(0.1).build()?;
        cases.push(Case { name: "planted, γ = 0.1", problem });
    }
    for count in [30, 100, 1000, 10_000, 100_000, 1_000_000] {
        let x = planted::mixture(3, count, 6, 2, 0.05, 1);
        let problem = Problem::builder(x).lambda(0.3).gamma(0.1).build()?;
        cases.push(Case { name: "planted, n = 3", problem });
    }
    cases.retain(|case| case.problem.len() <= most);
    Ok(cases)
}

/// The end of a row of the table, the gap and the bound.
fn bound(
    problem: &Problem,
    point: &Factorization,
    bounding: Bounding,
) -> Result<(String, f64, f64), Box<dyn Error>> {
    let started = Instant::now();
    let witness = bounding.extend(problem, point, Witness::none(), 0.0, &())?.witness;
    let options = bounding.options(problem, Options::default());
    let certified = certify(problem, point.clone(), &witness, &options)?;
    let seconds = started.elapsed().as_secs_f64();
    let certificate = certified.certificate();
    let gap = 100.0 * certificate.relative_gap();
    let row = format!("{} | {gap:.2} | {seconds:.2} |", certificate.bound_kind().as_str());
    Ok((row, gap, certificate.lower_bound().get()))
}

/// A panel for each data set of several sizes: gaps against N.
fn draw(lines: &[Line]) -> Result<String, Box<dyn Error>> {
    let colors = [
        (Bounding::Fast, BLACK),
        (Bounding::Nuclear, BLUE),
        (Bounding::Quartic, CYAN),
        (Bounding::Relaxation, GREEN),
        (Bounding::Auto, RED),
        (Bounding::Exact, MAGENTA),
    ];
    let names = ["digits, γ = 0.15", "digits, γ = 0.05", "planted, γ = 0.1", "planted, n = 3"];
    let mut document = String::new();
    {
        let canvas = SVGBackend::with_string(&mut document, (900, 700)).into_drawing_area();
        canvas.fill(&WHITE)?;
        for (area, name) in canvas.split_evenly((2, 2)).iter().zip(names) {
            let of: Vec<&Line> = lines.iter().filter(|line| line.name == name).collect();
            let (Some(first), Some(last)) =
                (of.iter().map(|l| l.points).min(), of.iter().map(|l| l.points).max())
            else {
                continue;
            };
            let top = of.iter().map(|line| line.gap).fold(1.0, widedict::num::max);
            let mut chart = ChartBuilder::on(area)
                .caption(name, ("sans-serif", 16))
                .margin(10)
                .x_label_area_size(36)
                .y_label_area_size(44)
                .build_cartesian_2d((axis(first) / 1.2..axis(last) * 1.2).log_scale(), 0.0..1.1 * top)?;
            chart.configure_mesh().x_desc("datapoints").y_desc("certified gap, %").draw()?;
            for (bounding, color) in colors {
                let points: Vec<(f64, f64)> = of
                    .iter()
                    .filter(|line| line.bounding == bounding)
                    .map(|l| (axis(l.points), l.gap))
                    .collect();
                if points.is_empty() {
                    continue;
                }
                chart
                    .draw_series(LineSeries::new(points, color.stroke_width(2)).point_size(3))?
                    .label(bounding.as_str())
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
            }
            chart.configure_series_labels().background_style(WHITE).border_style(BLACK).draw()?;
        }
        canvas.present()?;
    }
    Ok(document)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of datapoints are far below 2^53")]
fn axis(points: usize) -> f64 {
    points as f64
}
