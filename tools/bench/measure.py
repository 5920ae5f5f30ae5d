"""Runs commands and measures them: wall time, and the CPU time of everything that ran, as the
sandbox's cgroup counted it (kernel worker threads are not in it)."""
import os
import statistics
import time


class Sample:
    def __init__(self, wall, cpu):
        self.wall, self.cpu = wall, cpu  # seconds


def cpu_seconds():
    """Of the sandbox without this process; v1 and v2 count all groups below as well."""
    for path, scale in (("/sys/fs/cgroup/cpuacct/cpuacct.usage", 1e-9),
                        ("/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage", 1e-9)):
        if os.path.exists(path):
            with open(path) as file:
                return int(file.read()) * scale - time.process_time()
    with open("/sys/fs/cgroup/cpu.stat") as file:
        fields = dict(line.split() for line in file)
    return int(fields["usage_usec"]) * 1e-6 - time.process_time()


def processes():
    own = os.getpid()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own]


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def wait_until_alone(seconds=30.0):
    """Until monitors and cleaners that outlive the command line are gone."""
    deadline = time.monotonic() + seconds
    while True:
        reap()
        if not processes():
            return
        if time.monotonic() > deadline:
            raise RuntimeError("still running: " + ", ".join(map(name_of, processes())))
        time.sleep(0.002)


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return f"{file.read().strip()} ({pid})"
    except OSError:
        return str(pid)


def spawn(argv, errors, stdout=None):
    actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
               (os.POSIX_SPAWN_OPEN, 1, stdout or "/dev/null",
                os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
               (os.POSIX_SPAWN_OPEN, 2, errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)]
    return os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions)


def run(argv, errors, stdout=None):
    """Runs to the end; anything but exit status 0 is an error that quotes the command's own."""
    code = os.waitstatus_to_exitcode(os.waitpid(spawn(argv, errors, stdout), 0)[1])
    if code != 0:
        with open(errors, errors="replace") as file:
            text = file.read().strip()[-2000:]
        raise RuntimeError(f"{' '.join(argv)}: exit status {code}: {text}")


def time_command(argv, errors, until_alone=False):
    """until_alone: the wall time ends when the last process has gone, not when the command has."""
    wait_until_alone()
    cpu, begin = cpu_seconds(), time.perf_counter()
    run(argv, errors)
    wall = time.perf_counter() - begin
    wait_until_alone()
    if until_alone:
        wall = time.perf_counter() - begin
    return Sample(wall, cpu_seconds() - cpu)


def time_step(argv, errors):
    """A command that leaves a process behind, or ends one: what runs when it returns stays."""
    cpu, begin = cpu_seconds(), time.perf_counter()
    run(argv, errors)
    return Sample(time.perf_counter() - begin, cpu_seconds() - cpu)


def quantile(values, fraction):
    ordered = sorted(values)
    position = fraction * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


median = statistics.median
