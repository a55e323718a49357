//! Two features that sometimes fire together: when does the best dictionary of two
//! atoms recover them, and when does it merge one into their sum? (theorems `two-feature`,
//! `planar-optimum`)
//!
//! Unit v₁, v₂ at an angle; data v₁, v₂, v₁ + v₂ with probabilities a, b, c. The diagram in
//! (b, λ) for 60° and c = 0.4: every cell is proved, no dictionary of two atoms is better by a
//! millionth. Then, for 90° and a : c = 4 : 3, the share of the second feature's solo firing at
//! which the first atom leaves v₁: a bracket whose upper end is proved.
//!
//! ```sh
//! cargo run --release --features full --example two_feature -- two_feature.svg
//! ```
//!
//! Claims, asserted: without solo firing (b = 0) the second feature is merged at
//! every λ, proved global; with it, small λ recovers both; over a bracket of
//! 3·10⁻⁵ about where the first atom leaves v₁, the second turns by less than 0.2 degrees at
//! λ = 0.1 and 0.2, and by more than one at λ = 0.3.

use std::error::Error;
use std::f64::consts::{FRAC_PI_2, FRAC_PI_3, PI};

use plotters::prelude::*;
use widedict::solve::planar::Planar;
use widedict::trusted::planar::{Goal, prove};
use widedict::{Finite, Matrix, Problem, Verdict};

const TOGETHER: f64 = 0.4;

/// Shares b of solo firing, and penalties λ: the diagram's axes.
const SOLO: [f64; 9] = [0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3];
const LAMBDAS: [f64; 10] = [0.01, 0.03, 0.06, 0.1, 0.2, 0.3, 0.4, 0.55, 0.7, 0.9];

/// How far from the optimum a dictionary may be, relatively.
const TOLERANCE: f64 = 1e-6;

/// One cell of the diagram.
struct Cell {
    /// Where the second atom points: 0 at v₁ + v₂ (merged), 1 at v₂ (recovered).
    recovery: f64,
    /// The objective and a proved lower bound of every dictionary of two atoms.
    objective: f64,
    bound: f64,
    verdict: Verdict,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut rows = Vec::new();
    println!(
        "recovery of v₂ (1) or merging into v₁ + v₂ (0); * proved the best of two atoms to a millionth, ? not"
    );
    println!("{:>6} {}", "λ \\ b", SOLO.map(|b| format!("{b:>7}")).concat());
    for lambda in LAMBDAS {
        let row = SOLO.iter().map(|&solo| cell(solo, lambda)).collect::<Result<Vec<_>, _>>()?;
        println!("{lambda:>6} {}", row.iter().map(text).collect::<String>());
        assert!(row[0].recovery.abs() < 1e-6 && row[0].verdict == Verdict::Global, "nesting merges");
        for cell in &row {
            assert!(proved(cell) && cell.bound <= cell.objective, "every cell is proved");
        }
        rows.push(row);
    }
    // Solo firing recovers as λ → 0, with an inward tilt of order λ.
    assert!(rows[0][4..].iter().all(|cell| cell.recovery > 0.9), "solo firing recovers");
    println!("\n90 degrees, a : c = 4 : 3: where the first atom leaves v₁");
    println!("{:>5} {:>21}  atoms before and after, degrees", "λ", "b/c between");
    for lambda in LEAVING {
        let [stays, left] = bracket(lambda)?;
        println!(
            "{lambda:>5} {:>10.6} {:>10.6}  {:.2?} {:.2?}",
            stays.ratio, left.ratio, stays.atoms, left.atoms
        );
        assert!(left.ratio - stays.ratio < 1e-4, "a narrow bracket");
        // At small penalties both atoms turn by hundredths of a degree over it; at the largest the
        // second turns by three: it jumps, or turns by 10⁵ degrees a unit of b/c.
        let turn = left.atoms[1] - stays.atoms[1];
        assert!(if lambda < 0.25 { turn.abs() < 0.2 } else { turn > 1.0 }, "{lambda}: {turn}");
    }
    if let Some(file) = std::env::args().nth(1) {
        draw(&file, &rows)?;
        println!("drew {file}");
    }
    Ok(())
}

/// Datapoints v₁, v₂, v₁ + v₂ with their shares, those of share 0 left out.
fn problem(angle: f64, shares: [f64; 3], lambda: f64) -> Result<Problem, Box<dyn Error>> {
    let (first, second) = ([1.0, 0.0], [angle.cos(), angle.sin()]);
    let sum = [first[0] + second[0], first[1] + second[1]];
    let (points, weights): (Vec<[f64; 2]>, Vec<f64>) =
        [first, second, sum].into_iter().zip(shares).filter(|(_, share)| *share > 0.0).unzip();
    Ok(Problem::builder(Matrix::from_columns(2, &points)).lambda(lambda).weights(weights).build()?)
}

