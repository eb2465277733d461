"""Writes docs/benchmarks.md and its plots from what the other benchmarks have left in target/bench: `make bench-page`.

A benchmark that has not been run, or not all of it, keeps what the page said of it before.
"""

import argparse
import json
import pathlib
import re

import matplotlib

matplotlib.use("svg")
# The same bytes for the same figures.
matplotlib.rcParams.update({"svg.hashsalt": "ami-bakery", "svg.fonttype": "none", "font.size": 9})
import matplotlib.pyplot as plt  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PEERS = {"boto3": "boto3", "node": "Node.js"}
#: What is measured of a start, and how its column is called.
COLD_START = {
    "https_init_ms": "to `/next`, ms",
    "https_first_ms": "first, TLS, ms",
    "http_first_ms": "first, HTTP, ms",
    "https_warm_ms": "warm, TLS, ms",
    "warm_above_calls_ms": "above the calls, ms",
    "warm_cpu_ms": "own CPU, ms",
    "https_peak_mib": "peak, MiB",
}
OURS, THEIRS, QUICK = "#1f6f43", "#9aa5b1", "#d9822b"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "target/bench")
    arguments = parser.parse_args()
    page = DOCS / "benchmarks.md"
    text = page.read_text()
    (DOCS / "benchmarks").mkdir(exist_ok=True)
    for name, section in SECTIONS.items():
        result = arguments.results / f"{name}.json"
        measured = json.loads(result.read_text()) if result.exists() else {}
        if missing := [part for part in PARTS.get(name, ("required",)) if part not in measured]:
            print(f"{name} stays as it was; not measured: {', '.join(missing)}")
            continue
        found = "\n".join(section(measured))
        mark = f"<!-- {name}: made by tests/bench/page.py -->\n"
        text, times = re.subn(
            rf"({re.escape(mark)}).*?(<!-- end -->)", lambda m: f"{m[1]}{found}\n{m[2]}", text, flags=re.S
        )
        assert times == 1, f"{page} has no place for {name}"
    page.write_text(text)


def cold_start(found):
    rows, required = found["rows"], found["required"]
    names = [name for name in rows if name not in PEERS] + list(PEERS)
    bars(
        "first",
        [PEERS.get(name, name) for name in names],
        [rows[name]["https_first_ms"] for name in names],
        [OURS if name not in PEERS else THEIRS for name in names],
        "Process start to the first answer, over TLS: milliseconds",
        spread=[rows[name]["https_first_ms_quartiles"] for name in names],
    )
    bars(
        "memory",
        [PEERS.get(name, name) for name in names],
        [rows[name]["https_peak_mib"] for name in names],
        [OURS if name not in PEERS else THEIRS for name in names],
        "Peak resident memory: MiB",
        spread=[rows[name]["https_peak_mib_quartiles"] for name in names],
    )
    yield f"Medians of {found['rounds']} interleaved rounds on one CPU; in brackets the quartiles.\n"
    yield "![First answer](benchmarks/first.svg)\n\n![Memory](benchmarks/memory.svg)\n"
    yield f"| | {' | '.join(COLD_START.values())} | zip, MiB |\n|{'---|' * (len(COLD_START) + 2)}"
    for name in names:
        one = rows[name]
        figures = [with_quartiles(one, measure) for measure in COLD_START]
        yield f"| {PEERS.get(name, name)} | {' | '.join(figures)} | {one.get('zip_mib', '')} |"
    yield "\n| target | worst | |\n|---|---|---|"
    for measure, most in required.items():
        worst, name = max((one[measure], name) for name, one in rows.items() if name not in PEERS and measure in one)
        yield f"| `{measure}` at most {most:.4g} | {worst:.4g} ({name}) | {verdict(worst <= most)} |"


def with_quartiles(one, measure):
    low, high = one[f"{measure}_quartiles"]
    # Tenths are what can be told apart, but for what is about a millisecond.
    digits = 1 if high >= 5 else 2
    return f"{one[measure]:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def orchestration(found):
    shared = sorted(found["shared"], key=lambda one: (one["regions"], one["accounts"], one["side"]))
    colors = {"ours": OURS, "packer": THEIRS, "packer, 2 s": QUICK}
    labels = [f"{one['side']}, {one['regions']} R, {one['accounts']} A" for one in shared]
    bars(
        "packer",
        labels,
        [one["over_critical_path"] for one in shared],
        [colors[one["side"]] for one in shared],
        "Time over the images' own, 1 at best (R: Regions, A: accounts)",
        begin=0.9,
    )
    yield "![Beside Packer](benchmarks/packer.svg)\n"
    yield from beside_packer(shared)
    # As `orchestration.py` has found: shared.3x50.over_critical_path
    behind = [name.split(".")[1] for name in found["missed"] if re.fullmatch(r"shared\..*\.over_critical_path", name)]
    ours = [one for one in shared if one["side"] == "ours"]
    calls, most = ours[-1]["calls"], found["required"]["shared.calls_at_most"]
    yield "\n| beside Packer | | target |\n|---|---|---|"
    yield f"| rows in which it is not ahead of both of Packer's | {', '.join(behind) or 'none'} | none: {verdict(not behind)} |"
    yield f"| AWS calls in the last row of ours | {calls:g} | {most}: {verdict(calls <= most)} |"
    yield from whole_bake(found)


