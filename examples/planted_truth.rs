//! Planted truth: is it what the objective prefers, and does the solver find it?
//!
//! A learner that misses a planted dictionary may have failed, or its objective may prefer
//! another. With exact codes the two can be told apart: if F(found) < F(truth) the objective
//! prefers what was found, and if F(found) > F(truth) the optimizer failed. Two plants of the
//! same atoms and codes: by a sparse generator, `X = DZ + noise`, of which the truth is not even
//! stationary, and by the inverse problem (theorem `inverse-problem`), which chooses the
//! residuals so that it is. The question is that of arXiv:2603.28744 and arXiv:2512.05534.
//!
//! ```sh
//! cargo run --release --features full --example planted_truth -- planted_truth.svg
//! ```
//!
//! Claims, asserted: a truth by the inverse problem is stationary, and one by the generator is
//! not and is beaten; some stationary truths are proved local minima, and some stationary
//! truths are beaten.

use std::error::Error;

use plotters::prelude::*;
use widedict::certificate::Options;
use widedict::coder::Coder;
use widedict::testing::inverse::{Kind, Structure};
use widedict::testing::planted;
use widedict::trusted::local;
use widedict::{Factorization, Finite, Matrix, Problem, Run, Verdict, Witness, certify};

const DIM: usize = 10;
const POINTS: usize = 60;
const LAMBDA: f64 = 0.3;
const SEEDS: u64 = 5;
/// How far below λ inactive atoms are kept, as a share of λ.
const MARGIN: f64 = 0.1;

/// One plant with what was found.
struct Outcome {
    /// F at the true atoms with exact codes.
    truth: f64,
    /// Largest relative residual of stationarity there.
    violation: f64,
    verdict: Verdict,
    /// Where a descent from the truth ends.
    descended: f64,
    /// The best of the solver's own starts.
    found: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut rows: Vec<(Kind, bool, Outcome)> = Vec::new();
    println!("F over F(truth): 1 where the truth is best; from the truth, and from the solver's own starts");
    println!(
        "{:<13} {:<10} {:>9} {:>10} {:>11} {:>11}  verdict of the truth",
        "structure", "plant", "F(truth)", "violation", "from truth", "own starts"
    );
    for kind in Kind::ALL {
        for seed in 0..SEEDS {
            let structure = kind.structure(DIM, POINTS, LAMBDA, seed);
            let start = planted::gaussian(DIM, POINTS, seed + 100);
            let Some(residuals) = structure.project(&start, MARGIN, 3000) else { continue };
            let stationary = structure.plant(&residuals).ok_or("finite data")?;
            let outcome = examine(&stationary.problem, &stationary.factorization)?;
            assert!(outcome.violation < 1e-9, "{kind:?} {seed}: {}", outcome.violation);
            show(kind, true, &outcome);
            rows.push((kind, true, outcome));

            let (problem, truth) = generated(&structure, seed)?;
            let outcome = examine(&problem, &truth)?;
            assert!(outcome.violation > 1e-3 && outcome.descended < outcome.truth);
            show(kind, false, &outcome);
            rows.push((kind, false, outcome));
        }
    }
    let stationary: Vec<&Outcome> = rows.iter().filter(|row| row.1).map(|row| &row.2).collect();
    let minima = stationary.iter().filter(|o| o.verdict == Verdict::Local).count();
    let beaten = stationary.iter().filter(|o| best(o) < o.truth * (1.0 - 1e-6)).count();
    let missed = stationary.iter().filter(|o| o.found > best(o) * (1.0 + 1e-6)).count();
    println!(
        "of {} stationary truths {minima} are proved local minima and {beaten} are beaten; the solver's own \
         starts miss the best known point {missed} times",
        stationary.len()
    );
    assert!(minima > 0 && beaten > 0);
    if let Some(file) = std::env::args().nth(1) {
        draw(&file, &rows)?;
        println!("drew {file}");
    }
    Ok(())
}

fn best(outcome: &Outcome) -> f64 {
    widedict::num::min(outcome.descended, outcome.found)
}