fn settings() -> Planar {
    let finite = Finite { restarts: 6, stationarity_tolerance: 1e-9, ..Finite::new(2) };
    Planar { tolerance: TOLERANCE, finite }
}

fn cell(solo: f64, lambda: f64) -> Result<Cell, Box<dyn Error>> {
    let problem = problem(FRAC_PI_3, [1.0 - TOGETHER - solo, solo, TOGETHER], lambda)?;
    let (point, certificate) = settings().solve(&problem)?.certified.into_parts();
    // The atom nearer to the second feature, by its angle from the first.
    let angles = point.dictionary().atoms().map(|d| d[1].atan2(d[0]));
    let farther = angles.fold(f64::NEG_INFINITY, widedict::num::max);
    Ok(Cell {
        recovery: (farther - 0.5 * FRAC_PI_3) / (0.5 * FRAC_PI_3),
        objective: certificate.objective(),
        bound: certificate.width_bound(2).ok_or("a bound")?.get(),
        verdict: certificate.verdict().clone(),
    })
}

/// Penalties for which the boundary is bracketed.
const LEAVING: [f64; 3] = [0.1, 0.2, 0.3];

/// A share of solo firing with the middles of the arcs that are proved to hold both atoms.
#[derive(Clone, Copy)]
struct Place {
    ratio: f64,
    /// Degrees from v₁, in order.
    atoms: [f64; 2],
}

/// Shares b/c at which a dictionary within a billionth of the best may have an atom at v₁, and at
/// which it is proved that none has, closer and closer.
fn bracket(lambda: f64) -> Result<[Place; 2], Box<dyn Error>> {
    let look = |ratio: f64| -> Result<(bool, Place), Box<dyn Error>> {
        let arcs = first_atom(ratio, lambda)?;
        let at_first = arcs.iter().any(|arc| arc[0] <= 0.0 || arc[1] >= 360.0);
        let middles: Vec<f64> = arcs
            .iter()
            .filter(|arc| arc[1] < 180.0)
            .map(|arc| if arc[0] <= 0.0 { 0.0 } else { 0.5 * (arc[0] + arc[1]) })
            .collect();
        let ends = [middles.first(), middles.last()].map(|m| m.copied().unwrap_or(f64::NAN));
        Ok((at_first, Place { ratio, atoms: ends }))
    };
    let (mut stays, mut left) = (look(0.02)?.1, look(1.0)?.1);
    while left.ratio - stays.ratio > 5e-5 {
        let (at_first, place) = look(0.5 * (stays.ratio + left.ratio))?;
        *(if at_first { &mut stays } else { &mut left }) = place;
    }
    Ok([stays, left])
}

/// Arcs, in degrees, that hold the atoms of every dictionary within a billionth of the best.
fn first_atom(ratio: f64, lambda: f64) -> Result<Vec<[f64; 2]>, Box<dyn Error>> {
    let together = 3.0 / (7.0 + 3.0 * ratio);
    let shares = [4.0 / 3.0 * together, ratio * together, together];
    let problem = problem(FRAC_PI_2, shares, lambda)?;
    let best = settings().solve(&problem)?.certified.into_parts().1.upper().get();
    let goal = Goal { levels: 16, ..Goal::new(2, best * (1.0 + 1e-9)) };
    let found = prove(&problem, &goal, &()).ok_or("a bound")?;
    Ok(found.arcs.iter().map(|arc| arc.map(|angle| angle * 180.0 / PI)).collect())
}

fn proved(cell: &Cell) -> bool {
    matches!(cell.verdict, Verdict::Global | Verdict::GlobalWidth)
}

fn text(cell: &Cell) -> String {
    format!("{:>6.2}{}", cell.recovery, if proved(cell) { '*' } else { '?' })
}

/// A square a cell: dark where both features are recovered, light where they are
/// merged, framed where no dictionary of two atoms is proved better.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small picture")]
fn draw(file: &str, rows: &[Vec<Cell>]) -> Result<(), Box<dyn Error>> {
    const SIDE: i32 = 60;
    const LEFT: i32 = 80;
    let (width, height) = (LEFT as u32 + 60 * SOLO.len() as u32 + 20, 60 * LAMBDAS.len() as u32 + 90);
    let canvas = SVGBackend::new(file, (width, height)).into_drawing_area();
    canvas.fill(&WHITE)?;
    let font = ("sans-serif", 13).into_font();
    canvas.draw_text(
        "recovery of the second feature (dark: recovered, light: merged); framed: proved the best of two atoms",
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
            if proved(cell) {
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
