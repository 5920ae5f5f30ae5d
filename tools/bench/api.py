"""skiffd over its wire protocol, with a client that adds little: raw HTTP on kept connections, wrk
for the rate of requests."""
import concurrent.futures
import http.client
import json
import os
import re
import signal
import secrets
import socket
import sqlite3
import subprocess
import time
import zlib

import measure
import report
from contestants import IMAGE

PORT = 18770
TARGET = "AmazonEC2ContainerServiceV20141113."
CHURN_TASKS = 1000  # of true, ten a call
CHURN_CLIENTS = 4
SLOW_STEP = 0.15e-3  # seconds from which on a step of the start is listed
HISTORY = 100_000  # stopped tasks
PAGE = 100  # tasks, the API's largest
WRK_SECONDS = 5
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-default"]}}
WRK_SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-amz-json-1.1"
wrk.headers["X-Amz-Target"] = "%sDescribeTasks"
wrk.body = '%s'
"""


class Client:
    def __init__(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)

    def ask(self, operation, **body):
        self.connection.request(
            "POST", "/", json.dumps(body), {"Content-Type": "application/x-amz-json-1.1",
                                            "X-Amz-Target": TARGET + operation})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{operation}: {text}")
        return json.loads(text)

    def reset(self):
        self.connection.request("POST", "/_skiff/reset")
        answer = self.connection.getresponse()
        if answer.read() and answer.status != 200:
            raise RuntimeError(f"reset: {answer.status}")

    def steps(self):
        """From /metrics: {step of a start: mean seconds}, of all starts so far."""
        self.connection.request("GET", "/metrics")
        text = self.connection.getresponse().read().decode()
        pattern = r'skiff_task_start_step_seconds_%s\{step="([^"]+)"\} (\S+)'
        counts = dict(re.findall(pattern % "count", text))
        return {step: float(total) / float(counts[step])
                for step, total in re.findall(pattern % "sum", text)}

    def run_task(self, family, count=1):
        answer = self.ask("RunTask", taskDefinition=family, count=count, launchType="EC2",
                          networkConfiguration=NETWORK)
        if answer["failures"]:
            raise RuntimeError(f"RunTask: {answer['failures']}")
        return [task["taskArn"] for task in answer["tasks"]]


class Events:
    """Waits for states of tasks without asking for them."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(120)
        self.socket.connect(path)
        self.lines = self.socket.makefile()

    def until(self, status, count=1):
        seen = set()
        while len(seen) < count:
            detail = json.loads(self.lines.readline())["detail"]
            if detail["lastStatus"] == status:
                seen.add(detail["taskArn"])


class Daemon:
    def __init__(self, context):
        self.events_path = context.skiff.run_root + "/events.sock"
        self.state = os.path.join(context.skiff.data, "state/state.db")
        command = [os.path.join(context.programs, "skiffd"), "--anonymous", "--allow-reset",
                   "--listen", f"127.0.0.1:{PORT}", "--data-root", context.skiff.data,
                   "--run-root", context.skiff.run_root]
        with open(context.errors, "ab") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=errors,
                                            stderr=errors)
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", PORT)).close()
                break
            except ConnectionRefusedError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise RuntimeError(f"skiffd does not listen: see {context.errors}") from None
                time.sleep(0.01)
        self.client = Client()

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))

    def context_switches(self):
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/status") as file:
                total += sum(int(line.split()[1]) for line in file if "ctxt_switches" in line)
        return total

    def define(self, family, command):
        # Without CPUs of its own, or the host would be full after eight on two processors.
        self.client.ask("RegisterTaskDefinition", family=family, networkMode="awsvpc",
                        memory="16", containerDefinitions=[
                            {"name": "a", "image": IMAGE, "command": command, "stopTimeout": 2}])

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def wait_until_idle(daemon):
    seen = -1
    while seen != daemon.cpu_seconds():
        seen = daemon.cpu_seconds()
        time.sleep(0.3)


def idle(context, daemon, rows):
    wait_until_idle(daemon)
    resident = daemon.resident_bytes()
    before, seconds = daemon.context_switches(), 3
    time.sleep(seconds)
    woken = daemon.context_switches() - before
    context.results["api idle"] = {"rss": resident, "switches": woken}
    rows.append(["idle: resident memory", f"{resident / 1e6:.1f} MB"])
    rows.append([f"idle: wake-ups in {seconds} s", str(woken)])


