"""Layers unpacked, and as EROFS images that are mounted: the same image into an empty store of each
kind, and what becomes of it. Best on a disk (--disk): memory has nothing to read."""
import os
import resource
import shutil
import subprocess
import time

import bundle
import images
import measure
import report
import sandbox

KINDS = ("unpacked", "erofs")
PIECE = 1 << 18
MIB = 1 << 20
MS_RDONLY = 1
LAYERS = (1, 4, 20)  # of images whose starts are measured
SMALL = 200  # files of a layer
IDLE = "trap 'exit 0' TERM; sleep 3600 & wait"  # ends as soon as it is told to
TASKS = 4  # that read the same image, to see what they share


def timed(work):
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def drop_caches():
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as file:
        file.write("3")


def cached():
    with open("/proc/meminfo") as file:
        fields = dict(line.split()[:2] for line in file)
    return int(fields["Cached:"]) << 10


def usage(directory):
    """Bytes and inodes of all that is beneath."""
    size = inodes = 0
    for at, directories, files in os.walk(directory):
        for name in directories + files:
            info = os.lstat(os.path.join(at, name))
            size += info.st_blocks * 512 // (info.st_nlink if name in files else 1)
            inodes += 1
    return size, inodes


def files_of(roots):
    for root in roots:
        for at, _, files in os.walk(root):
            yield from (os.path.join(at, name) for name in files)


def walk(roots):
    for path in files_of(roots):
        os.lstat(path)


def read_file(path):
    with open(path, "rb", buffering=0) as file:
        while file.read(PIECE):
            pass


def read_all(roots):
    for path in files_of(roots):
        if not os.path.islink(path) and os.path.isfile(path):
            read_file(path)


class Mounts:
    """The layers of a store as directories: as they are, or each mounted here."""

    def __init__(self, store, way):
        self.points, self.loops, self.roots = [], [], []
        layers = os.path.join(store, "data/images/layers")
        for name in os.listdir(layers):
            layer = os.path.join(layers, name)
            self.roots.append(os.path.join(layer, "fs") if way == "unpacked"
                              else self.mount(os.path.join(layer, "layer.erofs"), way))

    def mount(self, layer, way):
        point = layer + f".mount{id(self)}"
        os.mkdir(point)
        source, device = os.path.join(layer, "image"), os.path.join(layer, "tar")
        if way == "loop devices":
            source, device = (self.loop(path) for path in (source, device))
        sandbox.mount(source, point, "erofs", MS_RDONLY, f"device={device}")
        self.points.append(point)
        return point

    def loop(self, path):
        """As isolation/sys/loop.h shares them: one over a file, past the file's own page cache."""
        there = subprocess.run(["losetup", "--associated", path, "--noheadings", "--output",
                                "NAME"], capture_output=True, text=True, check=True).stdout.split()
        if there:
            return there[0]
        done = subprocess.run(["losetup", "--read-only", "--direct-io=on", "--find", "--show",
                               path], capture_output=True, text=True, check=True)
        self.loops.append(done.stdout.strip())
        return self.loops[-1]

    def forget(self):
        for point in self.points:
            sandbox.call("umount2", point.encode(), 0)
            os.rmdir(point)
        for loop in self.loops:
            subprocess.run(["losetup", "--detach", loop], check=True)


def read_speeds(store, way):
    mounts = Mounts(store, way)
    found = {}
    try:
        biggest = max((path for path in files_of(mounts.roots) if not os.path.islink(path)),
                      key=os.path.getsize)
        for what, work in (("every name, cold", lambda: walk(mounts.roots)),
                           ("every file, cold", lambda: read_all(mounts.roots)),
                           ("the biggest file, cold", lambda: read_file(biggest))):
            drop_caches()
            found[what] = timed(work)
        read_all(mounts.roots)
        found["every file, warm"] = timed(lambda: read_all(mounts.roots))
        found["the biggest file, warm"] = timed(lambda: read_file(biggest))
    finally:
        mounts.forget()
    # Each task mounts for itself.
    drop_caches()
    before, tasks = cached(), [Mounts(store, way) for _ in range(TASKS)]
    try:
        for task in tasks:
            read_all(task.roots)
        found[f"page cache of {TASKS} tasks that read it all, MiB"] = (cached() - before) / MIB
    finally:
        for task in reversed(tasks):  # the first has the devices
            task.forget()
    return found


def ways_of(kind, store):
    if kind == "unpacked":
        return ["unpacked"]
    ways = []
    for way in ("files", "loop devices"):
        try:
            Mounts(store, way).forget()
            ways.append(way)
        except OSError:
            pass
    return ways


