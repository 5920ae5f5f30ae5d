"""The sections of the benchmark. Contestants take turns: A B C A B C ..., so that whatever else the
machine does meets all of them."""
import os
import subprocess

import api
import bundle
import images
import layers
import measure
import report
from contestants import Floor, Podman, Skiff, oci_runtimes

WARM_UPS = 2
MEGABYTE = 1 << 20
LOG_CASES = [("4000-byte writes", 200 * MEGABYTE, 4000), ("100-byte lines", 50 * MEGABYTE, 100)]
IDLE_TASKS = 20
IDLE_COMMAND = ["sleep", "600"]


class Context:
    def __init__(self, arguments, root, work, step):
        self.rounds, self.work, self.step = arguments.rounds, work, step
        self.root = root
        self.build = arguments.build
        self.programs = os.path.join(arguments.build, "bin")
        self.errors = os.path.join(work, "errors")
        self.results = {"rounds": arguments.rounds, "disk": arguments.disk or "tmpfs"}
        self.arguments = arguments
        needed = set(arguments.sections) - {"functions", "images", "layers", "starts"}
        if needed:
            self.layout = bundle.make_layout(root, work, arguments.image)
        if needed - {"oci"}:
            step("loading it into each store")
            self.skiff = Skiff(self.programs, work)
            self.podmans = [Podman(name, work) for name in ("crun", "runc")]
            for engine in [self.skiff, *self.podmans]:
                engine.load(self.layout)

    def interleave(self, contestants, rounds, warm_ups=WARM_UPS):
        """contestants: {name: function that measures one run}."""
        for measure_one in contestants.values():
            for _ in range(warm_ups):
                measure_one()
        samples = {name: [] for name in contestants}
        for _ in range(rounds):
            for name, measure_one in contestants.items():
                samples[name].append(measure_one())
        return samples

    def command(self, make_argv, **how):
        return lambda: measure.time_command(make_argv(), self.errors, **how)


def oci(context):
    bundles = bundle.make_bundles(context.layout, context.work)
    runtimes = oci_runtimes(context.programs, context.work)
    floor = Floor(bundle.compile_program(context.root, context.work, "floor"), context.work)
    measure.run(runtimes[0].run(bundles["seccomp"]), context.errors)
    floor.take_filter(runtimes[0])
    for kind, title in (("none", "no seccomp"), ("seccomp", "seccomp profile of podman")):
        contestants = {r.name: context.command(lambda r=r: r.run(bundles[kind])) for r in runtimes}
        contestants[floor.name] = context.command(lambda: floor.run(kind == "seccomp"))
        samples = context.interleave(contestants, context.rounds)
        context.results[f"oci {kind}"] = samples
        report.times(f"OCI run of true, {title}", samples, "skiff-oci")
    # runc cannot do without.
    contestants = {r.name: context.command(lambda r=r: r.run(bundles["seccomp"], False))
                   for r in runtimes if r.name != "runc"}
    samples = context.interleave(contestants, context.rounds)
    context.results["oci seccomp, no cgroup"] = samples
    report.times("OCI run of true, seccomp profile of podman, no cgroup", samples, "skiff-oci")
    oci_life(context, runtimes, bundles)
    oci_memory(context, runtimes, bundles)


def oci_life(context, runtimes, bundles):
    """create, start, exec and delete of one container, each by itself."""
    samples = {}
    for turn in range(context.rounds + WARM_UPS):
        for runtime in runtimes:
            for step, argv in runtime.life(bundles["idle"]).items():
                sample = measure.time_step(argv, context.errors)
                if turn >= WARM_UPS:
                    samples.setdefault(step, {}).setdefault(runtime.name, []).append(sample)
            measure.wait_until_alone()
    context.results["oci life"] = samples
    for step, of_step in samples.items():
        report.times(f"OCI {step}, seccomp profile of podman", of_step, "skiff-oci")


def oci_memory(context, runtimes, bundles):
    """The largest of a command's processes; the median of five."""
    peak = bundle.compile_program(context.root, context.work, "peak")
    output, peaks = os.path.join(context.work, "peaks"), {}
    for _ in range(5):
        for runtime in runtimes:
            steps = {"run": runtime.run(bundles["seccomp"]), **runtime.life(bundles["idle"])}
            for step, argv in steps.items():
                measure.run([peak, output, *argv], context.errors)
                with open(output) as file:
                    peaks.setdefault(runtime.name, {}).setdefault(step, []).append(
                        int(file.read()))
                os.remove(output)
            measure.wait_until_alone()
    context.results["oci memory"] = peaks
    report.table("OCI peak memory in KiB", ["", *next(iter(peaks.values()))],
                 [[name] + [f"{measure.median(values):.0f}" for values in steps.values()]
                  for name, steps in peaks.items()])


def task(context):
    skiff, podmans = context.skiff, context.podmans
    for own, theirs, title in (("none", "none", "without network"),
                               ("awsvpc", "bridge", "with a network of its own")):
        contestants = {"skiff": context.command(lambda: skiff.run(["true"], own))}
        for engine in [*podmans, podmans[0].without_cgroup()]:
            contestants[engine.name] = context.command(
                lambda engine=engine: engine.run(["true"], theirs))
        samples = context.interleave(contestants, context.rounds)
        context.results[f"task {own}"] = samples
        report.times(f"Task of true, start to exit, {title}", samples, "skiff")


