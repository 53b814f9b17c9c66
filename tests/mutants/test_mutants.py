"""What makes mutants and judges them, on sources of a few lines."""

from __future__ import annotations

import json
import pathlib

import pytest

from tests import harness
from tests.blackbox.conftest import eventually
from tests.mutants import mutate, reach, run, table

KINDS = r"""#include <cerrno>
#include <chrono>

enum class Outcome { done, again, failed };
struct Event {};
int event_del(Event* event);
void give_back(int n);

constexpr std::chrono::milliseconds kPause(100);
constexpr int kSize = 8 * 1024;

bool is_mine(int error) {
  switch (error) {
    case EINTR:
    case EPROTO:
      return true;
    default:
      return false;
  }
}

Outcome next(int n, bool more) {
  if (n < 3 && more) return Outcome::again;  // at most three
  give_back(n);
  for (const int each : {4, 5}) n += each;
  return Outcome::done;
}

void close(Event& event) {
  event_del(&event);
  static_assert(kSize == 8 * 1024);
}
"""

EXPECTED = {
    "kPause": {
        "unit: (100); => std::chrono::seconds",
        "constant: (100) => (101)", "constant: (100) => (99)"},
    "kSize": {"unit: 1024 => 1", "constant: 8 => 9", "constant: 8 => 7"},
    "is_mine": {
        "dropped: case EINTR: =>", "dropped: case EPROTO: =>",
        "returned: true => false", "returned: false => true"},
    "next": {
        "negated: n < 3 && more => !(n < 3 && more)", "dropped: n < 3 && more => more",
        "dropped: n < 3 && more => n < 3", "bound: < => <=", "constant: 3 => 4", "constant: 3 => 2",
        "returned: Outcome::again => Outcome::failed", "left-out: give_back(n) =>",
        "left-out: n += each =>", "dropped: {4, 5} => {5}", "dropped: {4, 5} => {4, }",
        "constant: 4 => 5", "constant: 4 => 3", "constant: 5 => 6", "constant: 5 => 4",
        "returned: Outcome::done => Outcome::again"},
    "close": {"callback: event_del(&event) =>"},
}


def read(folder: pathlib.Path, source: str, name: str = "common/a.cc") -> list[mutate.Mutant]:
    (folder / "common").mkdir(exist_ok=True)
    (folder / name).write_text(source, encoding="utf-8")
    return mutate.mutants(folder, name)


def test_kinds(tmp_path):
    """Fails where a kind of fault is not made any more, is made of something else, or is made in a
    static_assert, and where the replaced bytes are not those it names."""
    found = read(tmp_path, KINDS)
    source = KINDS.encode()
    for function, expected in EXPECTED.items():
        mine = [m for m in found if m.function == function]
        assert len(mine) == len(expected), [m.name for m in mine]
        assert sorted(m.kind for m in mine) == sorted(e.partition(":")[0] for e in expected)
        for mutant in mine:
            kind = mutant.kind
            changes = [e.partition(": ")[2].partition(" =>") for e in expected
                       if e.startswith(kind + ":")]
            assert any(before.strip() in mutant.was and after.strip() in mutant.now
                       for before, _, after in changes), mutant.name
            changed = mutant.apply(source)
            assert changed.count(b"\n") == source.count(b"\n") and changed != source
            line = changed.decode().split("\n")[mutant.line - 1].partition("  //")[0]
            assert mutant.now in " ".join(line.split()), mutant.name
    assert {m.function for m in found} == set(EXPECTED)
    assert {m.kind for m in found} == set(mutate.KINDS)


def test_a_name_survives_a_shift(tmp_path):
    """Fails where a name depends on the line, or where two mutants share one."""
    names = [m.name for m in read(tmp_path, KINDS)]
    assert [m.name for m in read(tmp_path, "// one\n// more\n" + KINDS)] == names
    twice = [m.name for m in read(tmp_path, "void f(int& n) {\n  ++n;\n  ++n;\n}\n")]
    assert twice == ["common/a.cc f left-out 1: ++n; => ;", "common/a.cc f left-out 2: ++n; => ;"]
    assert len(set(names)) == len(names)


