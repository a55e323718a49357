//! Files: activations in any of their usual forms, `.npy` arrays, scipy's sparse `.npz`,
//! safetensors of sparse autoencoders, JSON.
//!
//! Files follow Python's conventions, a datapoint or an atom **a row**; in memory
//! each is a column of a [`Matrix`](crate::Matrix). f16, bf16 and f32 are widened here and
//! nowhere else. Nothing in a file is believed before it is checked: a header
//! may not decide how much memory is taken, and every error says which file,
//! what was expected and what was found.

mod activations;
mod archive;
mod description;
mod json;
mod npy;
mod replace;
mod rows;
pub mod sae;
mod solution;
mod sparse;
mod stage;
mod tensors;

use std::io;
use std::path::{Path, PathBuf};

pub use activations::{
    Activations, Block, Kept, Looked, Masked, Masking, Passed, Reading, RowStream, Surveyed,
};
pub use description::{Description, Misread};
pub use json::{read_json, write_json};
pub use npy::{PointReader, read_atoms, read_points, read_vector, write_atoms, write_vector};
pub use replace::replace;
pub use rows::Rows;
pub use sae::{Sae, write_saelens};
pub use solution::{
    LoadError, Loaded, Saving, load_solution, remove_improved, remove_solution, save_checkpoint,
    save_factorization, save_solution,
};
pub use sparse::{read_codes, write_codes};
pub(crate) use tensors::{read_vectors, write_vectors};

use crate::atoms::AtomsError;

/// A file that could not be read or written, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {problem}", path.display(), array.as_deref().map_or_else(String::new, |a| format!(", array '{a}'")))]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// The array inside an archive, or the tensor.
    pub array: Option<String>,
    /// What is wrong with it.
    #[source]
    pub problem: FileProblem,
}

impl FileError {
    pub(crate) fn new(path: &Path, problem: FileProblem) -> Self {
        Self { path: path.to_path_buf(), array: None, problem }
    }

    pub(crate) fn in_array(path: &Path, array: &str, problem: FileProblem) -> Self {
        Self { path: path.to_path_buf(), array: Some(array.to_owned()), problem }
    }
}

