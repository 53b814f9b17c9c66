"""Tests of the measuring tools. A tool that reads a number wrongly is worse than none."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.bench import bench, instructions, record, requests, targets
from tests.lib import wire

WRK = """Running 2s test @ http://127.0.0.1:8001/hello
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   734.20us    1.21ms  20.07ms   92.30%
    Req/Sec    81.9k     4.20k    90.1k    75.00%
  Latency Distribution
     50%  311.00us
     75%  800.00us
     90%    2.10ms
     99%    1.21s
  163210 requests in 2.00s, 20.23MB read
Requests/sec:  81605.12
Transfer/sec:     10.11MB
"""

STRACE = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 50.11    0.413260           4    100000           sendto
 40.00    0.331000           3    100064        64 recvfrom
  9.80    0.081000           9      3000           epoll_wait
  0.09    0.000600          10        60           mmap
------ ----------- ----------- --------- --------- ----------------
100.00    0.825860           4    203124        64 total
"""


def sample(cpu: float) -> bench.Sample:
    return bench.Sample(1000, 1.0, 1.0, 1.0, cpu, cpu / 4, cpu * 3 / 4, 0)


def test_wrk_output_is_read_with_its_units():
    """Catches a parser that takes 1.21 s for 1.21 us, or the 90th percentile for the 99th."""
    found = bench.parse_wrk(WRK)
    assert found == {"requests": 163210, "rate": 81605.12, "p50": 311.0, "p99": 1.21e6, "errors": 0}


def test_wrk_errors_are_counted_and_no_answer_is_no_number():
    """Catches a table that praises a server which answered with errors, or not at all."""
    bad = WRK + "  Socket errors: connect 1, read 2, write 0, timeout 3\n" \
                "  Non-2xx or 3xx responses: 10\n"
    assert bench.parse_wrk(bad)["errors"] == 16
    with pytest.raises(RuntimeError):
        bench.parse_wrk(WRK.replace("163210 requests", "0 requests"))


def test_calls_per_request_leave_set_up_out():
    """Catches the use of another column, the total counted as a kind, or start-up calls shown."""
    assert bench.parse_strace(STRACE, 100000) == {
        "sendto": 1.0, "recvfrom": 1.0, "epoll_wait": 0.03}


def test_a_ratio_is_taken_within_a_round():
    """Round 2 ran on a machine half as fast. Catches ratios of medians taken across rounds."""
    rounds = [{"a": sample(4), "b": sample(2)}, {"a": sample(8), "b": sample(4)}]
    found = bench.ratio(rounds, "a", "b")
    assert found.values == (2.0, 2.0)
    assert not found.noisy
    assert bench.ratio(rounds, "a", "missing") is None


def test_what_cannot_be_told_is_not_judged():
    """Catches a verdict that depends on the noise."""
    assert bench.Ratio((1.00, 1.02, 1.08, 1.10)).verdict(1.05, 0) == "undecided"
    assert bench.Ratio((1.00, 1.01, 1.02, 1.03)).verdict(1.05, 0) == "met"
    assert bench.Ratio((1.10, 1.11, 1.12, 1.13)).verdict(1.05, 0) == "missed"
    assert bench.Ratio((0.99, 0.98, 0.99, 1.00)).verdict(0.95, 0, at_least=True) == "met"
    assert bench.Ratio((0.50, 1.00, 1.50, 2.00)).noisy
    assert bench.Ratio((0.50, 0.50)).verdict(1.05, 0) == "undecided"
    assert bench.Ratio((1.0,)).noisy, "one round tells nothing about the spread"


def test_no_difference_is_called_that_a_program_has_from_itself():
    """The same program twice: 1 to 4 %, so 3 % in three of four. Catches a verdict on less than
    that, however close together the rounds are."""
    results = {"pairs": {bench.AGAIN: [(1.01, 1), (0.98, 1), (1.03, 1), (0.97, 1), (1.04, 1)]}}
    assert bench.noise(results) == pytest.approx(0.03)
    close = bench.Ratio((1.07, 1.07, 1.07))
    assert close.verdict(1.05, bench.noise(results)) == "undecided"
    assert close.verdict(1.05, 0.01) == "missed"
    assert bench.noise({"pairs": {}}) == 0


def test_every_stage_has_a_floor_that_exists():
    """Catches a target whose ratio is silently missing because of a misspelt name."""
    names = {target.name for target in targets.TARGETS}
    assert len(names) == len(targets.TARGETS)
    for target in targets.TARGETS:
        assert target.floor in names | {""}
        assert bool(target.floor) == (target.program in targets.harness.STAGES)


@pytest.mark.skipif(targets.TARGETS[0].missing() != "",
                    reason="the floors are not built (make bench)")
def test_a_floor_says_as_much_as_its_stage():
    """Fails where a floor's answer is shorter than the stage's, and so is cheaper to send."""
    sizes = {}
    for target in targets.TARGETS:
        if target.floor or target.is_floor:
            with target.start() as server:
                sizes[target.name] = len(wire.ask(server, wire.HELLO).raw)
    assert len(set(sizes.values())) == 1, sizes


def test_instructions_per_run_are_differences_of_two_dumps():
    """The set-up of 77 instructions is in both dumps. Catches a count that includes it."""
    dumps = [instructions.parse_dump(f"desc: Trigger: Client Request: hello\nsummary: {total}\n")
             for total in (77 + 100 * 1000, 77 + 200 * 1000)]
    assert instructions.differences(dumps) == {"hello": 1000}