def test_an_error_is_not_passed_over(tmp_path):
    """Fails where half a tree is taken for a whole one."""
    with pytest.raises(mutate.Unparsable, match="nowhere.h"):
        read(tmp_path, '#include "nowhere.h"\n')


# ---- judging -------------------------------------------------------------------------------------

SOURCE = """
constexpr int kTwo = 2;
static_assert(kTwo == 2);

int sum_to(int n) {
  int sum = 0;
  while (n > 0) {
    sum += n;
    n -= 1;
  }
  return sum;
}

bool is_even(int n) { return n % kTwo == 0; }

int unseen(int n);

#ifdef UNIT
int main() { return sum_to(4) == 10 ? 0 : 1; }
#else
int main() { return is_even(4) && unseen(1) == 0 ? 0 : 1; }
#endif
"""

OTHER = """
int unseen(int n) {
  if (n < 100) return 0;
  return n;
}
"""

MAKEFILE = """
UNIT = build/obj/g++/tests/unit/unit build/obj/g++/tests/unit/allocation \\
       build/obj/g++-address-undefined/tests/unit/unit
all: build/02_epoll_reactor
build/02_epoll_reactor $(UNIT): common/a.cc common/b.cc
\t@mkdir -p $(@D)
\t$(CXX) $(if $(findstring unit,$@),-DUNIT) -o $@ $^
"""

TEST = """
import os, subprocess
def test_program():
    assert subprocess.call([os.environ["LAB_BIN"] + "/02_epoll_reactor"]) == 0
def test_nothing():
    pass
"""


FLAKY = """
import pathlib
def test_flaky():
    seen = pathlib.Path(__file__ + ".seen")
    if not seen.exists():
        seen.touch()
        assert False
"""


@pytest.fixture(name="world")
def fixture_world(tmp_path, monkeypatch):
    """A tree with two sources, a unit test of sum_to and a black-box test of is_even; its mutants
    by function and what they put in."""
    for folder in ("common", "tests/unit", "tests/blackbox"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "Makefile").write_text(MAKEFILE, encoding="ascii")
    (tmp_path / "tests/unit/a_test.cc").write_text("// sum_to(4)", encoding="ascii")
    (tmp_path / "tests/blackbox/test_a.py").write_text(TEST, encoding="ascii")
    made = read(tmp_path, SOURCE) + read(tmp_path, OTHER, "common/b.cc")
    monkeypatch.setattr(harness, "ROOT", tmp_path)
    monkeypatch.setattr(run, "UNIT_TESTS", tmp_path / "tests/unit")
    monkeypatch.setattr(run, "BLACKBOX", tmp_path / "tests/blackbox")
    monkeypatch.setattr(run, "OUTPUT", tmp_path / "build/mutants")
    monkeypatch.setattr(run, "EQUIVALENT", tmp_path / "equivalent.txt")
    monkeypatch.setattr(run, "SPARE", 3)
    (tmp_path / "equivalent.txt").write_text("# none\n", encoding="ascii")
    tests = [reach.Test(f"test_a.py::{name}", run.STAGE, 0.1)
             for name in ("test_nothing", "test_program")]
    texts = {"common/a.cc": SOURCE, "common/b.cc": OTHER}
    every = {name: {line: 3 for line in range(20)} for name in texts}

    class World:
        root = tmp_path
        mutants = made
        results = run.Results(tmp_path / "results.json")

        @staticmethod
        def mutant(function: str, now: str) -> mutate.Mutant:
            return next(m for m in made if m.function == function and now in m.now)

        def judge(self, *mutants: mutate.Mutant) -> list[run.Result]:
            reached = reach.Reach(tests, every, texts)
            run.judge_all(list(mutants), run.Judge(reached, quick=False), self.results)
            return [self.results.of[m.name] for m in mutants]

    run.prepare(quick=False)
    return World()