/// What is wrong with a file. Rows, columns and positions count from 0.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// The system refused.
    #[error("{0}")]
    System(#[from] io::Error),
    /// The bytes do not start with a header NumPy would write.
    #[error("not a .npy file: {0}")]
    NotNpy(#[source] io::Error),
    /// A header or a configuration too long to be one.
    #[error("the header claims {found} bytes, more than the {limit} accepted")]
    HeaderLength {
        /// Length claimed.
        found: u64,
        /// Largest length accepted.
        limit: u64,
    },
    /// A header of nested brackets, or with sizes whose product overflows.
    #[error("the .npy header does not describe a plain array of numbers")]
    HeaderContent,
    /// Entries of another type.
    #[error("expected {expected}, found type {found}")]
    Type {
        /// Types accepted.
        expected: &'static str,
        /// Type found, as NumPy writes it.
        found: String,
    },
    /// Another number of dimensions.
    #[error("expected {expected}, found shape {found:?}")]
    Dimensions {
        /// What was expected, in words.
        expected: &'static str,
        /// Shape found.
        found: Vec<u64>,
    },
    /// The file is shorter or longer than its shape says.
    #[error("shape {shape:?} needs {expected} bytes after the header, found {found}")]
    Length {
        /// Shape in the header.
        shape: Vec<u64>,
        /// Bytes that shape needs.
        expected: u64,
        /// Bytes present.
        found: u64,
    },
    /// No row or no column.
    #[error("expected at least one row and one column, found shape {found:?}")]
    Empty {
        /// Shape found.
        found: Vec<u64>,
    },
    /// A NaN or an infinity: the first in the order of rows.
    #[error("row {row}, column {column} (counted from 0): expected a finite number, found {value}")]
    NotFinite {
        /// Row.
        row: usize,
        /// Column.
        column: usize,
        /// What was found.
        value: f64,
    },
    /// Not a zip archive.
    #[error("not a .npz archive: {0}")]
    NotNpz(#[source] io::Error),
    /// An archive without an array that its format needs.
    #[error("the archive has no such array")]
    MissingArray,
    /// An archive from which one array should be read and that holds none or several.
    #[error("expected an archive of one array, found {found:?}")]
    SeveralArrays {
        /// Names found.
        found: Vec<String>,
    },
    /// An array that unpacks to far more than the archive's size.
    #[error("unpacks to {found} bytes, more than the {limit} accepted for an archive of this size")]
    Expansion {
        /// Size claimed, or reached.
        found: u64,
        /// Largest size accepted.
        limit: u64,
    },
    /// A sparse format that is not read.
    #[error("expected sparse format csr, csc or coo, found '{found}'")]
    Format {
        /// Format found.
        found: String,
    },
    /// A matrix of another shape than the one asked for.
    #[error(
        "expected {} datapoints × {} atoms, found {} × {}",
        expected.0, expected.1, found.0, found.1
    )]
    Shape {
        /// Datapoints and atoms asked for.
        expected: (usize, usize),
        /// Rows and columns found.
        found: (u64, u64),
    },
    /// Another number of entries than the rest of the file asks for.
    #[error("expected {expected} entries, found {found}")]
    Count {
        /// Entries asked for.
        expected: usize,
        /// Entries found.
        found: usize,
    },
    /// An index out of range, or a row pointer that decreases.
    #[error("entry {position}: expected a number from {least} to {most}, found {found}")]
    Index {
        /// Position in the array.
        position: usize,
        /// Smallest value accepted there.
        least: usize,
        /// Largest value accepted there.
        most: usize,
        /// What was found.
        found: i64,
    },
    /// Codes that are negative or not finite.
    #[error(transparent)]
    Codes(#[from] AtomsError),
    /// A header that does not describe tensors: text, names, shapes or offsets.
    #[error("not a safetensors file: {0}")]
    TensorHeader(#[source] serde_json::Error),
    /// Tensors that could not be put together.
    #[error("{0}")]
    Tensors(#[from] safetensors::SafeTensorError),
    /// A safetensors file that is shorter or longer than its header says.
    #[error("the header asks for {expected} bytes, found {found}")]
    TensorBytes {
        /// Bytes asked for.
        expected: u64,
        /// Bytes present.
        found: u64,
    },
    /// No tensor of a name that is known.
    #[error("expected a tensor {expected}, found {found:?}")]
    MissingTensor {
        /// Names looked for.
        expected: &'static str,
        /// Names found.
        found: Vec<String>,
    },
    /// A pickle, which can run code when it is loaded.
    #[error(
        "a pickle, which is not read; convert it with\n  import torch; from safetensors.torch import save_file\n  \
         save_file({{k: v.contiguous() for k, v in torch.load(\"ae.pt\", map_location=\"cpu\", weights_only=True).items()}}, \
         \"ae.safetensors\")"
    )]
    Pickle,
    /// A folder without weights, or with several safetensors files of unknown names.
    #[error(
        "expected sae_weights.safetensors, sae.safetensors, ae.safetensors, params.safetensors, params.npz, \
         checkpoints/final.safetensors, model.safetensors.index.json or a single .safetensors or .npz file"
    )]
    NoWeights,
    /// A square decoder that nothing orients.
    #[error(
        "{size} × {size} is square: say whether atoms are rows or columns, or put the configuration beside the weights"
    )]
    Square {
        /// Rows and columns.
        size: usize,
    },
    /// A decoder of which neither side is known.
    #[error(
        "{rows} × {columns}: neither d_in nor d_sae is known: say whether atoms are rows or columns, \
         or put the configuration beside the weights"
    )]
    Orientation {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
    },
    /// A matrix that has not the sizes told by the rest.
    #[error(
        "expected d_in {} and d_sae {} in some order, found {rows} × {columns}",
        dim.map_or_else(|| "any".to_owned(), |d| d.to_string()),
        atoms.map_or_else(|| "any".to_owned(), |a| a.to_string())
    )]
    Sizes {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
        /// d_in, where it is known.
        dim: Option<usize>,
        /// d_sae, where it is known.
        atoms: Option<usize>,
    },
    /// A tensor that is in two files.
    #[error("it is in two files")]
    TensorTwice,
    /// Two tensors for one thing.
    #[error("it and '{other}' are the same thing by their names")]
    TwoNames {
        /// The other tensor.
        other: String,
    },
    /// A tensor that nothing is known of and that may change the numbers.
    #[error(
        "a tensor of shape {shape:?} that is not understood: it may change what the autoencoder computes"
    )]
    UnknownTensor {
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A configuration of no program that is known.
    #[error("a configuration of no program that is known, with the keys {found:?}")]
    UnknownConfiguration {
        /// Its first keys.
        found: Vec<String>,
    },
    /// A folder of several folders, each of which may be meant.
    #[error("holds no weights but several folders, name one of them: {found:?}")]
    SeveralFolders {
        /// Names of the first ones.
        found: Vec<String>,
    },
    /// An architecture that is not read.
    #[error("not read: {what}")]
    Unread {
        /// What it is.
        what: String,
    },
    /// A value of a configuration that is not of the kind expected.
    #[error("{key}: expected {expected}, found {found}")]
    Setting {
        /// Its key.
        key: &'static str,
        /// What was expected.
        expected: &'static str,
        /// What was found.
        found: String,
    },
    /// A kind of file that is not read, with what converts it.
    #[error("{0}")]
    Foreign(&'static str),
    /// Entries that are no real numbers.
    #[error("found type {found}: {hint}")]
    NotNumbers {
        /// Type found.
        found: String,
        /// What can be done.
        hint: &'static str,
    },
    /// A whole number beyond what a double holds exactly.
    #[error("row {row}, column {column} (counted from 0): a whole number that no double holds exactly")]
    Inexact {
        /// Row.
        row: usize,
        /// Column.
        column: usize,
    },
    /// 16-bit integers that are likely the bits of bfloat16.
    #[error(
        "16-bit integers that look like the bits of bfloat16, which numpy has not; if they are, convert them with\n  \
         import numpy as np\n  \
         np.save(\"x32.npy\", (np.load(\"x.npy\").astype(\"uint16\").astype(\"uint32\") << 16).view(\"float32\"))\n\
         and if they are whole numbers, save them as float32"
    )]
    BfloatBits,
    /// An archive or a file of tensors that holds none.
    #[error("holds no arrays")]
    NoArrays,
    /// Several arrays, and none was chosen.
    #[error("holds several arrays: {}; choose one with --key NAME", found.join(", "))]
    ChooseKey {
        /// Names, types and shapes.
        found: Vec<String>,
    },
    /// No array of the name that was asked for.
    #[error("holds no array '{key}': found {}", found.join(", "))]
    MissingKey {
        /// Name asked for.
        key: String,
        /// Names, types and shapes.
        found: Vec<String>,
    },
    /// A name of an array for a file that holds one alone.
    #[error("--key chooses an array of .npz and .safetensors: this file holds one without a name")]
    NoKeys,
    /// A folder without data.
    #[error("the folder holds no .npy, .npz, .safetensors or .csv files")]
    NoData,
    /// A pattern that is none.
    #[error("not a pattern of file names: {what}")]
    Pattern {
        /// Why.
        what: String,
    },
    /// A pattern that no file fits.
    #[error("no file matches")]
    NoMatch,
    /// Shards of several kinds.
    #[error(
        "files of several kinds ({found}): name those that are one data set by a quoted pattern, as \"DIR/*.{example}\""
    )]
    Kinds {
        /// How many of which.
        found: String,
        /// An extension that is read.
        example: String,
    },
    /// A shard that is not like the first one.
    #[error("expected {what} {expected} as in {}, found {found}", first.display())]
    Shard {
        /// What differs.
        what: &'static str,
        /// That of the first shard.
        expected: Box<str>,
        /// That of this one.
        found: Box<str>,
        /// The first shard.
        first: Box<Path>,
    },
    /// A file that is not what it was when its header was read.
    #[error("changed while it was read")]
    Changed,
    /// More than the system gives.
    #[error("no memory for {rows} rows of {dim} numbers, {} bytes", 8 * *rows as u128 * *dim as u128)]
    Memory {
        /// Rows.
        rows: usize,
        /// Numbers a row.
        dim: usize,
    },
    /// Text that cannot be read.
    #[error("{0}")]
    Text(String),
    /// A field of a table that is no number a double holds.
    #[error("line {line}, column {column} (counted from 1): expected a number, found '{found}'")]
    Field {
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: usize,
        /// What was found, its first letters.
        found: String,
    },
    /// A line of a table that is longer or shorter than the first.
    #[error("line {line}: expected {expected} numbers as in the lines before, found {found}")]
    LineLength {
        /// Line, from 1.
        line: u64,
        /// Fields of the first line.
        expected: usize,
        /// Fields found.
        found: usize,
    },
    /// A first line that may be column numbers or a datapoint.
    #[error(
        "line {line}: 0, 1, … may be the numbers of the columns or a datapoint; give the columns names \
         (frame.add_prefix(\"x\")), or write 0.0 for 0"
    )]
    HeaderOrRow {
        /// Line, from 1.
        line: u64,
    },
    /// A first column that numbers the rows.
    #[error(
        "line {line}: the first column has no name, as pandas writes an index, which would be a coordinate; \
         write the table with frame.to_csv(\"x.csv\", index=False)"
    )]
    IndexColumn {
        /// Line, from 1.
        line: u64,
    },
    /// Rows with a NaN or an infinity: the first in the order of rows, and how many.
    #[error(
        "row {row}, column {column} (counted from 0): expected a finite number, found {value}; \
         {rows} of {of} rows hold such numbers, --skip-nonfinite masks them"
    )]
    RowsNotFinite {
        /// Row of this file.
        row: usize,
        /// Column.
        column: usize,
        /// What was found.
        value: f64,
        /// Rows like this one, in all files.
        rows: usize,
        /// Rows in all files.
        of: usize,
    },
    /// Every row is masked.
    #[error(
        "no row is left: of {}, {} have weight 0, {} are not finite and {} are too long",
        masked.of, masked.weight, masked.nonfinite, masked.norm
    )]
    NothingLeft {
        /// How many are masked, and why.
        masked: Box<Masked>,
    },
    /// Codes of a row that is masked.
    #[error("row {row} (counted from 0) is masked and has codes")]
    MaskedCode {
        /// Row.
        row: usize,
    },
    /// A median norm that nothing can be measured by.
    #[error("the median norm of the rows is {median}: no multiple of it tells which are too long")]
    Median {
        /// The median.
        median: f64,
    },
    /// Text that is not the JSON expected.
    #[error("{0}")]
    Json(#[source] serde_json::Error),
}
