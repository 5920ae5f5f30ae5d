#!/usr/bin/python3
"""Ordinary programs, out of Debian's packages and unchanged, under the full default confinement.

Each does what such programs do: threads, processes, sockets, files, a dump in the background. Then
one of them once more, held to the system calls it was seen to make. Networks are the tasks' own
loopback, so that nothing outside is needed.
"""

import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
from daemon import ROOT, Daemon  # noqa: E402  (no byte code beside it)

PYTHON = """
import multiprocessing, os, socket, sqlite3, ssl, subprocess, tempfile, threading
thread = threading.Thread(target=lambda: print("thread"))
thread.start(); thread.join()
child = multiprocessing.Process(target=print, args=("process",), daemon=True)
child.start(); child.join()
print(subprocess.run(["sh", "-c", "echo shell"], capture_output=True, text=True).stdout.strip())
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
client.sendall(b"tcp"); print(listener.accept()[0].recv(3).decode())
ping = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
ping.settimeout(5)
ping.sendto(bytes([8, 0, 0, 0, 0, 0, 0, 1]) + b"echo", ("127.0.0.1", 0))
print("ping", len(ping.recv(64)) >= 12)
database = sqlite3.connect(tempfile.mkdtemp() + "/db")
print("sqlite", database.execute("pragma journal_mode=wal").fetchone()[0])
"""

# What the start of a daemon does with its ids: its own ones, those of others, and giving them up.
DAEMON = """
import os, socket, subprocess
inside, outside, count = open("/proc/self/uid_map").read().split()
print("ids", inside, count, int(outside) > 65536)
listener = socket.create_server(("127.0.0.1", 80))
print("port", listener.getsockname()[1])
os.makedirs("/srv/data"); os.chown("/srv/data", 33, 33); os.chmod("/srv/data", 0o700)
open("/srv/secret", "w").close(); os.chmod("/srv/secret", 0o600)
with open("/dev/stdout", "w") as out: print("stdout by name", file=out)
child = os.fork()
if child == 0:
    os.setgroups([33, 44]); os.setresgid(33, 33, 33); os.setresuid(33, 33, 33)
    open("/srv/data/file", "w").close()
    print("owner", os.stat("/srv/data/file").st_uid, os.getgroups())
    read = lambda: open("/srv/secret")
    for attempt in (read, lambda: os.setuid(0), lambda: os.chown("/srv", 1, 1)):
        try: attempt(); print("let through")
        except PermissionError: print("refused")
    os._exit(0)
os.waitpid(child, 0)
os.kill(os.getpid(), 0)
listed = subprocess.run(["ls", "-ld", "/srv/data"], capture_output=True, text=True)
print("names", listed.stdout.split()[2])
"""

NODE = """
const { Worker } = require('worker_threads');
const http = require('http');
new Worker("console.log('worker')", { eval: true });
require('child_process').exec('echo child', (error, output) => console.log(output.trim()));
const server = http.createServer((request, response) => response.end('http'));
server.listen(0, '127.0.0.1', () => http.get(server.address(), (response) => {
  response.on('data', (data) => { console.log(data.toString()); server.close(); });
}));
"""

REDIS = """
redis-server /etc/redis/redis.conf --save '' > /data/log &
until redis-cli ping > /dev/null 2>&1; do sleep 0.05; done
redis-cli set key value; redis-cli get key
redis-cli bgsave > /dev/null; until [ -s /data/dump.rdb ]; do sleep 0.05; done; echo dumped
redis-cli shutdown nosave; wait
"""

POSTGRES = """
postgres-task > /tmp/log 2>&1 &
ask="/usr/lib/postgresql/15/bin/psql -h 127.0.0.1 -qAt"
until $ask -c 'select 1' > /dev/null 2>&1; do
  kill -0 $! || { cat /tmp/log; exit 1; }; sleep 0.1
done
$ask -c 'create table t as select generate_series(1, 1000) n' -c 'select sum(n) from t'
kill -INT $!; wait; echo stopped
"""

NGINX = """
nginx -g 'daemon off;' > /dev/null 2>&1 &
until wget -q -O /tmp/page http://127.0.0.1/ 2> /dev/null; do sleep 0.05; done
grep -c 'Welcome to nginx' /tmp/page | sed 's/[1-9].*/served/'
kill -QUIT $!; wait; echo stopped
"""


class OrdinaryImagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.installation = Daemon()  # its roots and its end; no daemon is started

    @classmethod
    def tearDownClass(cls):
        cls.installation.end()

    def image(self, name):
        folder = self.installation.folder / "images" / name
        if not folder.exists():
            made = subprocess.run(
                [ROOT / "tools" / "make-image", name, folder], capture_output=True, text=True
            )
            self.assertEqual(made.returncode, 0, made.stderr)
            self.installation.skiff("image", "import", str(folder), "--name", name)
        return name

    def ran(self, image, *command, flags=()):
        """What it printed, sorted: processes that run together print in any order."""
        output = self.installation.skiff(
            "run", "--network", "none", *flags, "--entrypoint", command[0], self.image(image),
            "--", *command[1:],
        )
        return sorted(output.split("\n"))[1:]

    def test_python(self):
        self.assertEqual(
            self.ran("python", "python3", "-c", PYTHON),
            ["ping True", "process", "shell", "sqlite wal", "tcp", "thread"],
        )

    def test_daemon_gives_up_its_rights(self):
        self.assertEqual(
            self.ran("python", "python3", "-u", "-c", DAEMON),
            [
                "ids 0 65536 True", "names www-data", "owner 33 [33, 44]", "port 80",
                "refused", "refused", "refused", "stdout by name",
            ],
        )

    def test_node(self):
        self.assertEqual(self.ran("node", "node", "-e", NODE), ["child", "http", "worker"])

    def test_redis(self):
        for flags in (), ("--read-only",):  # what it writes is in the image's volume
            self.assertEqual(
                self.ran("redis", "sh", "-c", REDIS, flags=flags), ["OK", "dumped", "value"]
            )

    def test_postgres(self):
        self.assertEqual(self.ran("postgres", "sh", "-c", POSTGRES), ["500500", "stopped"])

    def test_nginx_and_again_with_nothing_but_the_calls_it_made(self):
        self.assertEqual(self.ran("nginx", "sh", "-c", NGINX), ["served", "stopped"])
        profile = str(self.installation.folder / "nginx.json")
        said = self.installation.skiff(
            "trace-syscalls", "--network", "none", "-o", profile, "--entrypoint", "sh",
            self.image("nginx"), "--", "-c", NGINX,
        )
        self.assertIn("served", said)
        self.assertIn("system calls", said)
        flags = ("--isolation", f"seccomp={profile}")
        self.assertEqual(self.ran("nginx", "sh", "-c", NGINX, flags=flags), ["served", "stopped"])


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed - len(result.skipped)} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
