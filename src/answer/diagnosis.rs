//! The answer of `diagnose`, and where what was diagnosed comes from.

use std::fmt::Write as _;
use std::path::Path;

use crate::certificate::Concentration;
use crate::diagnose::{Diagnosis, Estimate, Estimates, MatchedL0};
use crate::io::sae::{Folding, Kind, Layout, NoEncoder};
use crate::io::{Masked, Rows};
use crate::{Problem, Stop};
use serde::Serialize;

use super::masked;

/// Where it comes from and what was done to it, for the record.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Source {
    pub data: String,
    pub dictionary: String,
    pub layout: Option<Layout>,
    /// What is reconstructed from what.
    pub kind: Option<Kind>,
    pub architecture: Option<String>,
    /// What the encoder computes.
    pub encoder: Option<String>,
    /// The file of the codes, where these are not the encoder's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codes: Option<String>,
    /// Why the encoder was not used.
    pub no_encoder: Option<NoEncoder>,
    pub folding: Option<Folding>,
    /// What the penalty was taken from.
    pub lambda_from: &'static str,
    /// Whether its configuration has no λ.
    #[serde(skip)]
    pub without_price: bool,
    pub seconds: f64,
}

/// A diagnosis with its source.
#[derive(Serialize)]
pub struct Report<'a> {
    #[serde(flatten)]
    pub diagnosis: &'a Diagnosis,
    /// The same of the first atoms alone.
    #[serde(skip_serializing_if = "<[Prefix]>::is_empty")]
    pub prefixes: &'a [Prefix],
    /// The search for λ, where it was matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_l0: Option<MatchedL0>,
    /// What the one per cent of the datapoints that cost most hold of the objective.
    pub objective_share_of_top_percent: Option<f64>,
    /// Rows of the data that are no datapoints.
    pub masked: Masked,
    /// The share, for people.
    #[serde(skip)]
    pub concentration: Option<Concentration>,
    pub source: &'a Source,
    /// What the datapoints are a sample of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
}

/// The sample that everything but `codes.all` is of, and what it says of all datapoints.
#[derive(Serialize)]
pub struct Sample {
    /// Rows in it.
    rows: usize,
    /// Datapoints of the data.
    of: usize,
    seed: u64,
    /// None where its exact codes are not finished.
    #[serde(flatten)]
    estimates: Option<Estimates>,
}

impl Sample {
    pub fn new(diagnosis: &Diagnosis, weights: &[f64], of: usize, seed: u64) -> Self {
        let coding = matches!(diagnosis.codes.stop, Stop::TimeLimit | Stop::Cancelled);
        let ended = coding || diagnosis.unfinished.contains(&"codes");
        let estimates = (!ended).then(|| diagnosis.estimates(weights));
        Self { rows: diagnosis.points, of, seed, estimates }
    }

    /// In words.
    fn text(&self) -> String {
        let Self { rows, of, seed, estimates } = self;
        let mut text = format!("sample: {rows} of {of} points, seed {seed}");
        let Some(estimates) = estimates else {
            return text + "; its exact codes are not finished\n";
        };
        text.push_str("; estimates for all of them, with 95 % intervals:\n");
        let named = [
            ("exact objective", Some(estimates.exact_objective)),
            ("exact L0", Some(estimates.exact_l0)),
            ("excess", Some(estimates.excess)),
            ("amortisation gap", estimates.amortisation_gap),
            ("duality gap, given", estimates.given_gap),
        ];
        for (name, Estimate { mean, interval }) in named.into_iter().filter_map(|(n, e)| Some((n, e?))) {
            let between = interval.map_or_else(String::new, |[low, high]| format!("  {low:.4} to {high:.4}"));
            let _ = writeln!(text, "  {name:<18} {mean:.4}{between}");
        }
        text
    }
}

/// A diagnosis of the first atoms.
#[derive(Serialize)]
pub struct Prefix {
    /// So many of them, as they are stored.
    pub prefix: usize,
    #[serde(flatten)]
    pub diagnosis: Diagnosis,
}

/// What a few datapoints hold of the objective, at exact codes.
pub fn concentration(problem: &Problem, diagnosis: &Diagnosis) -> Option<Concentration> {
    let weights = problem.data().weights();
    Concentration::of(diagnosis.point_rows.iter().map(|row| weights[row.point] * row.objective).collect())
}

/// Names datapoints by their rows in the data.
pub fn name_rows(diagnosis: &mut Diagnosis, rows: &Rows) {
    let codes = &mut diagnosis.codes;
    let summaries = [Some(&mut codes.exact), codes.given.as_mut()].into_iter().flatten();
    summaries.for_each(|codes| codes.worst_point = rows.row(codes.worst_point));
    codes.dead.iter_mut().for_each(|dead| dead.point = rows.row(dead.point));
    let revived = diagnosis.revival.iter_mut().flat_map(|revival| &mut revival.atoms);
    revived.for_each(|revived| revived.point = rows.row(revived.point));
    diagnosis.hull.iter_mut().for_each(|hull| hull.name_points(|point| rows.row(point)));
    diagnosis.point_rows.iter_mut().for_each(|row| row.point = rows.row(row.point));
}

/// What a gap means without an L1 coefficient.
const UNPRICED: &str = "its configuration gives no lambda: if it never paid one, its values are larger than exact ones \
    at every lambda, which is no defect then; judge them by explained variance, and its atoms by the supports' part";

