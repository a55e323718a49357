"""Signals, callbacks, threads, results."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import planted

import widedict

LONG = """
import os, signal, sys, threading, time
import numpy as np
import widedict
rng = np.random.default_rng(0)
x = rng.normal(size=(1500, 24))
kind = sys.argv[1]
told = threading.Event()
def callback(event):
    told.set()
def interrupt():
    told.wait()
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)
    if kind == "twice":
        time.sleep(0.03)
        os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
started = time.monotonic()
try:
    widedict.solve(x, 0.05, 0.05, tolerance=1e-12, bound="fast", callback=callback)
    print("finished")
except widedict.Interrupted as raised:
    solution = raised.solution
    assert solution.stop == "cancelled", solution.stop
    certificate = solution.certificate
    assert certificate.certified.lower_bound <= solution.objective
    assert solution.dictionary.shape[0] > 0
    print("interrupted", time.monotonic() - started)
except KeyboardInterrupt:
    print("at once", time.monotonic() - started)
    sys.stdout.flush()
    os._exit(0)
"""


def interrupted(kind):
    done = subprocess.run([sys.executable, "-c", LONG, kind], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_an_interrupt_carries_the_best_solution():
    assert interrupted("once")[0] == "interrupted"


def test_a_second_interrupt_ends_at_once():
    # The run may have answered between the two.
    assert interrupted("twice")[0] in ("at", "interrupted")


def test_an_interrupted_run_is_a_keyboard_interrupt():
    assert issubclass(widedict.Interrupted, KeyboardInterrupt)
    assert not issubclass(widedict.Interrupted, Exception)


def test_a_callback_hears_of_progress(points):
    heard = []
    widedict.solve(points, 0.1, 0.1, callback=heard.append)
    iterations = [event for event in heard if "iteration" in event]
    assert iterations and {"phase", "objective", "lower_bound", "atoms", "seconds"} <= iterations[0].keys()
    assert any(event.get("phase") == "certifying" for event in heard)


def test_a_callback_may_cancel(points):
    solution = widedict.solve(planted(400, 12), 0.02, 0.05, tolerance=1e-12, bound="fast", callback=lambda event: True)
    assert solution.stop == "cancelled"
    assert solution.certificate.certified.lower_bound <= solution.objective


def test_an_exception_of_a_callback_comes_through_with_the_solution(points):
    class Own(Exception):
        pass

    def callback(event):
        raise Own("told")

    with pytest.raises(Own, match="told") as raised:
        widedict.solve(points, 0.1, 0.1, callback=callback)
    assert raised.value.solution.objective > 0


def test_a_limit_of_time_is_no_error(points):
    solution = widedict.solve(planted(400, 12), 0.02, 0.05, tolerance=1e-12, max_seconds=0)
    assert solution.stop == "time-limit"
    assert solution.certificate.certified.lower_bound <= solution.objective


def test_other_threads_of_python_run_meanwhile():
    ticks, over = [], threading.Event()

    def tick():
        while not over.wait(0.005):
            ticks.append(time.monotonic())

    thread = threading.Thread(target=tick)
    thread.start()
    started = time.monotonic()
    widedict.solve(planted(1500, 24), 0.02, 0.05, tolerance=1e-12, bound="fast", max_seconds=1.0)
    ended = time.monotonic()
    over.set()
    thread.join()
    during = [at for at in ticks if started < at < ended]
    # At a held interpreter there would be none.
    assert len(during) > 5


def test_runs_in_threads_of_python(points):
    expected = widedict.solve(points, 0.2, width=3, bound="fast").objective
    found = [None] * 4

    def run(i):
        found[i] = widedict.solve(points, 0.2, width=3, bound="fast", threads=2).objective

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert found == [expected] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_can_solve(points):
    expected = widedict.solve(points, 0.2, width=3, bound="fast").objective
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, repr(widedict.solve(points, 0.2, width=3, bound="fast").objective).encode())
        finally:
            os._exit(0)
    for _ in range(600):
        if os.waitpid(child, os.WNOHANG)[0]:
            break
        time.sleep(0.1)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    assert os.read(read, 100).decode() == repr(expected)


def test_a_bar_is_shown(points, capfd):
    pytest.importorskip("tqdm")
    widedict.solve(points, 0.1, 0.1, progress=True)
    assert "objective" in capfd.readouterr().err


def test_without_tqdm_there_is_no_bar(points, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    widedict.solve(points, 0.1, 0.1, progress=True)
    assert capfd.readouterr().err == ""


def test_what_is_proved_and_what_is_estimated_are_apart(points):
    solution = widedict.solve(points, 0.2, 0.2)
    fields, certificate = solution.to_dict(), solution.certificate
    certified, estimated = certificate.certified, certificate.estimated
    assert certified.lower_bound == fields["lower_bound"] and certified.relative_gap == fields["relative_gap"]
    assert estimated.lower_bound == fields["estimated_lower_bound"]
    assert certified.lower_bound <= solution.objective <= certified.upper_bound * (1 + 1e-12)
    again = pickle.loads(pickle.dumps(certificate))
    assert again.certified == certified and again.estimated == estimated and repr(again) == repr(certificate)


def test_an_objective_is_what_it_says(points):
    solution = widedict.solve(points, 0.2, 0.1, center=True)
    residual = points - solution.reconstruction()
    codes = solution.codes.toarray()
    mean, square = codes.mean(axis=0), (codes**2).mean(axis=0)
    by_hand = 0.5 * (residual**2).sum(axis=1).mean() + np.sqrt((0.2 * mean) ** 2 + 0.1**2 * square).sum()
    assert solution.objective == pytest.approx(by_hand, rel=1e-12)
    assert np.allclose(np.linalg.norm(solution.dictionary, axis=1), 1.0, atol=1e-12)
    assert codes.min() >= 0.0


def test_every_answer_is_told_on_one_screen(points):
    solution = widedict.solve(points, 0.2, width=3)
    answers = [
        solution,
        solution.certificate,
        widedict.encode(points, solution.dictionary, 0.2),
        widedict.wide(points, 0.2),
        widedict.path(points, 0.2, gammas=[0.1, 0.2]),
        widedict.diagnose(points, solution.dictionary, 0.2),
    ]
    for answer in answers:
        text = repr(answer)
        assert 1 < len(text.splitlines()) < 60, type(answer)
        if hasattr(answer, "to_dict"):
            fields = answer.to_dict()
            fields.clear()
            assert answer.to_dict(), "a copy"


def test_a_saved_solution_is_verified_and_an_edited_one_is_not(points, tmp_path):
    solution = widedict.solve(points, 0.2, width=3)
    solution.save(tmp_path / "out")
    saved = widedict.Solution.load(tmp_path / "out")
    assert np.array_equal(saved.dictionary, solution.dictionary)
    assert np.array_equal(saved.codes.toarray(), solution.codes.toarray())
    assert saved.claimed["lower_bound"] == solution.lower_bound
    assert "not verified" in repr(saved)
    assert saved.verify(points)
    points[0, 0] += 1.0
    found = saved.verify(points)
    assert not found and found.failed and "NOT verified" in repr(found)


def test_what_is_not_there(tmp_path, points):
    with pytest.raises(OSError):
        widedict.load_sae(tmp_path / "none")
    with pytest.raises(OSError):
        widedict.load(tmp_path / "none")
    with pytest.raises(OSError):
        widedict.verify(tmp_path / "none", points)


def test_attributes_are_listed(points):
    solution = widedict.solve(points, 0.2)
    assert {"objective", "dictionary", "kkt"} <= set(dir(solution))
    with pytest.raises(AttributeError, match="magic"):
        solution.magic
    with pytest.raises(TypeError, match="save"):
        pickle.dumps(solution)


def test_stubs_name_what_is_there():
    import ast
    import inspect
    import pathlib

    stub = pathlib.Path(widedict.__file__).with_name("__init__.pyi")
    tree = ast.parse(stub.read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"}
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    for name in widedict.__all__:
        assert name in functions or name in classes or name in ("__version__", "load"), name
    for name, node in functions.items():
        told = [argument.arg for argument in node.args.args + node.args.kwonlyargs]
        assert told == list(inspect.signature(getattr(widedict, name)).parameters), name
        assert inspect.getdoc(getattr(widedict, name)), name
        assert "{" not in getattr(widedict, name).__doc__.replace('{"', "").replace("{bound", ""), name


@pytest.mark.parametrize("module", ["_functions", "_sklearn"])
def test_examples_of_the_documentation(module):
    import doctest
    import importlib

    found = doctest.testmod(importlib.import_module(f"widedict.{module}"))
    assert found.attempted > 0 and found.failed == 0
