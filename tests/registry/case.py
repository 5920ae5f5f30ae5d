"""What the tests with registries share: skiff with a store and settings of its own, a registry that
serves badly, and Debian's."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from faulty import Image, Registry, digest

BIN = Path(os.environ.get("SKIFF_BIN", Path(__file__).resolve().parents[2] / "build/ci/bin"))


class RegistryCase(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="skiff-registry-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.image = Image()
        self.registries = {}
        self.settings = {}  # of registries.json, beside the registries
        self.environment = {}
        self.auth = self.folder / "auth.json"

    def variables(self):
        settings = self.folder / "registries.json"
        document = {
            "retryDelayMilliseconds": 1,
            "slowSeconds": 2,
            "registries": self.registries,
            **self.settings,
        }
        self.replace(settings, json.dumps(document))
        environment = {
            "PATH": os.environ["PATH"],
            "SKIFF_DATA_ROOT": str(self.folder / "data"),
            "SKIFF_RUN_ROOT": str(self.folder / "run"),
            "SKIFF_REGISTRIES": str(settings),
            "SKIFF_IMAGES": str(self.stored()),
            "REGISTRY_AUTH_FILE": str(self.auth),
            **self.environment,
        }
        return {name: value for name, value in environment.items() if value is not None}

    def skiff(self, *arguments, text=None, stdin=None):
        given = {"input": text} if stdin is None else {"stdin": stdin}
        return subprocess.run(
            [BIN / "skiff", *arguments],
            env=self.variables(),
            capture_output=True,
            text=True,
            **given,
        )

    def stored(self):
        path = self.folder / "images.json"
        if not path.exists():
            self.replace(path, "{}")
        return path

    @staticmethod
    def replace(path, text):
        """At once: another command may be reading it."""
        new = path.with_suffix(f".{threading.get_ident()}")
        new.write_text(text)
        new.replace(path)

    def faulty(self, tls=None):
        registry = Registry(self.image, tls)
        self.addCleanup(registry.server_close)
        self.addCleanup(registry.shutdown)
        self.addCleanup(registry.enough.set)
        self.registries[registry.host] = {"insecure": True}
        return registry

    def kept(self):
        """Everything beneath the directories whose content makes images."""
        store = self.folder / "data" / "images"
        return sorted(str(p) for d in ("layers", "staging", "locks") for p in (store / d).iterdir())

    def assert_pulled(self, name):
        pulled = self.skiff("image", "pull", "--quiet", name)
        self.assertEqual(pulled.returncode, 0, pulled.stderr)
        self.assertEqual(pulled.stdout.strip(), self.image.id)
        inspected = json.loads(self.skiff("image", "inspect", name).stdout)
        for (file, content), layer in zip(self.image.files.items(), inspected["layers"]):
            path = Path(layer["directory"]) / file
            self.assertEqual(path.read_bytes(), content)
            self.assertEqual(path.stat().st_mode & 0o7777, 0o640)

    def assert_refused(self, name, words):
        pulled = self.skiff("image", "pull", name)
        self.assertNotEqual(pulled.returncode, 0)
        self.assertIn(words, pulled.stderr)
        self.assertEqual(self.kept(), [])

    # ---- Debian's registry ----

    def serve(self, with_tls):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        http = f"  addr: 127.0.0.1:{port}\n"
        auth = ""
        if with_tls:
            key, certificate = self.folder / "key.pem", self.folder / "certificate.pem"
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
                + ["-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=test"]
                + ["-addext", "subjectAltName=IP:127.0.0.1,DNS:registry.invalid"],
                check=True,
                capture_output=True,
            )
            line = subprocess.run(
                ["htpasswd", "-Bbn", "anna", "secret"], check=True, capture_output=True, text=True
            ).stdout
            (self.folder / "htpasswd").write_text(line)
            http += f"  tls: {{certificate: {certificate}, key: {key}}}\n"
            auth = f"auth: {{htpasswd: {{realm: test, path: {self.folder}/htpasswd}}}}\n"
        (self.folder / "config.yml").write_text(
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {self.folder}/registry}}}}\n"
            f"http:\n{http}{auth}"
        )
        process = subprocess.Popen(
            ["docker-registry", "serve", self.folder / "config.yml"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

        def end():
            process.kill()
            process.wait()
            process.stderr.close()

        self.addCleanup(end)
        for line in process.stderr:
            if b"listening on" in line:
                return f"127.0.0.1:{port}"
        self.fail("docker-registry ended")

    def push(self, host, *arguments):
        """The image into a registry, by skopeo."""
        layout = self.folder / "layout"
        blobs = layout / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        manifest = self.image.manifest("")
        for name, blob in [*self.image.blobs.items(), (None, manifest)]:
            name = name or digest(blob)
            (blobs / name.removeprefix("sha256:")).write_bytes(blob)
        entry = {"mediaType": self.image.manifest_type, "digest": name, "size": len(manifest)}
        (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
        subprocess.run(
            ["skopeo", "copy", "--dest-tls-verify=false", *arguments]
            + [f"oci:{layout}", f"docker://{host}/team/app:1"],
            check=True,
            capture_output=True,
        )
