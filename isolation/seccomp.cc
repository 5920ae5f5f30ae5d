#include "isolation/seccomp.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "isolation/base/log.h"
#include "isolation/seccomp_filter.h"
#include "isolation/seccomp_profile.h"
#include "isolation/sys/file.h"
#include "isolation/sys/process.h"

namespace skiff::isolation {
namespace {

using Conditions = std::vector<scmp_arg_cmp>;

// A filter in the making, for one architecture.
class DefaultFilter {
 public:
  explicit DefaultFilter(const DefaultSeccompOptions& options)
      : options_(options),
        architecture_(options.architecture != 0 ? options.architecture : seccomp_arch_native()) {}

  Result<SeccompFilter> Build();

 private:
  // Names the architecture has not are skipped.
  Result<> Add(uint32_t action, const char* call, const Conditions& conditions = {});
  Result<> AddGroups(uint32_t action, std::span<const SeccompGroup> groups);
  Result<> AddClone();
  Result<> AddSockets();
  Result<> AddPersonalities();
  Result<> DenyOthers(int error_number, const Conditions& fixed, unsigned argument,
                      std::span<const SeccompValue> allowed);

  DefaultSeccompOptions options_;
  uint32_t architecture_;
  SeccompFilter filter_;
};

scmp_arg_cmp Compare(unsigned argument, scmp_compare how, uint64_t value, uint64_t masked = 0) {
  return {.arg = argument, .op = how, .datum_a = value, .datum_b = masked};
}

Conditions With(Conditions conditions, const scmp_arg_cmp& one) {
  conditions.push_back(one);
  return conditions;
}

Result<> DefaultFilter::Add(uint32_t action, const char* call, const Conditions& conditions) {
  if (seccomp_syscall_resolve_name_arch(architecture_, call) < 0) return {};
  return CheckSeccomp(
      seccomp_rule_add_array(filter_.get(), action, seccomp_syscall_resolve_name(call),
                             static_cast<unsigned>(conditions.size()),
                             conditions.empty() ? nullptr : conditions.data()),
      call);
}

Result<> DefaultFilter::AddGroups(uint32_t action, std::span<const SeccompGroup> groups) {
  for (const SeccompGroup& group : groups) {
    for (const char* call : group.calls) TRY(Add(action, call));
  }
  return {};
}

// The flags are the first argument everywhere but on s390.
Result<> DefaultFilter::AddClone() {
  uint64_t denied = 0;
  for (const SeccompValue& flag : DeniedCloneFlags()) {
    denied |= flag.value;
    TRY(Add(SCMP_ACT_ERRNO(EPERM), "clone",
            {Compare(0, SCMP_CMP_MASKED_EQ, flag.value, flag.value)}));
  }
  return Add(SCMP_ACT_ALLOW, "clone", {Compare(0, SCMP_CMP_MASKED_EQ, denied, 0)});
}

// Every value that is not in `allowed`: those between one by one, those above all at once. The
// comparison is over 64 bits, so a value with high bits that the kernel would cut off is above.
Result<> DefaultFilter::DenyOthers(int error_number, const Conditions& fixed, unsigned argument,
                                   std::span<const SeccompValue> allowed) {
  uint64_t next = 0;
  for (const SeccompValue& each : allowed) {  // ascending
    for (; next < each.value; ++next) {
      TRY(Add(SCMP_ACT_ERRNO(error_number), "socket",
              With(fixed, Compare(argument, SCMP_CMP_EQ, next))));
    }
    next = each.value + 1;
  }
  return Add(SCMP_ACT_ERRNO(error_number), "socket",
             With(fixed, Compare(argument, SCMP_CMP_GE, next)));
}

Result<> DefaultFilter::AddSockets() {
  for (const SeccompValue& family : AllowedSocketFamilies()) {
    if (family.value == AF_NETLINK) continue;
    TRY(Add(SCMP_ACT_ALLOW, "socket", {Compare(0, SCMP_CMP_EQ, family.value)}));
  }
  TRY(DenyOthers(EAFNOSUPPORT, {}, 0, AllowedSocketFamilies()));
  Conditions netlink = {Compare(0, SCMP_CMP_EQ, AF_NETLINK)};
  for (const SeccompValue& protocol : AllowedNetlinkProtocols()) {
    TRY(Add(SCMP_ACT_ALLOW, "socket", With(netlink, Compare(2, SCMP_CMP_EQ, protocol.value))));
  }
  TRY(DenyOthers(EPROTONOSUPPORT, netlink, 2, AllowedNetlinkProtocols()));
  // Asking for a pair makes a socket of the family first, whether it can make pairs or not.
  TRY(Add(SCMP_ACT_ALLOW, "socketpair", {Compare(0, SCMP_CMP_EQ, AF_UNIX)}));
  return Add(SCMP_ACT_ERRNO(EAFNOSUPPORT), "socketpair", {Compare(0, SCMP_CMP_NE, AF_UNIX)});
}

Result<> DefaultFilter::AddPersonalities() {
  for (const SeccompValue& each : AllowedPersonalities()) {
    TRY(Add(SCMP_ACT_ALLOW, "personality", {Compare(0, SCMP_CMP_EQ, each.value)}));
  }
  return {};
}

Result<SeccompFilter> DefaultFilter::Build() {
  filter_.reset(seccomp_init(SCMP_ACT_ERRNO(ENOSYS)));
  if (!filter_) return Error(Code::kExhausted, "seccomp: no memory for a filter");
  if (architecture_ != seccomp_arch_native()) {
    TRY(CheckSeccomp(seccomp_arch_add(filter_.get(), architecture_), "architecture"));
    TRY(CheckSeccomp(seccomp_arch_remove(filter_.get(), seccomp_arch_native()), "architecture"));
  }
  TRY(CheckSeccomp(seccomp_attr_set(filter_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)),
                   "foreign architectures"));
  // Level 2 is a binary tree: a quarter of the load time of the linear program.
  TRY(CheckSeccomp(seccomp_attr_set(filter_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimisation"));
  TRY(AddGroups(SCMP_ACT_ALLOW, AllowedSeccompGroups()));
  TRY(AddGroups(SCMP_ACT_ERRNO(EPERM), DeniedSeccompGroups()));
  TRY(AddGroups(options_.allow_ptrace ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM),
                DebuggingSeccompGroups()));
  TRY(AddClone());
  TRY(AddSockets());
  TRY(AddPersonalities());
  return std::move(filter_);
}

std::string CacheName(const DefaultSeccompOptions& options) {
  const scmp_version* library = seccomp_version();
  return "seccomp-default-v" + std::to_string(kSeccompProfileVersion) + "-" +
         std::to_string(options.architecture != 0 ? options.architecture : seccomp_arch_native()) +
         "-" + std::to_string(library->major) + "." + std::to_string(library->minor) + "." +
         std::to_string(library->micro) + (options.allow_ptrace ? "-ptrace" : "");
}

}  // namespace

Result<SeccompProgram> CompileDefaultSeccomp(const DefaultSeccompOptions& options) {
  SeccompFilter filter = TRY(DefaultFilter(options).Build());
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
  uint32_t architecture = options.architecture != 0 ? options.architecture : seccomp_arch_native();
  auto is_there = [&](const char* call) {
    return seccomp_syscall_resolve_name_arch(architecture, call) >= 0;
  };
  size_t count = 0;
  auto add = [&](std::span<const SeccompGroup> groups) {
    for (const SeccompGroup& group : groups) {
      count += static_cast<size_t>(std::count_if(group.calls.begin(), group.calls.end(), is_there));
    }
  };
  add(AllowedSeccompGroups());
  if (options.allow_ptrace) add(DebuggingSeccompGroups());
  for (const char* call : {"clone", "socket", "socketpair", "personality"}) count += is_there(call);
  return count;
}

}  // namespace skiff::isolation
