//! A diagnosis as one HTML page with its pictures in it: it opens from disk and asks
//! nothing of a network.

use std::fmt::Write as _;

use super::{Diagnosis, Spectrum};
use crate::num::{max, min};

/// Size of a picture in pixels, and the room left for its axes.
const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 58.0;
const BOTTOM: f64 = 44.0;
const MARGIN: f64 = 12.0;

/// Dots drawn at most: an eye sees no more, a page grows by 50 bytes each.
const DOTS: usize = 20_000;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:64em;margin:2em auto;padding:0 1em;color:#1e1e1e}\
pre{background:#f6f6f4;padding:1em;overflow-x:auto;font-size:13px}\
table{border-collapse:collapse;font-size:13px;margin:1em 0}td,th{padding:.2em .7em;text-align:right;border-bottom:1px solid #ddd}\
svg{background:#fff;margin:.5em 1em .5em 0}.plots{display:flex;flex-wrap:wrap}h2{margin-top:2em}p{max-width:48em}";

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

/// Dots of several colors.
fn scatter(title: &str, x: &Axis, y: &Axis, series: &[Series]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\" aria-label=\"{title}\" \
         font-family=\"sans-serif\" font-size=\"11\">"
    );
    let (w, h) = (WIDTH - LEFT - MARGIN, HEIGHT - BOTTOM - 2.0 * MARGIN - 8.0);
    let top = 2.0 * MARGIN + 8.0;
    let _ = write!(svg, "<text x=\"{LEFT}\" y=\"16\" font-size=\"13\">{title}</text>");
    let _ = write!(
        svg,
        "<rect x=\"{LEFT}\" y=\"{top}\" width=\"{w:.1}\" height=\"{h:.1}\" fill=\"none\" stroke=\"#999\"/>"
    );
    for mark in x.marks() {
        if let Some(at) = x.place(mark) {
            let px = LEFT + at * w;
            let _ = write!(
                svg,
                "<text x=\"{px:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text><line x1=\"{px:.1}\" x2=\"{px:.1}\" y1=\"{top}\" y2=\"{:.1}\" stroke=\"#eee\"/>",
                top + h + 14.0,
                label(mark),
                top + h
            );
        }
    }
    for mark in y.marks() {
        if let Some(at) = y.place(mark) {
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
    let mut corner = LEFT + w;
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
                    LEFT + px * w,
                    top + (1.0 - py) * h
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
        let cosines = |f: fn(&super::AtomRow) -> Option<super::Neighbor>| -> Vec<(f64, f64)> {
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

    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Dictionary diagnosis</title><style>{STYLE}</style></head><body>\n\
             <h1>Dictionary diagnosis</h1>\n<pre>{}</pre>\n<div class=\"plots\">\n{}{}{}</div>\n",
            escaped(&self.to_string()),
            self.density_plot(),
            self.pressure_plot(),
            self.spectrum_plot()
        );
        let listed = self.thresholds.listed;
        let n = |v: f64| format!("{v:.4}");
        let e = |v: f64| format!("{v:.3e}");
        section(
            &mut page,
            "Where atoms would move",
            "An atom of an optimal dictionary is the direction of its code-weighted mean residual, of length lambda (stationarity).",
            &["atom", "violation", "turn (degrees)", "gain", "towards", "cosine"],
            self.dictionary.atoms.iter().take(listed).map(|a| {
                let (to, c) =
                    a.towards.map_or((String::new(), String::new()), |(l, c)| (l.to_string(), n(c)));
                vec![a.atom.to_string(), n(a.violation), n(a.turn), e(a.gain), to, c]
            }),
        );
        section(
            &mut page,
            "Nested pairs",
            "A child that fires only where its parent does is not optimal at gamma 0; un-nesting lowers the objective (no-nesting).",
            &["child", "parent", "together", "of", "share", "parent solo", "cosine", "slack", "gain"],
            self.hierarchy.nested.iter().take(listed).map(|p| {
                vec![
                    p.child.to_string(),
                    p.parent.to_string(),
                    p.together.to_string(),
                    p.child_uses.to_string(),
                    n(p.share),
                    n(p.parent_solo),
                    n(p.cosine),
                    n(p.slack),
                    e(p.gain),
                ]
            }),
        );
        section(
            &mut page,
            "Absorbed pairs",
            "The parent is silent where the child fires, and would fire if the child did not (no-nesting: the mechanism of absorption).",
            &["child", "parent", "child uses", "parent uses", "cosine", "would fire"],
            self.hierarchy.absorbed.iter().take(listed).map(|p| {
                vec![
                    p.child.to_string(),
                    p.parent.to_string(),
                    p.child_uses.to_string(),
                    p.parent_uses.to_string(),
                    n(p.cosine),
                    n(p.would_fire),
                ]
            }),
        );
        section(
            &mut page,
            "Splitting",
            "Two atoms in place of one: the first-order pressure over the atom's penalty, and the gain of an actual split (splitting-pressure).",
            &["atom", "uses", "pressure", "gain", "cosine of the two"],
            self.splitting.atoms.iter().take(listed).map(|a| {
                vec![a.atom.to_string(), a.uses.to_string(), n(a.relative), e(a.gain), n(a.opening)]
            }),
        );
        section(
            &mut page,
            "Antipodal pairs",
            "Opposite atoms are never active together at an optimum; a dense pair may stand in for a shift of the center (antipodal-pairs).",
            &["first", "second", "cosine", "density", "density", "together", "shift", "costs"],
            self.antipodal.iter().take(listed).map(|p| {
                vec![
                    p.first.to_string(),
                    p.second.to_string(),
                    n(p.cosine),
                    n(p.density_first),
                    n(p.density_second),
                    p.together.to_string(),
                    n(p.shift),
                    e(p.shift_excess),
                ]
            }),
        );
        let mut worst: Vec<_> = self.point_rows.iter().collect();
        worst.sort_by(|l, r| r.excess.total_cmp(&l.excess).then(l.point.cmp(&r.point)));
        section(
            &mut page,
            "Worst datapoints",
            "Largest excess over the cost with an atom of their own (wide-limit).",
            &["point", "objective", "excess", "residual / lambda", "atoms", "amortisation gap"],
            worst.into_iter().take(listed).map(|p| {
                vec![
                    p.point.to_string(),
                    n(p.objective),
                    n(p.excess),
                    n(p.residual),
                    p.l0.to_string(),
                    p.amortisation_gap.map_or_else(String::new, n),
                ]
            }),
        );
        let t = serde_json::to_string_pretty(&self.thresholds).expect("numbers have a JSON form");
        let _ = write!(page, "<h2>Thresholds</h2>\n<pre>{}</pre>\n</body></html>\n", escaped(&t));
        page
    }
}

fn section(
    page: &mut String,
    title: &str,
    text: &str,
    header: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
) {
    let _ = write!(page, "<h2>{title}</h2>\n<p>{text}</p>\n");
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        page.push_str("<p>None.</p>\n");
        return;
    }
    let cells = |tag: &str, row: &[&str]| {
        row.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect::<String>()
    };
    let _ = writeln!(page, "<table><tr>{}</tr>", cells("th", header));
    for row in &rows {
        let row: Vec<&str> = row.iter().map(String::as_str).collect();
        let _ = writeln!(page, "<tr>{}</tr>", cells("td", &row));
    }
    page.push_str("</table>\n");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