def start_latency(context, daemon, rows):
    events = Events(daemon.events_path)
    answers, starts = [], []
    for _ in range(context.rounds + 3):
        begin = time.perf_counter()
        (arn,) = daemon.client.run_task("sleeper")
        answers.append(time.perf_counter() - begin)
        events.until("RUNNING")
        starts.append(time.perf_counter() - begin)
        daemon.client.ask("StopTask", task=arn)
        events.until("STOPPED")
    answers, starts = answers[3:], starts[3:]
    context.results["api start"] = {"answer_s": answers, "running_s": starts}
    rows.append(["RunTask answers, p50", f"{measure.median(answers) * 1e3:.2f} ms"])
    low, middle, high = (measure.quantile(starts, part) * 1e3 for part in (.1, .5, .9))
    rows.append(["RunTask to RUNNING, p50 (p10, p90)",
                 f"{middle:.1f} ms ({low:.1f}, {high:.1f})"])
    steps = daemon.client.steps()
    context.results["api steps"] = steps
    slow = sorted(((step, mean) for step, mean in steps.items() if mean >= SLOW_STEP),
                  key=lambda pair: -pair[1])
    rows += [[f"- of it {step}, mean", f"{mean * 1e3:.2f} ms"] for step, mean in slow]
    rest = sum(steps.values()) - sum(mean for _, mean in slow)
    rows.append([f"- of it {len(steps) - len(slow)} shorter steps", f"{rest * 1e3:.2f} ms"])


def churn(context, daemon, rows):
    events = Events(daemon.events_path)
    calls = CHURN_TASKS // 10
    before, daemon_before = measure.cpu_seconds(), daemon.cpu_seconds()
    begin = time.perf_counter()
    clients = [Client() for _ in range(CHURN_CLIENTS)]
    with concurrent.futures.ThreadPoolExecutor(CHURN_CLIENTS) as pool:
        done = [pool.submit(clients[n % CHURN_CLIENTS].run_task, "true", 10)
                for n in range(CHURN_CLIENTS)]
        for future in done:
            future.result()
        for first in range(CHURN_CLIENTS, calls, CHURN_CLIENTS):
            done = [pool.submit(clients[n].run_task, "true", 10)
                    for n in range(min(CHURN_CLIENTS, calls - first))]
            for future in done:
                future.result()
    events.until("STOPPED", CHURN_TASKS)
    seconds = time.perf_counter() - begin
    measure.reap()
    cpu = measure.cpu_seconds() - before
    own = daemon.cpu_seconds() - daemon_before
    context.results["api churn"] = {"tasks": CHURN_TASKS, "wall_s": seconds, "cpu_s": cpu,
                                    "daemon_cpu_s": own}
    rows.append([f"{CHURN_TASKS} tasks of true with networks, all stopped",
                 f"{CHURN_TASKS / seconds:.0f} a second, "
                 f"{cpu / CHURN_TASKS * 1e3:.1f} ms CPU each, "
                 f"{own / CHURN_TASKS * 1e3:.1f} of them the daemon's"])


def describe_rate(context, daemon, rows):
    (arn,) = daemon.client.run_task("true")
    script = os.path.join(context.work, "describe.lua")
    with open(script, "w") as file:
        file.write(WRK_SCRIPT % (TARGET, json.dumps({"tasks": [arn]})))
    for connections in (1, 8):
        before = daemon.cpu_seconds()
        output = subprocess.run(
            ["wrk", "-t1", f"-c{connections}", f"-d{WRK_SECONDS}s", "-s", script,
             f"http://127.0.0.1:{PORT}/"], capture_output=True, text=True, check=True).stdout
        if "Non-2xx" in output:
            raise RuntimeError(output)
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))
        cpu = (daemon.cpu_seconds() - before) / (rate * WRK_SECONDS)
        context.results[f"api describe {connections}"] = {"per_second": rate, "cpu_s": cpu}
        rows.append([f"DescribeTasks, connections: {connections}",
                     f"{rate:.0f} a second, {cpu * 1e6:.0f} µs CPU of the daemon each"])


