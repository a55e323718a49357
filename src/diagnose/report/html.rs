//! A diagnosis as one HTML page with its pictures in it: it opens from disk and asks
//! nothing of a network.

use std::fmt::Write as _;

use super::super::Diagnosis;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:64em;margin:2em auto;padding:0 1em;color:#1e1e1e}\
pre{background:#f6f6f4;padding:1em;overflow-x:auto;font-size:13px}\
table{border-collapse:collapse;font-size:13px;margin:1em 0}td,th{padding:.2em .7em;text-align:right;border-bottom:1px solid #ddd}\
td.fact{text-align:left}svg{background:#fff;margin:.5em 1em .5em 0}.plots{display:flex;flex-wrap:wrap}h2{margin-top:2em}p{max-width:48em}";

/// A number with four decimals.
fn fixed(v: f64) -> String {
    format!("{v:.4}")
}

/// A number in scientific notation.
fn scientific(v: f64) -> String {
    format!("{v:.3e}")
}

impl Diagnosis {
    /// The page; `facts` are where the numbers come from, a name and what it is.
    #[must_use]
    pub fn html(&self, facts: &[(&str, String)]) -> String {
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Dictionary diagnosis</title><style>{STYLE}</style></head><body>\n\
             <h1>Dictionary diagnosis</h1>\n{}<pre>{}</pre>\n<div class=\"plots\">\n{}{}{}</div>\n",
            facts_table(facts),
            escaped(&self.to_string()),
            self.density_plot(),
            self.pressure_plot(),
            self.spectrum_plot()
        );
        self.moves_section(&mut page);
        self.nested_section(&mut page);
        self.absorbed_section(&mut page);
        self.split_section(&mut page);
        self.hull_section(&mut page);
        self.antipodal_section(&mut page);
        self.worst_section(&mut page);
        let t = serde_json::to_string_pretty(&self.thresholds).expect("numbers have a JSON form");
        let _ = write!(page, "<h2>Thresholds</h2>\n<pre>{}</pre>\n</body></html>\n", escaped(&t));
        page
    }

    fn moves_section(&self, page: &mut String) {
        section(
            page,
            "Where atoms would move",
            "An atom of an optimal dictionary is the direction of its code-weighted mean residual, of length lambda (stationarity).",
            &["atom", "violation", "turn (degrees)", "gain", "towards", "cosine"],
            self.dictionary.atoms.iter().take(self.thresholds.max_listed).map(|a| {
                let (to, c) =
                    a.towards.map_or((String::new(), String::new()), |(l, c)| (l.to_string(), fixed(c)));
                vec![a.atom.to_string(), fixed(a.violation), fixed(a.turn), scientific(a.gain), to, c]
            }),
        );
    }

    fn nested_section(&self, page: &mut String) {
        section(
            page,
            "Nested pairs",
            "A child that fires only where its parent does is not optimal at gamma 0; un-nesting lowers the objective (no-nesting).",
            &["child", "parent", "together", "of", "share", "parent solo", "cosine", "slack", "gain"],
            self.hierarchy.nested.iter().take(self.thresholds.max_listed).map(|p| {
                vec![
                    p.child.to_string(),
                    p.parent.to_string(),
                    p.together.to_string(),
                    p.child_uses.to_string(),
                    fixed(p.share),
                    fixed(p.parent_solo),
                    fixed(p.cosine),
                    fixed(p.slack),
                    scientific(p.gain),
                ]
            }),
        );
    }

    fn absorbed_section(&self, page: &mut String) {
        section(
            page,
            "Absorbed pairs",
            "The parent is silent where the child fires, and would fire if the child did not (no-nesting: the mechanism of absorption).",
            &["child", "parent", "child uses", "parent uses", "cosine", "would fire"],
            self.hierarchy.absorbed.iter().take(self.thresholds.max_listed).map(|p| {
                vec![
                    p.child.to_string(),
                    p.parent.to_string(),
                    p.child_uses.to_string(),
                    p.parent_uses.to_string(),
                    fixed(p.cosine),
                    fixed(p.would_fire),
                ]
            }),
        );
    }

    fn split_section(&self, page: &mut String) {
        section(
            page,
            "Splitting",
            "Two atoms in place of one: the first-order pressure over the atom's penalty, and the gain of an actual split (splitting-pressure).",
            &["atom", "uses", "pressure", "gain", "cosine of the two"],
            self.splitting.atoms.iter().take(self.thresholds.max_listed).map(|a| {
                vec![
                    a.atom.to_string(),
                    a.uses.to_string(),
                    fixed(a.relative),
                    scientific(a.gain),
                    fixed(a.opening),
                ]
            }),
        );
    }

    fn hull_section(&self, page: &mut String) {
        let hull = self.hull.as_ref();
        let list = |items: &[usize]| items.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        section(
            page,
            "Stationary at all",
            "At a stationary point, what an atom demands lies in the hull of the codes where it is off (in their cone, with a fixed center). A certified distance above 0 says that no data set makes this dictionary with these codes a stationary point (hull-condition).",
            &["atom", "distance", "certified", "atoms", "points"],
            hull.iter().flat_map(|hull| &hull.atoms).take(self.thresholds.max_listed).map(|a| {
                let certified = scientific(a.certified_lower);
                vec![a.atom.to_string(), scientific(a.distance), certified, list(&a.with), list(&a.points)]
            }),
        );
        section(
            page,
            "Windows of cosines",
            "The codes of one atom where another is off bound the cosine of the two, where the center is a variable (hull-condition).",
            &["off", "other", "cosine", "low", "high", "outside"],
            hull.iter().flat_map(|hull| &hull.windows).take(self.thresholds.max_listed).map(|w| {
                let ends = [w.cosine, w.low, w.high].map(fixed);
                [w.off.to_string(), w.other.to_string()]
                    .into_iter()
                    .chain(ends)
                    .chain([scientific(w.outside)])
                    .collect()
            }),
        );
    }

    fn antipodal_section(&self, page: &mut String) {
        section(
            page,
            "Antipodal pairs",
            "Opposite atoms are never active together at an optimum; a dense pair may stand in for a shift of the center (antipodal-pairs). A peak is the largest code over the mean one, where the other is off: at least 1 less the cosine, where the center is a variable (hull-condition).",
            &[
                "first", "second", "cosine", "density", "density", "together", "peak", "peak", "shift",
                "costs",
            ],
            self.antipodal.iter().take(self.thresholds.max_listed).map(|p| {
                vec![
                    p.first.to_string(),
                    p.second.to_string(),
                    fixed(p.cosine),
                    fixed(p.density_first),
                    fixed(p.density_second),
                    p.together.to_string(),
                    fixed(p.peak_first),
                    fixed(p.peak_second),
                    fixed(p.shift),
                    scientific(p.shift_excess),
                ]
            }),
        );
    }

    fn worst_section(&self, page: &mut String) {
        let mut worst: Vec<_> = self.point_rows.iter().collect();
        worst.sort_by(|l, r| r.excess.total_cmp(&l.excess).then(l.point.cmp(&r.point)));
        section(
            page,
            "Worst datapoints",
            "Largest excess over the cost with an atom of their own (wide-limit).",
            &["point", "objective", "excess", "residual / lambda", "atoms", "amortisation gap"],
            worst.into_iter().take(self.thresholds.max_listed).map(|p| {
                vec![
                    p.point.to_string(),
                    fixed(p.objective),
                    fixed(p.excess),
                    fixed(p.residual),
                    p.l0.to_string(),
                    p.amortisation_gap.map_or_else(String::new, fixed),
                ]
            }),
        );
    }
}

/// Where the numbers come from.
fn facts_table(facts: &[(&str, String)]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let row = |(name, fact): &(&str, String)| {
        format!("<tr><th>{}</th><td class=\"fact\">{}</td></tr>\n", escaped(name), escaped(fact))
    };
    format!("<table>\n{}</table>\n", facts.iter().map(row).collect::<String>())
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
