#!/usr/bin/python3 -B
"""The ways to a registry and what must not go along them: proxies, mirrors, redirects, credentials,
certificates, and who is asked for them. Needs root."""

import base64
import json
import os
import ssl
import subprocess
import threading
import unittest

from case import RegistryCase
from faulty import Image, digest
from proxy import Proxy


def place_of(host):
    address, port = host.split(":")
    return address, int(port)


class AccessCase(RegistryCase):
    def proxy(self, password=None):
        proxy = Proxy(password)
        self.addCleanup(proxy.server_close)
        self.addCleanup(proxy.shutdown)
        return proxy

    def outside(self, registry, **rules):
        """The registry by a name that only a proxy knows, which makes it one of the internet."""
        proxy = self.proxy()
        proxy.places["registry.invalid"] = place_of(registry.host)
        self.environment["HTTP_PROXY"] = "http://" + proxy.host
        self.registries["registry.invalid"] = {"insecure": True, **rules}
        return "registry.invalid"

    def certificate(self, name, subject):
        key, certificate = self.folder / f"{name}.key", self.folder / f"{name}.cert"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            + ["-nodes", "-keyout", key, "-out", certificate, "-days", "2", "-subj", subject]
            + ["-addext", "subjectAltName=IP:127.0.0.1"],
            check=True,
            capture_output=True,
        )
        return certificate, key


class ProxyTest(AccessCase):
    def test_plain_registries_are_asked_through_the_proxy(self):
        registry, proxy = self.faulty(), self.proxy("anna:se cret")
        proxy.places["registry.invalid"] = place_of(registry.host)
        self.registries["registry.invalid"] = {"insecure": True}
        self.environment["HTTP_PROXY"] = f"http://anna:se%20cret@{proxy.host}"
        self.assert_pulled("registry.invalid/plain:1")
        self.assertIn(("GET", "http://registry.invalid/v2/plain/manifests/1"), proxy.requests)
        self.assertFalse(any("Proxy-Authorization" in h for _, h in registry.requests))

    def test_registries_with_tls_are_reached_by_a_tunnel(self):
        host, proxy = self.serve(with_tls=True), self.proxy("anna:secret")
        self.push(host, "--dest-creds", "anna:secret")
        proxy.places["registry.invalid:443"] = place_of(host)
        self.environment["HTTPS_PROXY"] = f"http://anna:secret@{proxy.host}"
        name = "registry.invalid/team/app:1"
        untrusted = self.skiff("image", "pull", name)
        self.assertIn("its certificate is not trusted", untrusted.stderr)
        authority = str(self.folder / "certificate.pem")
        self.registries["registry.invalid"] = {"certificateAuthority": authority}
        login = self.skiff("login", "-u", "anna", "registry.invalid", text="secret\n")
        self.assertEqual(login.returncode, 0, login.stderr)
        self.assert_pulled(name)
        self.assertEqual(set(proxy.requests), {("CONNECT", "registry.invalid:443")})

    def test_a_proxy_that_refuses_is_named_and_its_password_is_not(self):
        proxy = self.proxy("anna:secret")
        self.environment["HTTPS_PROXY"] = f"http://anna:wrong-one@{proxy.host}"
        refused = self.skiff("image", "pull", "registry.invalid/plain:1")
        self.assertIn(f"proxy {proxy.host}: it refuses a tunnel with status 407", refused.stderr)
        self.assertNotIn("wrong-one", refused.stderr)
        self.environment["HTTPS_PROXY"] = "socks5://anna:wrong-one@127.0.0.1:1"
        refused = self.skiff("image", "pull", "registry.invalid/plain:1")
        self.assertIn("HTTPS_PROXY: expected http://host[:port]", refused.stderr)
        self.assertNotIn("wrong-one", refused.stderr)

    def test_exceptions_are_asked_themselves(self):
        proxy = self.proxy()
        self.environment["HTTPS_PROXY"] = "http://" + proxy.host
        for exceptions in ("registry.invalid", "other,.invalid", "*"):
            self.environment["NO_PROXY"] = exceptions
            pulled = self.skiff("image", "pull", "registry.invalid/plain:1")
            self.assertIn("resolve host registry.invalid", pulled.stderr)
        self.assertEqual(proxy.requests, [])


