#include "isolation/launch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "isolation/base/scope_exit.h"
#include "isolation/sys/file.h"
#include "isolation/sys/mount.h"
#include "tests/support/busybox_root.h"
#include "tests/support/capability.h"

namespace skiff::isolation {
namespace {

using skiff::test::BusyboxRoot;
using skiff::test::Outcome;
using skiff::test::RunToEnd;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class LaunchTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(skiff::test::MissingRoot());
    SKIFF_REQUIRE(skiff::test::MissingBusybox());
    busybox_ = std::make_unique<BusyboxRoot>();
    root_ = busybox_->MountRoot().value();
    static const SeccompProgram kProgram = CompileDefaultSeccomp({}).value();
    spec_ = busybox_->Script("true", root_.get());
    spec_.seccomp = &kProgram;
  }
  Outcome Run(const std::string& script) {
    spec_.arguments.back() = script;
    Result<Outcome> outcome = RunToEnd(spec_, nullptr);
    EXPECT_TRUE(outcome.ok()) << outcome.error().message();
    return outcome.ok() ? outcome.value() : Outcome{};
  }

  std::unique_ptr<BusyboxRoot> busybox_;
  UniqueFd root_;
  ContainerSpec spec_;
};

TEST_F(LaunchTest, ExitCodeAndOutputComeBack) {
  Outcome outcome = Run("echo hello; exit 7");
  EXPECT_EQ(outcome.status.ShellCode(), 7);
  EXPECT_EQ(outcome.output, "hello\n");
}

TEST_F(LaunchTest, ProcessIsFirstInItsOwnPidNamespace) {
  // A glob of the shell itself: a pipe would race with its own second process.
  EXPECT_EQ(Run("echo $$; cd /proc; echo [0-9]*").output, "1\n1\n");
}

TEST_F(LaunchTest, HostTreeIsOutOfReach) {
  Outcome outcome = Run("ls /; cat /proc/self/mountinfo | grep -c ' / / '");
  EXPECT_THAT(outcome.output, Not(HasSubstr("usr")));
}

TEST_F(LaunchTest, HostNameIsItsOwn) {
  spec_.hostname = "ip-10-0-0-1";
  EXPECT_EQ(Run("hostname").output, "ip-10-0-0-1\n");
}

TEST_F(LaunchTest, RootHoldsElevenCapabilitiesAndInheritsNone) {
  Outcome outcome = Run("grep Cap /proc/self/status");
  EXPECT_THAT(outcome.output, HasSubstr("CapInh:\t0000000000000000"));
  EXPECT_THAT(outcome.output, HasSubstr("CapAmb:\t0000000000000000"));
  EXPECT_THAT(outcome.output, HasSubstr("CapEff:\t00000000800405fb"));
  EXPECT_THAT(outcome.output, HasSubstr("CapBnd:\t00000000800405fb"));
}

TEST_F(LaunchTest, AnotherUserHoldsNoCapability) {
  spec_.user = ResolveUserIn(root_.get(), "web").value();
  spec_.capabilities = SetsForUser(DefaultCapabilities(), false);
  Outcome outcome = Run("id; grep CapEff /proc/self/status");
  EXPECT_THAT(outcome.output, HasSubstr("uid=33(web) gid=33(web) groups=44(logs)"));
  EXPECT_THAT(outcome.output, HasSubstr("CapEff:\t0000000000000000"));
}

