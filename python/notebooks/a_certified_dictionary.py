# %% [markdown]
# # A certified dictionary of the digits
#
# Sixteen atoms for 300 handwritten digits, and what is proved of them.

# %%
import matplotlib.pyplot as plt
import numpy as np

import widedict

digits = widedict.digits()[:300]
solution = widedict.solve(digits, 1.0, width=16, bound="relaxation", max_seconds=120)
print(solution)

# %% [markdown]
# The certificate keeps apart what is proved and what is estimated. `lower_bound` holds for every
# dictionary of **any** width; `width_lower_bound`, where there is one, for every dictionary of 16 atoms.

# %%
print(solution.certificate.certified)
print(solution.certificate.estimated)
assert solution.certificate.certified.lower_bound <= solution.objective

# %%
figure, axes = plt.subplots(2, 8, figsize=(8, 2.3), layout="constrained")
order = np.argsort(-np.asarray((solution.codes > 0).sum(axis=0)).ravel())
for axis, atom in zip(axes.flat, solution.dictionary[order]):
    axis.imshow(atom.reshape(8, 8), cmap="gray_r", vmin=0)
    axis.set_axis_off()
figure.suptitle("Atoms, the most used first")
figure

# %% [markdown]
# A certificate is worth what it takes to check it. Saved, it can be proved again by anyone who has the
# data; with other data it fails.

# %%
import tempfile

with tempfile.TemporaryDirectory() as folder:
    solution.save(folder)
    again = widedict.verify(folder, digits)
    other = widedict.verify(folder, digits + 1e-3)
print(f"{len(again.claims)} claims, all hold: {again.verified}; with other data: {other.verified}")
assert again and not other
