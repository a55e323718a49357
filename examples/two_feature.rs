//! Two features that sometimes fire together: when does the best dictionary of two
//! atoms recover them, and when does it merge one into their sum? (theorem `two-feature`)
//!
//! Unit v₁, v₂ at 60°; data v₁, v₂, v₁ + v₂ with probabilities a, b, c, where c is
//! fixed and b is the share of the second feature firing alone. The diagram in
//! (b, λ) is an open problem; each cell here is a point with its verdict, no theorem.
//!
//! ```sh
//! cargo run --release --features full --example two_feature -- two_feature.svg
//! ```
//!
//! Claims, asserted: without solo firing (b = 0) the second feature is merged at
//! every λ, proved global; with it, small λ recovers both.

use std::error::Error;

use plotters::prelude::*;
use widedict::{Finite, Matrix, Problem, Verdict};

const ANGLE: f64 = std::f64::consts::FRAC_PI_3;
const TOGETHER: f64 = 0.4;

/// Shares b of solo firing, and penalties λ: the diagram's axes.
const SOLO: [f64; 9] = [0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3];
const LAMBDAS: [f64; 10] = [0.01, 0.03, 0.06, 0.1, 0.2, 0.3, 0.4, 0.55, 0.7, 0.9];

/// One cell of the diagram.
struct Cell {
    /// Where the second atom points: 0 at v₁ + v₂ (merged), 1 at v₂ (recovered).
    recovery: f64,
    verdict: Verdict,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut rows = Vec::new();
    println!(
        "recovery of v₂ (1) or merging into v₁ + v₂ (0); * proved global, + a local minimum, ? undecided"
    );
    println!("{:>6} {}", "λ \\ b", SOLO.map(|b| format!("{b:>7}")).concat());
    for lambda in LAMBDAS {
        let row = SOLO.iter().map(|&solo| cell(solo, lambda)).collect::<Result<Vec<_>, _>>()?;
        println!("{lambda:>6} {}", row.iter().map(text).collect::<String>());
        assert!(row[0].recovery.abs() < 1e-6 && row[0].verdict == Verdict::Global, "nesting merges");
        rows.push(row);
    }
    // Solo firing recovers as λ → 0, with an inward tilt of order λ.
    assert!(rows[0][4..].iter().all(|cell| cell.recovery > 0.9), "solo firing recovers");
    if let Some(file) = std::env::args().nth(1) {
        draw(&file, &rows)?;
        println!("drew {file}");
    }
    Ok(())
}

fn cell(solo: f64, lambda: f64) -> Result<Cell, Box<dyn Error>> {
    let (first, second) = ([1.0, 0.0], [ANGLE.cos(), ANGLE.sin()]);
    let sum = [first[0] + second[0], first[1] + second[1]];
    let data = [(first, 1.0 - TOGETHER - solo), (second, solo), (sum, TOGETHER)];
    let present: Vec<_> = data.iter().filter(|(_, share)| *share > 0.0).collect();
    let points: Vec<[f64; 2]> = present.iter().map(|(x, _)| *x).collect();
    let problem = Problem::builder(Matrix::from_columns(2, &points))
        .lambda(lambda)
        .weights(present.iter().map(|(_, share)| *share).collect())
        .build()?;
    let settings = Finite { restarts: 6, stationarity_tolerance: 1e-9, ..Finite::new(2) };
    let (point, certificate) = settings.solve(&problem)?.certified.into_parts();
    // The atom nearer to the second feature, by its angle from the first.
    let angles = point.dictionary().atoms().map(|d| d[1].atan2(d[0]));
    let farther = angles.fold(f64::NEG_INFINITY, widedict::num::max);
    Ok(Cell { recovery: (farther - 0.5 * ANGLE) / (0.5 * ANGLE), verdict: certificate.verdict().clone() })
}

fn text(cell: &Cell) -> String {
    let mark = match cell.verdict {
        Verdict::Global => '*',
        Verdict::Local => '+',
        Verdict::Rejected { .. }
        | Verdict::Refuted { .. }
        | Verdict::Undecided { .. }
        | Verdict::Feasible
        | _ => '?',
    };
    format!("{:>6.2}{mark}", cell.recovery)
}

/// A square a cell: dark where both features are recovered, light where they are
/// merged, framed where the point is proved global or a local minimum.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small picture")]
fn draw(file: &str, rows: &[Vec<Cell>]) -> Result<(), Box<dyn Error>> {
    const SIDE: i32 = 60;
    const LEFT: i32 = 80;
    let (width, height) = (LEFT as u32 + 60 * SOLO.len() as u32 + 20, 60 * LAMBDAS.len() as u32 + 90);
    let canvas = SVGBackend::new(file, (width, height)).into_drawing_area();
    canvas.fill(&WHITE)?;
    let font = ("sans-serif", 13).into_font();
    canvas.draw_text(
        "recovery of the second feature (dark: recovered, light: merged)",
        &font.clone().into(),
        (LEFT, 12),
    )?;
    for (y, (lambda, row)) in LAMBDAS.iter().zip(rows).enumerate() {
        let top = 40 + SIDE * y as i32;
        canvas.draw_text(&format!("λ = {lambda}"), &font.clone().into(), (8, top + 24))?;
        for (x, cell) in row.iter().enumerate() {
            let left = LEFT + SIDE * x as i32;
            let shade = (255.0 - 200.0 * cell.recovery.clamp(0.0, 1.0)).round() as u8;
            let corners = [(left, top), (left + SIDE - 4, top + SIDE - 4)];
            canvas.draw(&Rectangle::new(corners, RGBColor(shade, shade, 255).filled()))?;
            if matches!(cell.verdict, Verdict::Global | Verdict::Local) {
                canvas.draw(&Rectangle::new(corners, BLACK))?;
            }
            let label = format!("{:.2}", cell.recovery);
            canvas.draw_text(&label, &font.clone().into(), (left + 14, top + 22))?;
        }
    }
    for (x, solo) in SOLO.iter().enumerate() {
        let at = (LEFT + SIDE * x as i32 + 6, 44 + SIDE * LAMBDAS.len() as i32);
        canvas.draw_text(&format!("b = {solo}"), &font.clone().into(), at)?;
    }
    canvas.present()?;
    Ok(())
}
