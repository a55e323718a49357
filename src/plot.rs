//! SVG pictures of a dictionary, and of what a grid of problems costs.
//!
//! They are for a look, and for pages that should not depend on a plotting program; for a
//! figure of your own, write the numbers (`--json`, `io`) and draw them elsewhere.

use plotters::coord::Shift;
use plotters::coord::combinators::BindKeyPoints;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::atoms::Factorization;
use crate::linalg::dot;
use crate::num::{max, min};
use crate::problem::Problem;

/// Images drawn at most, those of largest mass. More would not be told apart on
/// a page, and the file grows by a few kilobytes each.
const MAX_IMAGES: usize = 400;

/// Steps of color from 0 to an atom's largest entry. An eye tells some 30 apart;
/// more make the file larger, because neighbors of one color are drawn as one.
const SHADES: f64 = 32.0;

/// Side of an image, in pixels of the picture (an atom's pixel is at least one).
const IMAGE_SIDE: usize = 64;

/// Space around an image, room for its mass bar included.
const GAP: usize = 10;

/// Height of the mass bar under an image.
const BAR: usize = 3;

/// Height of the line of text.
const CAPTION: usize = 30;

/// Narrowest picture: the line of text fits.
const NARROWEST: usize = 360;

/// A grid of images is wider than high by about this ratio.
const WIDE_TO_HIGH: (usize, usize) = (8, 5);

/// Width and height of the chart.
const CHART: (u32, u32) = (720, 480);

/// Room beside the largest value of an axis, as a factor on it.
const HEADROOM: f64 = 1.05;

/// End of the axis of cosines: a dot at 1 is whole.
const COSINES: f64 = 1.02;

/// Opacity of a dot: dots on each other stay visible.
const OPACITY: f64 = 0.7;

/// Room around the values of a linear axis, as a share of their range.
const X_MARGIN: f64 = 0.05;

/// Room around the values of a panel, as a share of their range.
const Y_MARGIN: f64 = 0.08;

/// Room around a range of no width, as a share of its value; and where that is 0 too.
const FLAT: (f64, f64) = (1e-3, 1e-9);

/// Room around the values of a logarithmic axis, as a factor.
const LOG_MARGIN: f64 = 1.1;

const PAGE: RGBColor = RGBColor(246, 246, 244);
const INK: RGBColor = RGBColor(30, 30, 30);
const NEGATIVE: RGBColor = RGBColor(178, 24, 43);
const DOT: RGBColor = RGBColor(33, 102, 172);

/// The picture could not be composed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the picture could not be drawn: {0}")]
pub struct PlotError(String);

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for PlotError {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}

/// Draws the atoms of a factorization as one SVG document.
///
/// Where the dimension is a square (and at least 4), each atom is a small image,
/// row by row as the data are; else each atom is a dot at its mass and its
/// largest |cosine| with another atom. Images are in the order of mass
/// `s_k = Σ wᵢz_ki`, at most 400 of them, with a bar as long as the mass: white is
/// 0, black the atom's largest magnitude, and red is negative.
///
/// # Errors
/// [`PlotError`] when drawing fails.
pub fn atoms(problem: &Problem, factorization: &Factorization) -> Result<String, PlotError> {
    let mut order: Vec<(usize, f64)> = masses(problem, factorization).into_iter().enumerate().collect();
    // Stable: equal masses keep the dictionary's order.
    order.sort_by(|l, r| r.1.total_cmp(&l.1));
    match image_side(problem.dim()) {
        Some(side) => images(factorization, &order, side),
        None => chart(factorization, &order),
    }
}

/// `s_k = Σ wᵢz_ki`.
fn masses(problem: &Problem, factorization: &Factorization) -> Vec<f64> {
    let weights = problem.data().weights();
    factorization.codes().rows().iter().map(|row| row.iter().map(|(i, z)| weights[i] * z).sum()).collect()
}

fn image_side(dim: usize) -> Option<usize> {
    let side = dim.isqrt();
    (side >= 2 && side * side == dim).then_some(side)
}

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A grid a little wider than high.
fn images(factorization: &Factorization, order: &[(usize, f64)], side: usize) -> Result<String, PlotError> {
    let shown = &order[..order.len().min(MAX_IMAGES)];
    let columns =
        (1..=shown.len()).find(|c| c * c * WIDE_TO_HIGH.1 >= shown.len() * WIDE_TO_HIGH.0).unwrap_or(1);
    let rows = shown.len().div_ceil(columns);
    let pixel = (IMAGE_SIDE / side).max(1);
    let cell = pixel * side + GAP;
    let (width, height) = ((columns * cell + GAP).max(NARROWEST), rows * cell + GAP + CAPTION);
    let mut document = String::new();
    {
        let canvas =
            SVGBackend::with_string(&mut document, (extent(width), extent(height))).into_drawing_area();
        canvas.fill(&PAGE)?;
        let of_all = if shown.len() < order.len() { format!(" of {}", order.len()) } else { String::new() };
        let text = format!("{}{of_all} atoms, by mass", shown.len());
        canvas.draw_text(&text, &("sans-serif", 14).into_font().color(&INK), (coordinate(GAP), 9))?;
        let heaviest = shown.first().map_or(0.0, |(_, mass)| *mass);
        for (at, &(k, mass)) in shown.iter().enumerate() {
            let corner = (GAP + (at % columns) * cell, CAPTION + (at / columns) * cell);
            image(&canvas, factorization.dictionary().atom(k), corner, side, pixel)?;
            let share = if heaviest > 0.0 { mass / heaviest } else { 0.0 };
            let bar = (corner.0, corner.1 + pixel * side + 1);
            fill(&canvas, bar, (length(share, pixel * side), BAR), INK)?;
        }
        canvas.present()?;
    }
    Ok(document)
}