def multiply_history(path):
    """Copies of a stopped task's two records under new ids (runtime/control/keys.h), as the store
    writes them (runtime/store/sqlite_store.cc)."""
    with sqlite3.connect(path) as database:
        read = "SELECT key, value, version FROM records WHERE key >= ? AND key < ? LIMIT 1"
        ((index, entry, version),) = database.execute(
            read, (b"task-index/default/STOPPED/", b"task-index/default/STOPPED0"))
        own_id = index.rsplit(b"/", 1)[1]
        ((key, task, _),) = database.execute(read, (b"tasks/" + own_id, b"tasks/" + own_id + b"0"))
        assert own_id in task

        def copies():
            for _ in range(HISTORY):
                other = secrets.token_hex(len(own_id) // 2).encode()
                for old_key, old in ((index, entry), (key, task)):
                    new_key = old_key.replace(own_id, other)
                    value = old.replace(own_id, other)
                    yield new_key, value, version, zlib.crc32(value, zlib.crc32(new_key))
        database.executemany("INSERT INTO records VALUES(?, ?, ?, ?)", copies())
    database.close()


def history(context, daemon, rows):
    """All pages of the list of stopped tasks, and of their descriptions."""
    wait_until_idle(daemon)  # it has gone through what earlier daemons left
    lists, descriptions, token, count = [], [], None, 0
    while True:
        more = {"nextToken": token} if token else {}
        begin = time.perf_counter()
        page = daemon.client.ask("ListTasks", desiredStatus="STOPPED", maxResults=PAGE, **more)
        listed = time.perf_counter()
        tasks = daemon.client.ask("DescribeTasks", tasks=page["taskArns"])["tasks"]
        lists.append(listed - begin)
        descriptions.append(time.perf_counter() - listed)
        if len(tasks) != len(page["taskArns"]):
            raise RuntimeError(f"{len(page['taskArns'])} listed, {len(tasks)} described")
        count += len(tasks)
        token = page.get("nextToken")
        if not token:
            break
    if count < HISTORY:
        raise RuntimeError(f"{count} tasks listed of {HISTORY}")
    context.results["api history"] = {"list_s": lists, "describe_s": descriptions}
    for name, times in (("ListTasks", lists), (f"DescribeTasks of {PAGE}", descriptions)):
        rows.append([f"{name}, a page of {PAGE} out of {count} stopped tasks, p50 (p99)",
                     f"{measure.median(times) * 1e3:.2f} ms "
                     f"({measure.quantile(times, .99) * 1e3:.2f})"])
    rows.append([f"resident memory with {count} stopped tasks",
                 f"{daemon.resident_bytes() / 1e6:.1f} MB"])


def resets(context, daemon, rows):
    times = []
    for _ in range(context.rounds + 1):
        begin = time.perf_counter()
        daemon.client.reset()
        times.append(time.perf_counter() - begin)
    context.results["api reset"] = times
    rows.append([f"reset, with {CHURN_TASKS} stopped tasks", f"{times[0] * 1e3:.0f} ms"])
    rows.append(["reset, empty, p50", f"{measure.median(times[1:]) * 1e3:.1f} ms"])


def live(context, daemon, rows):
    idle(context, daemon, rows)
    daemon.client.ask("CreateCluster")
    daemon.define("sleeper", ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"])
    daemon.define("true", ["true"])
    start_latency(context, daemon, rows)
    churn(context, daemon, rows)
    describe_rate(context, daemon, rows)
    resets(context, daemon, rows)
    # For `history`, after which this daemon's state is another's.
    daemon.client.ask("CreateCluster")
    daemon.define("true", ["true"])
    events = Events(daemon.events_path)
    daemon.client.run_task("true")
    events.until("STOPPED")


def section(context):
    rows = []
    daemon = Daemon(context)
    try:
        live(context, daemon, rows)
    finally:
        daemon.end()
    multiply_history(daemon.state)
    daemon = Daemon(context)
    try:
        history(context, daemon, rows)
    finally:
        daemon.end()
    report.table("skiffd, over HTTP on loopback, signatures off", ["", ""], rows)
