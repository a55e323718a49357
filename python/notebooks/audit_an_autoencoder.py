# %% [markdown]
# # Audit a sparse autoencoder
#
# How far are the codes and the dictionary of a trained autoencoder from optimal? The autoencoder is the
# small one of `data/`: activations of a language model at 512 tokens, 128 atoms, trained by SGD on `mean ‖x − x̂‖² + 1.5 Σ f`.

# %%
import pathlib

import matplotlib.pyplot as plt
import numpy as np

import widedict

here = pathlib.Path(globals().get("__file__", "x")).resolve().parent
data = next(at / "data" for at in (here, *here.parents) if (at / "data" / "tokens_512.npy").exists())
tokens = np.load(data / "tokens_512.npy")
sae = widedict.load_sae(data / "sae_tokens_128", dim=tokens.shape[1])
sae

# %% [markdown]
# λ is half of its L1 coefficient: its loss had no ½.

# %%
found = widedict.diagnose(tokens, sae, lambda_=1.5 / 2)
print(found)

# %% [markdown]
# Two gaps, apart. The *amortisation gap* is what the encoder loses to the best codes over the same
# atoms. The *excess* is what this dictionary pays, at exact codes, beyond the wide limit, an atom a datapoint;
# that limit is a **certified** bound for every dictionary of every width.

# %%
codes, atoms = found.codes, found.dictionary
print(f"encoder's codes   {codes['given']['objective']:9.4f}   L0 {codes['given']['mean_l0']:.2f}")
print(f"best codes        {codes['exact']['objective']:9.4f}   L0 {codes['exact']['mean_l0']:.2f}")
print(f"certified bound   {atoms['lower_bound']:9.4f}   for any dictionary and center")
assert atoms["lower_bound"] <= codes["exact"]["objective"] <= codes["given"]["objective"]

# %% [markdown]
# Which datapoints lose? The exact codes are those of the atoms as they are stored.

# %%
rows = found.to_dict()["point_rows"]
objective = np.array([row["objective"] for row in rows])
uses = np.diff(found.exact_codes.indptr)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
left.hist(objective, bins=40, color="tab:blue")
left.set(xlabel="objective at exact codes", ylabel="datapoints", title="What a datapoint costs")
right.bar(*np.unique(uses, return_counts=True), color="tab:orange")
right.set(xlabel="atoms in use", ylabel="datapoints", title="How many atoms it takes")
figure