def beside_packer(shared):
    yield "| Regions | accounts | side | over the images' own time | spread | AWS calls | runs |\n|---|---|---|---|---|---|---|"
    for one in shared:
        yield (
            f"| {one['regions']} | {one['accounts']} | {one['side']} | {one['over_critical_path']:.3f} "
            f"| {spread_of(one['runs'])} | {one['calls']:g} | {len(one['runs'])} |"
        )


def spread_of(runs):
    ratios = [run["over_critical_path"] for run in runs]
    return f"{min(ratios):.3f}–{max(ratios):.3f}"


def whole_bake(found):
    whole, long, required = found["whole"], found["long"], found["required"]
    key = whole["key_open_beyond_copy"]
    yield f"\n| whole bake for 50 receivers in each of 6 Regions, {len(whole['runs'])} runs | | target |\n|---|---|---|"
    yield f"| delivered in each, failed in all | {whole['delivered']:g}, {whole['failures']} | |"
    most = required["whole.over_critical_path"]
    ratio = f"{whole['over_critical_path']:.3f} ({spread_of(whole['runs'])})"
    yield f"| time over the critical path | {ratio} | {most}: {verdict(whole['over_critical_path'] <= most)} |"
    most = required["whole.key_open_beyond_copy.p95"]
    yield f"| owner's key open beyond the copy: median, AWS seconds | {key['median']} | |"
    yield f"| the same, 95th percentile | {key['p95']} | {most}: {verdict(key['p95'] <= most)} |"
    most = required["long.transitions"]
    yield f"| transitions of a delivery whose copy takes 20 minutes, at most | {long['transitions']} | {most}: {verdict(long['transitions'] <= most)} |"


def faster(found):
    yield from beside_packer(found["shared"])
    whole = found["whole"]
    yield f"\n| whole bake for 50 receivers in each of 6 Regions, {len(whole['runs'])} runs | |\n|---|---|"
    yield f"| time over the critical path | {whole['over_critical_path']:.3f} ({spread_of(whole['runs'])}) |"
    yield f"| owner's key open beyond the copy: 95th percentile | {whole['key_open_beyond_copy']['p95']} |"


def scale(found):
    measures = list(
        dict.fromkeys(measure for shape in ("few", "many", "regions", "path") for measure in found.get(shape, {}))
    )
    shapes = [shape for shape in ("few", "many", "regions", "path") if shape in found]
    yield f"| | {' | '.join(shapes)} | target |\n|{'---|' * (len(shapes) + 2)}"
    for measure in measures:
        required = {shape: found["required"][shape][measure] for shape in shapes if measure in found["required"][shape]}
        # One that does not hold for all of them says for which.
        targets = (
            set(required.values())
            if len(required) == len(shapes)
            else [f"{most} ({shape})" for shape, most in required.items()]
        )
        values = [str(found[shape].get(measure, "")) for shape in shapes]
        yield f"| {measure.replace('_', ' ')} | {' | '.join(values)} | {' '.join(map(str, targets))} |"
    yield f"\nMissed: {', '.join(found['missed']) or 'nothing'}."


def waiting(found):
    late = sorted(row["late"] for row in found["rows"])
    figure, axes = plt.subplots(figsize=(7, 2.4))
    axes.plot(late, [100 * (n + 1) / len(late) for n in range(len(late))], color=OURS)
    axes.set(xlabel="AWS seconds from available to noticed", ylabel="% of images", ylim=(0, 101), xlim=(0, None))
    save(figure, "waiting")
    yield "![How late](benchmarks/waiting.svg)\n\n| | | target |\n|---|---|---|"
    for measure, value in found.items():
        if measure in ("rows", "required", "missed", "seed"):
            continue
        most = found["required"].get(measure)
        told = "" if most is None else f"{most}: {verdict(value <= most)}"
        yield f"| {measure.replace('_', ' ')} | {value} | {told} |"


def verdict(met):
    return "met" if met else "**missed**"


def bars(name, labels, values, colors, title, spread=None, begin=0):
    figure, axes = plt.subplots(figsize=(7, 0.22 * len(labels) + 0.8))
    error = spread and [
        [v - low for v, (low, _) in zip(values, spread, strict=True)],
        [high - v for v, (_, high) in zip(values, spread, strict=True)],
    ]
    drawn = axes.barh(range(len(values)), values, color=colors, xerr=error, error_kw={"elinewidth": 0.8})
    axes.bar_label(drawn, fmt="%.4g", padding=4)
    axes.set_yticks(range(len(labels)), labels)
    axes.set(title=title, xlim=(begin, max(values) * 1.12))
    axes.invert_yaxis()
    save(figure, name)


def save(figure, name):
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(DOCS / f"benchmarks/{name}.svg", metadata={"Date": None, "Creator": None})
    plt.close(figure)


SECTIONS = {
    "cold-start": cold_start,
    "orchestration": orchestration,
    "faster": faster,
    "scale": scale,
    "waiting": waiting,
}
#: What a section needs. Of `scale` it shows what there is.
PARTS = {"orchestration": ("shared", "whole", "long"), "faster": ("shared", "whole")}

if __name__ == "__main__":
    main()
