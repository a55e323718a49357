//! The answer of `diagnose`, and where what was diagnosed comes from.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use widedict::certificate::Concentration;
use widedict::diagnose::Diagnosis;
use widedict::io::Masked;
use widedict::io::sae::{Folding, Layout, NoEncoder};

use super::masked;

/// Where it comes from and what was done to it, for the record.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Source {
    pub(crate) data: String,
    pub(crate) dictionary: String,
    pub(crate) layout: Option<Layout>,
    pub(crate) architecture: Option<String>,
    /// Why the encoder was not used.
    pub(crate) no_encoder: Option<NoEncoder>,
    pub(crate) folding: Option<Folding>,
    /// What the penalty was taken from.
    pub(crate) lambda_from: &'static str,
    pub(crate) seconds: f64,
}

/// A diagnosis with its source.
#[derive(Serialize)]
pub(crate) struct Report<'a> {
    #[serde(flatten)]
    pub(crate) diagnosis: &'a Diagnosis,
    /// What the one per cent of the datapoints that cost most hold of the objective.
    pub(crate) objective_share_of_top_percent: Option<f64>,
    /// Rows of the data that are no datapoints.
    pub(crate) masked: Masked,
    /// The share, for people.
    #[serde(skip)]
    pub(crate) concentration: Option<Concentration>,
    pub(crate) source: &'a Source,
}

/// The answer in words.
pub(crate) fn screen(report: &Report<'_>, folder: Option<&Path>, written: &[&str]) -> String {
    let source = report.source;
    let mut text = format!("{}: {}\n", source.dictionary, describe(source));
    let _ = write!(text, "{}", report.diagnosis);
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

/// What was read and folded, in a line.
fn describe(source: &Source) -> String {
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
        if let Some(length) = folding.decoder_bias {
            parts.push(format!("a center of length {length:.4}"));
        }
    }
    if let Some(why) = &source.no_encoder {
        parts.push(format!("encoder not used: {why}"));
    }
    parts.join("; ")
}