def test_the_check_fails_above_two_per_cent_and_names_the_cause():
    """Catches a check that compares the wrong way round, or forgets a workload."""
    assert record.compare({"a": 1000}, {"a": 1020})[1]
    lines, well = record.compare({"a": 1000, "b": 50}, {"a": 1021, "b": 50})
    assert not well
    assert re.search(r"^a .*GREW by 2\.1%, which is 21$", lines[0])
    assert record.compare({"a": 1000}, {"a": 500})[1]
    assert not record.compare({"a": 1000}, {"a": 1000, "new": 1})[1]
    assert not record.compare({"a": 1000, "gone": 1}, {"a": 1000})[1]


def test_the_record_survives_being_written_and_read(tmp_path):
    """Catches a format that `check` cannot read back."""
    record.write(tmp_path / "counts.txt", {"x": 1, "02 mod calls": 123456789}, "g++ 1")
    assert record.read(tmp_path / "counts.txt") == ({"x": 1, "02 mod calls": 123456789}, "g++ 1")


def callgrind(times: dict[int, int], calls: int) -> str:
    """A dump: these addresses executed so often; the last one calls a function, which costs 777."""
    lines = "\n".join(f"{address:#x} {count}" for address, count in times.items())
    return (f"events: Ir sysCount sysTime\n\nob=/server\nfn=f\n{lines}\ncfn=g\ncalls=5 0x99\n"
            f"0x99 777\n\nob=/libc\nfn=send\n0x40 {calls} {calls} 3\n"
            f"fn=clock_gettime@@GLIBC_2.17\n0x50 {calls} {calls}\n")


def test_a_request_costs_what_two_runs_differ_by():
    """Start-up (0x1000) is in both runs, 0x2000 is executed once in ten requests. Catches a count
    of either, of what a callee has executed, of the clock as a call."""
    few = callgrind({0x1000: 5000, 0x2000: 1, 0x3000: 300, 0x3004: 100}, 100)
    many = callgrind({0x1000: 5000, 0x2000: 11, 0x3000: 600, 0x3004: 200}, 200)
    assert requests.cost_of(few, many, 100) == requests.Cost(3 + 1 + 1 + 1, 1, 2)


def test_lines_do_not_hang_on_where_the_code_was_laid():
    """96 bytes of code are in two lines or in three. Catches a count that grows when something
    before a function does."""
    for start in (0, 16, 32, 48, 64):
        code = {("server", start + offset) for offset in range(0, 96, 4)}
        assert requests.lines_of(code) == 2, start
    assert requests.lines_of({("server", 0), ("libc", 0)}) == 2


@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed (make deps)")
@pytest.mark.skipif(targets.TARGETS[0].missing() != "",
                    reason="the floors are not built (make bench)")
def test_a_function_on_the_way_of_a_request_is_noticed(tmp_path):
    """Fails where the count of a real server lacks the code that each request runs: here a floor's,
    with one more function of two lines in it."""
    floor = (targets.harness.ROOT / "tests/bench/floor/01.cc").read_text(encoding="utf-8")
    longer = floor.replace("int main(", """
        [[gnu::noinline]] std::string_view pass(std::string_view a) {
          asm volatile(".rept 100; nop; .endr");
          return a;
        }
        int main(""").replace("floor.receive(fd)", "pass(floor.receive(fd))")
    (tmp_path / "longer.cc").write_text(longer, encoding="utf-8")
    subprocess.run(["g++", "-std=c++20", "-O2", "-ffunction-sections", "-Wl,--gc-sections", "-o",
                    tmp_path / "longer", "-I", ".", tmp_path / "longer.cc", "common/socket.cc",
                    "common/check.cc"],
                   cwd=targets.harness.ROOT, check=True, timeout=60)
    less = requests.count(targets.TARGETS[0])
    more = requests.count(targets.Target("longer", str(tmp_path / "longer")))
    assert 100 <= more.instructions - less.instructions <= 120
    assert more.calls == less.calls == 2
    assert 1 <= more.lines - less.lines <= 3


@pytest.mark.skipif(not targets.harness.binary("peer_ours").exists(),
                    reason="peer_ours is not built (make bench-test)")
def test_our_parser_refuses_what_its_peers_are_asked():
    """Fails where a head of the table is not what it is called, or a yes is printed for a no."""
    said = subprocess.run([targets.harness.binary("peer_ours")], capture_output=True, text=True,
                          check=True, timeout=20).stdout
    *refused, allocations = (line.split(": ") for line in said.splitlines())
    assert len(refused) == 14
    assert {verdict for _, verdict in refused} == {"yes"}
    assert allocations == ["allocations", "0"]


@pytest.mark.skipif(not shutil.which("wrk"), reason="wrk is not installed (make deps)")
@pytest.mark.skipif(targets.TARGETS[0].missing() != "",
                    reason="the floors are not built (make bench)")
def test_quick_without_peers_says_so_and_measures_the_rest(tmp_path):
    """Catches a tool that dies where nginx is not installed, or that keeps quiet about it."""
    program = (sys.executable, "-m", "tests.bench.bench")
    done = subprocess.run([*program, "--quick", "--only", "01|nginx", "--scenarios", "64",
                           "--rounds", "2", "--output", tmp_path], cwd=targets.harness.ROOT,
                          env={**os.environ, "BENCH_NO_PEERS": "1"},
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "without nginx: nginx is not installed" in done.stderr
    assert re.search(r"^01 .*\d\.\d\d \(", done.stdout, re.M)
    assert (tmp_path / "results.json").exists()
