"""Codes of random autoencoders by the real packages and by this program, and their differences.

    python -m venv v && v/bin/pip install sae-lens dictionary-learning eai-sparsify
    WIDEDICT=target/release/widedict v/bin/python tests/sae/compare.py
    v/bin/python tests/sae/compare.py --fixtures tests/sae/fixtures     # writes what the tests read

A row an architecture: the largest difference of a code relative to the largest code, the
datapoints whose supports differ beyond ties, and the differences of objective and mean L0 from
NumPy's. Exit 1 if any is above its bound.
"""
import argparse, json, os, subprocess, sys, tempfile
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from safetensors.torch import save_file

from sae_lens.loading import pretrained_sae_loaders as loaders
from sae_lens.saes.abstopk_sae import AbsTopKSAE, AbsTopKSAEConfig
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
from sae_lens.saes.gated_sae import GatedSAE, GatedSAEConfig
from sae_lens.saes.jumprelu_sae import JumpReLUSAE, JumpReLUSAEConfig
from sae_lens.saes.matryoshka_batchtopk_sae import (
    MatryoshkaBatchTopKTrainingSAE, MatryoshkaBatchTopKTrainingSAEConfig)
from sae_lens.saes.sae import SAE
from sae_lens.saes.standard_sae import StandardSAE, StandardSAEConfig
from sae_lens.saes.topk_sae import TopKSAE, TopKSAEConfig
from sae_lens.saes.transcoder import (
    JumpReLUTranscoder, JumpReLUTranscoderConfig, SkipTranscoder, SkipTranscoderConfig,
    Transcoder, TranscoderConfig)
from sae_lens.training.activation_scaler import ActivationScaler
from dictionary_learning import dictionary as dl
from dictionary_learning.trainers.batch_top_k import BatchTopKSAE
from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE
from dictionary_learning.trainers.top_k import AutoEncoderTopK
from sparsify import SparseCoder, SparseCoderConfig

BINARY = os.environ.get("WIDEDICT", "target/release/widedict")
LAMBDA = 0.1
CODE, SUM = 1e-5, 1e-6


def randomize(module, g):
    """Weights of order one; thresholds positive; decoders of uneven lengths."""
    with torch.no_grad():
        for name, p in module.named_parameters():
            scale = 0.3 if p.ndim == 1 else 1 / p.shape[-1] ** 0.5
            value = torch.tensor(g.standard_normal(p.shape), dtype=torch.float32) * scale
            p.copy_((value.abs() if "threshold" in name else value).to(p.dtype))
    return module


class Case:
    """An autoencoder in a folder, with what its package computes.

    codes: by its encode(); unit: what makes a code one of a unit atom in the units of the
    analysis; target and recon: data and reconstruction in those units."""

    def __init__(self, name, folder, data, codes, unit, target, recon, inputs=None, args=()):
        self.name, self.folder, self.data, self.args = name, folder, data, list(args)
        self.codes, self.inputs = codes.detach().float().numpy(), inputs
        unit, target, recon = (np.asarray(v, dtype="f8") for v in (unit, target, recon))
        self.objective = (0.5 * ((target - recon) ** 2).sum(1) + LAMBDA * (self.codes * unit).sum(1)).mean()
        self.l0 = (self.codes > 0).sum(1).mean()


