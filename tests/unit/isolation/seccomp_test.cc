#include "isolation/seccomp.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "isolation/seccomp_profile.h"
#include "isolation/sys/file.h"
#include "tests/support/temp_dir.h"

namespace skiff::isolation {
namespace {

constexpr uint32_t kArchitectures[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64};
constexpr int kAllowed = 0;

// What the kernel would do with a call: the filter's program, carried out. 0 is allowed, otherwise
// the errno; -1 an action that the profile never takes.
int Verdict(const SeccompProgram& program, const seccomp_data& call) {
  uint32_t a = 0;
  for (size_t at = 0; at < program.size(); ++at) {
    const SeccompInstruction& step = program[at];
    bool is_true = false;
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        memcpy(&a, reinterpret_cast<const char*>(&call) + step.k, sizeof(a));
        continue;
      case BPF_ALU | BPF_AND | BPF_K:
        a &= step.k;
        continue;
      case BPF_JMP | BPF_JA:
        at += step.k;
        continue;
      case BPF_JMP | BPF_JEQ | BPF_K:
        is_true = a == step.k;
        break;
      case BPF_JMP | BPF_JGT | BPF_K:
        is_true = a > step.k;
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        is_true = a >= step.k;
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        is_true = (a & step.k) != 0;
        break;
      case BPF_RET | BPF_K:
        if (step.k == SECCOMP_RET_ALLOW) return kAllowed;
        if ((step.k & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO) return -1;
        return static_cast<int>(step.k & SECCOMP_RET_DATA);
      default:
        return -1;
    }
    at += is_true ? step.jump_true : step.jump_false;
  }
  return -1;
}

// Asks the default profile of one architecture.
class Profile {
 public:
  explicit Profile(uint32_t architecture, bool allow_ptrace = false)
      : architecture_(architecture),
        program_(CompileDefaultSeccomp({.allow_ptrace = allow_ptrace, .architecture = architecture})
                     .value()) {}
  int Ask(const char* name, uint64_t first = 0, uint64_t second = 0, uint64_t third = 0) const {
    int number = seccomp_syscall_resolve_name_arch(architecture_, name);
    EXPECT_GE(number, 0) << name;
    return AskNumber(architecture_, number, {first, second, third});
  }
  int AskNumber(uint32_t architecture, int number,
                std::initializer_list<uint64_t> args = {}) const {
    seccomp_data call{};
    call.nr = number;
    call.arch = architecture;
    std::copy(args.begin(), args.end(), call.args);
    return Verdict(program_, call);
  }
  bool Has(const char* name) const {
    return seccomp_syscall_resolve_name_arch(architecture_, name) >= 0;
  }