def test_outcomes(world):
    """Fails where a killed, a surviving, an uncompilable and a hanging mutant are not told
    apart."""
    cases = [(world.mutant(function, now), outcome, by) for function, now, outcome, by in (
        ("sum_to", "!(n > 0)", "killed", "unit tests: exit status 1"),
        ("sum_to", "n -= 0", "killed", "unit tests: a hang"),
        ("kTwo", "= 3", "uncompilable", ""),
        ("is_even", "!(n % kTwo", "killed", "test_a.py::test_program"),
        ("unseen", "<= 100", "survived", ""),
        ("unseen", "!(n < 100)", "killed", "test_a.py::test_program"))]
    results = world.judge(*(mutant for mutant, _, _ in cases))
    assert [(r.outcome, r.by) for r in results] == [case[1:] for case in cases]
    row = table.rows_of({"a": list(zip([case[0] for case in cases], results))}, {})["a"]
    assert [row[key] for key in ("made", "killed", "survived")] == [5, 4, 1]
    assert row["kinds"] == {"negated": [2, 2], "constant": [1, 1], "returned": [1, 1],
                            "bound": [0, 1]}


def test_one_at_a_time(world):
    """Fails where one mutant is still there when that of another file is judged."""
    tree = run.Tree(world.root / "build/tree")
    for mutant, failed in ((world.mutant("is_even", "!(n"), "test_a.py::test_program"),
                           (world.mutant("unseen", "<= 100"), "")):
        tree.put(mutant)
        assert tree.build(run.PLAIN, "all")
        assert tree.blackbox(["test_a.py"], run.STAGE, 1) == failed


def test_who_names_no_stage_is_not_limited_to_one(world):
    """Fails where LAB_STAGES keeps a test that names its programs from all but one of them: what it
    would notice at another one survives."""
    tests = [reach.Test("test_a.py::test_nothing", "", 1.0),
             reach.Test("test_a.py::test_program", "04_bufferevent_http", 1.0)]
    mutant = world.mutant("sum_to", "!(n > 0)")
    judge = run.Judge(reach.Reach(tests, {mutant.file: {mutant.line: 3}}, {mutant.file: SOURCE}),
                      quick=False)
    chosen = judge.blackbox_tests(mutant)
    assert {stage: [t.name for t in some] for stage, some in chosen.items() if some} == {
        "": ["test_a.py::test_nothing"], "04_bufferevent_http": ["test_a.py::test_program"]}


def test_results_are_kept(world):
    """Fails where a second run judges again what has not changed, and where it believes a result
    although the function, or a test that decided it, is another."""
    killed, survived = world.mutant("is_even", "!(n"), world.mutant("unseen", "<= 100")
    world.judge(killed, survived)
    known = run.Results(world.root / "results.json").known
    assert known(killed).outcome == "killed" and known(survived).outcome == "survived"
    shifted = {m.name: m for m in read(world.root, SOURCE.replace("sum += n;", "sum += 1;\n"))}
    shifted |= {m.name: m for m in read(world.root, "\n" + OTHER, "common/b.cc")}
    assert known(shifted[killed.name]) and known(shifted[survived.name])
    other = read(world.root, OTHER.replace("return n;", "return n + 1;"), "common/b.cc")
    assert not known(next(m for m in other if m.name == survived.name))
    with open(world.root / "tests/unit/a_test.cc", "a", encoding="ascii") as test:
        test.write("// and 5")
    assert known(killed), "a black-box test killed it, which is the same"
    assert not known(survived)


