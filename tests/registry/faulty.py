"""An image and a registry that serves it badly: the repository's name says how."""

import base64
import gzip
import hashlib
import http.server
import io
import json
import socket
import struct
import tarfile
import threading
import urllib.parse


HELD_AFTER = 100_000  # bytes of a blob, where it is held
ANNA = base64.b64encode(b"anna:secret").decode()


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
    """Two layers, gzip and plain, and as many short ones as are wanted; the first is long enough to
    break off in."""

    def __init__(self, top="top", more=0):
        noise = b"".join(hashlib.sha256(str(i).encode()).digest() for i in range(20000))
        tars = [layer("base", noise), layer("top", top.encode())]
        self.files = {"base": noise, "top": top.encode()}
        self.files.update({f"more{i}": b"%d" % i for i in range(more)})
        tars += [layer(f"more{i}", b"%d" % i) for i in range(more)]
        blobs = [gzip.compress(tars[0]), *tars[1:]]
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
        self.urls = []  # where a foreign layer is to be had
        self.id = digest(config)
        self.blobs = {digest(blob): blob for blob in [*blobs, config]}
        self.types = [kind + "layer.v1.tar+gzip"] + [kind + "layer.v1.tar"] * (more + 1)
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
            document["layers"][0]["urls"] = self.urls
        if fault == "urls":
            document["layers"][0]["urls"] = self.urls
        return json.dumps(document).encode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    form = {}

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

    def do_PUT(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.path, dict(self.headers)))
        self.answer(201)

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        self.form = urllib.parse.parse_qs(self.rfile.read(size).decode())
        self.do_GET()

    def token(self):
        """For anna's password, or for her identity token."""
        password = self.headers.get("Authorization") == "Basic " + ANNA
        is_known = password or self.form.get("refresh_token") == ["her-token"]
        if not is_known:
            return self.answer(401, b'{"errors": [{"message": "who is that?"}]}')
        return self.answer(200, json.dumps({"token": self.server.token}).encode())

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, dict(self.headers)))
        if self.path.partition("?")[0] == "/token":
            return self.token()
        if self.path in server.leads:
            return self.answer(server.leads_with, Location=server.leads[self.path])
        if server.realm and self.headers.get("Authorization") != "Bearer " + server.token:
            challenge = f'Bearer realm="{server.realm}",service="test"'
            return self.answer(401, WWW_Authenticate=challenge)
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
        if fault == "later":
            return self.answer(503, Retry_After="3600")
        if what == "manifests" and name in server.documents:
            kind, body = server.documents[name]
            return self.answer(200, body, Content_Type=kind)
        if what == "manifests":
            body = server.image.manifest(fault)
            if fault == "schema1":
                kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
                return self.answer(200, body, Content_Type=kind)
            return self.answer(200, body, Content_Type=server.image.manifest_type)
        return self.blob(fault, name)

    def blob(self, fault, name):
        body = self.server.image.blobs.get(name)
        if body is None or name in self.server.lacks:
            return self.answer(404)
        with self.server.at_once:
            if self.server.barrier and name != self.server.image.id:
                self.server.barrier.wait(30)
            self.send_blob(fault, name, body)

    def send_blob(self, fault, name, body):
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
        if fault == "held" and is_long:
            return self.hold(body)
        is_broken = fault in ("reset", "norange") and is_long and self.server.take(fault)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        if self.command == "HEAD":
            return None
        if not is_broken:
            return self.wfile.write(body[start:])
        self.wfile.write(body[start : start + 100000])
        self.wfile.flush()
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


    def hold(self, body):
        """The rest only once it is wanted."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:HELD_AFTER])
        self.server.enough.wait(60)
        self.wfile.write(body[HELD_AFTER:])

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


class AtOnce:
    """How many are inside, at most."""

    def __init__(self):
        self.lock = threading.Lock()
        self.inside = self.most = 0

    def __enter__(self):
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def __exit__(self, *_):
        with self.lock:
            self.inside -= 1


class Registry(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, image, tls=None):
        super().__init__(("127.0.0.1", 0), Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.image = image
        self.other = None
        self.requests = []
        self.faults = {"reset": 2, "norange": 1, "busy": 2}  # how often
        self.lock = threading.Lock()
        self.enough = threading.Event()
        self.documents = {}  # by tag or digest: media type, content
        self.lacks = set()  # digests of blobs
        self.leads, self.leads_with = {}, 307  # from a path to an address, by which status
        self.realm, self.token = None, "token-of-anna"
        self.at_once, self.connections = AtOnce(), AtOnce()
        self.barrier = None  # that blobs wait at, to be on their way together
        self.host = f"127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def add(self, tag, kind, document):
        """A manifest or an index, by a tag (or none) and by its digest; its descriptor."""
        body = json.dumps(document).encode()
        for name in filter(None, (tag, digest(body))):
            self.documents[name] = (kind, body)
        return {"mediaType": kind, "digest": digest(body), "size": len(body)}

    def process_request_thread(self, request, address):
        with self.connections:
            super().process_request_thread(request, address)

    def handle_error(self, *_):
        pass  # connections that it broke itself

    def take(self, fault):
        with self.lock:
            self.faults[fault] -= 1
            return self.faults[fault] >= 0
