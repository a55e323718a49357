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
from conftest import planted, write_sae

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
    iterations = [event for event in heard if event["iteration"] is not None]
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
    missing = tmp_path / "none"
    for call in (
        lambda: widedict.load_sae(missing),
        lambda: widedict.load(missing),
        lambda: widedict.verify(missing, points),
        lambda: widedict.solve(points, 0.2, start=missing),
    ):
        with pytest.raises(FileNotFoundError) as raised:
            call()
        assert raised.value.errno == 2 and str(missing) in raised.value.filename
    (tmp_path / "file").write_text("")
    with pytest.raises((FileExistsError, NotADirectoryError), match="file"):
        widedict.wide(points, 0.2).save(tmp_path / "file")


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


def calls(folder):
    """Calls of the library beyond the arithmetic of one solve, on data that go to several threads."""
    points = np.random.default_rng(0).normal(size=(2000, 64))
    sae = widedict.load_sae(write_sae(folder / "sae"))
    few, fast = points[:200], {"bound": "none", "local": False}
    found = widedict.solve(few, 0.5, **fast)
    found.save(folder / "out")
    return {
        "encode": lambda: widedict.encode(points, sae),
        "certify": lambda: widedict.certify(few, sae, lambda_=0.2, **fast),
        "diagnose": lambda: widedict.diagnose(few, sae, 0.2, max_seconds=1.0),
        "wide": lambda: widedict.wide(points, 3.0).save(folder / "wide"),
        "save": lambda: found.save(folder / "out"),
        "load": lambda: widedict.load(folder / "out"),
        "verify": lambda: widedict.verify(folder / "out", few, max_seconds=1.0),
        "start": lambda: widedict.solve(few, 0.5, 0.1, start=folder / "out", bound="none", max_seconds=1.0),
        "path": lambda: widedict.path(few, 0.5, gammas=[0.2], bound="none", max_seconds=1.0).save(folder / "grid"),
        "sae": lambda: widedict.load_sae(folder / "sae").dictionary,
    }