class RedirectTest(AccessCase):
    """What an answer names is not followed where whoever gave it could not stand himself."""

    def lead(self, registry, address):
        registry.leads = {f"/v2/plain/blobs/{self.image.long}": address}

    def test_from_outside_no_redirect_leads_to_this_machine(self):
        registry, inside = self.faulty(), self.faulty()
        host = self.outside(registry)
        blob = f"/v2/plain/blobs/{self.image.long}"
        for place in (inside.host, inside.host.replace("127.0.0.1", "127.1")):
            self.lead(registry, f"http://{place}{blob}")
            self.assert_refused(host + "/plain:1", "it was led to 127.0.0.1, an address that is")
        self.assertEqual(inside.requests, [])
        self.lead(registry, f"http://{inside.host}{blob}")
        self.registries[host]["leadsTo"] = ["127.0.0.0/8"]
        self.assert_pulled(host + "/plain:1")
        self.assertEqual(len(inside.requests), 1)

    def test_nothing_leads_to_metadata_services_and_private_networks(self):
        registry = self.faulty()
        outside = self.outside(registry)
        for place in ("169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "2852039166"):
            self.lead(registry, f"http://{place}/latest/meta-data/")
            for host in (outside, registry.host):
                self.assert_refused(host + "/plain:1", "a metadata service")
        for place in ("10.0.0.1", "192.168.0.1", "[fd00::1]"):
            self.lead(registry, f"http://{place}/")
            self.assert_refused(outside + "/plain:1", "of a private network")

    def test_no_token_server_is_asked_that_the_registry_may_not_name(self):
        registry, inside = self.faulty(), self.faulty()
        host = self.outside(registry)
        self.auth.write_text(json.dumps({"auths": {host: {"auth": anna()}}}))
        for realm in (f"http://{inside.host}/token", "http://169.254.169.254/token"):
            registry.realm = realm
            self.assert_refused(host + "/plain:1", "it was led to")
        self.assertEqual(inside.requests, [])

    def test_a_token_request_that_is_redirected_keeps_its_password(self):
        registry, thief = self.faulty(), self.faulty()
        self.auth.write_text(json.dumps({"auths": {registry.host: {"auth": anna()}}}))
        registry.realm = f"http://{registry.host}/elsewhere"
        registry.leads = {
            "/elsewhere?service=test&scope=repository%3Aplain%3Apull": f"http://{thief.host}/v2/"
        }
        self.assert_refused(registry.host + "/plain:1", "token")
        self.assertEqual([p for p, _ in thief.requests], ["/v2/"])
        self.assertNotIn("Authorization", thief.requests[0][1])
        self.assertNotIn("anna", str(thief.requests) + str(thief.requests[0][1]))

    def test_foreign_layers_are_for_who_allows_them_and_lead_nowhere_else(self):
        registry, other = self.faulty(), self.faulty()
        registry.lacks = {self.image.long}
        blob = f"/v2/plain/blobs/{self.image.long}"
        self.image.urls = [f"http://{other.host}/v2/plain/blobs/none", f"http://{other.host}{blob}"]
        host = self.outside(registry)
        self.assert_refused(host + "/foreign:1", "is a foreign layer (foreignLayers of " + host)
        self.registries[host]["foreignLayers"] = True
        self.assert_refused(host + "/foreign:1", "it was led to 127.0.0.1")
        self.assertEqual(other.requests, [])
        self.registries[host]["leadsTo"] = ["127.0.0.0/8"]
        self.auth.write_text(json.dumps({"auths": {host: {"auth": anna()}}}))
        registry.realm = f"http://{host}/token"
        # The addresses that any other layer has are nothing to us.
        self.assert_refused(host + "/urls:1", "answers 404")
        self.assertEqual(other.requests, [])
        self.assert_pulled(host + "/foreign:1")
        self.assertEqual([path for path, _ in other.requests], ["/v2/plain/blobs/none", blob])
        self.assertNotIn("Authorization", str(other.requests))

    def test_a_foreign_layer_is_taken_from_its_registry_first_and_is_not_handed_on(self):
        registry, new = self.faulty(), self.faulty()
        self.image.urls = [f"http://{registry.host}/elsewhere"]
        self.registries[registry.host]["foreignLayers"] = True
        self.assert_pulled(registry.host + "/foreign:1")
        self.assertNotIn("/elsewhere", [path for path, _ in registry.requests])
        new.lacks = {self.image.long}
        pushed = self.skiff("image", "push", registry.host + "/foreign:1", new.host + "/foreign:1")
        self.assertEqual(pushed.returncode, 0, pushed.stderr)
        self.assertNotIn(self.image.long, str(new.requests))

    def test_an_upload_goes_nowhere_either(self):
        registry, inside = self.faulty(), self.faulty()
        self.assert_pulled(registry.host + "/plain:1")
        host = self.outside(registry)
        registry.leads, registry.leads_with = {"/v2/new/blobs/uploads/": "http://127.1:1/up"}, 202
        registry.lacks = set(self.image.blobs)
        pushed = self.skiff("image", "push", registry.host + "/plain:1", host + "/new:1")
        self.assertIn("it was led to 127.0.0.1", pushed.stderr)
        self.assertEqual(inside.requests, [])

    def test_https_never_leads_to_http(self):
        certificate, key = self.certificate("server", "/CN=test")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
        registry, other = self.faulty(tls), self.faulty()
        self.registries[registry.host] = {"certificateAuthority": str(certificate)}
        self.lead(registry, f"http://{other.host}/v2/plain/blobs/{self.image.long}")
        self.assert_refused(registry.host + "/plain:1", "redirects from https to http")
        registry.leads, registry.realm = {}, f"http://{other.host}/token"
        self.assert_refused(registry.host + "/plain:1", "it is http, and the registry https")
        self.assertEqual(other.requests, [])


def anna():
    return base64.b64encode(b"anna:secret").decode()


class CredentialTest(AccessCase):
    def setUp(self):
        super().setUp()
        self.registry = self.faulty()
        self.registry.realm = f"http://{self.registry.host}/token"
        self.name = self.registry.host + "/plain:1"

    def helper(self, script):
        """docker-credential-test: what it was asked is kept beside it."""
        path = self.folder / "bin" / "docker-credential-test"
        path.parent.mkdir(exist_ok=True)
        keep = f'asked=$(cat)\necho "$1 $asked" >> {self.folder}/asked'
        path.write_text(f"#!/bin/sh\n{keep}\n{script}")
        path.chmod(0o755)
        self.environment["PATH"] = f"{path.parent}:{os.environ['PATH']}"

    def asked(self):
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []

    def config(self, **members):
        self.auth.write_text(json.dumps(members))

    def test_a_token_is_fetched_with_a_password_and_for_no_more_than_is_needed(self):
        self.config(auths={self.registry.host: {"auth": anna()}})
        self.assert_pulled(self.name)
        tokens = [p for p, _ in self.registry.requests if p.startswith("/token")]
        self.assertEqual(tokens, ["/token?service=test&scope=repository%3Aplain%3Apull"])

    def test_an_identity_token_is_exchanged(self):
        self.config(auths={self.registry.host: {"identitytoken": "her-token"}})
        self.assert_pulled(self.name)
        self.registry.token = "another"
        self.config(auths={self.registry.host: {"identitytoken": "old"}})
        refused = self.skiff("image", "pull", self.registry.host + "/plain:2")
        self.assertIn("answers 401: who is that?", refused.stderr)

    def test_helpers_are_asked_for_their_registries(self):
        answer = '{"ServerURL": "x", "Username": "anna", "Secret": "secret"}'
        self.helper(f"echo '{answer}'")
        for config in ({"credsStore": "test"}, {"credHelpers": {self.registry.host: "test"}}):
            self.config(**config)
            self.assert_pulled(self.name)
        self.assertEqual(self.asked(), ["get " + self.registry.host] * 2)
        self.config(credHelpers={"other.invalid": "test"})
        self.assertNotEqual(self.skiff("image", "pull", self.name).returncode, 0)
        self.assertEqual(len(self.asked()), 2)

    def test_a_helper_may_have_an_identity_token_or_nothing(self):
        self.config(credsStore="test")
        self.helper("""echo '{"ServerURL": "x", "Username": "<token>", "Secret": "her-token"}'""")
        self.assert_pulled(self.name)
        self.helper("echo 'credentials not found in native keychain'; exit 1")
        self.config(credsStore="test", auths={self.registry.host: {"auth": anna()}})
        self.assert_pulled(self.name)

    def test_a_login_is_kept_by_the_helper(self):
        self.config(credsStore="test", psFormat="x")
        self.helper("exit 0")
        login = self.skiff("login", "-u", "anna", self.registry.host, text="secret\n")
        self.assertEqual(login.returncode, 0, login.stderr)
        verb, _, entry = self.asked()[-1].partition(" ")
        self.assertEqual(verb, "store")
        expected = {"ServerURL": self.registry.host, "Username": "anna", "Secret": "secret"}
        self.assertEqual(json.loads(entry), expected)
        self.assertNotIn("secret", self.auth.read_text())
        self.assertEqual(self.skiff("logout", self.registry.host).returncode, 0)
        self.assertEqual(self.asked()[-1], "erase " + self.registry.host)

    def test_what_a_helper_gets_wrong_is_said(self):
        self.config(credsStore="test")
        self.settings["helperSeconds"] = 1
        helper = "credential helper docker-credential-test"
        for script, words in (
            ("echo no keychain; exit 1", f"{helper}: no keychain"),
            ("exit 3", f"{helper}: ended with status 3"),
            ("echo nonsense", f"{helper}: its answer"),
            ("echo '{}'", f"{helper}: Username"),
            ("exec sleep 60", "no answer within 1 s"),
            ("exec >&-; exec sleep 60", "no answer within 1 s"),
            ("yes", "it says too much"),
        ):
            self.helper(script)
            self.assert_refused(self.name, words)
        self.config(credsStore="missing")
        self.assert_refused(self.name, "docker-credential-missing: no such program in PATH")
        self.config(credsStore="../../tmp/x")
        self.assert_refused(self.name, "is not a proper name")
        self.assertEqual([p for p, _ in self.registry.requests], [])

    def test_what_podman_and_docker_know_is_known(self):
        entry = {"auths": {self.registry.host: {"auth": anna()}}}
        self.environment.update(REGISTRY_AUTH_FILE=None, HOME=str(self.folder / "home"))
        self.environment["XDG_RUNTIME_DIR"] = str(self.folder / "run")
        for file in (
            "run/containers/auth.json",
            "home/.config/containers/auth.json",
            "home/.docker/config.json",
        ):
            path = self.folder / file
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(entry))
            self.assert_pulled(self.name)
            self.assertEqual(self.skiff("logout", self.registry.host).returncode, 0)
            refused = self.skiff("image", "pull", self.name)
            self.assertIn("answers 401", refused.stderr)
        self.assertEqual(self.skiff("logout", self.registry.host).returncode, 66)

    def test_a_client_certificate_is_shown_to_who_asks_for_it(self):
        certificate, key = self.certificate("server", "/CN=test")
        own, own_key = self.certificate("client", "/CN=anna")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate, key)
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(own)
        registry = self.faulty(tls)
        del self.registries[registry.host]
        self.settings["certificateDirectories"] = [str(self.folder / "certs.d")]
        name = registry.host + "/plain:1"
        self.assert_refused(name, "its certificate is not trusted")
        place = self.folder / "certs.d" / registry.host
        place.mkdir(parents=True)
        (place / "ca.crt").write_bytes(certificate.read_bytes())
        self.assert_refused(name, "it asks for a client certificate")
        (place / "client.cert").write_bytes(own.read_bytes())
        self.assert_refused(name, f"client.cert: there is no {place}/client.key")
        (place / "client.key").write_bytes(own_key.read_bytes())
        self.assert_pulled(name)