/// The usual generator: the same atoms and codes with Gaussian noise.
fn generated(structure: &Structure, seed: u64) -> Result<(Problem, Factorization), Box<dyn Error>> {
    let noise = planted::gaussian(DIM, POINTS, seed + 200);
    let mut data = Matrix::zeros(DIM, POINTS);
    for i in 0..POINTS {
        widedict::linalg::axpy(0.05, noise.col(i), data.col_mut(i));
        for (k, atom) in structure.dictionary.atoms().enumerate() {
            widedict::linalg::axpy(structure.codes.get(k, i), atom, data.col_mut(i));
        }
    }
    let problem = Problem::builder(data).lambda(LAMBDA).build()?;
    let datapoints = problem.data().datapoints();
    let codes = Coder::default().encode(datapoints, &structure.dictionary, LAMBDA, &())?.codes;
    Ok((problem.clone(), Factorization::new(structure.dictionary.clone(), codes, None)?))
}

fn examine(problem: &Problem, truth: &Factorization) -> Result<Outcome, Box<dyn Error>> {
    let options = Options { local: Some(local::Limits::default()), ..Options::default() };
    let certified = certify(problem, truth.clone(), &Witness::none(), &options)?;
    let certificate = certified.certificate();
    let settings =
        Finite { local: None, stationarity_tolerance: 1e-6, restarts: 8, ..Finite::new(truth.width()) };
    let objective = |run: &Run<'_>| -> Result<f64, Box<dyn Error>> {
        Ok(settings.solve_with(problem, run)?.certified.certificate().objective())
    };
    Ok(Outcome {
        truth: certificate.objective(),
        violation: certificate.kkt().relative(),
        verdict: certificate.verdict().clone(),
        descended: objective(&Run::starting_at(truth))?,
        found: objective(&Run::default())?,
    })
}

fn name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Local => "local minimum",
        Verdict::Global => "global",
        Verdict::Refuted { .. } => "refuted",
        Verdict::Rejected { .. } => "rejected",
        Verdict::Undecided { .. } => "undecided",
        Verdict::Feasible | _ => "feasible",
    }
}

fn show(kind: Kind, stationary: bool, o: &Outcome) {
    println!(
        "{:<13} {:<10} {:>9.5} {:>10.1e} {:>11.6} {:>11.6}  {}",
        format!("{kind:?}"),
        if stationary { "inverse" } else { "generator" },
        o.truth,
        o.violation,
        o.descended / o.truth,
        o.found / o.truth,
        name(&o.verdict)
    );
}

/// Where the kinds stand in the picture, in the order of [`Kind::ALL`].
const PLACES: [(f64, &str); 4] =
    [(0.0, "hierarchy"), (1.0, "antipodal pairs"), (2.0, "cliques"), (3.0, "independent")];

/// The best objective known over that of the truth, a mark a plant.
fn draw(file: &str, rows: &[(Kind, bool, Outcome)]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(file, (640, 360)).into_drawing_area();
    root.fill(&WHITE)?;
    let least = rows.iter().map(|row| best(&row.2) / row.2.truth).fold(1.0, widedict::num::min);
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .caption(
            "best F known over F(truth): blue by the inverse problem, red by the generator",
            ("sans-serif", 14),
        )
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d(-0.5..3.5, least - 0.01..1.01)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(4)
        .x_label_formatter(&|x: &f64| {
            let named = PLACES.iter().find(|(at, _)| (at - x).abs() < 0.1);
            named.map_or_else(String::new, |(_, name)| (*name).to_owned())
        })
        .draw()?;
    let place =
        |kind: Kind| Kind::ALL.iter().zip(PLACES).find(|(k, _)| **k == kind).map_or(0.0, |(_, p)| p.0);
    chart.draw_series(rows.iter().map(|(kind, stationary, o)| {
        let (shift, color) = if *stationary { (-0.12, BLUE) } else { (0.12, RED) };
        Circle::new((place(*kind) + shift, best(o) / o.truth), 4, color.mix(0.6).filled())
    }))?;
    root.present()?;
    Ok(())
}