def one_round(context, kind, archive):
    store = os.path.join(context.work, "layers")
    os.makedirs(store)
    base = [os.path.join(context.programs, "skiff"), "--data-root", store + "/data", "--run-root",
            store + "/run"]
    cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {"import": timed(lambda: measure.run(
        [*base, "image", "import", archive, "--name", "bench", "--keep-layer-files=false",
         "--layers", kind], context.errors))}
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found["import, CPU"] = after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime
    size, inodes = usage(store + "/data/images/layers")
    found["disk, MiB"], found["inodes"] = size / MIB, inodes
    command = [*base, "run", "--network", "none", "bench", "--", "/bin/true"]
    measure.run(command, context.errors)
    found["a task of /bin/true"] = timed(lambda: measure.run(command, context.errors))
    measure.wait_until_alone()
    speeds = {way: read_speeds(store, way) for way in ways_of(kind, store)}
    drop_caches()
    found["removal, cold"] = timed(lambda: measure.run([*base, "image", "remove", "bench"],
                                                       context.errors))
    shutil.rmtree(store)
    return found, speeds


def image_of(context, count, target):
    """The busybox image with small layers upon it, so that it has `count`."""
    shutil.copytree(context.arguments.image, target)
    for number in range(1, count):
        files = os.path.join(context.work, "files")
        os.makedirs(files)
        for name in map(str, range(SMALL)):
            with open(os.path.join(files, name), "w") as file:
                file.write(name * 300)
        bundle.add_layer(target, {f"layer{number}": files})
        shutil.rmtree(files)


def starts(context):
    """Alone, what a root needs is made and goes with it; beside another task it is there. EROFS
    images are mounted from files on a disk, and through loop devices on tmpfs, which has no mounts
    from files."""
    rows = []
    for count in LAYERS:
        image, bases, found = os.path.join(context.work, f"small-{count}"), {}, {}
        image_of(context, count, image)
        for kind in KINDS:
            store = os.path.join(context.work, f"small-{kind}")
            bases[kind] = [os.path.join(context.programs, "skiff"), "--data-root", store + "/data",
                           "--run-root", store + "/run"]
            measure.run([*bases[kind], "image", "import", image, "--name", "bench", "--layers",
                         kind], context.errors)
        for where in ("alone", "beside another"):
            if where != "alone":
                for base in bases.values():
                    measure.run([*base, "run", "--detach", "--network", "none", "bench", "--",
                                 "/bin/sh", "-c", IDLE], context.errors)
            for _ in range(context.rounds):
                for kind, base in bases.items():
                    found.setdefault((where, kind), []).append(images.one_start(context, base))
                    if where == "alone":
                        measure.wait_until_alone()
        for base in bases.values():
            for task in os.listdir(base[2] + "/tasks"):
                measure.run([*base, "rm", "--force", task], context.errors)
        measure.wait_until_alone()
        for base in bases.values():
            shutil.rmtree(os.path.dirname(base[2]))
        shutil.rmtree(image)
        context.results[f"starts of {count} layers"] = {
            f"{kind}, {where}": starts for (where, kind), starts in found.items()}
        rows += [[f"{count}, {where}, {kind}",
                  *(f"{measure.median(values) * 1e3:.1f}" for values in zip(*starts))]
                 for (where, kind), starts in found.items()]
    report.table("Start of a task by layers of its image (medians)",
                 ["", "begin to end, ms", "its root, ms"], rows)


def shown(name, values):
    value = measure.median(values)
    is_time = not name.endswith("MiB") and name != "inodes"
    return f"{value * 1e3:.1f} ms" if is_time else f"{value:.0f}"


def show(title, columns):
    names = list(next(iter(columns.values())))
    report.table(title, ["", *columns],
                 [[name, *(shown(name, column[name]) for column in columns.values())]
                  for name in names])


def add(columns, name, found):
    for what, value in found.items():
        columns.setdefault(name, {}).setdefault(what, []).append(value)


def section(context):
    archive = os.path.join(context.work, "layers.tar")
    layout = os.path.join(context.work, "layers-layout")
    shutil.copytree(context.arguments.workbench, layout)
    images.pack(layout, archive)
    shutil.rmtree(layout)
    stores, reads = {}, {}
    for _ in range(max(3, context.rounds // 4)):
        for kind in KINDS:
            found, speeds = one_round(context, kind, archive)
            add(stores, kind, found)
            for way, read in speeds.items():
                add(reads, way, read)
    os.remove(archive)
    context.results["layers"] = {"stores": stores, "reads": reads}
    show("Layers unpacked and as EROFS images: import to removal (medians)", stores)
    show("What reading them costs (medians)", reads)