TEST_F(LaunchTest, NoNewPrivilegesAndSeccompAreOn) {
  Outcome outcome = Run("grep -E 'NoNewPrivs|Seccomp:' /proc/self/status");
  EXPECT_THAT(outcome.output, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(outcome.output, HasSubstr("Seccomp:\t2"));
}

TEST_F(LaunchTest, MountAndUnshareAreNotPermitted) {
  Outcome outcome = Run("mount -t tmpfs none /tmp; unshare -m true; echo end");
  EXPECT_THAT(outcome.output, HasSubstr("Operation not permitted"));
  EXPECT_THAT(outcome.output, HasSubstr("end"));
}

TEST_F(LaunchTest, OnlyStandardStreamsAreOpen) {
  EXPECT_EQ(Run("ls /proc/1/fd; true").output, "0\n1\n2\n");
}

TEST_F(LaunchTest, MaskedPathsAreEmptyAndKernelSettingsReadOnly) {
  // Not every kernel has every one of them; what is there must be covered.
  Outcome outcome =
      Run("for file in kcore keys timer_list interrupts; do [ ! -e /proc/$file ] || wc -c < "
          "/proc/$file; done | sort -u;"
          "ls /sys/firmware | wc -l;"
          "for file in sys/kernel/core_pattern sysrq-trigger irq/x; do"
          "  (echo 0 > /proc/$file) 2> /dev/null && echo wrote $file; done;"
          "touch /sys/fs/cgroup/x; ls /dev | tr '\\n' ' '");
  EXPECT_THAT(outcome.output, HasSubstr("0\n0\n"));
  EXPECT_THAT(outcome.output, Not(HasSubstr("wrote")));
  EXPECT_THAT(outcome.output, HasSubstr("/sys/fs/cgroup/x: Read-only file system"));
  EXPECT_THAT(
      outcome.output,
      HasSubstr("fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero"));
}

TEST_F(LaunchTest, ReadOnlyRootRefusesWritesButNotInTmpfs) {
  spec_.is_root_readonly = true;
  Outcome outcome = Run("touch /x; touch /dev/shm/y && echo fine");
  EXPECT_THAT(outcome.output, HasSubstr("/x: Read-only file system"));
  EXPECT_THAT(outcome.output, HasSubstr("fine"));
}

TEST_F(LaunchTest, WorkingDirectoryIsMadeWhenAbsent) {
  spec_.working_directory = "/srv/app/data";
  EXPECT_EQ(Run("pwd").output, "/srv/app/data\n");
}

TEST_F(LaunchTest, WorkingDirectoryThroughADescriptorIsRefused) {
  // CVE-2024-21626: a descriptor of a host directory as the way out.
  for (int fd = 3; fd < 40; ++fd) {
    root_ = busybox_->MountRoot().value();
    spec_.root_mount = root_.get();
    spec_.working_directory = "/proc/self/fd/" + std::to_string(fd);
    spec_.arguments.back() = "ls ../../../../../etc/debian_version";
    Result<Outcome> outcome = RunToEnd(spec_, nullptr);
    EXPECT_TRUE(!outcome.ok() || outcome.value().status.exit_code != 0) << fd;
  }
}

TEST_F(LaunchTest, BindAppearsWhereAskedAndCannotBeWritten) {
  skiff::test::TempDir host;
  sys::WriteFile(AT_FDCWD, host.path() + "/hosts", "10.0.0.1 me\n", 0644).value();
  MountSpec bind;
  bind.kind = MountSpec::Kind::kBind;
  bind.source = host.path() + "/hosts";
  bind.target = "/etc/hosts";
  bind.attributes = 1;  // MOUNT_ATTR_RDONLY
  spec_.mounts.push_back(bind);
  Outcome outcome = Run("cat /etc/hosts; echo x > /etc/hosts");
  EXPECT_THAT(outcome.output, HasSubstr("10.0.0.1 me\n"));
  EXPECT_THAT(outcome.output, HasSubstr("Read-only file system"));
}

// CVE-2024-45310 and its like: a directory of the image is a link that leads out of the root.
TEST_F(LaunchTest, LinksInTheImageDoNotLeadMountsOutside) {
  skiff::test::TempDir host;
  sys::WriteFile(AT_FDCWD, host.path() + "/hosts", "inside\n", 0644).value();
  MountSpec bind;
  bind.kind = MountSpec::Kind::kBind;
  bind.source = host.path() + "/hosts";
  bind.target = "/link/hosts";
  spec_.mounts.push_back(bind);
  skiff::test::TempDir canary;
  for (const std::string& target : {canary.path(), "../../../../../.." + canary.path()}) {
    sys::RemoveTree(AT_FDCWD, busybox_->layer() + "/link").value();
    sys::Symlink(target, AT_FDCWD, busybox_->layer() + "/link").value();
    root_ = busybox_->MountRoot().value();
    spec_.root_mount = root_.get();
    Result<Outcome> outcome = RunToEnd(spec_, nullptr);
    ASSERT_FALSE(outcome.ok());
    EXPECT_EQ(outcome.error().message(), "mount /link/hosts: file exists");
    EXPECT_THAT(sys::ListDirectory(AT_FDCWD, canary.path()).value(), ElementsAre());
  }
  // The same link, with its target inside the image: followed there.
  sys::MakeDirectories(busybox_->layer() + canary.path(), 0755).value();
  root_ = busybox_->MountRoot().value();
  spec_.root_mount = root_.get();
  EXPECT_EQ(Run("cat /link/hosts").output, "inside\n");
  EXPECT_THAT(sys::ListDirectory(AT_FDCWD, canary.path()).value(), ElementsAre());
}

// A clone of a shared mount is its peer: mounts made on it would appear on the host, and stay.
TEST_F(LaunchTest, NothingMountedInsideAppearsOnASharedHost) {
  UniqueFd own = sys::OpenOwnNamespace("mnt").value();
  UniqueFd directory = sys::OpenDirectory(AT_FDCWD, ".").value();
  ASSERT_EQ(unshare(CLONE_NEWNS), 0);
  ScopeExit go_back([&] {
    sys::EnterNamespaceOrAbort(own.get(), CLONE_NEWNS);
    if (fchdir(directory.get()) != 0) abort();
  });
  ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr), 0);
  sys::MakeDirectories(busybox_->layer() + "/data/inner", 0755).value();
  root_ = sys::CloneMount(AT_FDCWD, busybox_->layer(), true).value();
  spec_.root_mount = root_.get();
  MountSpec bind;
  bind.kind = MountSpec::Kind::kBind;
  bind.source = busybox_->layer() + "/data";
  bind.target = "/data";
  MountSpec inner;
  inner.type = "tmpfs";
  inner.target = "/data/inner";
  spec_.mounts.insert(spec_.mounts.end(), {bind, inner});
  std::string before = sys::ReadFile(AT_FDCWD, "/proc/self/mountinfo").value();
  EXPECT_EQ(Run("grep -c /data/inner /proc/self/mountinfo").output, "1\n");
  EXPECT_EQ(sys::ReadFile(AT_FDCWD, "/proc/self/mountinfo").value(), before);
}