class Maker:
    def __init__(self, root, n, m, count, seed):
        self.root, self.n, self.m, self.count = root, n, m, count
        self.g = np.random.default_rng(seed)
        torch.manual_seed(seed)

    def data(self, n=None):
        return torch.tensor(self.g.standard_normal((self.count, n or self.n)), dtype=torch.float32) * 1.5

    def sae_lens(self, name, cls, cfg, dtype="float32", args=(), before=None, **kw):
        s = randomize(cls(cfg(d_in=self.n, d_sae=self.m, **kw)), self.g)
        if before:
            before(s)
        if dtype != "float32":
            s.to(getattr(torch, dtype))
            s.save_model(self.root / name)
            s.to(torch.float32)
        else:
            s.save_model(self.root / name)
        x = self.data()
        return self.autoencoder(name, s, x, args)

    def autoencoder(self, name, s, x, args=()):
        with torch.no_grad():
            codes, recon = s.encode(x), s.decode(s.encode(x))
            norms = s.W_dec.double().norm(dim=1).numpy()
        rescale = getattr(s.cfg, "rescale_acts_by_decoder_norm", False)
        return Case(name, self.root / name, x, codes, np.ones(self.m) if rescale else norms, x, recon, args=args)

    def normalized(self, name, how):
        """SAELens normalizes datapoint by datapoint: numbers are in those units."""
        s = randomize(StandardSAE(StandardSAEConfig(d_in=self.n, d_sae=self.m, normalize_activations=how)), self.g)
        s.save_model(self.root / name)
        x = self.data()
        with torch.no_grad():
            codes = s.encode(x)
            seen = s.run_time_activation_norm_fn_in(x)
            recon = codes @ s.W_dec + s.b_dec
        return Case(name, self.root / name, x, codes, s.W_dec.double().norm(dim=1).detach(), seen, recon)

    def scaled(self, name, how):
        """A checkpoint before its scale was folded; numbers are those after folding."""
        s = randomize(StandardSAE(StandardSAEConfig(d_in=self.n, d_sae=self.m, normalize_activations=how)), self.g)
        s.save_model(self.root / name)
        x, scaler = self.data() + 1, ActivationScaler()
        if how == "expected_average_only_in":
            scaler.estimate_scaling_factor(self.n, iter([x] * 2), 1)
        else:
            scaler.estimate_whitening(self.n, iter([x] * 2), 1)
        scaler.save(str(self.root / name / "activation_scaler.json"))
        seen = scaler(x)
        with torch.no_grad():
            codes, recon, norms = s.encode(seen), s.decode(s.encode(seen)), s.W_dec.double().norm(dim=1).numpy()
        if scaler.scaling_factor is None:
            return Case(name, self.root / name, x, codes, norms, seen, recon)
        return Case(name, self.root / name, x, codes, norms / scaler.scaling_factor, x, recon / scaler.scaling_factor)

    def inference(self, name, cls, cfg, **kw):
        """Trained by batches, saved as JumpReLU."""
        t = randomize(cls(cfg(d_in=self.n, d_sae=self.m, **kw)), self.g)
        t.topk_threshold = torch.tensor(0.4, dtype=torch.double)
        t.save_inference_model(self.root / name)
        return self.autoencoder(name, SAE.load_from_disk(self.root / name), self.data())

    def transcoder(self, name, cls, cfg):
        d_out = self.n + 2
        s = randomize(cls(cfg(d_in=self.n, d_sae=self.m, d_out=d_out, apply_b_dec_to_input=False)), self.g)
        s.save_model(self.root / name)
        x, y = self.data(), self.data(d_out)
        with torch.no_grad():
            codes = s.encode(x)
            skip = s.forward(x) - s.decode(codes)
            return Case(name, self.root / name, y, codes, s.W_dec.double().norm(dim=1), y - skip, s.decode(codes), inputs=x)

    def dictionary_learning(self, name, s, args=(), columns=True, encode=None, **trainer):
        randomize(s, self.g)
        for buffer, value in (("threshold", 0.4), ("k", None)):
            if value is not None and buffer in dict(s.named_buffers()):
                getattr(s, buffer).fill_(value)
        folder = self.root / name
        folder.mkdir(parents=True)
        save_file({k: v.contiguous() for k, v in s.state_dict().items()}, folder / "ae.safetensors")
        config = {"dict_class": type(s).__name__, "activation_dim": self.n, "dict_size": self.m, **trainer}
        (folder / "config.json").write_text(json.dumps({"trainer": config}))
        x = self.data()
        with torch.no_grad():
            codes = (encode or s.encode)(x)
            recon = s.decode(codes)
            norms = (s.decoder.weight.double().norm(dim=0) if columns else s.W_dec.double().norm(dim=1)).numpy()
        return Case(name, folder, x, codes, norms, x, recon, args=args)

    def sparsify(self, name, k, **kw):
        s = randomize(SparseCoder(self.n, SparseCoderConfig(num_latents=self.m, k=k, **kw)), self.g)
        s.save_to_disk(self.root / name)
        x = self.data()
        y = self.data() if kw.get("transcode") else x
        with torch.no_grad():
            out = s.encode(x)
            codes = torch.zeros(self.count, self.m).scatter_(-1, out.top_indices, out.top_acts)
            recon = codes @ s.W_dec + s.b_dec
            skip = x @ s.W_skip.mT if s.W_skip is not None else 0 * y
        inputs = x if kw.get("transcode") else None
        return Case(name, self.root / name, y, codes, s.W_dec.double().norm(dim=1).detach(), y - skip, recon, inputs=inputs)

    def gemma(self, name):
        s = randomize(JumpReLUSAE(JumpReLUSAEConfig(d_in=self.n, d_sae=self.m, apply_b_dec_to_input=False)), self.g)
        folder = self.root / name / "width_16k" / "average_l0_7"
        folder.mkdir(parents=True)
        np.savez(folder / "params.npz", **{k: v.detach().numpy() for k, v in s.named_parameters()})
        case = self.autoencoder(name, s, self.data())
        case.folder = self.root / name
        return case

    def gemma2(self, name):
        s = randomize(JumpReLUSAE(JumpReLUSAEConfig(d_in=self.n, d_sae=self.m, apply_b_dec_to_input=False)), self.g)
        folder = self.root / name
        folder.mkdir(parents=True)
        save_file({k.replace("W_", "w_"): v.detach() for k, v in s.named_parameters()}, folder / "params.safetensors")
        config = {"architecture": "jump_relu", "model_name": "gemma-v3-270m", "hf_hook_point_in": "model.layers.5.output"}
        (folder / "config.json").write_text(json.dumps(config))
        return self.autoencoder(name, s, self.data())

    def llama(self, name):
        s = randomize(dl.AutoEncoderNew(self.n, self.m), self.g)
        folder = self.root / name
        (folder / "checkpoints").mkdir(parents=True)
        save_file({k: v.contiguous() for k, v in s.state_dict().items()}, folder / "checkpoints" / "final.safetensors")
        hook = "blocks.15.hook_resid_post"
        (folder / "hyperparams.json").write_text(json.dumps({
            "d_model": self.n, "d_sae": self.m, "act_fn": "jumprelu", "jump_relu_threshold": 0.3,
            "norm_activation": "dataset-wise", "dataset_average_activation_norm": {"in": 4.0, "out": 4.0},
            "hook_point_in": hook, "hook_point_out": hook, "use_decoder_bias": True,
            "apply_decoder_bias_to_pre_encoder": False}))
        loaders.hf_hub_download = lambda repo_id, filename, subfolder="", **_: str(self.root / subfolder / filename)
        cfg, state, _ = loaders.llama_scope_sae_huggingface_loader("fnlp", name, "cpu", cfg_overrides={"dtype": "float32"})
        loaded = JumpReLUSAE(JumpReLUSAEConfig(d_in=self.n, d_sae=self.m, apply_b_dec_to_input=False))
        state["threshold"] = state["threshold"].float()
        loaded.load_state_dict(state)
        loaded.fold_activation_norm_scaling_factor(self.n ** 0.5 / 4.0)
        return self.autoencoder(name, loaded, self.data())

    def all(self):
        k = max(2, self.m // 5)
        yield self.sae_lens("saelens-standard", StandardSAE, StandardSAEConfig)
        yield self.sae_lens("saelens-standard-unshifted", StandardSAE, StandardSAEConfig, apply_b_dec_to_input=False)
        yield self.sae_lens("saelens-gated", GatedSAE, GatedSAEConfig)
        yield self.sae_lens("saelens-jumprelu", JumpReLUSAE, JumpReLUSAEConfig)
        yield self.sae_lens("saelens-topk", TopKSAE, TopKSAEConfig, k=k)
        yield self.sae_lens("saelens-topk-rescaled", TopKSAE, TopKSAEConfig, k=k, rescale_acts_by_decoder_norm=True)
        set_threshold = lambda s: setattr(s, "topk_threshold", torch.tensor(0.4, dtype=torch.double))  # noqa: E731
        yield self.sae_lens("saelens-batchtopk-checkpoint", BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, k=k, args=["--per-batch"], before=set_threshold)
        yield self.inference("saelens-batchtopk", BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig, k=k)
        yield self.inference("saelens-matryoshka", MatryoshkaBatchTopKTrainingSAE, MatryoshkaBatchTopKTrainingSAEConfig, k=k, matryoshka_widths=[self.m // 2, self.m])
        for how in ("layer_norm", "constant_norm_rescale"):
            yield self.normalized(f"saelens-{how}", how)
        for how in ("expected_average_only_in", "covariance_whitening"):
            yield self.scaled(f"saelens-{how}", how)
        yield self.transcoder("saelens-transcoder", Transcoder, TranscoderConfig)
        yield self.transcoder("saelens-skip-transcoder", SkipTranscoder, SkipTranscoderConfig)
        yield self.transcoder("saelens-jumprelu-transcoder", JumpReLUTranscoder, JumpReLUTranscoderConfig)
        yield self.dictionary_learning("dl-AutoEncoder", dl.AutoEncoder(self.n, self.m))
        yield self.dictionary_learning("dl-AutoEncoderNew", dl.AutoEncoderNew(self.n, self.m))
        yield self.dictionary_learning("dl-Gated", dl.GatedAutoEncoder(self.n, self.m))
        yield self.dictionary_learning("dl-JumpRelu", dl.JumpReluAutoEncoder(self.n, self.m), columns=False)
        yield self.dictionary_learning("dl-TopK", AutoEncoderTopK(self.n, self.m, k), k=k)
        yield self.dictionary_learning("dl-BatchTopK", BatchTopKSAE(self.n, self.m, k), k=k)
        batch = BatchTopKSAE(self.n, self.m, k)
        yield self.dictionary_learning("dl-BatchTopK-batch", batch, ["--per-batch"], encode=lambda x: batch.encode(x, use_threshold=False), k=k)
        groups = [self.m // 2, self.m - self.m // 2]
        yield self.dictionary_learning("dl-Matryoshka", MatryoshkaBatchTopKSAE(self.n, self.m, k, groups), columns=False, k=k)
        nested = MatryoshkaBatchTopKSAE(self.n, self.m, k, groups)
        yield self.dictionary_learning("dl-Matryoshka-batch", nested, ["--per-batch"], False, lambda x: nested.encode(x, use_threshold=False), k=k)
        yield self.sparsify("sparsify-topk", k)
        yield self.sparsify("sparsify-groupmax", self.m // 2, activation="groupmax")
        yield self.sparsify("sparsify-transcoder", k, transcode=True)
        yield self.sparsify("sparsify-skip", k, transcode=True, skip_connection=True)
        yield self.gemma("gemma-scope")
        yield self.gemma2("gemma-scope-2")
        yield self.llama("llama-scope")


def difference(case, work):
    """(largest relative difference, datapoints with another support, objective, L0)"""
    np.save(work / "x.npy", case.data.numpy())
    args = [BINARY, "encode", "--data", work / "x.npy", "--sae", case.folder, "--lambda", str(LAMBDA),
            "--out", work / "z.npz", "--json", "--quiet", "--threads", "1", *case.args]
    if case.inputs is not None:
        np.save(work / "inputs.npy", case.inputs.numpy())
        args += ["--inputs", work / "inputs.npy"]
    r = subprocess.run([str(a) for a in args], capture_output=True, text=True)
    if r.returncode != 0:
        return f"exit {r.returncode}: {r.stderr.strip()}"
    found, z = json.loads(r.stdout), sp.load_npz(work / "z.npz").toarray()
    largest = np.abs(case.codes).max()
    both = (z > 0) & (case.codes > 0)
    error = (np.abs(z - case.codes) * both).max() / largest
    # A support differs by ties where what one of them has is within rounding of what is dropped.
    other = ((z > 0) != (case.codes > 0)).any(1).sum()
    return error, int(other), abs(found["mean_objective"] - case.objective) / case.objective, abs(found["mean_l0"] - case.l0)


def refused(root, n, m, work):
    s = AbsTopKSAE(AbsTopKSAEConfig(d_in=n, d_sae=m, k=3))
    s.save_model(root / "saelens-abstopk")
    np.save(work / "x.npy", np.zeros((3, n), "f4"))
    r = subprocess.run([BINARY, "encode", "--data", work / "x.npy", "--sae", root / "saelens-abstopk"], capture_output=True, text=True)
    return r.returncode == 3 and "signed" in r.stderr, r.stderr.strip()


def compare():
    bad = 0
    print(f"{'architecture':32} {'codes, relative':>16} {'other supports':>15} {'objective':>10} {'L0':>8}")
    with tempfile.TemporaryDirectory() as folder:
        root, work = Path(folder) / "saes", Path(folder)
        maker = Maker(root, 48, 200, 300, 0)
        for case in maker.all():
            d = difference(case, work)
            if isinstance(d, str):
                bad += 1
                print(f"{case.name:32} {d}")
                continue
            ok = d[0] <= CODE and d[1] == 0 and d[2] <= SUM and d[3] <= SUM
            bad += not ok
            print(f"{case.name:32} {d[0]:16.1e} {d[1]:15} {d[2]:10.1e} {d[3]:8.1e}{'' if ok else '  <-- beyond the bounds'}")
        ok, said = refused(root, 48, 200, work)
        bad += not ok
        print(f"{'saelens-abstopk':32} {'refused' if ok else 'NOT REFUSED'}: {said.split(': ')[-1]}")
    sys.exit(bool(bad))


def fixtures(root):
    """Small ones with their data, codes, objective and L0, for the tests."""
    maker = Maker(root, 4, 10, 8, 1)
    expected = {}
    rows = lambda a: [[float(np.format_float_positional(v, unique=True)) for v in row] for row in a]  # noqa: E731
    for case in maker.all():
        expected[case.name] = {
            "objective": case.objective, "mean_l0": case.l0, "per_batch": "--per-batch" in case.args,
            "x": rows(case.data.numpy()), "codes": rows(case.codes),
            "inputs": None if case.inputs is None else rows(case.inputs.numpy())}
    AbsTopKSAE(AbsTopKSAEConfig(d_in=4, d_sae=10, k=3)).save_model(root / "saelens-abstopk")
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in expected.items())
    (root / "expected.json").write_text(f'{{"lambda": {LAMBDA}, "cases": {{\n{lines}\n}}}}\n')


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--fixtures", type=Path)
    options = parser.parse_args()
    fixtures(options.fixtures) if options.fixtures else compare()
