//! Finding the tensors of an autoencoder: one safetensors file, several with an index, or
//! NumPy's archive of arrays.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{BufReader, Cursor};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::archive::Archive;
use super::super::header::Order;
use super::super::npy::floats;
use super::super::tensors::Tensors;
use super::super::{FileError, FileProblem};

/// Names of weights, in the order in which they are looked for.
const WEIGHTS: [&str; 9] = [
    "sae_weights.safetensors",
    "sae.safetensors",
    "ae.safetensors",
    "params.safetensors",
    "params.npz",
    "final.safetensors",
    "model.safetensors",
    "checkpoints/final.safetensors",
    "checkpoints/pruned.safetensors",
];

/// How the name of an index of shards ends, as transformers writes it.
const INDEX: &str = ".safetensors.index.json";

/// Names of configurations.
const CONFIGS: [&str; 3] = ["cfg.json", "config.json", "hyperparams.json"];

/// Largest configuration read: those of training runs have some ten kilobytes.
const MAX_CONFIG: u64 = 4 << 20;

/// Folders descended through where each holds nothing but the next.
const MAX_DEPTH: usize = 4;

/// Endings of files that torch writes as pickles.
const PICKLES: [&str; 5] = ["pt", "pth", "bin", "pkl", "ckpt"];

/// The tensors of an autoencoder, by name.
pub(super) struct Weights {
    path: PathBuf,
    shards: Vec<Tensors>,
    arrays: HashMap<String, (Vec<usize>, Vec<f64>)>,
    /// Which shard holds a tensor.
    places: BTreeMap<String, usize>,
}

impl Weights {
    /// Opens the weights of a folder, or a file of weights.
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let path = find(path)?;
        if is_index(&path) {
            return Self::sharded(path);
        }
        if path.extension().is_some_and(|e| e == "npz") {
            return Self::archive(path);
        }
        if path.extension().is_some_and(|e| e == "npy") {
            let what = "an array alone is a dictionary, not an autoencoder (--dictionary D.npy)".to_owned();
            return Err(FileError::new(&path, FileProblem::Unread { what }));
        }
        Self::of(path.clone(), vec![Tensors::open(&path)?])
    }

    fn of(path: PathBuf, shards: Vec<Tensors>) -> Result<Self, FileError> {
        let mut places = BTreeMap::new();
        for (shard, tensors) in shards.iter().enumerate() {
            for name in tensors.names() {
                if places.insert(name.clone(), shard).is_some() {
                    return Err(FileError::in_array(&path, &name, FileProblem::TensorTwice));
                }
            }
        }
        Ok(Self { path, shards, arrays: HashMap::new(), places })
    }

    fn sharded(path: PathBuf) -> Result<Self, FileError> {
        let index = configuration(&path)?;
        let fail = |problem| FileError::new(&path, problem);
        let map = index["weight_map"].as_object().ok_or_else(|| {
            fail(super::setting::wrong(
                "weight_map",
                "names of tensors with their files",
                &index["weight_map"],
            ))
        })?;
        let mut files: Vec<&str> = Vec::new();
        for file in map.values() {
            // A name, not a path: an index reads nothing outside its folder.
            let name = file.as_str().filter(|f| Path::new(f).file_name().is_some_and(|n| n == *f));
            let name =
                name.ok_or_else(|| fail(super::setting::wrong("weight_map", "names of files", file)))?;
            if !files.contains(&name) {
                files.push(name);
            }
        }
        files.sort_unstable();
        let shards: Result<Vec<_>, _> =
            files.iter().map(|name| Tensors::open(&path.with_file_name(name))).collect();
        let all = Self::of(path.clone(), shards?)?;
        match map.keys().find(|name| !all.places.contains_key(*name)) {
            Some(name) => Err(FileError::in_array(&path, name, FileProblem::MissingArray)),
            None => Ok(all),
        }
    }

    fn archive(path: PathBuf) -> Result<Self, FileError> {
        let fail = |problem| FileError::new(&path, problem);
        let file = File::open(&path).map_err(|e| fail(e.into()))?;
        let size = file.metadata().map_err(|e| fail(e.into()))?.len();
        let mut archive = Archive::open(BufReader::new(file), size).map_err(fail)?;
        let mut names: Vec<String> = archive.names().map(str::to_owned).collect();
        names.sort_unstable();
        let (mut arrays, mut places) = (HashMap::new(), BTreeMap::new());
        for name in names {
            let read = |archive: &mut Archive<_>| {
                let bytes = archive.unpack(&name)?;
                let length = bytes.len() as u64;
                floats(Cursor::new(bytes), Some(length))
            };
            let (header, values) =
                read(&mut archive).map_err(|problem| FileError::in_array(&path, &name, problem))?;
            let shape: Option<Vec<usize>> = header.shape.iter().map(|&s| usize::try_from(s).ok()).collect();
            let shape = shape.ok_or_else(|| FileError::in_array(&path, &name, FileProblem::HeaderContent))?;
            let values = match header.order {
                Order::C => values,
                Order::Fortran => by_rows(&shape, &values),
            };
            places.insert(name.clone(), 0);
            arrays.insert(name, (shape, values));
        }
        Ok(Self { path, shards: Vec::new(), arrays, places })
    }

    /// The file that is named in errors.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The names in order.
    pub(super) fn names(&self) -> Vec<String> {
        self.places.keys().cloned().collect()
    }

    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        match self.arrays.get(name) {
            Some((shape, _)) => Some(shape),
            None => self.shards.get(*self.places.get(name)?)?.shape(name),
        }
    }

    /// Whether a tensor holds floating-point numbers.
    pub(super) fn is_float(&self, name: &str) -> bool {
        self.arrays.contains_key(name)
            || self.places.get(name).is_some_and(|shard| self.shards[*shard].is_float(name))
    }

    /// The numbers of a tensor, row after row, all finite.
    pub(super) fn floats(&mut self, name: &str) -> Result<Vec<f64>, FileError> {
        let missing = || FileError::in_array(&self.path, name, FileProblem::MissingArray);
        if let Some((shape, values)) = self.arrays.get(name) {
            let columns = if shape.len() < 2 { 1 } else { shape.last().copied().unwrap_or(1).max(1) };
            return match values.iter().position(|v| !v.is_finite()) {
                Some(at) => {
                    let problem =
                        FileProblem::NotFinite { row: at / columns, column: at % columns, value: values[at] };
                    Err(FileError::in_array(&self.path, name, problem))
                }
                None => Ok(values.clone()),
            };
        }
        let shard = *self.places.get(name).ok_or_else(missing)?;
        self.shards[shard].floats(name)
    }

    /// The one number of a tensor, of any type.
    pub(super) fn number(&mut self, name: &str) -> Result<f64, FileError> {
        if self.arrays.contains_key(name) {
            let values = self.floats(name)?;
            return match values[..] {
                [value] => Ok(value),
                _ => Err(FileError::in_array(
                    &self.path,
                    name,
                    FileProblem::Count { expected: 1, found: values.len() },
                )),
            };
        }
        let missing = || FileError::in_array(&self.path, name, FileProblem::MissingArray);
        let shard = *self.places.get(name).ok_or_else(missing)?;
        self.shards[shard].number(name)
    }

    /// The configuration beside the weights, or beside the folder of checkpoints they are in.
    pub(super) fn configuration(&self) -> Result<Option<(PathBuf, Value)>, FileError> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let checkpoints = folder.file_name().is_some_and(|name| name == "checkpoints");
        let above = folder.parent().filter(|_| checkpoints);
        for folder in [Some(folder), above].into_iter().flatten() {
            if let Some(path) = CONFIGS.iter().map(|name| folder.join(name)).find(|p| p.is_file()) {
                let value = configuration(&path)?;
                return Ok(Some((path, value)));
            }
        }
        Ok(None)
    }

    /// Another file of JSON beside the weights, where there is one.
    pub(super) fn beside(&self, name: &str) -> Result<Option<(PathBuf, Value)>, FileError> {
        let path = self.path.with_file_name(name);
        if path.is_file() { configuration(&path).map(|value| Some((path, value))) } else { Ok(None) }
    }
}

