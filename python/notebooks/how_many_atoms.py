# %% [markdown]
# # How many atoms?
#
# At a given λ the objective falls with the width, down to the wide limit, which no dictionary
# undercuts. Where does it pay to stop?

# %%
import matplotlib.pyplot as plt
import numpy as np

import widedict

digits = widedict.digits()[:200]
alpha = 1.0
limit = widedict.wide(digits, alpha)
print(limit)

# %%
ratios = [0.02, 0.05, 0.1, 0.2, 0.4, 0.8]
grid = widedict.path(digits, alpha, ratios=ratios, bound="fast")
print(grid)

# %% [markdown]
# Every objective lies above the certified bound, and none rises with the width. The power law is an
# estimate, as its name says.

# %%
widths = np.array([one.width for one in grid])
objectives = np.array([one.objective for one in grid])
assert np.all(np.diff(objectives) <= 1e-12) and np.all(objectives >= limit.lower_bound)

figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
axis.plot(widths, objectives, "o-", label="objective")
axis.axhline(limit.lower_bound, color="tab:red", linestyle="--", label="certified bound, any width")
fit = grid.excess_estimate
if fit is not None:
    dense = np.geomspace(widths[0], widths[-1], 100)
    law = grid.wide_limit + fit["constant"] * dense ** -fit["exponent"]
    axis.plot(dense, law, color="tab:gray", linewidth=1, label="power law (estimate)")
axis.set(xscale="log", xlabel="atoms", ylabel="mean objective", title="200 digits, λ = 1")
axis.legend()
figure

# %% [markdown]
# The same in scikit-learn: held-out data choose the width.

# %%
from sklearn.model_selection import GridSearchCV

search = GridSearchCV(
    widedict.DictionaryLearning(alpha=alpha, tol=1e-2, random_state=0),
    {"n_components": [4, 16, 64]},
    cv=3,
)
search.fit(digits)
for width, score in zip(search.cv_results_["param_n_components"], search.cv_results_["mean_test_score"]):
    print(f"{width:3d} atoms: held-out objective {-score:.3f}")
