//! A signed dictionary of H atoms against a nonnegative one of 2H.
//!
//! Codes of any sign at penalty λ‖z‖₁ over d₁ … d_H have the cost of nonnegative codes over
//! ±d₁ … ±d_H. So F of 2H nonnegative atoms is at most the signed value of H: at the optimum
//! it is never worse. arXiv:2605.28149 finds the opposite in training (a summary of its claim);
//! what is found there is then about encoders or optimizers, not about the objective.
//!
//! ```sh
//! cargo run --release --features full --example signed_dictionaries -- signed_dictionaries.svg
//! ```
//!
//! Claims, asserted: the two values agree to rounding at the signed solution; descending from
//! it with 2H free atoms never ends higher; on data of nonnegative features it ends lower by
//! several per cent, also on data that are symmetric about 0.

use std::error::Error;

use plotters::prelude::*;
use widedict::coder::Coder;
use widedict::linalg::{axpy, norm};
use widedict::testing::planted;
use widedict::trusted::{Subject, bounds};
use widedict::{Dictionary, Factorization, Finite, Matrix, Problem, Run};

const LAMBDA: f64 = 0.2;
const WIDTHS: [usize; 5] = [2, 4, 8, 12, 16];
const SWEEPS: usize = 60;

fn main() -> Result<(), Box<dyn Error>> {
    let features = planted::mixture(12, 300, 16, 3, 0.05, 1);
    // Half the datapoints with their sign turned: the data of signed features.
    let mut symmetric = features.clone();
    (0..300).step_by(2).for_each(|i| symmetric.col_mut(i).iter_mut().for_each(|v| *v = -*v));
    let mut curves = Vec::new();
    for (name, data) in [("nonnegative features", features), ("signed features", symmetric)] {
        let problem = Problem::builder(data).lambda(LAMBDA).build()?;
        let limit = bounds::wide_limit(&problem).lower.get();
        println!("{name}: wide limit {limit:.5} (certified, for every width)");
        println!("{:>4} {:>12} {:>12} {:>12} {:>8}", "H", "signed H", "2H, pairs", "2H, free", "lower by");
        let mut curve = Vec::new();
        for half in WIDTHS {
            let (signed, paired) = signed(&problem, half)?;
            let pairs = Subject::of(&problem, &paired)?.primal().value();
            assert!((signed - pairs).abs() <= 1e-12 * pairs, "{signed} {pairs}");
            let settings = Finite { local: None, ..Finite::new(2 * half) };
            let free = settings.solve_with(&problem, &Run::starting_at(&paired))?;
            let free = free.certified.certificate().objective();
            println!(
                "{half:>4} {signed:>12.6} {pairs:>12.6} {free:>12.6} {:>6.2} %",
                100.0 * (1.0 - free / signed)
            );
            assert!(free <= signed * (1.0 + 1e-9) && free >= limit);
            curve.push((half, signed, free));
        }
        assert!(curve.iter().any(|(_, signed, free)| *free < 0.97 * signed), "{name}");
        curves.push((name, limit, curve));
    }
    if let Some(file) = std::env::args().nth(1) {
        draw(&file, &curves)?;
        println!("drew {file}");
    }
    Ok(())
}

/// A signed dictionary by turns of exact codes and steps of one atom at a time: its value
/// `Σ wᵢ½‖xᵢ − Dzᵢ‖² + λΣ wᵢ‖zᵢ‖₁`, and the same as 2H nonnegative atoms.
fn signed(problem: &Problem, half: usize) -> Result<(f64, Factorization), Box<dyn Error>> {
    let data = problem.data();
    let mut atoms: Vec<Vec<f64>> = (0..half).map(|k| data.datapoint(17 * k + 3).to_vec()).collect();
    atoms.iter_mut().for_each(|d| normalize(d));
    for sweep in 0.. {
        let both: Vec<Vec<f64>> =
            atoms.iter().cloned().chain(atoms.iter().map(|d| d.iter().map(|v| -v).collect())).collect();
        let (dictionary, _) = Dictionary::normalize(Matrix::from_columns(problem.dim(), &both))?;
        let codes = Coder::default().encode(data.datapoints(), &dictionary, LAMBDA, &())?.codes;
        // Signed codes, H × N.
        let mut z = Matrix::zeros(half, data.len());
        for i in 0..data.len() {
            for (k, code) in codes.column(i).iter() {
                z.col_mut(i)[k % half] += if k < half { *code } else { -*code };
            }
        }
        let mut residuals = data.datapoints().to_matrix();
        for i in 0..data.len() {
            (0..half).for_each(|k| axpy(-z.get(k, i), &atoms[k], residuals.col_mut(i)));
        }
        if sweep == SWEEPS {
            let value = (0..data.len()).map(|i| {
                let size: f64 = z.col(i).iter().map(|v| v.abs()).sum();
                data.weights()[i] * (0.5 * norm(residuals.col(i)).powi(2) + LAMBDA * size)
            });
            return Ok((value.sum(), Factorization::new(dictionary, codes, None)?));
        }
        for (k, atom) in atoms.iter_mut().enumerate().take(half) {
            let old = atom.clone();
            let mut target = vec![0.0; problem.dim()];
            for i in 0..data.len() {
                let code = z.get(k, i);
                axpy(data.weights()[i] * code, residuals.col(i), &mut target);
                axpy(data.weights()[i] * code * code, &old, &mut target);
            }
            if norm(&target) > 0.0 {
                normalize(&mut target);
                for i in 0..data.len() {
                    axpy(z.get(k, i), &old, residuals.col_mut(i));
                    axpy(-z.get(k, i), &target, residuals.col_mut(i));
                }
                *atom = target;
            }
        }
    }
    unreachable!("the last sweep returns")
}

fn normalize(v: &mut [f64]) {
    let length = norm(v);
    v.iter_mut().for_each(|x| *x /= length);
}

type Curve<'a> = (&'a str, f64, Vec<(usize, f64, f64)>);

/// Excess over the wide limit against H: signed (red) and free (blue), one panel a data set.
#[expect(clippy::cast_precision_loss, reason = "small widths")]
fn draw(file: &str, curves: &[Curve<'_>]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(file, (760, 360)).into_drawing_area();
    root.fill(&WHITE)?;
    for (panel, (name, limit, curve)) in root.split_evenly((1, curves.len())).iter().zip(curves) {
        let most = curve.iter().map(|c| c.1 / limit - 1.0).fold(0.0, widedict::num::max);
        let mut chart = ChartBuilder::on(panel)
            .margin(12)
            .caption(format!("{name}: (F − F∞)/F∞"), ("sans-serif", 14))
            .x_label_area_size(36)
            .y_label_area_size(44)
            .build_cartesian_2d(0.0..17.0, 0.0..1.1 * most)?;
        chart.configure_mesh().x_desc("H").draw()?;
        let lines = [
            (
                RED,
                curve.iter().map(|c| (c.0 as f64, c.1 / limit - 1.0)).collect::<Vec<_>>(),
                "signed, H atoms",
            ),
            (BLUE, curve.iter().map(|c| (c.0 as f64, c.2 / limit - 1.0)).collect(), "nonnegative, 2H atoms"),
        ];
        for (color, line, label) in lines {
            chart
                .draw_series(LineSeries::new(line, &color).point_size(3))?
                .label(label)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color));
        }
        chart.configure_series_labels().background_style(WHITE).draw()?;
    }
    root.present()?;
    Ok(())
}
