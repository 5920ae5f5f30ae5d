#include "isolation/seccomp.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "isolation/base/log.h"
#include "isolation/seccomp_filter.h"
#include "isolation/seccomp_profile.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"

namespace skiff::isolation {
namespace {

// Adds one rule; names this architecture has not are skipped.
Result<> AddRule(scmp_filter_ctx filter, uint32_t action, const char* call,
                 const std::vector<scmp_arg_cmp>& conditions = {}) {
  int number = seccomp_syscall_resolve_name(call);
  if (number < 0) return {};
  return CheckSeccomp(
      seccomp_rule_add_array(filter, action, number, static_cast<unsigned>(conditions.size()),
                             conditions.empty() ? nullptr : conditions.data()),
      call);
}

Result<> AddGroups(scmp_filter_ctx filter, uint32_t action, std::span<const SeccompGroup> groups) {
  for (const SeccompGroup& group : groups) {
    for (const char* call : group.calls) TRY(AddRule(filter, action, call));
  }
  return {};
}

constexpr uint64_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr std::array kSocketFamilies = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
// PER_LINUX, PER_LINUX32, UNAME26 with both, and the query.
constexpr std::array<uint64_t, 5> kPersonalities = {0x0, 0x8, 0x20000, 0x20008, 0xffffffff};

// Allowed only with certain arguments; other arguments meet the EPERM rule below or the default.
Result<> AddConditions(scmp_filter_ctx filter, const DefaultSeccompOptions& options) {
  // The flags are the first argument everywhere but on s390.
  TRY(AddRule(filter, SCMP_ACT_ALLOW, "clone",
              {SCMP_A0_64(SCMP_CMP_MASKED_EQ, kNamespaceFlags, 0)}));
  for (int family : kSocketFamilies) {
    TRY(AddRule(filter, SCMP_ACT_ALLOW, "socket",
                {SCMP_A0_64(SCMP_CMP_EQ, static_cast<uint64_t>(family))}));
  }
  for (uint64_t personality : kPersonalities) {
    TRY(AddRule(filter, SCMP_ACT_ALLOW, "personality", {SCMP_A0_64(SCMP_CMP_EQ, personality)}));
  }
  return AddRule(filter, options.allow_ptrace ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM), "ptrace");
}

Result<SeccompFilter> BuildFilter(const DefaultSeccompOptions& options) {
  // ENOSYS also for clone3, whose flags a filter cannot see: libc falls back to clone.
  SeccompFilter filter(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
  if (!filter) return Error(Code::kExhausted, "seccomp: no memory for a filter");
  TRY(CheckSeccomp(seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)),
                   "foreign architectures"));
  // Level 2 is a binary tree: a quarter of the load time of the linear program.
  TRY(CheckSeccomp(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimisation"));
  TRY(AddGroups(filter.get(), SCMP_ACT_ALLOW, AllowedSeccompGroups()));
  TRY(AddGroups(filter.get(), SCMP_ACT_ERRNO(EPERM), DeniedSeccompGroups()));
  TRY(AddConditions(filter.get(), options));
  return filter;
}

std::string CacheName(const DefaultSeccompOptions& options) {
  const scmp_version* library = seccomp_version();
  return "seccomp-default-v" + std::to_string(kSeccompProfileVersion) + "-" +
         std::to_string(seccomp_arch_native()) + "-" + std::to_string(library->major) + "." +
         std::to_string(library->minor) + "." + std::to_string(library->micro) +
         (options.allow_ptrace ? "-ptrace" : "");
}

}  // namespace

Result<SeccompProgram> CompileDefaultSeccomp(const DefaultSeccompOptions& options) {
  SeccompFilter filter = TRY(BuildFilter(options));
  return ExportSeccomp(filter.get());
}

Result<SeccompProgram> LoadDefaultSeccomp(const DefaultSeccompOptions& options,
                                          const std::string& cache_directory) {
  std::string path = cache_directory + "/" + CacheName(options);
  Result<std::string> cached = sys::ReadFile(AT_FDCWD, path);
  if (cached.ok()) {
    Result<SeccompProgram> program = SeccompProgramFromBytes(cached.value());
    if (program.ok()) return program;
  }
  SeccompProgram program = TRY(CompileDefaultSeccomp(options));
  auto store = [&]() -> Result<> {
    TRY(sys::MakeDirectories(cache_directory, 0700));
    return sys::StoreFile(AT_FDCWD, path, BytesOfSeccompProgram(program));
  };
  // A cache that cannot be written costs time, not correctness.
  Result<> stored = store().Context("keep the compiled seccomp filter");
  if (!stored.ok()) Log(LogLevel::kWarning, stored.error().message());
  return program;
}

size_t DefaultSeccompAllowedCount(const DefaultSeccompOptions& options) {
  size_t count = options.allow_ptrace ? 1 : 0;
  for (const SeccompGroup& group : AllowedSeccompGroups()) {
    for (const char* call : group.calls) count += seccomp_syscall_resolve_name(call) >= 0;
  }
  for (const char* call : {"clone", "socket", "personality"})
    count += seccomp_syscall_resolve_name(call) >= 0;
  return count;
}

}  // namespace skiff::isolation
