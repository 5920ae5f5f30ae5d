"""Images, from a file to a root file system that a container could start from: the same oci-archive
(umoci: layout) into the empty store of each, all on one file system."""
import json
import os
import shutil
import signal
import subprocess
import threading
import time

import bundle
import measure
import report
import sandbox

NAME = "latest"  # in the archive, for all of them
FILES = 15000   # that a store must at least have in the end
ROOT_STEPS = ("mount root", "attach root")
SAMPLE_SECONDS = 0.005
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"


def mounts_beneath(directory):
    with open("/proc/self/mountinfo") as file:
        targets = [line.split(" ")[4] for line in file]
    return [target for target in reversed(targets) if target.startswith(directory + "/")]


class Store:
    """Whoever takes images in; `root` is all it has."""

    def __init__(self, name, root, command):
        self.name, self.root, self.command = name, root, command

    def prepare(self):
        os.makedirs(self.root)

    def forget(self):
        for target in mounts_beneath(self.root):  # of the sandbox's own namespace
            sandbox.call("umount2", target.encode(), sandbox.MNT_DETACH)
        shutil.rmtree(self.root)


class Containerd(Store):
    """Its daemon is started for each run, before the clock is."""

    def __init__(self, work):
        root = os.path.join(work, "containerd")
        self.socket = os.path.join(root, "socket")
        super().__init__("containerd", root, lambda archive, _: [
            "ctr", "--address", self.socket, "image", "import", "--base-name", "bench", archive])

    def prepare(self):
        super().prepare()
        config = os.path.join(self.root, "config.toml")
        with open(config, "w") as file:
            file.write(f'version = 2\nroot = "{self.root}/data"\nstate = "{self.root}/state"\n'
                       f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
                       f'[grpc]\naddress = "{self.socket}"\n')
        argv = ["containerd", "--config", config, "--log-level", "error"]
        with open(os.path.join(self.root, "log"), "wb") as log:
            self.daemon = subprocess.Popen(argv, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while subprocess.run(["ctr", "--address", self.socket, "version"],
                             capture_output=True).returncode != 0:
            if time.monotonic() > deadline or self.daemon.poll() is not None:
                raise RuntimeError("containerd does not answer")
            time.sleep(0.05)

    def forget(self):
        self.daemon.send_signal(signal.SIGTERM)
        self.daemon.wait()
        super().forget()


def contestants(context):
    def at(name):
        return os.path.join(context.work, "stores", name)

    # podman takes no longer directory for what is running than 50 characters.
    skiff, podman, running = at("skiff"), at("podman"), os.path.join(context.work, "podman")
    program = os.path.join(context.programs, "skiff")
    return [
        Store("skiff", skiff, lambda archive, _: [
            program, "--data-root", skiff + "/data", "--run-root", skiff + "/run", "image",
            "import", archive, "--name", "bench"]),
        Store("podman load", podman, lambda archive, _: [
            "podman", "--root", podman + "/storage", "--runroot", running, "--tmpdir",
            podman + "/tmp", "--storage-driver", "overlay", "--events-backend", "none",
            "load", "--quiet", "--input", archive]),
        Containerd(os.path.join(context.work, "stores")),
        Store("skopeo copy", at("skopeo"), lambda archive, _: [
            "skopeo", "--insecure-policy", "copy", "--quiet", "oci-archive:" + archive,
            f"containers-storage:[overlay@{at('skopeo')}/storage+{at('skopeo')}/run]{NAME}"]),
        Store("umoci unpack", at("umoci"), lambda _, layout: [
            "umoci", "raw", "unpack", "--image", f"{layout}:{NAME}", at("umoci") + "/rootfs"]),
    ]


def time_store(context, store, archive, layout):
    store.prepare()
    try:
        cpu, begin = measure.cpu_seconds(), time.perf_counter()
        measure.run(store.command(archive, layout), context.errors)
        wall = time.perf_counter() - begin
        return measure.Sample(wall, measure.cpu_seconds() - cpu)
    finally:
        store.forget()


def resident():
    """KiB of all processes of the sandbox but this one, pages that several share counted once."""
    total = 0
    for pid in measure.processes():
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        except OSError:
            pass
    return total


def peak_of(context, store, archive, layout):
    store.prepare()
    peak, done = 0, threading.Event()

    def watch():
        nonlocal peak
        while not done.wait(SAMPLE_SECONDS):
            peak = max(peak, resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        measure.run(store.command(archive, layout), context.errors)
        count = sum(len(files) for _, _, files in os.walk(store.root))
        if count < FILES:
            raise RuntimeError(f"{store.name}: {count} files after the import")
    finally:
        done.set()
        watcher.join()
        store.forget()
    return peak


def pack(layout, archive):
    path = os.path.join(layout, "index.json")
    index = bundle.load_json(path)
    index["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": NAME}
    with open(path, "w") as file:
        json.dump(index, file)
    subprocess.run(["tar", "-cf", archive, "-C", layout, "."], check=True)


def single_layer(layout, target):
    """An image of the layer with the most files alone, and where that layer is."""
    index = bundle.load_json(os.path.join(layout, "index.json"))
    manifest = bundle.load_json(bundle.blob_path(layout, index["manifests"][0]["digest"]))
    config = bundle.load_json(bundle.blob_path(layout, manifest["config"]["digest"]))

    def files(layer):
        listed = subprocess.run(["tar", "-tzf", bundle.blob_path(layout, layer["digest"])],
                                capture_output=True, check=True)
        return listed.stdout.count(b"\n")

    counts = [files(layer) for layer in manifest["layers"]]
    at = counts.index(max(counts))
    layer, diff_id = manifest["layers"][at], config["rootfs"]["diff_ids"][at]
    os.makedirs(os.path.join(target, "blobs/sha256"))
    path = bundle.blob_path(target, layer["digest"])
    shutil.copy(bundle.blob_path(layout, layer["digest"]), path)
    config["rootfs"]["diff_ids"] = [diff_id]
    config.pop("history", None)
    manifest["layers"] = [layer]
    manifest["config"] = bundle.put_blob(target, json.dumps(config).encode(),
                                         manifest["config"]["mediaType"])
    index["manifests"][0].update(bundle.put_blob(target, json.dumps(manifest).encode(),
                                                 index["manifests"][0]["mediaType"]))
    for name, content in (("index.json", index), ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        with open(os.path.join(target, name), "w") as file:
            json.dump(content, file)
    return path, max(counts)


def layer_section(context, layout, skiff):
    single = os.path.join(context.work, "single")
    layer, entries = single_layer(layout, single)
    floor = os.path.join(context.work, "unpack_floor")
    source = os.path.join(context.root, "tools/bench/unpack_floor.cc")
    subprocess.run(["c++", "-std=c++20", "-O2", "-o", floor, source, "-lisal", "-lcrypto"],
                   check=True)
    place = os.path.join(context.work, "stores/floor")
    bare = Store("floor", place, lambda path, _: [floor, path, place])
    runs = {store.name: (lambda store=store, file=file: time_store(context, store, file, single))
            for store, file in ((skiff, single), (bare, layer))}
    samples = context.interleave(runs, context.rounds)
    context.results["images layer"] = samples
    report.times(f"One layer of {entries} entries: skiff image import, and inflate + two hashes + "
                 "bare file creation", samples, "floor")
    shutil.rmtree(single)


def one_start(context, base):
    """A task of true of the image `bench`: seconds from begin to end, and those of its root."""
    tasks = os.path.join(base[base.index("--data-root") + 1], "tasks")
    before = set(os.listdir(tasks)) if os.path.isdir(tasks) else set()
    begin = time.perf_counter()
    measure.run([*base, "run", "--network", "none", "--keep", "bench", "--", "/bin/true"],
                context.errors)
    wall = time.perf_counter() - begin
    task, = set(os.listdir(tasks)) - before
    with open(os.path.join(tasks, task, "events")) as file:
        events = [json.loads(line) for line in file]
    root = sum(event["durationNs"] * 1e-9 for event in events
               if event["type"] == "StepFinished" and event["step"] in ROOT_STEPS)
    if root == 0:
        raise RuntimeError("a start has no step " + " or ".join(ROOT_STEPS))
    measure.run([*base, "rm", "--force", task], context.errors)
    return wall, root


def warm_section(context, skiff, archive):
    """The root file system of an image that is there: a step of each start."""
    skiff.prepare()
    measure.run(skiff.command(archive, ""), context.errors)
    base = [os.path.join(context.programs, "skiff"), "--data-root", skiff.root + "/data",
            "--run-root", skiff.root + "/run"]
    times = []
    for _ in range(context.rounds):
        times.append(one_start(context, base)[1])
        measure.wait_until_alone()
    skiff.forget()
    context.results["images rootfs"] = times
    report.table("Root file system of an image that is there", ["", "median µs", "p90 µs"],
                 [[" + ".join(ROOT_STEPS), f"{measure.median(times) * 1e6:.0f}",
                   f"{measure.quantile(times, .9) * 1e6:.0f}"]])


def section(context):
    layout = os.path.join(context.work, "workbench")
    shutil.copytree(context.arguments.workbench, layout)
    archive = os.path.join(context.work, "workbench.tar")
    pack(layout, archive)
    stores = contestants(context)
    rounds = max(3, context.rounds // 4)
    runs = {store.name: (lambda store=store: time_store(context, store, archive, layout))
            for store in stores}
    samples = context.interleave(runs, rounds, warm_ups=1)
    context.results["images"] = samples
    report.times("Import and unpack of an image of 20,000 files", samples, "skiff")
    peaks = {store.name: peak_of(context, store, archive, layout) for store in stores}
    context.results["images memory"] = peaks
    report.table("Memory of all processes at the peak of an import (PSS, one run)", ["", "MiB"],
                 [[name, f"{peak / 1024:.0f}"] for name, peak in peaks.items()])
    warm_section(context, stores[0], archive)
    os.remove(archive)
    layer_section(context, layout, stores[0])