class MirrorTest(AccessCase):
    def test_what_a_mirror_lacks_comes_from_the_registry(self):
        registry, mirror = self.faulty(), self.faulty()
        self.registries[registry.host]["mirrors"] = [mirror.host]
        for blob in self.image.blobs:
            mirror.lacks = {blob}
            registry.requests.clear()
            self.assert_pulled(registry.host + "/plain:1")
            asked = [p for p, _ in registry.requests if p != "/v2/"]
            self.assertEqual(asked, [f"/v2/plain/blobs/{blob}"])
            self.skiff("image", "remove", registry.host + "/plain:1")

    def test_a_mirror_that_breaks_off_is_followed_by_the_registry_where_it_stopped(self):
        registry, mirror = self.faulty(), self.faulty()
        self.registries[registry.host]["mirrors"] = [mirror.host]
        self.settings["attempts"] = 1
        registry.faults["reset"] = 0
        self.assert_pulled(registry.host + "/reset:1")
        blob = f"/v2/reset/blobs/{self.image.long}"
        ranges = [h.get("Range") for p, h in registry.requests if p == blob]
        self.assertEqual(len(ranges), 1, registry.requests)
        self.assertTrue(ranges[0].startswith("bytes="))

    def test_credentials_of_the_registry_are_not_the_mirrors(self):
        registry, mirror = self.faulty(), self.faulty()
        self.registries[registry.host]["mirrors"] = [mirror.host]
        self.auth.write_text(json.dumps({"auths": {registry.host: {"auth": anna()}}}))
        mirror.realm = f"http://{mirror.host}/token"
        registry.realm = f"http://{registry.host}/token"
        self.assert_pulled(registry.host + "/plain:1")
        self.assertTrue(mirror.requests)
        self.assertFalse(any("Authorization" in h for _, h in mirror.requests))


