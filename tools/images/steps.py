"""What maintainer scripts would have done, on a tree. A step gets the tree and the builder's
scratch directory."""

import os
import tarfile

from common import ImageError, run


def merge_usr(tree):
    """Before the first package: the directories and links Debian's installer makes."""
    for name in ("bin", "lib", "sbin"):
        tree.directory(f"usr/{name}")
        tree.link(name, f"usr/{name}")
    if os.uname().machine == "x86_64":
        tree.directory("usr/lib64")
        tree.link("lib64", "usr/lib64")
    tree.directory("run/lock", 0o1777)
    tree.directory("var")
    tree.link("var/run", "/run")
    tree.link("var/lock", "/run/lock")


def base_files(tree, scratch):
    for source, path in {
        "dot.bashrc": "root/.bashrc",
        "dot.profile": "root/.profile",
        "motd": "etc/motd",
        "profile": "etc/profile",
    }.items():
        tree.file(path, tree.lookup(f"usr/share/base-files/{source}").data)
    tree.directory("var/mail", 0o2775)
    tree.find("var/mail").gid = 8
    tree.link("var/spool/mail", "../mail")


def accounts(tree, scratch):
    for name in ("passwd", "group"):
        tree.file(f"etc/{name}", tree.lookup(f"usr/share/base-passwd/{name}.master").data)


def certificates(tree, scratch):
    """Every certificate Debian trusts by default, in the one file that TLS libraries read."""
    folder = "usr/share/ca-certificates/"
    names = sorted(path for path in tree.nodes if path.startswith(folder) and path.endswith(".crt"))
    if not names:
        raise ImageError("certificates: no package of this layer has any")
    bundle = b"".join(tree.find(name).data for name in names)
    tree.file("etc/ssl/certs/ca-certificates.crt", bundle)
    listed = "".join(name.removeprefix(folder) + "\n" for name in names)
    tree.file("etc/ca-certificates.conf", listed)


def linker_cache(tree, scratch):
    """Runs the image's own ldconfig (a static program) over the image's libraries."""
    for path in sorted(tree.paths()):
        if path.startswith("usr/lib") and ".so" in path or path.startswith("etc/ld.so.conf"):
            _write_out(tree.find(path), os.path.join(scratch, path))
    for name in ("bin", "lib", "lib64", "sbin"):
        if tree.find(name) and not os.path.lexists(os.path.join(scratch, name)):
            os.symlink(f"usr/{name}", os.path.join(scratch, name))
    program = os.path.join(scratch, "ldconfig")
    _write_out(tree.lookup("usr/sbin/ldconfig"), program)
    # -r changes root: without privilege, in a user namespace.
    prefix = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
    run([*prefix, program, "-X", "-r", scratch], "make the linker cache")
    with open(os.path.join(scratch, "etc/ld.so.cache"), "rb") as cache:
        tree.file("etc/ld.so.cache", cache.read())


def applets(tree, scratch):
    """A link for every applet of the layer below's busybox; they replace nothing."""
    program = os.path.join(scratch, "busybox")
    _write_out(tree.lookup("usr/bin/busybox"), program)
    for applet in run([program, "--list-full"], "list busybox applets").decode().split():
        if tree.find(tree.resolve(applet)) is None:
            tree.link(applet, "/usr/bin/busybox")


def _write_out(node, path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if node.kind == tarfile.SYMTYPE:
        os.symlink(node.target, path)
    elif node.kind == tarfile.DIRTYPE:
        os.makedirs(path, exist_ok=True)
    else:
        with open(path, "wb") as file:
            file.write(node.data)
        os.chmod(path, node.mode & 0o777)


STEPS = {
    step.__name__: step for step in (accounts, applets, base_files, certificates, linker_cache)
}
