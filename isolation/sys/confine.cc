#include "isolation/sys/confine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "isolation/base/unique_fd.h"
#include "isolation/sys/call.h"

namespace skiff::sys {
namespace {

int Number(long value) { return static_cast<int>(value); }

Result<> Prctl(const char* what, int option, unsigned long a = 0, unsigned long b = 0) {
  return CallVoid("prctl", what, [&] { return prctl(option, a, b, 0UL, 0UL); });
}

constexpr uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kWrite = kRead | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                            LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                            LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                            LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                            LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
// The first version handles these thirteen; later versions restrict more (truncation, ioctl), which
// nothing here relies on. Linking and renaming across directories (REFER) is denied unless a
// ruleset handles and grants it, from the second version on.
constexpr uint64_t kHandled = kWrite | LANDLOCK_ACCESS_FS_EXECUTE;

Result<> AddRule(int ruleset, int directory, uint64_t access) {
  landlock_path_beneath_attr rule{.allowed_access = access, .parent_fd = directory};
  return CallVoid("landlock_add_rule", "", [&] {
    return Number(syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0));
  });
}

}  // namespace

Result<> SetNoNewPrivileges() { return Prctl("PR_SET_NO_NEW_PRIVS", PR_SET_NO_NEW_PRIVS, 1); }

Result<> DieWithParent() { return Prctl("PR_SET_PDEATHSIG", PR_SET_PDEATHSIG, SIGKILL); }

Result<> KeepCapabilities(uint64_t mask) {
  for (unsigned long number = 0; number < 64; ++number) {
    int is_bound = prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    if (is_bound < 0) break;  // beyond the last one this kernel knows
    if (is_bound == 1 && (mask >> number & 1) == 0) {
      TRY(Prctl("PR_CAPBSET_DROP", PR_CAPBSET_DROP, number));
    }
  }
  TRY(Prctl("PR_CAP_AMBIENT", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL));
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> sets{};
  TRY(CallVoid("capget", "", [&] { return Number(syscall(SYS_capget, &header, sets.data())); }));
  for (size_t half = 0; half < sets.size(); ++half) {
    // What is not held cannot be kept.
    uint32_t kept = sets[half].permitted & static_cast<uint32_t>(mask >> (32 * half));
    sets[half] = {.effective = kept, .permitted = kept, .inheritable = 0};
  }
  return CallVoid("capset", "", [&] { return Number(syscall(SYS_capset, &header, sets.data())); });
}

Result<> LoadSeccompFilter(std::string_view program) {
  sock_fprog filter{};
  filter.len = static_cast<unsigned short>(program.size() / sizeof(sock_filter));
  // The kernel only reads it.
  filter.filter = reinterpret_cast<sock_filter*>(const_cast<char*>(program.data()));
  return CallVoid("seccomp", "", [&] {
    return Number(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
  });
}

Result<> EnterOwnMountNamespace() {
  TRY(CallVoid("unshare", "CLONE_NEWNS", [] { return unshare(CLONE_NEWNS); }));
  return CallVoid("mount", "/ as private",
                  [] { return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr); });
}

Result<> PivotInto(int mount_fd) {
  TRY(CallVoid("fchdir", "", [&] { return fchdir(mount_fd); }));
  // Both on one directory: the old root ends up on top and is taken off (pivot_root(2), NOTES).
  TRY(CallVoid("pivot_root", "", [] { return Number(syscall(SYS_pivot_root, ".", ".")); }));
  TRY(CallVoid("umount", "the old root", [] { return umount2(".", MNT_DETACH); }));
  return CallVoid("chdir", "/", [] { return chdir("/"); });
}

Result<bool> RestrictFiles(const std::vector<int>& writable, const std::vector<int>& readable) {
  landlock_ruleset_attr attributes{.handled_access_fs = kHandled};
  int version =
      Number(syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
  if (version < 0) return false;
  uint64_t refer = version >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
  attributes.handled_access_fs |= refer;
  int made = TRY(Call("landlock_create_ruleset", "", [&] {
    return Number(syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0));
  }));
  UniqueFd ruleset(made);
  for (int directory : writable) TRY(AddRule(ruleset.get(), directory, kWrite | refer));
  for (int directory : readable) TRY(AddRule(ruleset.get(), directory, kRead));
  TRY(CallVoid("landlock_restrict_self", "",
               [&] { return Number(syscall(SYS_landlock_restrict_self, ruleset.get(), 0)); }));
  return true;
}

namespace {

// The members after the first are newer than our headers.
struct Ruleset {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};
constexpr uint64_t kScopeAbstractSockets = 1;
constexpr uint64_t kScopeSignals = 2;
constexpr int kVersionWithRefer = 2;
constexpr int kVersionWithScopes = 6;

}  // namespace

Result<UniqueFd> MakeContainerRuleset(int root) {
  int version =
      Number(syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
  if (version < kVersionWithRefer) {
    return Error(Code::kUnavailable, version < 0 ? "this kernel has no Landlock, or it is off"
                                                 : "this kernel's Landlock is older than 5.19's");
  }
  bool has_scopes = version >= kVersionWithScopes;
  Ruleset attributes{};
  attributes.handled_access_fs =
      LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_REFER;
  if (has_scopes) attributes.scoped = kScopeAbstractSockets | kScopeSignals;
  size_t size = has_scopes ? sizeof(attributes) : sizeof(attributes.handled_access_fs);
  int made = TRY(Call("landlock_create_ruleset", "", [&] {
    return Number(syscall(SYS_landlock_create_ruleset, &attributes, size, 0));
  }));
  UniqueFd ruleset(made);
  TRY(AddRule(ruleset.get(), root, LANDLOCK_ACCESS_FS_REFER));
  return ruleset;
}

}  // namespace skiff::sys
