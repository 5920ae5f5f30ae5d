#include "isolation/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>

#include "tests/support/capability.h"
#include "tests/support/temp_dir.h"

namespace skiff::isolation {
namespace {

constexpr const char* kAllowed[] = {
    "read",       "write",   "close",          "openat",   "open",         "fstat",
    "newfstatat", "mkdirat", "mkdir",          "unlinkat", "fchownat",     "getdents64",
    "brk",        "mmap",    "munmap",         "exit",     "exit_group",   "rt_sigprocmask",
    "prlimit64",  "getpid",  "gettid",         "tgkill",   "rt_sigaction", "faccessat",
    "faccessat2", "access",  "mknodat",        "fcntl",    "futex",        "mprotect",
    "madvise",    "rseq",    "set_robust_list"};

class SandboxTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(test::MissingRoot());
    spec_.writable = temp_.path() + "/writable";
    spec_.readable = {temp_.path() + "/lower"};
    spec_.memory = Bytes::MiB(64);
    spec_.allowed = kAllowed;
    std::filesystem::create_directory(spec_.writable);
    std::filesystem::create_directory(spec_.readable[0]);
    std::ofstream(spec_.readable[0] + "/file") << "beneath";
    std::ofstream(temp_.path() + "/canary") << "outside";
  }

  // What `probe` answers inside; 99 when the sandbox cannot be entered.
  int Inside(const std::function<int()>& probe) {
    pid_t child = fork();
    if (child == 0) {
      Result<> entered = EnterSandbox(spec_);
      if (!entered.ok()) {
        dprintf(STDERR_FILENO, "%s\n", entered.error().message().c_str());
        _exit(99);
      }
      _exit(probe());
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  static int ErrnoOf(int result) { return result >= 0 ? 0 : errno; }

  test::TempDir temp_;
  SandboxSpec spec_;
};

TEST_F(SandboxTest, OnlyTheGivenDirectoriesAreThere) {
  EXPECT_EQ(Inside([] { return ErrnoOf(open("/etc/passwd", O_RDONLY)); }), ENOENT);
  EXPECT_EQ(Inside([] { return ErrnoOf(open("/writable/../../canary", O_RDONLY)); }), ENOENT);
  EXPECT_EQ(Inside([] { return ErrnoOf(open("/readable/0/file", O_RDONLY)); }), 0);
  EXPECT_EQ(Inside([] { return ErrnoOf(open("/proc/1/status", O_RDONLY)); }), ENOENT);
  EXPECT_EQ(Inside([] { return ErrnoOf(mkdir("/writable/made", 0700)); }), 0);
  EXPECT_TRUE(std::filesystem::exists(spec_.writable + "/made"));
}

TEST_F(SandboxTest, ThreadsAreForWhoAsksForThemAndProcessesForNobody) {
  auto start_thread = [] {
    pthread_t thread;
    int error = pthread_create(
        &thread, nullptr, [](void*) -> void* { return nullptr; }, nullptr);
    return error == 0 ? pthread_join(thread, nullptr) : error;
  };
  auto start_process = [] {
    pid_t child = fork();
    if (child == 0) _exit(0);
    return ErrnoOf(child);
  };
  EXPECT_NE(Inside(start_thread), 0);
  EXPECT_EQ(Inside(start_process), ENOSYS);
  spec_.threads = true;
  EXPECT_EQ(Inside(start_thread), 0);
  EXPECT_EQ(Inside(start_process), ENOSYS);
}

TEST_F(SandboxTest, WhatIsReadableCannotBeChanged) {
  int error = Inside([] { return ErrnoOf(open("/readable/0/file", O_WRONLY)); });
  EXPECT_TRUE(error == EROFS || error == EACCES) << error;
  error = Inside([] { return ErrnoOf(mkdir("/readable/0/made", 0700)); });
  EXPECT_TRUE(error == EROFS || error == EACCES) << error;
  error = Inside([] { return ErrnoOf(fchownat(AT_FDCWD, "/readable/0/file", 1, 1, 0)); });
  EXPECT_TRUE(error == EROFS || error == EPERM) << error;
}

TEST_F(SandboxTest, OtherCallsDoNotExist) {
  EXPECT_EQ(Inside([] { return ErrnoOf(socket(AF_UNIX, SOCK_STREAM, 0)); }), ENOSYS);
  EXPECT_EQ(Inside([] { return ErrnoOf(execl("/writable/x", "x", nullptr)); }), ENOSYS);
  EXPECT_EQ(Inside([] { return ErrnoOf(chroot("/writable")); }), ENOSYS);
}

TEST_F(SandboxTest, OnlyTheNamedCapabilitiesAreLeft) {
  EXPECT_EQ(Inside([] { return ErrnoOf(mknod("/writable/null", S_IFCHR, makedev(1, 3))); }), EPERM);
  spec_.capabilities = CapabilityMask{1} << *CapabilityByName("MKNOD");
  EXPECT_EQ(Inside([] { return ErrnoOf(mknod("/writable/null", S_IFCHR, makedev(1, 3))); }), 0);
  // Made, but not to be used.
  EXPECT_EQ(Inside([] { return ErrnoOf(open("/writable/null", O_RDONLY)); }), EACCES);
  EXPECT_EQ(Inside([] { return ErrnoOf(fchownat(AT_FDCWD, "/writable", 1, 1, 0)); }), EPERM);
}

TEST_F(SandboxTest, MemoryHasAnEnd) {
  EXPECT_EQ(Inside([] {
              void* memory = sbrk(256 << 20);
              return memory == reinterpret_cast<void*>(-1) ? errno : 0;
            }),
            ENOMEM);
}

}  // namespace
}  // namespace skiff::isolation
