//! The pictures of a diagnosis, as SVG without a library: dots on two axes.

use std::fmt::Write as _;

use super::super::{AtomRow, Diagnosis, Neighbor, Spectrum};
use crate::num::{max, min};

/// Size of a picture in pixels, and the room left for its axes.
const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 58.0;
const BOTTOM: f64 = 44.0;
const MARGIN: f64 = 12.0;

/// Dots drawn at most: an eye sees no more, a page grows by 50 bytes each.
const DOTS: usize = 20_000;

/// An axis from one number to another, of equal steps or of equal ratios.
struct Axis {
    from: f64,
    to: f64,
    log: bool,
    name: &'static str,
}

impl Axis {
    /// Around the numbers; those not positive are left out of a logarithmic axis.
    fn around(name: &'static str, log: bool, values: impl Iterator<Item = f64>) -> Self {
        let (mut from, mut to) = (f64::INFINITY, f64::NEG_INFINITY);
        for v in values.filter(|v| v.is_finite() && (!log || *v > 0.0)) {
            (from, to) = (min(from, v), max(to, v));
        }
        if !(from < to) {
            let middle = if from.is_finite() { from } else { 1.0 };
            (from, to) = if log { (0.5 * middle, 2.0 * middle) } else { (middle - 0.5, middle + 0.5) };
        }
        Self { from, to, log, name }
    }

    fn place(&self, value: f64) -> Option<f64> {
        let share = if self.log {
            (value / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        (-1e-9..=1.0 + 1e-9).contains(&share).then_some(share)
    }

    /// Marks: powers of ten, or some five round numbers.
    fn marks(&self) -> Vec<f64> {
        if self.log {
            #[expect(clippy::cast_possible_truncation, reason = "exponents of f64 are small")]
            let range = (self.from.log10().ceil() as i32)..=(self.to.log10().floor() as i32);
            let marks: Vec<f64> = range.map(|e| 10.0_f64.powi(e)).collect();
            return if marks.len() < 2 { vec![self.from, self.to] } else { marks };
        }
        let raw = (self.to - self.from) / 5.0;
        let unit = 10.0_f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * unit).into_iter().find(|s| *s >= raw).unwrap_or(raw);
        let mut marks = Vec::new();
        let mut at = (self.from / step).ceil() * step;
        while at <= self.to && marks.len() < 12 {
            // A sum of steps near 0 is 0.
            marks.push(if at.abs() < 1e-9 * step { 0.0 } else { at });
            at += step;
        }
        marks
    }
}

fn label(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        "0".to_owned()
    } else if (0.01..1e4).contains(&size) {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.0e}")
    }
}

/// A name, a color and dots.
type Series = (&'static str, &'static str, Vec<(f64, f64)>);

/// Where the frame of a picture lies.
struct Frame {
    top: f64,
    width: f64,
    height: f64,
}

impl Frame {
    /// Below the title, beside the labels.
    fn of_picture() -> Self {
        let top = 2.0 * MARGIN + 8.0;
        Self { top, width: WIDTH - LEFT - MARGIN, height: HEIGHT - BOTTOM - top }
    }

    /// Title, border, marks with their lines, names of the axes.
    fn draw(&self, svg: &mut String, title: &str, x: &Axis, y: &Axis) {
        let Self { top, width: w, height: h } = *self;
        let _ = write!(svg, "<text x=\"{LEFT}\" y=\"16\" font-size=\"13\">{title}</text>");
        let _ = write!(
            svg,
            "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{w:.1}\" height=\"{h:.1}\" fill=\"none\" stroke=\"#999\"/>"
        );
        for (mark, at) in x.marks().into_iter().filter_map(|mark| Some((mark, x.place(mark)?))) {
            let px = LEFT + at * w;
            let _ = write!(
                svg,
                "<text x=\"{px:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text><line x1=\"{px:.1}\" x2=\"{px:.1}\" y1=\"{top}\" y2=\"{:.1}\" stroke=\"#eee\"/>",
                top + h + 14.0,
                label(mark),
                top + h
            );
        }
        for (mark, at) in y.marks().into_iter().filter_map(|mark| Some((mark, y.place(mark)?))) {
            let py = top + (1.0 - at) * h;
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text><line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{py:.1}\" y2=\"{py:.1}\" stroke=\"#eee\"/>",
                LEFT - 4.0,
                py + 4.0,
                label(mark),
                LEFT + w
            );
        }
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text><text transform=\"rotate(-90)\" x=\"{:.1}\" y=\"12\" text-anchor=\"middle\">{}</text>",
            LEFT + 0.5 * w,
            HEIGHT - 8.0,
            x.name,
            -(top + 0.5 * h),
            y.name
        );
    }
}

