#!/usr/bin/python3 -B
"""skiff image pull against Debian's docker-registry (with TLS and a password), and against one that
breaks off, lies and loops. Needs root."""

import concurrent.futures
import json
import shutil
import subprocess
import unittest
from pathlib import Path

from case import RegistryCase
from faulty import Image, digest


class PullTest(RegistryCase):
    def test_a_broken_connection_is_taken_up_where_it_broke(self):
        registry = self.faulty()
        self.assert_pulled(registry.host + "/reset:1")
        blob = "/v2/reset/blobs/" + self.image.long
        starts = [h.get("Range") for path, h in registry.requests if path == blob]
        self.assertEqual(len(starts), 3)
        self.assertIsNone(starts[0])
        self.assertTrue(all(s.startswith("bytes=") for s in starts[1:]), starts)

    def test_a_registry_without_ranges_is_read_again_from_the_start(self):
        self.assert_pulled(self.faulty().host + "/norange:1")

    def test_a_busy_registry_is_asked_again(self):
        self.assert_pulled(self.faulty().host + "/busy:1")

    def test_what_is_there_is_not_fetched_again(self):
        registry = self.faulty()
        self.assert_pulled(registry.host + "/plain:1")
        registry.requests.clear()
        self.assert_pulled(registry.host + "/plain:1")
        self.assertEqual([p for p, _ in registry.requests if "/blobs/" in p], [])

    def test_what_is_wrong_is_refused_and_leaves_nothing(self):
        host = self.faulty().host
        self.assert_refused(host + "/length:1", "the manifest says")
        self.assert_refused(host + "/digest:1", "layer 1 (" + self.image.long + ")")
        self.assert_refused(host + "/foreign:1", "foreign")
        self.assert_refused(host + "/schema1:1", "schema 1")
        self.assert_refused(host + "/loop:1", "redirects")
        self.assert_refused(host + "/challenge:1", "malformed WWW-Authenticate")
        self.assert_refused(host + "/slow:1", "slower than 1024 bytes a second for 2 s")

    # As containerd's went to the host of a layer (CVE-2020-15157).
    def test_credentials_go_to_no_other_host(self):
        registry, other = self.faulty(), self.faulty()
        registry.other = other.host
        self.assert_pulled(registry.host + "/elsewhere:1")
        self.assertEqual(len(other.requests), 1)
        self.assertNotIn("Authorization", other.requests[0][1])

    def test_a_mirror_is_asked_first_and_the_registry_when_it_lacks_the_image(self):
        registry, mirror = self.faulty(), self.faulty()
        self.registries["images.invalid"] = {"mirrors": [mirror.host]}
        self.assert_pulled("images.invalid/plain:1")
        self.registries[registry.host]["mirrors"] = [mirror.host]
        mirror.shutdown()
        mirror.server_close()
        self.assert_pulled(registry.host + "/plain:2")

    def test_a_run_pulls_what_it_lacks_and_by_its_policy(self):
        registry = self.faulty()
        name = registry.host + "/plain:1"
        run = ("run", "--network", "none")
        never = self.skiff(*run, "--pull", "never", name)
        self.assertEqual(never.returncode, 66, never.stderr)
        self.assertEqual(registry.requests, [])
        missing = self.skiff(*run, name)  # the image has no program: the pull is what counts
        self.assertIn("layer 2 of 2: pulled", missing.stderr)
        self.assert_asked(registry, 0, *run, name)
        self.assert_asked(registry, 1, *run, "--pull", "always", name)
        failed = self.skiff(*run, registry.host + "/schema1:1")
        self.assertIn(f"skiff: run: pull image {registry.host}/schema1:1", failed.stderr)

    def assert_asked(self, registry, times, *command):
        registry.requests.clear()
        self.skiff(*command)
        manifests = [p for p, _ in registry.requests if "/manifests/" in p]
        self.assertEqual(len(manifests), times, manifests)

    def test_many_pulls_of_one_image_fetch_it_once(self):
        registry = self.faulty()
        name = registry.host + "/plain:1"
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            pulls = [pool.submit(self.skiff, "image", "pull", "-q", name) for _ in range(32)]
            done = [pull.result() for pull in pulls]
        outcomes = {(p.returncode, p.stdout.strip(), p.stderr) for p in done}
        self.assertEqual(outcomes, {(0, self.image.id, "")})
        blob = "/v2/plain/blobs/" + self.image.long
        self.assertEqual(len([p for p, _ in registry.requests if p == blob]), 1)
        self.assert_pulled(name)

    def test_removals_and_pulls_at_once_leave_no_half_image(self):
        registry = self.faulty()
        name = registry.host + "/plain:1"
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            work = []
            for _ in range(8):
                work.append(pool.submit(self.skiff, "image", "pull", "-q", name))
                work.append(pool.submit(self.skiff, "image", "remove", name))
            done = [each.result() for each in work]
        self.assertEqual([p.stderr for p in done[::2] if p.returncode != 0], [])
        self.assertEqual(self.skiff("image", "verify").returncode, 0)
        self.assert_pulled(name)
        self.assertEqual(self.skiff("image", "remove", name).returncode, 0)
        self.assertEqual(self.kept(), [])

    def collect(self, **rules):
        rules = {"leastUnusedMinutes": 0, "diskPercent": 0, **rules}
        settings = self.folder / "images.json"
        settings.write_text(json.dumps({"collect": rules}))
        pruned = self.skiff("image", "prune", "--by-rules")
        self.assertEqual(pruned.returncode, 0, pruned.stderr)
        return [line.split()[1] for line in pruned.stdout.splitlines() if "removed" in line]

    def test_pulled_images_are_collected_by_count_and_disk(self):
        registry, other = self.faulty(), self.faulty()
        other.image = Image("other")
        first, second = registry.host + "/plain:1", other.host + "/plain:1"
        for name in (first, second):
            self.assertEqual(self.skiff("image", "pull", name).returncode, 0)
        self.assertEqual(self.collect(), [])
        self.assertEqual(self.collect(images=2), [])
        self.assertEqual(self.collect(images=1), [first])
        self.assertEqual(self.collect(images=1), [])
        self.assertEqual(self.collect(diskPercent=100, diskGoalPercent=0), [])
        self.assertEqual(self.collect(diskPercent=1, diskGoalPercent=0), [second])

    def layers_of(self, name):
        inspected = json.loads(self.skiff("image", "inspect", name).stdout)
        return [Path(layer["directory"]) for layer in inspected["layers"]]

    def test_what_is_damaged_is_repaired_from_kept_files_else_from_the_registry(self):
        registry = self.faulty()
        name = registry.host + "/plain:1"
        self.assert_pulled(name)
        file = next(iter(self.image.files))
        for dropped, fetched in ((False, 0), (True, 1)):
            if dropped:
                self.assertEqual(self.skiff("image", "prune", "--layer-files").returncode, 0)
            path = self.layers_of(name)[0] / file
            path.write_bytes(path.read_bytes()[::-1])
            damaged = self.skiff("image", "verify")
            self.assertEqual(damaged.returncode, 1, damaged.stderr)
            self.assertIn(f"{file}: its ", damaged.stdout)
            registry.requests.clear()
            repaired = self.skiff("image", "verify", "--repair", name)
            self.assertEqual(repaired.returncode, 0, repaired.stderr)
            self.assertEqual(len([p for p, _ in registry.requests if "/blobs/" in p]), fetched)
            self.assertEqual(path.read_bytes(), self.image.files[file])
            self.assertEqual(self.skiff("image", "verify").returncode, 0)

    def test_a_run_pulls_anew_what_lost_files(self):
        registry = self.faulty()
        name = registry.host + "/plain:1"
        self.assert_pulled(name)
        path = self.layers_of(name)[0] / next(iter(self.image.files))
        path.unlink()
        run = ("run", "--network", "none")
        self.assertEqual(self.skiff(*run, "--pull", "never", name).returncode, 66)
        self.skiff(*run, name)  # the image has no program
        self.assertTrue(path.exists())

    # ---- Debian's registry ----

    def test_a_plain_registry_serves_by_tag_and_by_digest(self):
        host = self.serve(with_tls=False)
        self.push(host)
        refused = self.skiff("image", "pull", host + "/team/app:1")
        self.assertIn("does not speak TLS", refused.stderr)
        self.registries[host] = {"insecure": True}
        self.assert_pulled(host + "/team/app:1")
        inspected = json.loads(self.skiff("image", "inspect", host + "/team/app:1").stdout)
        self.assert_pulled(host + "/team/app@" + inspected["manifestDigest"])
        missing = self.skiff("image", "pull", host + "/team/app:none")
        self.assertEqual(missing.returncode, 66, missing.stderr)
        self.assertIn("manifest unknown", missing.stderr)

    def test_what_is_pushed_is_what_was_pulled(self):
        registry, host = self.faulty(), self.serve(with_tls=True)
        name = registry.host + "/plain:1"
        self.assert_pulled(name)
        destination = host + "/team/app:2"
        self.registries[host] = {"certificateAuthority": str(self.folder / "certificate.pem")}
        denied = self.skiff("image", "push", name, destination)
        self.assertIn(f"authentication is required: skiff login {host}", denied.stderr)
        self.assertEqual(self.skiff("login", "-u", "anna", host, text="secret\n").returncode, 0)
        pushed = self.skiff("image", "push", name, destination)
        self.assertEqual(pushed.returncode, 0, pushed.stderr)
        self.assertIn("layer 2 of 2: pushed", pushed.stderr)
        again = self.skiff("image", "push", "--quiet", name, destination)
        digest_pushed = json.loads(self.skiff("image", "inspect", name).stdout)["manifestDigest"]
        self.assertEqual(again.stdout.strip(), digest_pushed)
        self.assertEqual(self.skiff("image", "remove", name).returncode, 0)
        self.assert_pulled(host + "/team/app@" + digest_pushed)
        # What other tools make of it.
        certificates = self.folder / "certificates"
        certificates.mkdir()
        shutil.copy(self.folder / "certificate.pem", certificates / "ca.crt")
        raw = subprocess.run(
            ["skopeo", "inspect", "--raw", "--creds", "anna:secret", "--cert-dir", certificates]
            + [f"docker://{destination}"],
            check=True,
            capture_output=True,
        ).stdout
        self.assertEqual(digest(raw), digest_pushed)

    def test_a_push_without_the_files_needs_them_there(self):
        registry, host = self.faulty(), self.serve(with_tls=False)
        self.registries[host] = {"insecure": True}
        name = registry.host + "/plain:1"
        self.assert_pulled(name)
        self.assertEqual(self.skiff("image", "prune", "--layer-files").returncode, 0)
        refused = self.skiff("image", "push", name, host + "/app:1")
        self.assertEqual(refused.returncode, 66)
        self.assertIn("was not kept; skiff image pull --keep-layer-files", refused.stderr)
        self.skiff("image", "pull", name)
        self.assertNotEqual(self.skiff("image", "push", name, host + "/app:1").returncode, 0)
        self.skiff("image", "pull", "--keep-layer-files", name)
        self.assertEqual(self.skiff("image", "push", name, host + "/app:1").returncode, 0)

    def test_what_another_repository_of_the_registry_has_is_not_sent(self):
        host = self.serve(with_tls=False)
        self.registries[host] = {"insecure": True}
        name = self.faulty().host + "/plain:1"
        self.assert_pulled(name)
        self.assertEqual(self.skiff("image", "push", name, host + "/app:1").returncode, 0)
        self.assertEqual(self.skiff("image", "tag", name, host + "/app:1").returncode, 0)
        # There is nothing that could be sent.
        self.assertEqual(self.skiff("image", "prune", "--layer-files").returncode, 0)
        pushed = self.skiff("image", "push", name, host + "/team/other:1")
        self.assertEqual(pushed.returncode, 0, pushed.stderr)
        for each in (name, host + "/app:1"):
            self.assertEqual(self.skiff("image", "remove", each).returncode, 0)
        self.assert_pulled(host + "/team/other:1")
        # Of one that does not have it nothing comes, and it is sent.
        self.image = Image(top="another top")
        name = self.faulty().host + "/plain:1"
        self.skiff("image", "pull", "--keep-layer-files", name)
        self.skiff("image", "tag", name, host + "/nonesuch:1")
        pushed = self.skiff("image", "push", name, host + "/third:1")
        self.assertIn("layer 1 of 2: pushed", pushed.stderr)
        self.assertEqual(pushed.returncode, 0, pushed.stderr)

    def test_an_archive_goes_through_a_pipe_and_other_tools_read_it(self):
        registry = self.faulty()
        name = registry.host + "/plain:1"
        self.assert_pulled(name)
        for kind in ("oci-archive", "docker-archive"):
            archive = self.folder / "out.tar"
            exported = self.skiff("image", "export", "--format", kind, "-o", str(archive), name)
            self.assertEqual(exported.returncode, 0, exported.stderr)
            inspected = subprocess.run(
                ["skopeo", "inspect", "--config", "--raw", f"{kind}:{archive}"],
                check=True,
                capture_output=True,
            ).stdout
            self.assertEqual(digest(inspected), self.image.id)
            self.assertEqual(self.skiff("image", "remove", name).returncode, 0)
            with archive.open("rb") as pipe:
                loaded = self.skiff("image", "load", stdin=pipe)
            self.assertEqual(loaded.returncode, 0, loaded.stderr)
            self.assertIn(self.image.id, loaded.stdout)

    def test_certificates_and_passwords_are_checked(self):
        host = self.serve(with_tls=True)
        self.push(host, "--dest-creds", "anna:secret")
        untrusted = self.skiff("image", "pull", host + "/team/app:1")
        self.assertIn("its certificate is not trusted", untrusted.stderr)
        self.registries[host] = {"certificateAuthority": str(self.folder / "certificate.pem")}
        denied = self.skiff("image", "pull", host + "/team/app:1")
        self.assertIn(f"authentication is required: skiff login {host}", denied.stderr)
        wrong = self.skiff("login", "-u", "anna", host, text="wrong\n")
        self.assertNotEqual(wrong.returncode, 0)
        self.assertFalse(self.auth.exists())
        self.assertEqual(self.skiff("login", "-u", "anna", host, text="secret\n").returncode, 0)
        self.assertEqual(self.auth.stat().st_mode & 0o777, 0o600)
        self.assert_pulled(host + "/team/app:1")
        self.assertEqual(self.skiff("logout", host).returncode, 0)
        self.assertNotIn("auth\"", self.auth.read_text())


if __name__ == "__main__":
    unittest.main()
