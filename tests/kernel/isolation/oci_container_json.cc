#include <fcntl.h>

#include <nlohmann/json.hpp>

#include "tests/kernel/isolation/oci_container.h"

namespace skiff::isolation::oci {
namespace {

using nlohmann::json;

// As `runc spec` writes it, without a terminal.
json OrdinaryConfig() {
  return json::parse(R"({
    "ociVersion": "1.0.2-dev",
    "process": {
      "terminal": false, "user": {"uid": 0, "gid": 0}, "args": [],
      "env": ["PATH=/bin", "TERM=xterm"], "cwd": "/",
      "capabilities": {
        "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
        "effective": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
        "permitted": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
        "ambient": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]},
      "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 512, "soft": 256}],
      "noNewPrivileges": true},
    "root": {"path": "rootfs", "readonly": true},
    "hostname": "bundle",
    "mounts": [
      {"destination": "/proc", "type": "proc", "source": "proc"},
      {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
       "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
      {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
       "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
      {"destination": "/dev/shm", "type": "tmpfs", "source": "shm",
       "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
      {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
       "options": ["nosuid", "noexec", "nodev"]},
      {"destination": "/sys", "type": "sysfs", "source": "sysfs",
       "options": ["nosuid", "noexec", "nodev", "ro"]},
      {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
       "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}],
    "linux": {
      "resources": {"devices": [{"allow": false, "access": "rwm"}]},
      "namespaces": [{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"},
                     {"type": "mount"}],
      "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
      "readonlyPaths": ["/proc/bus", "/proc/sys", "/proc/sysrq-trigger"]}
  })");
}

}  // namespace

OciRunTest::OciRunTest() : holder_(std::make_shared<json>(OrdinaryConfig())), config_(*holder_) {}

void OciRunTest::SetUp() {
  SKIFF_REQUIRE(skiff::test::MissingRoot());
  SKIFF_REQUIRE(skiff::test::MissingBusybox());
  Result<CgroupHost> host = CgroupHost::Discover(CgroupHost::Hierarchies::kEvery);
  SKIFF_REQUIRE(host.ok() ? "" : host.error().message());
  host_ = std::move(host).value();
  busybox_ = std::make_unique<skiff::test::BusyboxRoot>();
  sys::Symlink(busybox_->layer(), AT_FDCWD, bundle_.path() + "/rootfs").value();
  id_ = "skiff-test-" + RandomHex(4);
}

void OciRunTest::TearDown() {
  if (id_.empty()) return;
  for (const std::string& directory : host_->Directories(id_)) {
    EXPECT_FALSE(sys::Exists(AT_FDCWD, directory)) << directory;
  }
  EXPECT_FALSE(sys::Exists(AT_FDCWD, StateRoot() + "/" + id_));
  std::string mounts = sys::ReadFile(AT_FDCWD, "/proc/self/mountinfo").value();
  EXPECT_THAT(mounts, testing::Not(testing::HasSubstr(busybox_->layer())));
}

sys::Process OciRunTest::Start(const std::vector<std::string>& flags, int output) {
  sys::WriteFile(AT_FDCWD, bundle_.path() + "/config.json", config_.dump()).value();
  sys::SpawnSpec spec;
  spec.path = SKIFF_OCI;
  spec.arguments = {"skiff-oci", "--root", StateRoot()};
  spec.arguments.insert(spec.arguments.end(), flags.begin(), flags.end());
  spec.arguments.insert(spec.arguments.end(),
                        {"run", "-b", bundle_.path(), "--pid-file", bundle_.path() + "/pid", id_});
  UniqueFd null = sys::Open(AT_FDCWD, "/dev/null", O_RDONLY).value();
  spec.fds = {null.get(), output, output};
  return sys::Spawn(spec).value();
}

Finished OciRunTest::Run(const std::vector<std::string>& flags) {
  sys::Pipe pipe = sys::MakePipe().value();
  sys::Process process = Start(flags, pipe.write_end.get());
  pipe.write_end.Reset();
  Finished finished;
  finished.output = sys::ReadAll(pipe.read_end.get(), "output").value();
  finished.code = sys::WaitPidfd(process.pidfd.get(), true).value()->ShellCode();
  return finished;
}

void OciRunTest::WriteConfig() {
  sys::WriteFile(AT_FDCWD, bundle_.path() + "/config.json", config_.dump()).value();
}

Finished OciRunTest::Command(const std::vector<std::string>& arguments) {
  sys::Pipe pipe = sys::MakePipe().value();
  sys::SpawnSpec spec;
  spec.path = SKIFF_OCI;
  spec.arguments = {"skiff-oci", "--root", StateRoot()};
  spec.arguments.insert(spec.arguments.end(), arguments.begin(), arguments.end());
  spec.environment = environment_;
  UniqueFd null = sys::Open(AT_FDCWD, "/dev/null", O_RDWR).value();
  // What stays behind keeps its streams: only a file does not wait for its end.
  std::string file = bundle_.path() + "/output";
  UniqueFd output = sys::Open(AT_FDCWD, file, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600).value();
  spec.fds = {null.get(), output.get(), output.get()};
  sys::Process process = sys::Spawn(spec).value();
  Finished finished;
  finished.code = sys::WaitPidfd(process.pidfd.get(), true).value()->ShellCode();
  finished.output = sys::ReadFile(AT_FDCWD, file).value();
  return finished;
}

std::string OciRunTest::Status() { return json::parse(Command({"state", id_}).output)["status"]; }

void OciRunTest::Begin(const std::string& script) {
  config_["process"]["args"] = {"/bin/busybox", "sh", "-c", "busybox " + script};
  WriteConfig();
  ASSERT_EQ(Command({"run", "--detach", "-b", bundle_.path(), id_}).output, "");
}

std::string OciRunTest::SharedDirectory() {
  std::string directory = bundle_.path() + "/shared";
  sys::MakeDirectories(directory, 0755).value();
  config_["mounts"].push_back(
      {{"destination", "/shared"}, {"type", "bind"}, {"source", directory}, {"options", {"bind"}}});
  return directory;
}

Finished OciRunTest::Script(const std::string& script, const std::vector<std::string>& flags) {
  config_["process"]["args"] = {"/bin/busybox", "sh", "-c", script};
  return Run(flags);
}

}  // namespace skiff::isolation::oci