fn image(
    canvas: &Canvas<'_>,
    atom: &[f64],
    corner: (usize, usize),
    side: usize,
    pixel: usize,
) -> Result<(), PlotError> {
    fill(canvas, corner, (pixel * side, pixel * side), WHITE)?;
    let largest = atom.iter().fold(0.0, |m, v| max(m, v.abs()));
    let color = |v: f64| {
        let share = if largest > 0.0 { (v / largest * SHADES).round() / SHADES } else { 0.0 };
        if share < 0.0 { blend(NEGATIVE, -share) } else { blend(INK, share) }
    };
    for (y, row) in atom.chunks_exact(side).enumerate() {
        // Neighbors of one color are one rectangle, and white is there already.
        let mut x = 0;
        for run in row.chunk_by(|l, r| color(*l) == color(*r)) {
            let here = color(run[0]);
            if here != WHITE {
                let at = (corner.0 + x * pixel, corner.1 + y * pixel);
                fill(canvas, at, (run.len() * pixel, pixel), here)?;
            }
            x += run.len();
        }
    }
    Ok(())
}

fn fill(
    canvas: &Canvas<'_>,
    at: (usize, usize),
    size: (usize, usize),
    color: RGBColor,
) -> Result<(), PlotError> {
    if size.0 == 0 || size.1 == 0 {
        return Ok(());
    }
    let corners =
        [(coordinate(at.0), coordinate(at.1)), (coordinate(at.0 + size.0), coordinate(at.1 + size.1))];
    Ok(canvas.draw(&Rectangle::new(corners, color.filled()))?)
}

/// White at 0, `color` at 1.
fn blend(color: RGBColor, share: f64) -> RGBColor {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, within 0..=255")]
    let channel = |c: u8| (255.0 - share.clamp(0.0, 1.0) * (255.0 - f64::from(c))).round() as u8;
    RGBColor(channel(color.0), channel(color.1), channel(color.2))
}

/// A dot an atom: mass against the largest |cosine| with another.
fn chart(factorization: &Factorization, order: &[(usize, f64)]) -> Result<String, PlotError> {
    let dictionary = factorization.dictionary();
    let closest = |k: usize| {
        (0..dictionary.len())
            .filter(|&l| l != k)
            .map(|l| dot(dictionary.atom(k), dictionary.atom(l)).abs())
            .fold(0.0, max)
    };
    let heaviest = order.first().map_or(0.0, |(_, mass)| *mass);
    let right = if heaviest > 0.0 { heaviest * HEADROOM } else { 1.0 };
    let mut document = String::new();
    {
        let canvas = SVGBackend::with_string(&mut document, CHART).into_drawing_area();
        canvas.fill(&WHITE)?;
        let caption = format!("{} atoms", order.len());
        let style = ("sans-serif", 16).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Top));
        let mut chart = ChartBuilder::on(&canvas)
            .caption(caption, style)
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..right, 0.0..COSINES)?;
        chart
            .configure_mesh()
            .x_desc("mass (mean code)")
            .y_desc("largest |cosine| with another atom")
            .light_line_style(TRANSPARENT)
            .draw()?;
        chart.draw_series(
            order.iter().map(|&(k, mass)| Circle::new((mass, closest(k)), 3, DOT.mix(OPACITY).filled())),
        )?;
        canvas.present()?;
    }
    Ok(document)
}

/// One problem of a grid and what it costs: what [`curve`] draws.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// Where on the axis: a price, or atoms per datapoint.
    pub x: f64,
    /// Objective of its factorization.
    pub objective: f64,
    /// Its certified lower bound.
    pub lower_bound: f64,
    /// Atoms in use.
    pub atoms: usize,
    /// Mean number of codes a datapoint.
    pub mean_l0: f64,
}

/// Width and height of one panel of a curve.
const PANEL: (u32, u32) = (720, 280);

/// Room for the names of lines beside a panel, and where they begin and follow.
const LEGEND: u32 = 140;
const LEGEND_TOP: i32 = 24;
const LEGEND_ROW: i32 = 20;

/// Room for a label of an axis.
const LABEL: u32 = 42;

const BOUND: RGBColor = RGBColor(178, 24, 43);
const LIMIT: RGBColor = RGBColor(120, 120, 120);