/// The answer in words.
pub fn screen(report: &Report<'_>, folder: Option<&Path>, written: &[&str]) -> String {
    let source = report.source;
    let mut text = format!("{}: {}\n", source.dictionary, describe(source));
    if let Some(matched) = &report.match_l0 {
        text.push_str(&matched_text(matched));
    }
    let _ = write!(text, "{}", report.diagnosis);
    if report.diagnosis.codes.refit.is_some() && source.without_price {
        let _ = writeln!(text, "{UNPRICED}");
    }
    for Prefix { prefix, diagnosis } in report.prefixes {
        let exact = &diagnosis.codes.exact;
        let given = diagnosis.codes.given.as_ref().map_or_else(String::new, |given| {
            format!("given {:.4} at L0 {:.2}, ", given.objective, given.mean_l0)
        });
        let _ = writeln!(
            text,
            "first {prefix} atoms: {given}exact {:.4} at L0 {:.2}; violation {:.3} of lambda (median)",
            exact.objective, exact.mean_l0, diagnosis.dictionary.median_violation
        );
    }
    if let Some(sample) = &report.sample {
        text.push_str(&sample.text());
    }
    if let Some(concentration) = report.concentration.filter(Concentration::is_striking) {
        let _ = writeln!(text, "{concentration}");
    }
    text.push_str(&masked::line(&report.masked));
    let _ = writeln!(text, "{:.2} s", source.seconds);
    if let Some(folder) = folder {
        let _ = writeln!(text, "wrote {} in {}", written.join(", "), folder.display());
    }
    text
}

/// How λ was matched, in a line.
fn matched_text(matched: &MatchedL0) -> String {
    let MatchedL0 { target_l0, lambda, l0, bracket: (low, high), steps, stop } = matched;
    let comes = if *stop == Stop::ToleranceMet { "matches L0" } else { "came closest to L0 of those tried" };
    let ended = match stop {
        Stop::ToleranceMet => "",
        Stop::Stalled => "; L0 jumps over it there",
        Stop::IterationLimit | Stop::TimeLimit | Stop::Cancelled => "; stopped early",
    };
    format!(
        "lambda {lambda:.6} {comes}: exact codes {l0:.2}, codes given {target_l0:.2} \
         ({steps} steps, between {low:.6} and {high:.6}{ended})\n"
    )
}

/// Where the numbers come from, for the page.
pub fn facts(source: &Source, words: impl Iterator<Item = String>) -> Vec<(&'static str, String)> {
    let words: Vec<String> = words.map(|word| quoted(&word)).collect();
    let folded = describe(source);
    let dictionary = source.dictionary.clone();
    vec![
        ("data", source.data.clone()),
        ("dictionary", if folded.is_empty() { dictionary } else { format!("{dictionary}: {folded}") }),
        ("lambda from", source.lambda_from.to_owned()),
        ("program", format!("widedict {}", env!("CARGO_PKG_VERSION"))),
        ("command", format!("widedict {}", words.join(" "))),
    ]
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./,=:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// What was read and folded, in a line.
pub fn describe(source: &Source) -> String {
    let mut parts = Vec::new();
    if let (Some(layout), Some(architecture)) = (source.layout, &source.architecture) {
        parts.push(format!("{}, {architecture}", layout.program()));
    }
    if let Some(folding) = &source.folding {
        parts.push(match folding.rescaled_atoms {
            0 => "unit atoms".to_owned(),
            count => format!(
                "{count} atoms of length {:.6} to {:.6} brought to 1",
                folding.shortest_atom, folding.longest_atom
            ),
        });
        if !folding.dropped_atoms.is_empty() {
            parts.push(dropped_text(&folding.dropped_atoms));
        }
        if let Some(length) = folding.decoder_bias {
            parts.push(format!("a center of length {length:.4}"));
        }
        parts.extend(folding.units.clone());
        if folding.skip_subtracted {
            parts.push("the skip subtracted from the outputs".to_owned());
        }
    }
    match source.kind {
        Some(Kind::Transcoder) => parts.push("a transcoder, the data are its outputs".to_owned()),
        Some(Kind::Crosscoder) => parts.push("a crosscoder, the data are its layers side by side".to_owned()),
        Some(Kind::Autoencoder) | None => {}
    }
    parts.extend(source.codes.as_ref().map(|file| format!("codes of {file}")));
    if let Some(encoder) = source.encoder.as_ref().filter(|encoder| *encoder != "ReLU") {
        parts.push(format!("codes by {encoder}"));
    }
    if let Some(why) = &source.no_encoder {
        parts.push(format!("encoder not used: {why}"));
    }
    parts.join("; ")
}

/// Atoms named in a note.
const NAMED: usize = 8;

/// Atoms left out, in words.
pub fn dropped_text(dropped: &[usize]) -> String {
    let names: Vec<String> = dropped.iter().take(NAMED).map(usize::to_string).collect();
    let more = if dropped.len() > NAMED { ", …" } else { "" };
    let (atoms, are) = if dropped.len() == 1 { ("atom", "is") } else { ("atoms", "are") };
    format!(
        "{} {atoms} of length 0 {are} left out ({}{more}); the others keep their numbers",
        dropped.len(),
        names.join(", ")
    )
}
