"""Notebooks run, and are the scripts beside them."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

NOTEBOOKS = sorted((pathlib.Path(__file__).resolve().parents[1] / "notebooks").glob("*.py"))


def cells(script):
    """The cells of a script in percent format, as (type, text)."""
    found = []
    for part in ("\n" + script.read_text()).split("\n# %%")[1:]:
        head, _, text = part.partition("\n")
        text = text.strip("\n")
        if "[markdown]" in head:
            text = "\n".join(line.removeprefix("#").removeprefix(" ") for line in text.splitlines())
            found.append(("markdown", text))
        else:
            found.append(("code", text))
    return found


def test_there_are_three():
    assert len(NOTEBOOKS) == 3


@pytest.mark.parametrize("script", NOTEBOOKS, ids=lambda script: script.stem)
def test_a_notebook_is_its_script(script):
    notebook = json.loads(script.with_suffix(".ipynb").read_text())
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]] == cells(script)


@pytest.mark.parametrize("script", NOTEBOOKS, ids=lambda script: script.stem)
def test_a_notebook_runs(script):
    pytest.importorskip("matplotlib")
    environment = os.environ | {"MPLBACKEND": "agg"}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