 private:
  uint32_t architecture_;
  SeccompProgram program_;
};

TEST(SeccompTest, DefaultProfileAllowsAtMost340Calls) {
  for (uint32_t architecture : kArchitectures) {
    size_t most = DefaultSeccompAllowedCount({.allow_ptrace = true, .architecture = architecture});
    size_t least = DefaultSeccompAllowedCount({.architecture = architecture});
    EXPECT_LE(most, 340U);
    EXPECT_GE(least, 200U);
    EXPECT_EQ(most - least, 6U);
    RecordProperty("allowed-" + std::to_string(architecture), static_cast<int>(least));
  }
}

// What the tables say and what the program does, for every number there could be.
TEST(SeccompTest, ProgramAllowsExactlyWhatTheTablesName) {
  for (uint32_t architecture : kArchitectures) {
    Profile profile(architecture);
    std::set<int> allowed;
    std::set<int> denied;
    auto add = [&](std::set<int>& to, std::span<const SeccompGroup> groups) {
      for (const SeccompGroup& group : groups) {
        for (const char* call : group.calls) {
          to.insert(seccomp_syscall_resolve_name_arch(architecture, call));
        }
      }
    };
    add(allowed, AllowedSeccompGroups());
    add(denied, DeniedSeccompGroups());
    add(denied, DebuggingSeccompGroups());
    std::set<int> conditional;
    for (const char* call : {"clone", "socket", "socketpair", "personality"}) {
      conditional.insert(seccomp_syscall_resolve_name_arch(architecture, call));
    }
    for (int number = 0; number < 2048; ++number) {
      if (conditional.contains(number)) continue;
      int expected = allowed.contains(number) ? kAllowed : denied.contains(number) ? EPERM : ENOSYS;
      EXPECT_EQ(profile.AskNumber(architecture, number), expected) << architecture << " " << number;
    }
  }
}

TEST(SeccompTest, WhatEscapesBeganWithIsRefused) {
  for (uint32_t architecture : kArchitectures) {
    Profile profile(architecture);
    for (const char* call : {"io_uring_setup",
                             "io_uring_enter",
                             "io_uring_register",
                             "userfaultfd",
                             "bpf",
                             "perf_event_open",
                             "add_key",
                             "request_key",
                             "keyctl",
                             "mount",
                             "umount2",
                             "pivot_root",
                             "fsopen",
                             "fsconfig",
                             "fsmount",
                             "fspick",
                             "open_tree",
                             "move_mount",
                             "mount_setattr",
                             "unshare",
                             "setns",
                             "ptrace",
                             "process_vm_readv",
                             "process_vm_writev",
                             "kcmp",
                             "open_by_handle_at",
                             "init_module",
                             "finit_module",
                             "delete_module",
                             "kexec_load",
                             "reboot",
                             "swapon",
                             "swapoff",
                             "syslog",
                             "acct",
                             "quotactl",
                             "settimeofday",
                             "clock_settime",
                             "sethostname",
                             "setdomainname",
                             "fanotify_init"}) {
      EXPECT_EQ(profile.Ask(call), EPERM) << call;
    }
    EXPECT_EQ(profile.Ask("clone3"), ENOSYS) << "libc must fall back to clone";
  }
}

TEST(SeccompTest, CloneMayNotMakeNamespaces) {
  for (uint32_t architecture : kArchitectures) {
    Profile profile(architecture);
    constexpr uint64_t kThread = 0x3d0f00;  // what pthread_create(3) asks for
    EXPECT_EQ(profile.Ask("clone", kThread), kAllowed);
    EXPECT_EQ(profile.Ask("clone", 17), kAllowed);  // as fork(2): SIGCHLD
    for (uint64_t flag : {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER,
                          CLONE_NEWPID, CLONE_NEWNET}) {
      EXPECT_EQ(profile.Ask("clone", flag), EPERM) << flag;
      EXPECT_EQ(profile.Ask("clone", flag | kThread), EPERM) << flag;
      EXPECT_EQ(profile.Ask("clone", flag | CLONE_NEWUSER | (uint64_t{1} << 40)), EPERM) << flag;
    }
  }
}

TEST(SeccompTest, SocketsOfFourFamiliesAndThreeNetlinkProtocolsMayBeMade) {
  for (uint32_t architecture : kArchitectures) {
    Profile profile(architecture);
    for (uint64_t family = 0; family < 64; ++family) {
      bool is_allowed =
          family == AF_UNIX || family == AF_INET || family == AF_INET6 || family == AF_NETLINK;
      EXPECT_EQ(profile.Ask("socket", family, 1), is_allowed ? kAllowed : EAFNOSUPPORT) << family;
      EXPECT_EQ(profile.Ask("socketpair", family), family == AF_UNIX ? kAllowed : EAFNOSUPPORT);
      // The kernel looks at the low half only: what is above must not pass as something else.
      EXPECT_EQ(profile.Ask("socket", family | (uint64_t{1} << 32), 1), EAFNOSUPPORT) << family;
    }
    for (uint64_t protocol = 0; protocol < 64; ++protocol) {
      bool is_allowed = protocol == NETLINK_ROUTE || protocol == NETLINK_SOCK_DIAG ||
                        protocol == NETLINK_KOBJECT_UEVENT;
      EXPECT_EQ(profile.Ask("socket", AF_NETLINK, 3, protocol),
                is_allowed ? kAllowed : EPROTONOSUPPORT)
          << protocol;
      EXPECT_EQ(profile.Ask("socket", AF_NETLINK, 3, protocol | (uint64_t{1} << 32)),
                EPROTONOSUPPORT);
      EXPECT_EQ(profile.Ask("socket", AF_INET, 1, protocol), kAllowed);
    }
  }
}

TEST(SeccompTest, ForeignArchitecturesAreRefused) {
  Profile native(AUDIT_ARCH_X86_64);
  for (int number = 0; number < 500; ++number) {
    EXPECT_EQ(native.AskNumber(AUDIT_ARCH_I386, number), ENOSYS);
    EXPECT_EQ(native.AskNumber(AUDIT_ARCH_AARCH64, number), ENOSYS);
    constexpr int kX32 = 0x40000000;
    EXPECT_EQ(native.AskNumber(AUDIT_ARCH_X86_64, kX32 | number), ENOSYS);
  }
  EXPECT_EQ(Profile(AUDIT_ARCH_AARCH64).AskNumber(AUDIT_ARCH_ARM, 4), ENOSYS);
}

TEST(SeccompTest, DebuggingNeedsItsOption) {
  Profile profile(AUDIT_ARCH_X86_64, true);
  for (const char* call : {"ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd",
                           "process_madvise"}) {
    EXPECT_EQ(profile.Ask(call), kAllowed) << call;
  }
  EXPECT_EQ(profile.Ask("bpf"), EPERM);
}

TEST(SeccompTest, NoCallStandsTwiceInTheTables) {
  std::set<std::string> seen;
  for (auto groups : {AllowedSeccompGroups(), DeniedSeccompGroups(), DebuggingSeccompGroups()}) {
    for (const SeccompGroup& group : groups) {
      EXPECT_FALSE(group.reason.empty());
      for (const char* call : group.calls) EXPECT_TRUE(seen.insert(call).second) << call;
    }
  }
}

TEST(SeccompTest, CacheGivesTheSameProgramAndSurvivesDamage) {
  skiff::test::TempDir directory;
  SeccompProgram compiled = CompileDefaultSeccomp({}).value();
  for (int round = 0; round < 2; ++round) {
    SeccompProgram loaded = LoadDefaultSeccomp({}, directory.path()).value();
    ASSERT_EQ(loaded.size(), compiled.size());
    EXPECT_EQ(memcmp(loaded.data(), compiled.data(), loaded.size() * sizeof(SeccompInstruction)),
              0);
  }
  std::string name = sys::ListDirectory(AT_FDCWD, directory.path()).value().at(0);
  sys::WriteFile(AT_FDCWD, directory.path() + "/" + name, "odd").value();
  EXPECT_EQ(LoadDefaultSeccomp({}, directory.path()).value().size(), compiled.size());
}

}  // namespace
}  // namespace skiff::isolation
