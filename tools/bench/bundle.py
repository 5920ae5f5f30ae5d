"""What the contestants run: a busybox image with the log writer in it, and the same files as an
OCI bundle."""
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile

CAPABILITIES = ["CAP_" + name for name in (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE "
    "SYS_CHROOT KILL AUDIT_WRITE").split()]
MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"]
READONLY = ["/proc/asound", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
            "/proc/sysrq-trigger"]
MOUNTS = [("/proc", "proc", "proc", []),
          ("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
          ("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666",
                                            "mode=0620"]),
          ("/dev/shm", "tmpfs", "shm", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
          ("/dev/mqueue", "mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
          ("/sys", "sysfs", "sysfs", ["nosuid", "noexec", "nodev", "ro"])]
# Where containers/common puts the profile that podman uses too.
PROFILE = "/usr/share/containers/seccomp.json"


def compile_program(root, work, name):
    """tools/bench/NAME.cc, linked statically; its path."""
    program = os.path.join(work, name)
    subprocess.run(["c++", "-O2", "-static", "-o", program,
                    os.path.join(root, "tools/bench", name + ".cc")], check=True)
    return program


def make_layout(root, work, image):
    """A copy of the busybox image with one more layer, that holds /writer; its directory."""
    layout = os.path.join(work, "layout")
    shutil.copytree(image, layout)
    add_layer(layout, {"writer": compile_program(root, work, "writer")})
    return layout


def blob_path(layout, digest):
    return os.path.join(layout, "blobs", *digest.split(":"))


def put_blob(layout, data, media_type):
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    with open(blob_path(layout, digest), "wb") as file:
        file.write(data)
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def load_json(path):
    with open(path) as file:
        return json.load(file)


def add_layer(layout, files):
    index = load_json(os.path.join(layout, "index.json"))
    entry = index["manifests"][0]
    manifest = load_json(blob_path(layout, entry["digest"]))
    config = load_json(blob_path(layout, manifest["config"]["digest"]))
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        for name, path in files.items():
            archive.add(path, name)
    config["rootfs"]["diff_ids"].append("sha256:" + hashlib.sha256(tar.getvalue()).hexdigest())
    config.setdefault("history", []).append({"created_by": "tools/bench"})
    manifest["layers"].append(put_blob(layout, gzip.compress(tar.getvalue()),
                                       "application/vnd.oci.image.layer.v1.tar+gzip"))
    manifest["config"] = put_blob(layout, json.dumps(config).encode(),
                                  manifest["config"]["mediaType"])
    entry.update(put_blob(layout, json.dumps(manifest).encode(), entry["mediaType"]))
    with open(os.path.join(layout, "index.json"), "w") as file:
        json.dump(index, file)


def unpack(layout, target):
    index = load_json(os.path.join(layout, "index.json"))
    manifest = load_json(blob_path(layout, index["manifests"][0]["digest"]))
    os.makedirs(target)
    for layer in manifest["layers"]:
        subprocess.run(["tar", "-xf", blob_path(layout, layer["digest"]), "-C", target], check=True)


def applies(rule):
    """Without capabilities beyond the default ones."""
    wanted = rule.get("includes") or {}
    here = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine)
    return not wanted.get("caps") and here in wanted.get("arches", [here])


def seccomp():
    """What applies here of the profile, in the words of the OCI runtime specification."""
    profile = load_json(PROFILE)
    calls = [{key: rule[key] for key in ("names", "action", "args", "errnoRet") if rule.get(key)}
             for rule in profile["syscalls"] if applies(rule)]
    return {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
            if os.uname().machine == "x86_64" else ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
            "syscalls": calls}


def config(command, with_seccomp):
    sets = {name: CAPABILITIES for name in ("bounding", "effective", "permitted")}
    linux = {"namespaces": [{"type": kind} for kind in
                            ("pid", "network", "ipc", "uts", "mount", "cgroup")],
             "resources": {"devices": [{"allow": False, "access": "rwm"}]},
             "maskedPaths": MASKED, "readonlyPaths": READONLY}
    if with_seccomp:
        linux["seccomp"] = seccomp()
    return {"ociVersion": "1.0.2", "root": {"path": "rootfs", "readonly": True},
            "hostname": "bench",
            "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "cwd": "/",
                        "args": command, "env": ["PATH=/bin:/usr/bin"], "capabilities": sets,
                        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}],
                        "noNewPrivileges": True},
            "mounts": [{"destination": target, "type": kind, "source": source, "options": options}
                       for target, kind, source, options in MOUNTS],
            "linux": linux}


def make_bundles(layout, work):
    """Bundles over one root: {"none": directory, "seccomp": directory, "idle": directory}, the
    last with the profile and a program that stays."""
    rootfs = os.path.join(work, "rootfs")
    unpack(layout, rootfs)
    bundles = {}
    for name in ("none", "seccomp", "idle"):
        bundles[name] = os.path.join(work, "bundle-" + name)
        os.makedirs(bundles[name])
        command = ["/bin/sleep", "600"] if name == "idle" else ["/bin/true"]
        content = config(command, name != "none")
        content["root"]["path"] = rootfs
        with open(os.path.join(bundles[name], "config.json"), "w") as file:
            json.dump(content, file)
    return bundles