class PlatformTest(AccessCase):
    def image_for(self, registry, architecture, variant):
        """An image of that kind, known by its digest; its descriptor in an index, and its id."""
        image = Image(f"{architecture}{variant}")
        config_digest = image.document["config"]["digest"]
        config = json.loads(image.blobs.pop(config_digest))
        config.update(architecture=architecture, variant=variant)
        text = json.dumps(config).encode()
        registry.image.blobs.update({**image.blobs, digest(text): text})
        image.document["config"].update(digest=digest(text), size=len(text))
        descriptor = registry.add(None, image.manifest_type, image.document)
        platform = {"os": "linux", "architecture": architecture}
        if variant:
            platform["variant"] = variant
        return {**descriptor, "platform": platform}, digest(text)

    def test_the_platform_chooses_through_nested_indexes(self):
        registry = self.faulty()
        registry.image = Image()
        kind = "application/vnd.oci.image.index.v1+json"
        list_kind = "application/vnd.docker.distribution.manifest.list.v2+json"
        ids, entries = {}, []
        for architecture, variant in (("arm", "v6"), ("arm", "v7"), ("arm64", ""), ("amd64", "")):
            entry, image = self.image_for(registry, architecture, variant)
            entries.append(entry)
            ids["/".join(filter(None, (architecture, variant)))] = image
        inner = registry.add(
            None, list_kind, {"schemaVersion": 2, "mediaType": list_kind, "manifests": entries}
        )
        # BuildKit's attestations are no image of any platform.
        unknown = {**entries[0], "platform": {"os": "unknown", "architecture": "unknown"}}
        outer = {"schemaVersion": 2, "mediaType": kind, "manifests": [unknown, inner]}
        registry.add("1", kind, outer)
        name = registry.host + "/plain:1"
        for platform, wanted in (
            ("arm/v6", "arm/v6"),
            ("arm/v7", "arm/v7"),
            ("arm", "arm/v7"),
            ("arm/v8", "arm/v7"),
            ("arm64", "arm64"),
            ("arm64/v8", "arm64"),
            ("amd64", "amd64"),
            ("amd64/v3", "amd64"),
        ):
            pulled = self.skiff("image", "pull", "-q", "--platform", "linux/" + platform, name)
            self.assertEqual(pulled.stdout.strip(), ids[wanted], pulled.stderr)
            self.skiff("image", "remove", name)
        for platform in ("linux/arm/v5", "linux/riscv64", "windows/amd64"):
            refused = self.skiff("image", "pull", "--platform", platform, name)
            self.assertIn(f"no image for {platform}, only for linux/arm/v6", refused.stderr)


class PaceTest(AccessCase):
    def test_layers_come_several_at_a_time_and_no_more_than_allowed(self):
        self.image = Image(more=6)
        registry = self.faulty()
        # Each of the eight layers waits for another one to be on its way with it.
        registry.barrier = threading.Barrier(2)
        self.settings["parallelLayers"] = 2
        first = self.skiff("image", "pull", "-q", registry.host + "/plain:1")
        self.assertEqual(first.stdout.strip(), self.image.id, first.stderr)
        self.assertEqual(registry.at_once.most, 2)
        self.assertLessEqual(registry.connections.most, 3)

    def test_a_registry_that_wants_to_be_left_alone_is(self):
        registry = self.faulty()
        self.assert_refused(registry.host + "/later:1", "it asks to come back in 3600 s")
        self.assertEqual(len([p for p, _ in registry.requests if "/manifests/" in p]), 1)


if __name__ == "__main__":
    unittest.main()
