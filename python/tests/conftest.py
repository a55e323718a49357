import json
import os
import pathlib
import subprocess

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def planted(n_points=60, dim=6, atoms=4, seed=0):
    """Data of a few unit atoms with sparse codes and noise."""
    rng = np.random.default_rng(seed)
    dictionary = rng.normal(size=(atoms, dim))
    dictionary /= np.linalg.norm(dictionary, axis=1, keepdims=True)
    codes = rng.uniform(0.5, 2.0, size=(n_points, atoms)) * (rng.random((n_points, atoms)) < 0.4)
    return codes @ dictionary + 0.02 * rng.normal(size=(n_points, dim))


@pytest.fixture
def points():
    return planted()


def write_sae(folder, atoms=1024, dim=64, seed=0):
    """A random autoencoder in SAELens's layout: a file of tensors is a header and their bytes."""
    rng = np.random.default_rng(seed)
    tensors = {
        "W_enc": 0.1 * rng.normal(size=(dim, atoms)),
        "W_dec": 0.1 * rng.normal(size=(atoms, dim)),
        "b_enc": np.full(atoms, -1.0),
        "b_dec": np.zeros(dim),
    }
    header, body = {}, b""
    for name, tensor in tensors.items():
        part = tensor.astype(np.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [len(body), len(body) + len(part)]}
        body += part
    text = json.dumps(header).encode()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sae_weights.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + body)
    names = {"dtype": "float32", "hook_name": "x", "model_name": "m", "normalize_activations": "none"}
    kind = {"architecture": "standard", "apply_b_dec_to_input": True}
    (folder / "cfg.json").write_text(json.dumps({"d_in": dim, "d_sae": atoms, **names, **kind}))
    return folder


def program():
    """The command, as it was built last: WIDEDICT names another."""
    if "WIDEDICT" in os.environ:
        return os.environ["WIDEDICT"]
    built = [ROOT / "target" / profile / "widedict" for profile in ("release", "debug")]
    built = [path for path in built if path.exists()]
    assert built, "the command is not built: cargo build --release --features full"
    return str(max(built, key=lambda path: path.stat().st_mtime))


@pytest.fixture
def command(tmp_path):
    """Runs the command on arrays that are saved first, and reads its JSON."""

    def run(name, *options, **arrays):
        words = [program(), name]
        for option, array in arrays.items():
            path = tmp_path / f"{option}.npy"
            np.save(path, array)
            words += [f"--{option.replace('_', '-')}", str(path)]
        words += [str(option) for option in options] + ["--json", "--quiet"]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stderr
        return json.loads(done.stdout)

    return run