/// An array in Fortran order as rows after rows.
fn by_rows(shape: &[usize], values: &[f64]) -> Vec<f64> {
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for size in shape {
        strides.push(stride);
        stride *= size;
    }
    let mut index = vec![0; shape.len()];
    let mut out = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        out.push(values[index.iter().zip(&strides).map(|(i, s)| i * s).sum::<usize>()]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

/// A small file of JSON.
fn configuration(path: &Path) -> Result<Value, FileError> {
    let length = fs::metadata(path).map_err(|e| FileError::new(path, e.into()))?.len();
    if length > MAX_CONFIG {
        let problem = FileProblem::HeaderLength { found: length, limit: MAX_CONFIG };
        return Err(FileError::new(path, problem));
    }
    let text = fs::read_to_string(path).map_err(|e| FileError::new(path, e.into()))?;
    // Some editors begin a file with a mark of its byte order.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    serde_json::from_str(text).map_err(|e| FileError::new(path, FileProblem::Json(e)))
}

/// The file of weights of a folder, or the file itself.
fn find(path: &Path) -> Result<PathBuf, FileError> {
    let mut path = path.to_path_buf();
    for _ in 0..MAX_DEPTH {
        let metadata = fs::metadata(&path).map_err(|e| FileError::new(&path, e.into()))?;
        if !metadata.is_dir() {
            return if pickled(&path) { Err(FileError::new(&path, FileProblem::Pickle)) } else { Ok(path) };
        }
        let listed = list(&path)?;
        if let Some(found) = known(&path, &listed) {
            return Ok(found);
        }
        if let Some(pickle) = listed.iter().find(|p| pickled(p)) {
            return Err(FileError::new(pickle, FileProblem::Pickle));
        }
        let folders: Vec<&PathBuf> = listed.iter().filter(|p| p.is_dir()).collect();
        path = match folders[..] {
            [] => return Err(FileError::new(&path, FileProblem::NoWeights)),
            [only] => only.clone(),
            _ => {
                let names =
                    folders.iter().filter_map(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
                let problem = FileProblem::SeveralFolders { found: names.take(FOLDERS_SHOWN).collect() };
                return Err(FileError::new(&path, problem));
            }
        };
    }
    Err(FileError::new(&path, FileProblem::NoWeights))
}

/// Folders named in an error.
const FOLDERS_SHOWN: usize = 8;

fn list(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| FileError::new(folder, e.into()))? {
        files.push(entry.map_err(|e| FileError::new(folder, e.into()))?.path());
    }
    files.sort();
    Ok(files)
}

/// A file of a known name, an index, or the only file of weights.
fn known(folder: &Path, listed: &[PathBuf]) -> Option<PathBuf> {
    if let Some(found) = WEIGHTS.iter().map(|name| folder.join(name)).find(|p| p.is_file()) {
        return Some(found);
    }
    if let Some(index) = listed.iter().find(|path| is_index(path)) {
        return Some(index.clone());
    }
    let mut tensors =
        listed.iter().filter(|p| p.extension().is_some_and(|e| e == "safetensors" || e == "npz"));
    match (tensors.next(), tensors.next()) {
        (Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

fn is_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(INDEX))
}

fn pickled(path: &Path) -> bool {
    path.extension().is_some_and(|e| PICKLES.iter().any(|p| e == *p))
}
