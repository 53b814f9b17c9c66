"""The table of mutants by file, for those who made them and for the report."""

from __future__ import annotations

from tests import harness

PATH = harness.ROOT / "build" / "mutants" / "table.json"


def rows_of(results: dict[str, list[tuple]], reasons: dict[str, str]) -> dict:
    """Of a file's mutants and their results: how many were made, killed and so on."""
    rows = {}
    for file, pairs in results.items():
        row = {"made": 0, "killed": 0, "survived": 0, "equivalent": 0, "kinds": {}}
        for mutant, one in pairs:
            if one.outcome == "uncompilable":
                continue
            equal = one.outcome == "survived" and mutant.name in reasons
            row["made"] += 1
            row["equivalent" if equal else one.outcome] += 1
            if not equal:
                kind = row["kinds"].setdefault(mutant.kind, [0, 0])
                kind[0] += one.outcome == "killed"
                kind[1] += 1
        rows[file] = row
    return rows


def share(row: dict) -> float:
    """Per cent killed of those that can be noticed."""
    noticeable = row["made"] - row["equivalent"]
    return 100 * row["killed"] / noticeable if noticeable else 100.0


def total(rows: dict) -> dict:
    """The same of all files."""
    return {key: sum(row[key] for row in rows.values())
            for key in ("made", "killed", "survived", "equivalent")}


def printed(rows: dict) -> str:
    lines = [f"{'':36s}{'made':>6s}{'killed':>8s}{'survived':>10s}{'equivalent':>12s}{'':>9s}"]
    for file, row in [*rows.items(), ("all", {**total(rows), "kinds": {}})]:
        kinds = ", ".join(f"{kind} {killed}/{made}"
                          for kind, (killed, made) in sorted(row["kinds"].items()))
        lines.append(f"{file:36s}{row['made']:6d}{row['killed']:8d}{row['survived']:10d}"
                     f"{row['equivalent']:12d}{share(row):7.1f} %  {kinds}".rstrip())
    return "\n".join(lines)
