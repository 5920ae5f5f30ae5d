"""What each image is made of. A recipe is data only: an image is a few lines here and nothing
elsewhere.

A layer names its Debian packages; their dependencies come along, less what a lower layer already
holds. The packages in WITHOUT serve maintainer scripts and boot, neither of which a container
runs.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class User:
    name: str
    id: int  # the group has the same name and id
    home: str
    shell: str = "/usr/sbin/nologin"


@dataclass(frozen=True)
class Directory:
    path: str
    mode: int = 0o755
    owner: int = 0


@dataclass(frozen=True)
class File:
    path: str
    text: str
    mode: int = 0o644
    owner: int = 0


@dataclass(frozen=True)
class Layer:
    """`steps` are functions of steps.py, run in order once the packages are unpacked."""

    name: str
    packages: tuple = ()
    without: tuple = ()
    users: tuple = ()
    directories: tuple = ()
    files: tuple = ()
    links: tuple = ()  # (path, target)
    remove: tuple = ()  # shell patterns of paths
    steps: tuple = ()


@dataclass(frozen=True)
class Image:
    """`config` holds members of the OCI image configuration's "config" object."""

    description: str
    layers: tuple
    config: dict


WITHOUT = (
    "adduser",
    "debconf",
    "dpkg",
    "init-system-helpers",
    "lsb-base",
    "passwd",
    "perl-base",
    "sysvinit-utils",
    "tar",
    "ucf",
)

UNWANTED = (
    "usr/share/doc/*/[!c]*",
    "usr/share/doc/*/c[!o]*",
    "usr/share/doc-base/*",
    "usr/share/info/*",
    "usr/share/lintian/*",
    "usr/share/locale/*",
    "usr/share/man/*",
    "usr/share/bug/*",
)

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_DEBIAN = Layer(
    name="debian",
    packages=(
        "base-files",
        "base-passwd",
        "bash",
        "ca-certificates",
        "coreutils",
        "dash",
        "findutils",
        "grep",
        "libc-bin",
        "mawk",
        "netbase",
        "sed",
    ),
    without=("openssl",),
    directories=(
        Directory("etc/opt"),
        Directory("media"),
        Directory("mnt"),
        Directory("opt"),
        Directory("srv"),
        Directory("usr/local/bin"),
        Directory("usr/local/etc"),
        Directory("usr/local/lib"),
        Directory("usr/local/sbin"),
        Directory("usr/local/share"),
        Directory("var/opt"),
    ),
    links=(
        ("etc/alternatives/awk", "/usr/bin/mawk"),
        ("etc/alternatives/which", "/usr/bin/which.debianutils"),
        ("etc/dpkg/origins/default", "debian"),
        ("usr/bin/awk", "/etc/alternatives/awk"),
        ("usr/bin/sh", "dash"),
        ("usr/bin/which", "/etc/alternatives/which"),
    ),
    steps=("base_files", "accounts", "certificates", "linker_cache"),
)

_NGINX = Layer(
    name="nginx",
    packages=("nginx", "busybox-static"),
    without=("iproute2",),
    files=(
        # IPv4 alone: on a kernel without IPv6 a second address would end the start.
        File(
            "etc/nginx/conf.d/default.conf",
            "server {\n"
            "    listen 80 default_server;\n"
            "    server_name localhost;\n"
            "    root /usr/share/nginx/html;\n"
            "    index index.html;\n"
            "}\n",
        ),
    ),
    links=(
        ("usr/bin/wget", "busybox"),
        ("var/log/nginx/access.log", "/dev/stdout"),
        ("var/log/nginx/error.log", "/dev/stderr"),
    ),
    steps=("linker_cache",),
)

_REDIS = Layer(
    name="redis",
    packages=("redis-server",),
    users=(User("redis", 999, "/data"),),
    directories=(Directory("data", 0o755, 999),),
    files=(
        File(
            "etc/redis/redis.conf",
            "# The task's own network is the boundary, so every address is served.\n"
            "bind * -::*\n"
            "protected-mode no\n"
            "daemonize no\n"
            "dir /data\n",
        ),
    ),
    steps=("linker_cache",),
)