/// Draws a grid of problems as one SVG document of three panels: the objective
/// with its certified bound (and the wide limit `F_∞`, grey, where given), the
/// atoms, the mean L0. The axis is logarithmic where every x is positive and two
/// differ.
///
/// # Errors
/// [`PlotError`] when drawing fails.
pub fn curve(points: &[CurvePoint], axis: &str, wide_limit: Option<f64>) -> Result<String, PlotError> {
    let mut points = points.to_vec();
    points.sort_by(|l, r| l.x.total_cmp(&r.x));
    let (first, last) = (points.first().map_or(0.0, |p| p.x), points.last().map_or(1.0, |p| p.x));
    let mut document = String::new();
    {
        let canvas = SVGBackend::with_string(&mut document, (PANEL.0, 3 * PANEL.1)).into_drawing_area();
        canvas.fill(&WHITE)?;
        let areas = canvas.split_evenly((3, 1));
        let line = |value: fn(&CurvePoint) -> f64, color, name| Line {
            values: points.iter().map(|p| (p.x, value(p))).collect(),
            color,
            name,
        };
        #[expect(clippy::cast_precision_loss, reason = "numbers of atoms are far below 2^53")]
        let atoms: fn(&CurvePoint) -> f64 = |p| p.atoms as f64;
        let mut values =
            vec![line(|p| p.objective, DOT, "objective"), line(|p| p.lower_bound, BOUND, "certified bound")];
        if let Some(limit) = wide_limit {
            let ends = vec![(first, limit), (last, limit)];
            values.push(Line { values: ends, color: LIMIT, name: "wide limit" });
        }
        let panels = [values, vec![line(atoms, DOT, "atoms")], vec![line(|p| p.mean_l0, DOT, "mean L0")]];
        for (area, lines) in areas.iter().zip(&panels) {
            if first > 0.0 && first < last {
                let range = (first / LOG_MARGIN..last * LOG_MARGIN).log_scale();
                panel(area, lines, range.with_key_points(ticks(&points)), axis)?;
            } else {
                let margin = max(X_MARGIN * (last - first), FLAT.0);
                panel(area, lines, first - margin..last + margin, axis)?;
            }
        }
        canvas.present()?;
    }
    Ok(document)
}

/// A named line of a panel.
struct Line {
    values: Vec<(f64, f64)>,
    color: RGBColor,
    name: &'static str,
}

/// Where a logarithmic axis is labelled: at its points, leaving out those whose labels would
/// overlap.
fn ticks(points: &[CurvePoint]) -> Vec<f64> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let least = (last.x / first.x).ln() * f64::from(LABEL) / f64::from(PANEL.0 - LEGEND);
    let mut ticks: Vec<f64> = Vec::new();
    for point in points {
        if ticks.last().is_none_or(|tick| (point.x / tick).ln() >= least) {
            ticks.push(point.x);
        }
    }
    ticks
}

/// Names the lines of a panel beside it.
fn legend(area: &Canvas<'_>, lines: &[Line]) -> Result<(), PlotError> {
    if lines.len() < 2 {
        return Ok(());
    }
    let style = ("sans-serif", 13).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
    for (line, row) in lines.iter().zip(0..) {
        let y = LEGEND_TOP + LEGEND_ROW * row;
        let stroke = ShapeStyle::from(line.color).stroke_width(2);
        area.draw(&PathElement::new([(0, y), (18, y)], stroke))?;
        area.draw_text(line.name, &style, (24, y))?;
    }
    Ok(())
}

fn panel<X>(area: &Canvas<'_>, lines: &[Line], x: X, axis: &str) -> Result<(), PlotError>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64> + Ranged<ValueType = f64>,
{
    let heights = || lines.iter().flat_map(|line| line.values.iter().map(|v| v.1));
    let (low, high) = (heights().fold(f64::INFINITY, min), heights().fold(f64::NEG_INFINITY, max));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let margin = max(Y_MARGIN * (high - low), FLAT.1 + FLAT.0 * high.abs());
    let (area, beside) = area.split_horizontally(PANEL.0 - LEGEND);
    legend(&beside, lines)?;
    let mut chart = ChartBuilder::on(&area)
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(64)
        .build_cartesian_2d(x, low - margin..high + margin)?;
    let name = lines.first().map_or("", |line| line.name);
    chart
        .configure_mesh()
        .x_desc(axis)
        .y_desc(name)
        .x_label_formatter(&|v: &f64| tick(*v))
        .y_label_formatter(&|v: &f64| tick(*v))
        .light_line_style(TRANSPARENT)
        .draw()?;
    for line in lines {
        let style = ShapeStyle::from(line.color).stroke_width(2);
        let color = line.color;
        chart.draw_series(LineSeries::new(line.values.iter().copied(), style))?;
        if line.color != LIMIT {
            chart.draw_series(line.values.iter().map(|&v| Circle::new(v, 3, color.filled())))?;
        }
    }
    Ok(())
}

/// A tick's number without the noise of its last digits.
fn tick(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-3 {
        return format!("{value:.1e}");
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `share` of `full` pixels, at least one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share from 0 to 1 of some ten pixels"
)]
fn length(share: f64, full: usize) -> usize {
    ((share * full as f64).round() as usize).clamp(1, full)
}

fn extent(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

fn coordinate(size: usize) -> i32 {
    i32::try_from(size).unwrap_or(i32::MAX)
}