// A root that is a plain directory keeps its nodes from run to run.
TEST_F(LaunchTest, NodesThatAreThereAlreadyAreFineIfTheyAreTheSame) {
  std::erase_if(spec_.mounts, [](const MountSpec& m) { return m.target.rfind("/dev", 0) == 0; });
  for (int round = 0; round < 2; ++round) {
    root_ = sys::CloneMount(AT_FDCWD, busybox_->layer(), true).value();
    // The directory for temporary files is a nodev mount on many hosts.
    sys::SetMountAttributes(root_.get(), 0, MOUNT_ATTR_NODEV, true).value();
    spec_.root_mount = root_.get();
    EXPECT_EQ(Run("echo fine > /dev/null; echo $?").output, "0\n");
  }
  sys::Unlink(AT_FDCWD, busybox_->layer() + "/dev/null").value();
  sys::WriteFile(AT_FDCWD, busybox_->layer() + "/dev/null", "").value();
  root_ = sys::CloneMount(AT_FDCWD, busybox_->layer(), true).value();
  spec_.root_mount = root_.get();
  Result<Outcome> outcome = RunToEnd(spec_, nullptr);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().message(), "make devices /dev/null: file exists");
}

TEST_F(LaunchTest, MissingProgramIsExitCode127WithItsName) {
  spec_.arguments = {"nonesuch"};
  LaunchFailure failure;
  Result<Outcome> outcome = RunToEnd(spec_, nullptr, &failure);
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().message(), "exec nonesuch: executable file not found in $PATH");
  EXPECT_EQ(failure.ExitCode(), 127);
}

TEST_F(LaunchTest, FileWithoutRunBitIsExitCode126) {
  spec_.arguments = {"/etc/passwd"};
  LaunchFailure failure;
  Result<Outcome> outcome = RunToEnd(spec_, nullptr, &failure);
  EXPECT_EQ(outcome.error().message(), "exec /etc/passwd: permission denied");
  EXPECT_EQ(failure.ExitCode(), 126);
}

TEST_F(LaunchTest, LimitsAreSet) {
  spec_.rlimits = {{RLIMIT_NOFILE, 128, 256}, {RLIMIT_CORE, 0, 0}};
  EXPECT_EQ(Run("ulimit -Sn; ulimit -Hn; ulimit -c").output, "128\n256\n0\n");
}

TEST_F(LaunchTest, StepTimesAddUp) {
  UniqueFd null = sys::Open(AT_FDCWD, "/dev/null", O_RDWR).value();
  for (int& fd : spec_.standard_fds) fd = null.get();
  Launched launched = Launch(spec_, nullptr, nullptr).value();
  sys::WaitPidfd(launched.process.pidfd.get(), true).value();
  int64_t sum = 0;
  for (int64_t nanoseconds : launched.step_nanoseconds) sum += nanoseconds;
  EXPECT_GT(launched.step_nanoseconds[static_cast<size_t>(LaunchStep::kMounts)], 0);
  EXPECT_GT(sum, 0);
}

}  // namespace
}  // namespace skiff::isolation
