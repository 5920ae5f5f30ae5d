#include "isolation/sandbox.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/resource.h>

#include "isolation/seccomp_filter.h"
#include "isolation/sys/confine.h"
#include "isolation/sys/file.h"
#include "isolation/sys/mount.h"
#include "isolation/sys/process.h"

namespace skiff::isolation {
namespace {

constexpr unsigned kInert = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

Result<UniqueFd> MakeRoot() {
  sys::FilesystemContext context = TRY(sys::FilesystemContext::Open("tmpfs"));
  TRY(context.SetString("source", "skiff"));
  TRY(context.SetString("size", "64k"));
  TRY(context.SetString("mode", "0755"));
  TRY(context.Create());
  return context.Mount(kInert);
}

// Attributes are set by the path of a directory descriptor, so that this process must be able to
// name its own descriptors: /proc, but of nobody else.
Result<> AttachProc(int root) {
  TRY(sys::MakeDirectory(root, "proc", 0555));
  sys::FilesystemContext context = TRY(sys::FilesystemContext::Open("proc"));
  TRY(context.SetString("subset", "pid"));
  TRY(context.SetString("hidepid", "ptraceable"));
  TRY(context.Create());
  UniqueFd mount = TRY(context.Mount(kInert));
  return sys::AttachMount(mount.get(), root, "proc");
}

Result<> AttachDirectory(const std::string& source, int root, const std::string& name,
                         unsigned attributes) {
  UniqueFd mount = TRY(sys::CloneMount(AT_FDCWD, source, false));
  TRY(sys::SetMountAttributes(mount.get(), kInert | attributes, 0, false));
  TRY(sys::MakeDirectory(root, name, 0755));
  return sys::AttachMount(mount.get(), root, name);
}

Result<> ChangeRoot(const SandboxSpec& spec) {
  TRY(sys::EnterOwnMountNamespace());
  UniqueFd root = TRY(MakeRoot());
  // Any directory will do: nobody else sees this mount, and in a moment nothing else is there.
  TRY(sys::AttachMount(root.get(), AT_FDCWD, "/proc"));
  TRY(AttachDirectory(spec.writable, root.get(), "writable", 0));
  TRY(sys::MakeDirectory(root.get(), "readable", 0755));
  for (size_t i = 0; i < spec.readable.size(); ++i) {
    TRY(AttachDirectory(spec.readable[i], root.get(), "readable/" + std::to_string(i),
                        MOUNT_ATTR_RDONLY));
  }
  TRY(AttachProc(root.get()));
  return sys::PivotInto(root.get());
}

Result<> RestrictPaths() {
  UniqueFd writable = TRY(sys::OpenDirectory(AT_FDCWD, kSandboxWritable));
  UniqueFd readable = TRY(sys::OpenDirectory(AT_FDCWD, kSandboxReadable));
  UniqueFd proc = TRY(sys::OpenDirectory(AT_FDCWD, "/proc"));
  TRY(sys::RestrictFiles({writable.get()}, {readable.get(), proc.get()}));
  return {};
}

}  // namespace

Result<> EnterSandbox(const SandboxSpec& spec) {
  TRY(sys::DieWithParent());
  SeccompProgram program = TRY(CompileAllowList(spec.allowed, spec.threads));
  TRY(ChangeRoot(spec).Context("sandbox"));
  TRY(sys::SetLimit(RLIMIT_CORE, {0, 0}));
  TRY(sys::SetLimit(RLIMIT_DATA, {spec.memory.count(), spec.memory.count()}));
  TRY(sys::SetNoNewPrivileges());
  TRY(RestrictPaths().Context("sandbox"));
  TRY(sys::KeepCapabilities(spec.capabilities));
  return sys::LoadSeccompFilter(BytesOfSeccompProgram(program));
}

}  // namespace skiff::isolation