THREADS = """
import os, sys, time, pathlib
sys.path.insert(0, sys.argv[1])
from test_manners import calls
import numpy as np
np.ones((300, 300)) @ np.ones((300, 300))  # its own threads
names = lambda: sorted(path.read_text().strip() for path in pathlib.Path("/proc/self/task").glob("*/comm"))
before = names()
for name, call in calls(pathlib.Path(sys.argv[2])).items():
    call()
    for _ in range(300):
        if len(names()) <= len(before):
            break
        time.sleep(0.1)
    else:
        sys.exit(f"{name} leaves threads behind: {names()} after {before}")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_thread_outlives_its_call(tmp_path):
    """A pool that stays is one that a forked process waits for."""
    here = os.path.dirname(os.path.abspath(__file__))
    words = [sys.executable, "-c", THREADS, here, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_can_do_what_its_parent_did(tmp_path):
    again = calls(tmp_path)
    for call in again.values():
        call()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for call in again.values():
                call()
            code = 0
        finally:
            os._exit(code)
    for _ in range(1200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.1)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    assert os.waitstatus_to_exitcode(status) == 0


KEYS = {"seconds", "phase", "iteration", "objective", "lower_bound", "estimated_lower_bound", "atoms", "rows", "of"}


def test_every_event_has_every_key(points):
    heard = []
    widedict.solve(points, 0.2, width=3, callback=heard.append)
    widedict.wide(points, 0.2, callback=heard.append)
    assert heard and all(event.keys() == KEYS for event in heard)
    numbers = [value for event in heard for value in event.values() if isinstance(value, float)]
    assert np.all(np.isfinite(numbers))
    assert any(event["objective"] is None for event in heard) and any(event["objective"] for event in heard)


def test_a_slow_callback_hears_the_newest(points):
    """Events do not queue up: at most some phases wait, and one event follows the end."""
    quick, slow = [], []
    options = {"width": 3, "restarts": 20, "bound": "fast", "seed": 1}
    widedict.solve(points, 0.2, callback=quick.append, **options)

    def callback(event):
        slow.append(event)
        time.sleep(0.1)

    solution = widedict.solve(points, 0.2, callback=callback, **options)
    run = solution.seconds + solution.seconds_certify
    assert 1 <= len(slow) <= 3 + run / 0.1


def test_what_a_callback_says_after_the_end_changes_nothing(points):
    def callback(event):
        time.sleep(3.0)
        return True

    solution = widedict.wide(points, 0.2, callback=callback)
    assert solution.stop == "tolerance-met"


def test_an_exception_that_takes_no_attribute_is_the_cause(points):
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Frozen(Exception):
        text: str = ""

    def callback(event):
        raise Frozen("told")

    with pytest.raises(widedict.Interrupted) as raised:
        widedict.solve(points, 0.1, 0.1, callback=callback)
    assert isinstance(raised.value.__cause__, Frozen) and raised.value.solution.objective > 0


@pytest.mark.parametrize("after", ["answer", "return", "arrays"])
def test_an_interrupt_at_the_end_carries_the_answer(points, monkeypatch, after):
    """A signal between the end of the run and the arrays of its answer."""
    from widedict import _functions

    native, wrap, told = _functions._widedict.wide, _functions.WideLimit, []

    def late(*arguments, **options):
        native(*arguments, **options)
        raise KeyboardInterrupt

    def once(*arguments):
        if not told:
            told.append(True)
            raise KeyboardInterrupt
        return wrap(*arguments)

    def callback(event):
        if event["phase"] == "wide limit":
            time.sleep(1.0)  # the run is over
            os.kill(os.getpid(), signal.SIGINT)

    options = {"callback": callback} if after == "answer" else {}
    if after == "return":
        monkeypatch.setattr(_functions._widedict, "wide", late)
    if after == "arrays":
        monkeypatch.setattr(_functions, "WideLimit", once)
    with pytest.raises(widedict.Interrupted) as raised:
        widedict.wide(points, 0.2, **options)
    assert raised.value.solution.stop == "tolerance-met"


def test_a_verification_that_is_cut_fails_nothing(tmp_path):
    points = planted(300, 12)
    solution = widedict.solve(points, 0.2, width=4)
    solution.save(tmp_path / "out")
    cut = widedict.verify(tmp_path / "out", points, max_seconds=0)
    assert cut.stop == "time-limit" and not cut.failed
    assert bool(cut) == (not cut.unchecked)
    assert "NOT verified" not in repr(cut)
    whole = widedict.verify(tmp_path / "out", points)
    assert whole and whole.stop == "tolerance-met" and not whole.unchecked
    # What needs no search fails, however little time there was.
    points[0, 0] += 1.0
    cut = widedict.verify(tmp_path / "out", points, max_seconds=0)
    assert "data" in [claim.claim for claim in cut.failed] and "NOT verified" in repr(cut)
    for found in (cut, whole):
        text = repr(found)
        assert len(text.splitlines()) < 40
        assert text.count("seconds_certify") == 1


def test_grids_and_diagnoses_say_why_they_ended(points):
    grid = widedict.path(points, 0.2, gammas=[0.1, 0.2], bound="fast")
    assert grid.stop == "tolerance-met"
    assert widedict.path(points, 0.2, gammas=[0.1, 0.2], bound="fast", max_seconds=0).stop == "time-limit"
    assert widedict.diagnose(points, np.eye(6), 0.2).stop == "tolerance-met"
    assert widedict.diagnose(points, np.eye(6), 0.2, max_seconds=0).stop == "time-limit"


def test_what_is_read_is_what_is_verified(points, tmp_path):
    widedict.solve(points, 0.2, width=3).save(tmp_path / "out")
    loaded = widedict.load(tmp_path / "out")
    assert loaded.verify(points)
    widedict.solve(points, 0.4, width=2).save(tmp_path / "out")
    for call in (lambda: loaded.verify(points), lambda: widedict.solve(points, 0.2, width=3, start=loaded)):
        with pytest.raises(ValueError, match="written again"):
            call()


def test_a_refuted_solution_has_its_lower_point(tmp_path):
    saddle = np.array(
        [
            [-1.6317065930677275, 1.3217959639836427],
            [0.08268651793293419, -1.176789075556173],
            [1.15634948500117, 0.981203456039080],
            [-1.450232629943399, 1.109743456060996],
        ]
    )
    solution = widedict.solve(saddle, 0.0, 1e-12, width=2, center=True, restarts=4)
    found = widedict.certify(
        saddle, solution.dictionary, solution.codes, 0.0, 1e-12, center=solution.center, centered=True
    )
    for refuted in (solution, found):
        if refuted.verdict == "refuted":
            break
    else:
        pytest.skip("nothing is refuted on this machine")
    better = refuted.improved
    assert better.objective < refuted.objective
    residual = saddle - better.codes @ better.dictionary - better.center
    mean_square = (better.codes.toarray() ** 2).mean(axis=0)
    by_hand = 0.5 * (residual**2).sum(axis=1).mean() + 1e-12 * np.sqrt(mean_square).sum()
    assert better.objective == pytest.approx(by_hand, rel=1e-9)
    refuted.save(tmp_path / "out")
    assert np.array_equal(np.load(tmp_path / "out" / "improved" / "dictionary.npy"), better.dictionary)
    again = widedict.solve(saddle, 0.0, 1e-12, width=2, center=True, start=better, local=False)
    assert again.objective <= better.objective * (1 + 1e-9)
    assert widedict.solve(saddle, 0.2).improved is None


def test_lambda_is_an_attribute(points):
    solution = widedict.solve(points, 0.2)
    assert solution.lambda_ == 0.2 == solution.to_dict()["lambda"]
    assert "lambda_" in dir(solution) and "lambda" not in dir(solution)
    with pytest.raises(AttributeError):
        solution.objective_


WITHOUT = """
import sys
sys.modules["sklearn"] = None
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "sklearn" else find(name, *more)
import inspect
from widedict import *
import widedict
assert not hasattr(widedict, "SparseCoder")
assert "SparseCoder" not in dir(widedict) and "solve" in dir(widedict)
inspect.getmembers(widedict)
try:
    widedict.DictionaryLearning