def log_run(context, engine, size, chunk):
    argv = engine.run(["/writer", str(size), str(chunk)], detach=True, keep=True)
    sample = measure.time_command(argv, context.errors, until_alone=True)
    if engine.log_bytes() < size:
        raise RuntimeError(f"{engine.name}: only {engine.log_bytes()} of {size} bytes in the log")
    engine.forget()
    return sample


def log_floor(context, size, chunk):
    writer, target = os.path.join(context.work, "writer"), os.path.join(context.work, "floor")
    argv = ["sh", "-c", f"{writer} {size} {chunk} | cat > {target}"]
    sample = measure.time_command(argv, context.errors, until_alone=True)
    os.remove(target)
    return sample


def logs(context):
    for title, size, chunk in LOG_CASES:
        contestants = {"writer \\| cat > file": lambda: log_floor(context, size, chunk)}
        for engine in (context.skiff, context.podmans[0]):
            contestants[engine.name] = lambda engine=engine: log_run(context, engine, size, chunk)
        samples = context.interleave(contestants, max(3, context.rounds // 4))
        context.results[f"logs {chunk}"] = samples
        rows = []
        for name, runs in samples.items():
            wall = measure.median([run.wall for run in runs])
            cpu = measure.median([run.cpu for run in runs])
            rows.append([name, f"{size / MEGABYTE / wall:.0f}", f"{cpu / size * 1e9:.2f}"])
        report.table(f"Logs, {size // MEGABYTE} MiB in {title}",
                     ["", "MiB/s", "CPU s per GB"], rows)


def smaps(pid):
    fields = {}
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file.readlines()[1:]:
            key, value = line.split(":")
            fields[key] = int(value.split()[0])
    return fields["Pss"], fields["Private_Clean"] + fields["Private_Dirty"], fields["Rss"]


def processes_named(prefix):
    return [pid for pid in measure.processes()
            if measure.name_of(pid).startswith(prefix)]


def memory(context):
    rows, found = [], {}
    for engine, program in ((context.skiff, "skiff-superviso"), (context.podmans[0], "conmon")):
        measure.wait_until_alone()
        for _ in range(IDLE_TASKS):
            measure.run(engine.run(IDLE_COMMAND, detach=True, keep=True), context.errors)
        pids = processes_named(program)
        if len(pids) != IDLE_TASKS:
            raise RuntimeError(f"{len(pids)} processes {program}, expected {IDLE_TASKS}")
        sizes = [smaps(pid) for pid in pids]
        means = [sum(column) / len(pids) for column in zip(*sizes)]
        rows.append([f"{engine.name} ({program})"] + [f"{value:.0f}" for value in means])
        found[engine.name] = dict(zip(("pss_kib", "private_kib", "rss_kib"), means))
        engine.forget()
    context.results["memory"] = found
    report.table(f"Memory of one idle task's supervisor, mean of {IDLE_TASKS}",
                 ["", "PSS KiB", "private KiB", "RSS KiB"], rows)


def startup(context):
    runs = {}
    for turn in range(context.rounds + WARM_UPS):
        measure.run(context.skiff.run(["true"], "awsvpc", keep=True), context.errors)
        measure.wait_until_alone()
        if turn >= WARM_UPS:
            for _, step, seconds in context.skiff.steps():
                runs.setdefault(step, []).append(seconds)
        context.skiff.forget()
    context.results["startup"] = runs
    rows = [[step, f"{measure.median(times) * 1e6:.0f}", f"{measure.quantile(times, .9) * 1e6:.0f}"]
            for step, times in runs.items()]
    total = sum(measure.median(times) for times in runs.values())
    rows.append(["**sum of the medians**", f"{total * 1e6:.0f}", ""])
    report.table("Start-up of a task with its own network, by step", ["", "median µs", "p90 µs"],
                 rows)


def functions(context):
    program = os.path.join(context.programs, "skiff_functions_bench")
    if not os.path.exists(program):
        raise RuntimeError(f"{program} is not there: build with -DSKIFF_BENCHMARKS=ON")
    output = os.path.join(context.work, "functions.txt")
    measure.run([program], context.errors, stdout=output)
    with open(output) as file:
        print("\n### Functions\n\n```\n" + file.read().rstrip() + "\n```\n", flush=True)


SECTIONS = {"oci": oci, "task": task, "logs": logs, "memory": memory, "startup": startup,
            "api": api.section, "images": images.section, "layers": layers.section,
            "starts": layers.starts, "functions": functions}


def versions():
    for program in ("crun", "runc", "podman", "conmon", "containerd", "skopeo", "umoci"):
        line = subprocess.run([program, "--version"], capture_output=True, text=True)
        yield line.stdout.split("\n")[0]


def run(arguments, root, work, step):
    context = Context(arguments, root, work, step)
    context.results["peers"] = list(versions())
    print(f"Peers: {'; '.join(context.results['peers'])}. {arguments.rounds} rounds, "
          f"state on {context.results['disk']}.")
    for name in arguments.sections:
        step(f"section {name}")
        SECTIONS[name](context)
        if arguments.json:
            report.store(arguments.json, context.results)
