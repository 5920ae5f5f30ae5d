"""Tables in Markdown and every sample in JSON."""
import json

from measure import median, quantile


def table(title, heads, rows):
    print(f"\n### {title}\n")
    print("| " + " | ".join(heads) + " |")
    print("|---" + "|---:" * (len(heads) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def times(title, samples, base):
    """samples: {contestant: [Sample]}; ratios are to `base`."""
    reference = samples.get(base)
    rows = []
    for name, runs in samples.items():
        walls = [run.wall * 1e3 for run in runs]
        cpus = [run.cpu * 1e3 for run in runs]
        row = [name, f"{median(walls):.1f}", f"{quantile(walls, .1):.1f}",
               f"{quantile(walls, .9):.1f}", f"{median(cpus):.1f}"]
        if reference:
            row += [f"{median(walls) / (median([r.wall for r in reference]) * 1e3):.1f}x",
                    f"{median(cpus) / (median([r.cpu for r in reference]) * 1e3):.1f}x"]
        rows.append(row)
    heads = ["", "wall ms", "p10", "p90", "CPU ms"]
    table(title, heads + [f"wall / {base}", f"CPU / {base}"] * bool(reference), rows)


def store(path, results):
    def plain(value):
        return {"wall_s": value.wall, "cpu_s": value.cpu}
    with open(path, "w") as file:
        json.dump(results, file, indent=1, default=plain)
        file.write("\n")
