#include "tests/support/busybox_root.h"

#include <fcntl.h>

#include <cstdlib>
#include <filesystem>

#include "isolation/overlay.h"
#include "isolation/sys/file.h"

namespace skiff::test {

namespace fs = std::filesystem;

BusyboxRoot::BusyboxRoot() : layer_(directory_.path() + "/layer") {
  for (const char* name : {"bin", "etc", "proc", "dev", "sys", "tmp", "root"}) {
    fs::create_directories(layer_ + "/" + name);
  }
  fs::permissions(layer_ + "/tmp", fs::perms::all | fs::perms::sticky_bit);
  fs::copy_file("/bin/busybox", layer_ + "/bin/busybox");
  fs::create_symlink("busybox", layer_ + "/bin/sh");
  sys::WriteFile(AT_FDCWD, layer_ + "/etc/passwd",
                 "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/tmp:/bin/sh\n", 0644)
      .value();
  sys::WriteFile(AT_FDCWD, layer_ + "/etc/group", "root:x:0:\nweb:x:33:\nlogs:x:44:web\n", 0644)
      .value();
}

Result<UniqueFd> BusyboxRoot::MountRoot() {
  std::string writable = directory_.path() + "/writable" + std::to_string(++mounts_);
  TRY(sys::MakeDirectories(writable + "/upper", 0755));
  TRY(sys::MakeDirectories(writable + "/work", 0755));
  return isolation::MountOverlay({{layer_}, writable + "/upper", writable + "/work"});
}

isolation::ContainerSpec BusyboxRoot::Script(const std::string& script, int root_mount) const {
  isolation::ContainerSpec spec;
  spec.arguments = {"/bin/busybox", "sh", "-c", script};
  spec.environment = {"PATH=/bin"};
  spec.capabilities = isolation::SetsForUser(isolation::DefaultCapabilities(), true);
  spec.root_mount = root_mount;
  spec.attach_point = directory_.path();
  AddStandardFilesystems(&spec);
  return spec;
}

Result<Outcome> RunToEnd(isolation::ContainerSpec spec, const isolation::Cgroup* cgroup,
                         isolation::LaunchFailure* failure) {
  sys::Pipe pipe = TRY(sys::MakePipe());
  UniqueFd null = TRY(sys::Open(AT_FDCWD, "/dev/null", O_RDONLY));
  spec.standard_fds[0] = null.get();
  spec.standard_fds[1] = spec.standard_fds[2] = pipe.write_end.get();
  isolation::Launched launched = TRY(isolation::Launch(spec, cgroup, failure));
  pipe.write_end.Reset();
  Outcome outcome;
  outcome.output = TRY(sys::ReadAll(pipe.read_end.get(), "container output"));
  std::optional<sys::ExitStatus> status = TRY(sys::WaitPidfd(launched.process.pidfd.get(), true));
  outcome.status = *status;
  return outcome;
}

}  // namespace skiff::test