/// Dots of several colors.
fn scatter(title: &str, x: &Axis, y: &Axis, series: &[Series]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{title}\" \
         font-family=\"sans-serif\" font-size=\"11\">"
    );
    let frame = Frame::of_picture();
    frame.draw(&mut svg, title, x, y);
    let mut corner = LEFT + frame.width;
    for (name, color, dots) in series.iter().rev() {
        if !name.is_empty() {
            let _ = write!(
                svg,
                "<text x=\"{corner:.1}\" y=\"16\" fill=\"{color}\" text-anchor=\"end\">{name}</text>"
            );
            #[expect(clippy::cast_precision_loss, reason = "a short word")]
            let width = name.len() as f64 * 6.5 + 8.0;
            corner -= width;
        }
        let _ = write!(svg, "<g fill=\"{color}\" fill-opacity=\"0.6\">");
        for &(dx, dy) in dots.iter().take(DOTS) {
            if let (Some(px), Some(py)) = (x.place(dx), y.place(dy)) {
                let _ = write!(
                    svg,
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"2\"/>",
                    LEFT + px * frame.width,
                    frame.top + (1.0 - py) * frame.height
                );
            }
        }
        svg.push_str("</g>");
    }
    svg.push_str("</svg>\n");
    svg
}

const BLUE: &str = "#2166ac";
const RED: &str = "#b2182b";
const GREY: &str = "#777777";

/// A color, a name, and a spectrum that may not be there.
type Line<'a> = (&'static str, &'static str, &'a Option<Spectrum>);

impl Diagnosis {
    /// The atoms' densities against their cosines with the closest and the most
    /// opposite other atom, as one SVG document.
    #[must_use]
    pub fn density_plot(&self) -> String {
        let cosines = |f: fn(&AtomRow) -> Option<Neighbor>| -> Vec<(f64, f64)> {
            self.atom_rows.iter().filter_map(|a| Some((a.density, f(a)?.cosine))).collect()
        };
        let (near, far) = (cosines(|a| a.nearest), cosines(|a| a.opposite));
        let x = Axis::around("density (share of points)", true, self.atom_rows.iter().map(|a| a.density));
        let y = Axis { from: -1.0, to: 1.0, log: false, name: "cosine" };
        scatter("density and cosine", &x, &y, &[("closest", BLUE, near), ("most opposite", RED, far)])
    }

    /// The atoms' densities against their splitting pressures, as one SVG document.
    #[must_use]
    pub fn pressure_plot(&self) -> String {
        let dots: Vec<(f64, f64)> =
            self.atom_rows.iter().filter_map(|a| Some((a.density, a.pressure?))).collect();
        let x = Axis::around("density (share of points)", true, dots.iter().map(|d| d.0));
        let y = Axis::around("pressure / penalty", false, dots.iter().map(|d| d.1).chain([0.0]));
        scatter("splitting pressure", &x, &y, &[("", BLUE, dots)])
    }

    /// The spectra of the residuals, as one SVG document.
    #[must_use]
    pub fn spectrum_plot(&self) -> String {
        let lines: [Line<'_>; 3] = [
            ("residuals", GREY, &self.residuals.spectrum),
            ("beyond the ball", BLUE, &self.residuals.beyond_ball),
            ("off the polytope", RED, &self.residuals.off_polytope),
        ];
        #[expect(clippy::cast_precision_loss, reason = "ranks are small")]
        let dots = |s: &Option<Spectrum>| -> Vec<(f64, f64)> {
            let Some(s) = s else { return Vec::new() };
            // Below this share of the largest an eigenvalue is rounding.
            let floor = s.eigenvalues.first().map_or(0.0, |e| 1e-12 * e);
            s.eigenvalues
                .iter()
                .enumerate()
                .filter(|(_, e)| **e > floor)
                .map(|(k, &e)| ((k + 1) as f64, e))
                .collect()
        };
        let series: Vec<Series> =
            lines.into_iter().filter(|(_, _, s)| s.is_some()).map(|(n, c, s)| (n, c, dots(s))).collect();
        let all = || series.iter().flat_map(|(_, _, d)| d.iter());
        let x = Axis::around("rank", true, all().map(|d| d.0));
        let y = Axis::around("eigenvalue", true, all().map(|d| d.1));
        scatter("residual spectrum", &x, &y, &series)
    }
}
