//! Encoders, as their packages compute them, in double precision.
//!
//! Every architecture is a rule for one pre-activation and, for some, a selection among
//! those that are left: [`Activation`] holds both, and there is one way through it.

use super::Batch;
use crate::linalg::{Matrix, axpy, fold_tiles};

/// An affine map of the inputs and what becomes of its values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Encoder {
    /// E, n × M.
    pub(super) weights: Matrix,
    /// c, M.
    pub(super) bias: Vec<f64>,
    /// Subtracted from the inputs.
    pub(super) shift: Option<Vec<f64>>,
    pub(super) activation: Activation,
}

/// What becomes of the pre-activations `h = Eᵀx + c` of a datapoint. `norms` are lengths of
/// stored atoms, by which some packages multiply before they compare.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Activation {
    /// `max(h, 0)`.
    Relu,
    /// `max(eʳ(h − c) + m, 0)` where `h − c + g > 0`.
    Gated { gate: Vec<f64>, factor: Vec<f64>, magnitude: Vec<f64> },
    /// `max(h, 0)` where `h‖d‖` is above a threshold.
    JumpRelu { threshold: Vec<f64>, norms: Option<Vec<f64>> },
    /// The k largest of `h‖d‖`, where positive.
    TopK { k: usize, norms: Option<Vec<f64>> },
    /// Those of `h‖d‖` above one threshold, or the kN largest of N datapoints.
    BatchTopK { k: f64, threshold: Option<f64>, norms: Option<Vec<f64>> },
    /// The largest positive of every group of atoms, of which there are k.
    GroupMax { k: usize },
}

impl Activation {
    /// Whether codes are those of atoms divided by their lengths.
    pub(super) fn rescales(&self) -> bool {
        matches!(self, Self::TopK { norms: Some(_), .. } | Self::BatchTopK { norms: Some(_), .. })
    }

    /// Whether the selection is one among all datapoints.
    pub(super) fn selects_among_datapoints(&self, batch: Batch) -> bool {
        matches!(self, Self::BatchTopK { threshold, .. } if batch == Batch::Whole || threshold.is_none())
    }

    /// In words, for the record.
    pub(super) fn describe(&self, batch: Batch) -> String {
        let by_length = if self.rescales() { ", by h·‖d‖" } else { "" };
        match self {
            Self::Relu => "ReLU".to_owned(),
            Self::Gated { .. } => "gated".to_owned(),
            Self::JumpRelu { .. } => "JumpReLU".to_owned(),
            Self::TopK { k, .. } => format!("TopK, k = {k}{by_length}"),
            Self::BatchTopK { threshold: Some(threshold), .. } if batch == Batch::Inference => {
                format!("BatchTopK, at its inference threshold {threshold}{by_length}")
            }
            Self::BatchTopK { k, .. } => {
                format!("BatchTopK, k = {k} over all datapoints as one batch{by_length}")
            }
            Self::GroupMax { k } => format!("GroupMax, {k} groups"),
        }
    }

    /// What is left of the product `Eᵀx` of an atom before any selection.
    fn of(&self, atom: usize, product: f64, bias: f64, batch: Batch) -> f64 {
        let pre = product + bias;
        let weighed = |norms: &Option<Vec<f64>>| norms.as_ref().map_or(pre, |norms| pre * norms[atom]);
        // A NaN is handed on, to be an error.
        let if_above = |value: f64, left: f64, right: f64| if left <= right { 0.0 } else { value };
        match self {
            Self::Relu | Self::GroupMax { .. } => if_above(pre, pre, 0.0),
            Self::Gated { gate, factor, magnitude } => {
                let value = product * factor[atom] + magnitude[atom];
                if_above(if_above(value, value, 0.0), product + gate[atom], 0.0)
            }
            Self::JumpRelu { threshold, norms } => {
                if_above(if_above(pre, pre, 0.0), weighed(norms), threshold[atom])
            }
            Self::TopK { norms, .. } => if_above(weighed(norms), weighed(norms), 0.0),
            Self::BatchTopK { threshold, norms, .. } => {
                let value = weighed(norms);
                let least = threshold.filter(|t| batch == Batch::Inference && *t > 0.0).unwrap_or(0.0);
                if_above(value, value, least)
            }
        }
    }

    /// Entries of a datapoint that a part of the atoms may still have, to bound the memory.
    fn prune(&self, part: &mut Vec<(usize, f64)>) {
        if let Self::TopK { k, .. } = self {
            keep_largest(part, *k);
        }
    }

