"""An HTTP proxy that finds the hosts it was told of, and nobody else: tunnels by CONNECT, plain
requests by their whole address."""

import base64
import http.client
import http.server
import select
import socket
import threading
import urllib.parse


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def refuse(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def is_let_in(self):
        wanted = self.server.password
        given = self.headers.get("Proxy-Authorization")
        if wanted is None or given == "Basic " + base64.b64encode(wanted.encode()).decode():
            return True
        self.refuse(407, Proxy_Authenticate="Basic")
        return False

    def do_CONNECT(self):
        self.server.requests.append(("CONNECT", self.path))
        if not self.is_let_in():
            return
        place = self.server.places.get(self.path)
        if place is None:
            return self.refuse(502)
        with socket.create_connection(place) as there:
            self.send_response(200)
            self.end_headers()
            self.pass_on(there)
        self.close_connection = True

    def pass_on(self, there):
        other = {self.connection: there, there: self.connection}
        while True:
            for ready in select.select(list(other), [], [])[0]:
                data = ready.recv(65536)
                if not data:
                    return
                other[ready].sendall(data)

    def do_GET(self):
        self.server.requests.append((self.command, self.path))
        if not self.is_let_in():
            return
        url = urllib.parse.urlsplit(self.path)
        place = self.server.places.get(url.netloc)
        if place is None:
            return self.refuse(502)
        there = http.client.HTTPConnection(*place)
        headers = {n: v for n, v in self.headers.items() if n != "Proxy-Authorization"}
        path = url.path + ("?" + url.query if url.query else "")
        size = int(self.headers.get("Content-Length", 0))
        there.request(self.command, path, self.rfile.read(size), headers=headers)
        answer = there.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name != "Content-Length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        there.close()

    do_HEAD = do_POST = do_PUT = do_GET


class Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, password=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.password = password
        self.places = {}  # "name:port" or "name" as asked for: address, port
        self.requests = []
        self.host = f"127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, *_):
        pass