_POSTGRES = Layer(
    name="postgres",
    packages=("postgresql-15",),
    without=("postgresql-common", "postgresql-client-common"),
    users=(User("postgres", 999, "/data"),),
    directories=(Directory("data", 0o700, 999), Directory("run/postgresql", 0o755, 999)),
    files=(
        File(
            "usr/local/bin/postgres-task",
            "#!/bin/sh\n"
            "# The first start makes the cluster; anybody in the task's network may connect.\n"
            "set -eu\n"
            "bin=/usr/lib/postgresql/15/bin\n"
            "if [ ! -s /data/PG_VERSION ]; then\n"
            "  $bin/initdb --pgdata=/data --auth=trust --encoding=UTF8 --locale=C.UTF-8\n"
            "  echo 'host all all all trust' >> /data/pg_hba.conf\n"
            "fi\n"
            "exec $bin/postgres -D /data -c listen_addresses='*' \"$@\"\n",
            0o755,
        ),
    ),
    steps=("linker_cache",),
)

_PYTHON = Layer(
    name="python",
    packages=("python3",),
    links=(("usr/bin/python", "python3"),),
    steps=("linker_cache",),
)

_NODE = Layer(
    name="node",
    packages=("nodejs",),
    users=(User("node", 1000, "/home/node", "/bin/bash"),),
    directories=(Directory("home/node", 0o755, 1000),),
    steps=("linker_cache",),
)

_BUSYBOX = Layer(
    name="busybox",
    packages=("busybox-static",),
    without=("libc6",),
    directories=(
        Directory("dev"),
        Directory("proc"),
        Directory("root", 0o700),
        Directory("run"),
        Directory("sys"),
        Directory("tmp", 0o1777),
        Directory("var/log"),
        Directory("var/tmp", 0o1777),
    ),
)

_APPLETS = Layer(
    name="applets",
    directories=(Directory("home"), Directory("var/spool")),
    files=(
        File(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\n"
            "daemon:x:1:1:daemon:/usr/sbin:/bin/false\n"
            "www-data:x:33:33:www-data:/var/www:/bin/false\n"
            "nobody:x:65534:65534:nobody:/home:/bin/false\n",
        ),
        File(
            "etc/group",
            "root:x:0:\ndaemon:x:1:\ntty:x:5:\nwww-data:x:33:\nnogroup:x:65534:\n",
        ),
        File("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ),
    links=(("etc/localtime", "/usr/share/zoneinfo/Etc/UTC"),),
    steps=("applets",),
)

# Twenty thousand files, most of them small: what the benchmark of images unpacks.
_COMPILERS = Layer(
    name="compilers",
    packages=("g++", "make"),
    steps=("linker_cache",),
)

_HEADERS = Layer(
    name="headers",
    packages=("libboost1.81-dev",),
    steps=("linker_cache",),
)

_SERVICES = Layer(
    name="services",
    packages=("python3-boto3",),
    steps=("linker_cache",),
)

IMAGES = {
    "busybox": Image(
        "one static program with its applets: sh, wget, httpd, nc, ...",
        (_BUSYBOX, _APPLETS),
        {"Env": [PATH], "Cmd": ["sh"]},
    ),
    "nginx": Image(
        "web server on port 80, in the foreground, logging to stdout and stderr",
        (_DEBIAN, _NGINX),
        {
            "Env": [PATH],
            "Cmd": ["nginx", "-g", "daemon off;"],
            "ExposedPorts": {"80/tcp": {}},
            "StopSignal": "SIGQUIT",
        },
    ),
    "workbench": Image(
        "C++ and Python with their libraries: 20,000 files in four layers, for tools/bench",
        (_DEBIAN, _COMPILERS, _HEADERS, _SERVICES),
        {"Env": [PATH], "Cmd": ["bash"]},
    ),
    "node": Image(
        "the node JavaScript runtime",
        (_DEBIAN, _NODE),
        {"Env": [PATH], "Cmd": ["node"]},
    ),
    "postgres": Image(
        "PostgreSQL server on port 5432, as user postgres, with its data in /data",
        (_DEBIAN, _POSTGRES),
        {
            "Env": [PATH, "LANG=C.UTF-8"],
            "Entrypoint": ["postgres-task"],
            "ExposedPorts": {"5432/tcp": {}},
            "StopSignal": "SIGINT",
            "User": "postgres",
            "Volumes": {"/data": {}},
            "WorkingDir": "/data",
        },
    ),
    "python": Image(
        "python3 with its standard library and CA certificates",
        (_DEBIAN, _PYTHON),
        {"Env": [PATH, "LANG=C.UTF-8"], "Cmd": ["python3"]},
    ),
    "redis": Image(
        "redis server on port 6379, as user redis, with its data in /data",
        (_DEBIAN, _REDIS),
        {
            "Env": [PATH],
            "Cmd": ["redis-server", "/etc/redis/redis.conf"],
            "ExposedPorts": {"6379/tcp": {}},
            "User": "redis",
            "Volumes": {"/data": {}},
            "WorkingDir": "/data",
        },
    ),
}
