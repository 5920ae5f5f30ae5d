"""An image and a registry that serves it badly: the repository's name says how."""

import gzip
import hashlib
import http.server
import io
import json
import socket
import struct
import tarfile
import threading


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(name, content):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        entry.mode = 0o640
        tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


class Image:
    """Two layers, gzip and plain; the first is long enough to break off in."""

    def __init__(self, top="top"):
        noise = b"".join(hashlib.sha256(str(i).encode()).digest() for i in range(20000))
        tars = [layer("base", noise), layer("top", top.encode())]
        self.files = {"base": noise, "top": top.encode()}
        blobs = [gzip.compress(tars[0]), tars[1]]
        config = json.dumps(
            {
                "os": "linux",
                "architecture": "amd64",
                "config": {"Cmd": ["/bin/true"]},
                "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in tars]},
            }
        ).encode()
        kind = "application/vnd.oci.image."
        self.long = digest(blobs[0])
        self.id = digest(config)
        self.blobs = {digest(blob): blob for blob in [*blobs, config]}
        self.types = [kind + "layer.v1.tar+gzip", kind + "layer.v1.tar"]
        self.manifest_type = kind + "manifest.v1+json"
        self.document = {
            "schemaVersion": 2,
            "mediaType": self.manifest_type,
            "config": {
                "mediaType": kind + "config.v1+json",
                "digest": self.id,
                "size": len(config),
            },
            "layers": [
                {"mediaType": t, "digest": digest(b), "size": len(b)}
                for t, b in zip(self.types, blobs)
            ],
        }

    def manifest(self, fault):
        if fault == "schema1":
            return b'{"schemaVersion": 1, "name": "app", "tag": "1", "fsLayers": [], "history": []}'
        document = json.loads(json.dumps(self.document))
        if fault == "length":
            document["layers"][0]["size"] += 1
        if fault == "foreign":
            document["layers"][0]["mediaType"] = (
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
            )
        return json.dumps(document).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, dict(self.headers)))
        parts = self.path.strip("/").split("/")
        if parts == ["v2"]:
            return self.answer(200)
        fault, what, name = parts[1], parts[2], parts[3]
        if fault == "challenge":
            return self.answer(401, WWW_Authenticate='Bearer realm="' + "a" * 3000)
        if fault == "loop":
            return self.answer(307, Location=self.path)
        if fault == "busy" and server.take(fault):
            return self.answer(429, Retry_After="0")
        if what == "manifests":
            body = server.image.manifest(fault)
            if fault == "schema1":
                kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
                return self.answer(200, body, Content_Type=kind)
            return self.answer(200, body, Content_Type=server.image.manifest_type)
        return self.blob(fault, name)

    def blob(self, fault, name):
        body = self.server.image.blobs[name]
        is_long = name == self.server.image.long
        if fault == "elsewhere" and is_long and self.server.other:
            return self.answer(307, Location=f"http://{self.server.other}/v2/plain/blobs/{name}")
        if fault == "digest" and is_long:
            body = body[:-1] + bytes([body[-1] ^ 1])
        start = 0
        if "Range" in self.headers and fault != "norange":
            start = int(self.headers["Range"][6:-1])
        if fault == "slow" and is_long:
            return self.drip(body)
        is_broken = fault in ("reset", "norange") and is_long and self.server.take(fault)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        if not is_broken:
            return self.wfile.write(body[start:])
        self.wfile.write(body[start : start + 100000])
        self.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


    def drip(self, body):
        """A byte a second, until whoever reads has enough."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for byte in body:
            if self.server.enough.wait(1):
                break
            try:
                self.wfile.write(bytes([byte]))
            except OSError:
                break
        self.close_connection = True


class Registry(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, image):
        super().__init__(("127.0.0.1", 0), Handler)
        self.image = image
        self.other = None
        self.requests = []
        self.faults = {"reset": 2, "norange": 1, "busy": 2}  # how often
        self.lock = threading.Lock()
        self.enough = threading.Event()
        self.host = f"127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # connections that it broke itself

    def take(self, fault):
        with self.lock:
            self.faults[fault] -= 1
            return self.faults[fault] >= 0