except AttributeError as error:
    assert "scikit-learn" in str(error)
"""


def test_without_scikit_learn_the_rest_is_there():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


MEMORY = """
import json, pathlib, resource, sys
import numpy as np
import widedict
many = np.broadcast_to(np.float32(1), (10**12, 64))
few = np.ones((3, 64))
for call in (
    lambda: widedict.wide(many, 0.1),
    lambda: widedict.encode(few, many, 0.1),
    lambda: widedict.encode(few, np.eye(64), 0.1, center=np.broadcast_to(1.0, 10**13)),
    lambda: widedict.wide(few, 0.1, weights=np.broadcast_to(1.0, 10**13)),
):
    try:
        call()
    except MemoryError as error:
        pass
    else:
        sys.exit("no MemoryError")
"""


def test_what_does_not_fit_into_memory_is_an_error():
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("masked", [False, True])
def test_a_count_that_no_file_bears_out_takes_no_memory(points, tmp_path, masked):
    import json

    weights = np.ones(len(points))
    weights[4] = 0.0 if masked else 1.0
    widedict.solve(points, 0.2, weights=weights).save(tmp_path / "out")
    path = tmp_path / "out" / "certificate.json"
    fields = json.loads(path.read_text())
    fields["record"]["problem"]["points"] = 10**13
    path.write_text(json.dumps(fields))
    code = (
        "import resource, sys, numpy, widedict\n"
        "folder, x = sys.argv[1], numpy.load(sys.argv[2])\n"
        "for call in (lambda: widedict.load(folder), lambda: widedict.solve(x, .2, .1, start=folder)):\n"
        "    try: call()\n"
        "    except ValueError as error: pass\n"
        "    else: sys.exit('no ValueError')\n"
        "assert not widedict.verify(folder, x)\n"
        "assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2_000_000\n"
    )
    np.save(tmp_path / "x.npy", points)
    words = [sys.executable, "-c", code, str(tmp_path / "out"), str(tmp_path / "x.npy")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