def test_equivalents(world, capsys):
    """Fails where an excuse that fits nothing, has no reason, or excuses what a test notices, is
    let pass, and where an excused survivor makes the run fail."""
    mutant, killed = world.mutant("unseen", "<= 100"), world.mutant("is_even", "!(n")
    listed = world.root / "equivalent.txt"
    chosen = {"common/a.cc": [killed], "common/b.cc": [mutant]}
    world.judge(mutant, killed)

    def status(*lines: str) -> int:
        listed.write_text("\n".join(lines) + "\n", encoding="ascii")
        reasons = run.equivalents({file: world.mutants for file in chosen}, listed)
        return run.report(chosen, world.results, reasons)

    assert status() == 1
    assert "common/b.cc:3: bound" in capsys.readouterr().out
    assert status(f"{mutant.name}  # nobody asks it about 100") == 0
    rows = json.loads((world.root / "build/mutants/table.json").read_text(encoding="utf-8"))
    assert rows["common/b.cc"]["equivalent"] == 1 and table.share(rows["common/b.cc"]) == 100
    assert status(f"{mutant.name}  # so", f"{killed.name}  # and so") == 1
    assert "a test notices it" in capsys.readouterr().out
    with pytest.raises(run.Trouble, match="no mutant of today"):
        status(f"{mutant.name.replace('100', '101')}  # the constant has changed")
    with pytest.raises(run.Trouble, match="no mutant of today"):
        status("common/gone.cc f bound 1: a < b => a <= b  # the file is gone")
    with pytest.raises(run.Trouble, match="no reason"):
        status(mutant.name)


def test_an_unknown_file(capsys):
    """Fails where a file that is not there, or none of ours, ends in a traceback, or in nothing."""
    with pytest.raises(SystemExit, match="2"):
        run.main(["--list", "common/gone.cc", "tests/harness.py"])
    assert capsys.readouterr().err.endswith("a stage: common/gone.cc tests/harness.py\n")


def test_one_kind(capsys):
    """Fails where --kind is ignored, or where a sample is drawn before the others are left out."""
    assert run.main(["--list", "--kind", "unit", "--number", "2", "common/options.cc"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == 2 and all(" unit " in name for name in listed)


def test_a_flake_kills_nobody(world):
    """Fails where a test that fails once, as on a busy machine, counts as one that noticed."""
    with open(world.root / "tests/blackbox/test_a.py", "a", encoding="ascii") as test:
        test.write(FLAKY)
    tree = run.Tree(world.root / "build/tree")
    names = ["test_a.py::test_flaky", "test_a.py::test_nothing"]
    assert tree.blackbox(names, run.STAGE, 1) == ""
    assert (world.root / "tests/blackbox/test_a.py.seen").exists()


def test_a_sample_stays(world):
    """Fails where a change of one function changes which mutants of another are in the sample: then
    CI would fail for a commit that has nothing to do with it."""
    few = [m.name for m in run.sample(world.mutants, 4, "1")]
    assert few == [m.name for m in run.sample(world.mutants, 8, "1")][:4]
    assert few != [m.name for m in run.sample(world.mutants, 4, "2")]
    rest = [m for m in world.mutants if m.function != "unseen"]
    left = [name for name in few if " unseen " not in name]
    assert [m.name for m in run.sample(rest, 4, "1")][:len(left)] == left


def test_lines_are_found_again():
    """Fails where a line that has moved is looked up by its old number, or where one that was never
    reached is given tests."""
    tests = [reach.Test(f"test_a.py::test_{i}", "", 1.0) for i in range(3)]
    old = "one\ntwo\nthree\nfour\n" + "\n".join(f"line {n}" for n in range(20))
    found = reach.Reach(tests, {"a.cc": {1: 1, 3: 2, 4: 4}}, {"a.cc": old})

    def names(line: int | None, text: str) -> list[str]:
        return [test.name[-1] for test in found.of("a.cc", line, text)]

    assert names(3, old) == ["1"] and names(2, old) == ["0"], "two is the rest of one's statement"
    assert names(5, "new\nnew\n" + old) == ["1"]
    assert names(20, old) == []
    assert names(None, old) == ["0", "1", "2"]


def test_nothing_is_left_running():
    """Fails where a server outlives the test that gave it up: it may spin, and slow the others."""
    status, said = run.run(["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"], 10)
    assert status == 0
    left = pathlib.Path(f"/proc/{int(said)}/cmdline")

    def gone() -> bool:
        return not left.exists() or not left.read_bytes()  # a zombie has no command line

    eventually(gone, what="the end of the child")