    /// The selection among all atoms, or all datapoints.
    fn select(&self, columns: &mut [Vec<(usize, f64)>], atoms: usize, batch: Batch) {
        match self {
            Self::TopK { k, .. } => columns.iter_mut().for_each(|column| keep_largest(column, *k)),
            Self::GroupMax { k } => {
                let size = (atoms / (*k).max(1)).max(1);
                columns.iter_mut().for_each(|column| keep_largest_of_groups(column, size));
            }
            Self::BatchTopK { k, .. } if self.selects_among_datapoints(batch) => {
                keep_largest_of_all(columns, *k);
            }
            Self::Relu | Self::Gated { .. } | Self::JumpRelu { .. } | Self::BatchTopK { .. } => {}
        }
    }
}

impl Encoder {
    /// Codes as the package's `encode` returns them, a list of active atoms a datapoint.
    /// `scale` multiplies the inputs first. O(nMN) time; memory of the codes and a tile.
    pub(super) fn codes(&self, inputs: &Matrix, scale: f64, batch: Batch) -> Vec<Vec<(usize, f64)>> {
        // Eᵀ(x − b) = Eᵀx − Eᵀb, but the difference is taken first: it cancels less.
        let mut moved;
        let inputs = if self.shift.is_some() || (scale - 1.0).abs() > 0.0 {
            moved = inputs.clone();
            moved.as_mut_slice().iter_mut().for_each(|v| *v *= scale);
            if let Some(shift) = &self.shift {
                (0..moved.ncols()).for_each(|i| axpy(-1.0, shift, moved.col_mut(i)));
            }
            &moved
        } else {
            inputs
        };
        type Entries = Vec<(usize, Vec<(usize, f64)>)>;
        let mut entries: Entries = fold_tiles(
            &self.weights,
            inputs,
            |_| self.weights.ncols(),
            Vec::new,
            |all: &mut Entries, tile| {
                for (i, products) in tile.columns() {
                    let mut active: Vec<(usize, f64)> = tile
                        .left()
                        .zip(products)
                        .map(|(k, p)| (k, self.activation.of(k, *p, self.bias[k], batch)))
                        .filter(|(_, code)| *code != 0.0)
                        .collect();
                    self.activation.prune(&mut active);
                    all.push((i, active));
                }
            },
            |mut l, mut r| {
                l.append(&mut r);
                l
            },
        );
        // Parts of a point come in the order of atoms; the sort is stable.
        entries.sort_by_key(|(i, part)| (*i, part.first().map_or(0, |(k, _)| *k)));
        let mut columns = vec![Vec::new(); inputs.ncols()];
        for (i, part) in entries {
            columns[i].extend(part);
        }
        self.activation.select(&mut columns, self.weights.ncols(), batch);
        columns
    }
}

/// Largest value first; of equal ones the earlier atom.
fn by_value(l: &(usize, f64), r: &(usize, f64)) -> std::cmp::Ordering {
    r.1.total_cmp(&l.1).then(l.0.cmp(&r.0))
}

/// Keeps the k largest, in the order of atoms.
fn keep_largest(entries: &mut Vec<(usize, f64)>, k: usize) {
    if entries.len() > k {
        entries.sort_by(by_value);
        entries.truncate(k);
        entries.sort_by_key(|(atom, _)| *atom);
    }
}

/// Keeps the largest of every group of `size` atoms.
fn keep_largest_of_groups(entries: &mut Vec<(usize, f64)>, size: usize) {
    let mut kept: Vec<(usize, f64)> = Vec::new();
    for &(atom, value) in entries.iter() {
        match kept.last_mut() {
            Some(last) if last.0 / size == atom / size => {
                if value.total_cmp(&last.1).is_gt() {
                    *last = (atom, value);
                }
            }
            _ => kept.push((atom, value)),
        }
    }
    *entries = kept;
}

/// Keeps the kN largest of N datapoints together.
fn keep_largest_of_all(columns: &mut [Vec<(usize, f64)>], k: f64) {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the package's own int(k · N), of counts far below 2^53"
    )]
    let count = (k * columns.len() as f64) as usize;
    let mut all: Vec<(usize, usize, f64)> = columns
        .iter()
        .enumerate()
        .flat_map(|(i, column)| column.iter().map(move |&(atom, value)| (i, atom, value)))
        .collect();
    if all.len() <= count {
        return;
    }
    all.sort_by(|l, r| r.2.total_cmp(&l.2).then((l.0, l.1).cmp(&(r.0, r.1))));
    all.truncate(count);
    all.sort_by_key(|&(i, atom, _)| (i, atom));
    columns.iter_mut().for_each(Vec::clear);
    for (i, atom, value) in all {
        columns[i].push((atom, value));
    }
}
