//! What kind of file it is: by what it starts with, and for text by its name.

use std::path::Path;

use super::super::FileProblem;

/// Bytes looked at.
pub(super) const SNIFFED: u64 = 512;

/// A kind of file that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Npy,
    Npz,
    Safetensors,
    /// Numbers as text.
    Table,
}

/// Extensions of files that hold data, those that are read first.
const EXTENSIONS: [(&str, Option<Kind>); 22] = [
    ("npy", Some(Kind::Npy)),
    ("npz", Some(Kind::Npz)),
    ("safetensors", Some(Kind::Safetensors)),
    ("csv", Some(Kind::Table)),
    ("tsv", Some(Kind::Table)),
    ("pt", None),
    ("pth", None),
    ("pkl", None),
    ("pickle", None),
    ("bin", None),
    ("joblib", None),
    ("parquet", None),
    ("arrow", None),
    ("feather", None),
    ("h5", None),
    ("hdf5", None),
    ("mat", None),
    ("gz", None),
    ("zst", None),
    ("zip", None),
    ("dat", None),
    ("memmap", None),
];

const TORCH: &str = "a pickle of torch, which can run code when it is loaded and is not read; convert it with\n  \
    import numpy as np, torch\n  \
    np.save(\"x.npy\", torch.load(\"x.pt\", map_location=\"cpu\", weights_only=True).float().numpy())";
/// What is said of a pickle.
pub(super) const PICKLE: &str = TORCH;
const PLAIN_PICKLE: &str = "a pickle, which can run code when it is loaded and is not read; convert it with\n  \
    import numpy as np, pickle\n  \
    np.save(\"x.npy\", np.asarray(pickle.load(open(\"x.pkl\", \"rb\")), dtype=\"float32\"))\n\
    or, where torch.save wrote it,\n  \
    np.save(\"x.npy\", torch.load(\"x.pt\", map_location=\"cpu\", weights_only=True).float().numpy())";
const PARQUET: &str = "Parquet, which is not read; convert it with\n  \
    import numpy as np, pyarrow.parquet as pq\n  \
    np.save(\"x.npy\", np.array(pq.read_table(\"x.parquet\")[\"activations\"].to_pylist(), dtype=\"float32\"))";
const ARROW: &str = "Arrow, which is not read; convert it with\n  \
    import numpy as np, datasets\n  \
    np.save(\"x.npy\", np.array(datasets.load_from_disk(\"DIR\")[\"activations\"], dtype=\"float32\"))\n\
    or, of one file,\n  \
    import numpy as np, pyarrow as pa\n  \
    np.save(\"x.npy\", np.array(pa.ipc.open_stream(\"x.arrow\").read_all()[\"activations\"].to_pylist(), dtype=\"float32\"))\n\
    (open_file in place of open_stream for Feather and files that start with ARROW1)";
const HDF5: &str = "HDF5, which is not read; convert it with\n  \
    import h5py, numpy as np\n  np.save(\"x.npy\", h5py.File(\"x.h5\")[\"activations\"][:].astype(\"float32\"))";
const MATLAB: &str = "a MATLAB file, which is not read; convert it with\n  \
    import numpy as np, scipy.io\n  np.save(\"x.npy\", scipy.io.loadmat(\"x.mat\")[\"x\"].astype(\"float32\"))";
const PACKED: &str = "a compressed file: unpack it first";
const RAW: &str = "no kind of file that is read (.npy, .npz, .safetensors, .csv); raw numbers are converted with\n  \
    import numpy as np\n  np.save(\"x.npy\", np.fromfile(\"x.bin\", dtype=\"float32\").reshape(-1, n))";
const EMPTY: &str = "an empty file";

impl Kind {
    /// The kind of a file that starts with these bytes.
    pub(super) fn of(path: &Path, start: &[u8], regular: bool) -> Result<Self, FileProblem> {
        let extension = extension(path);
        let named = |name: &str| extension.as_deref() == Some(name);
        let is = |magic: &[u8]| start.starts_with(magic);
        let table = extension.as_deref().is_some_and(|e| ["csv", "tsv", "txt"].contains(&e));
        if is(b"\x93NUMPY") {
            return Ok(Self::Npy);
        }
        if is(b"PK\x03\x04") || is(b"PK\x05\x06") {
            return Ok(Self::Npz);
        }
        if named("safetensors") || (start.get(8) == Some(&b'{') && start.get(5..8) == Some(&[0; 3])) {
            return Ok(Self::Safetensors);
        }
        let refused = [
            (&b"PAR1"[..], PARQUET),
            (b"ARROW1", ARROW),
            (b"\xff\xff\xff\xff", ARROW),
            (b"\x89HDF", HDF5),
            (b"MATLAB", MATLAB),
            (b"\x1f\x8b", PACKED),
            (b"\x28\xb5\x2f\xfd", PACKED),
            (b"BZh", PACKED),
            (b"\xfd7zXZ", PACKED),
        ];
        if let Some((_, what)) = refused.iter().find(|(magic, _)| is(magic)) {
            return Err(FileProblem::Foreign(what));
        }
        if matches!(start, [0x80, 2..=5, ..]) || ["pkl", "pickle", "joblib"].iter().any(|e| named(e)) {
            return Err(FileProblem::Foreign(PLAIN_PICKLE));
        }
        if named("pt") || named("pth") {
            return Err(FileProblem::Foreign(TORCH));
        }
        if start.is_empty() {
            return Err(FileProblem::Foreign(EMPTY));
        }
        match extension.as_deref() {
            _ if table && start.contains(&0) => Err(FileProblem::Foreign(NO_TEXT)),
            // A pipe has no extension.
            found if table || ((found.is_none() || !regular) && is_text(start)) => Ok(Self::Table),
            Some("npy" | "npz") => Err(FileProblem::Foreign(if named("npy") { NO_NPY } else { NO_NPZ })),
            _ => Err(FileProblem::Foreign(RAW)),
        }
    }

    pub(super) fn has_keys(self) -> bool {
        matches!(self, Self::Npz | Self::Safetensors)
    }
}

const NO_TEXT: &str = "not text in ASCII or UTF-8: it holds bytes of 0";
const NO_NPY: &str = "not a .npy file: the magic number is missing";
const NO_NPZ: &str = "not a .npz archive: it does not start as a zip archive";

/// Whether a file of this name holds data, read or not.
pub(super) fn holds_data(path: &Path) -> Option<String> {
    extension(path).filter(|found| EXTENSIONS.iter().any(|(known, _)| known == found))
}

/// Whether files of this extension are read.
pub(super) fn is_read(extension: &str) -> bool {
    EXTENSIONS.iter().any(|(known, kind)| *known == extension && kind.is_some())
}

fn extension(path: &Path) -> Option<String> {
    path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase())
}

fn is_text(start: &[u8]) -> bool {
    start.iter().all(|b| matches!(b, b' '..=b'~' | b'\t' | b'\r' | b'\n'))
}
