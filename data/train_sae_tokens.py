"""Trains data/sae_tokens_128 on data/tokens_512.npy and saves it with SAELens.

    python data/train_sae_tokens.py

Needs the packages sae-lens and numpy. The loss is that of SAELens' standard
architecture, mean ||x - xhat||^2 + 1.5 sum f over unit decoder rows, minimised by
Adam on the whole set. The result depends in its last digits on the version of torch.
"""

import math
from pathlib import Path

import numpy as np
import torch
from sae_lens import StandardSAE, StandardSAEConfig

DATA = Path(__file__).parent
L1, STEPS, WIDTH = 1.5, 4000, 128

torch.manual_seed(0)
torch.set_num_threads(1)
x = torch.from_numpy(np.load(DATA / "tokens_512.npy").astype(np.float32))
dim = x.shape[1]
center = x.mean(0).clone().requires_grad_()
start = torch.randn(WIDTH, dim)
decoder = (start / start.norm(dim=1, keepdim=True)).clone().requires_grad_()
encoder = decoder.detach().T.clone().requires_grad_()
bias = torch.zeros(WIDTH, requires_grad=True)
optimiser = torch.optim.Adam([center, decoder, encoder, bias], lr=2e-3)
for step in range(STEPS):
    for group in optimiser.param_groups:
        group["lr"] = 1e-3 * (1 + math.cos(math.pi * step / STEPS))
    codes = torch.relu((x - center) @ encoder + bias)
    fit = (x - center - codes @ decoder).pow(2).sum(1).mean()
    loss = fit + L1 * codes.sum(1).mean()
    optimiser.zero_grad()
    loss.backward()
    along = (decoder.grad * decoder.detach()).sum(1, keepdim=True)
    decoder.grad -= along * decoder.detach()
    optimiser.step()
    with torch.no_grad():
        decoder /= decoder.norm(dim=1, keepdim=True)

sae = StandardSAE(StandardSAEConfig(d_in=dim, d_sae=WIDTH))
with torch.no_grad():
    sae.W_dec.copy_(decoder)
    sae.W_enc.copy_(encoder)
    sae.b_dec.copy_(center)
    sae.b_enc.copy_(bias)
    codes = sae.encode(x)
    fit = (x - sae.decode(codes)).pow(2).sum(1).mean()
    l0 = (codes > 0).float().sum(1).mean()
    print(f"objective {0.5 * (fit + L1 * codes.sum(1).mean()):.6f}, L0 {l0:.4f}")
sae.save_model(DATA / "sae_tokens_128")
