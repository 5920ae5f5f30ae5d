// The default confinement against what broke out of other runtimes: each test names the hole.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/keyctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <sstream>
#include <thread>

#include "isolation/base/text.h"
#include "isolation/launch.h"
#include "isolation/sys/file.h"
#include "isolation/sys/pid_namespace.h"
#include "tests/support/busybox_root.h"
#include "tests/support/capability.h"

namespace skiff::isolation {
namespace {

using skiff::test::BusyboxRoot;
using skiff::test::Outcome;
using skiff::test::RunToEnd;
using testing::AnyOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class ConfinementTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(skiff::test::MissingRoot());
    SKIFF_REQUIRE(skiff::test::MissingBusybox());
    busybox_ = std::make_unique<BusyboxRoot>();
    std::filesystem::copy_file(SKIFF_PROBE, busybox_->layer() + "/bin/probe");
    Mount();
    static const SeccompProgram kProgram = CompileDefaultSeccomp({}).value();
    spec_ = busybox_->Script("true", root_.get());
    spec_.seccomp = &kProgram;
  }
  void Mount() {
    root_ = busybox_->MountRoot().value();
    spec_.root_mount = root_.get();
  }
  std::string Run(const std::vector<std::string>& arguments) {
    Mount();
    spec_.arguments = arguments;
    Result<Outcome> outcome = RunToEnd(spec_, nullptr);
    if (!outcome.ok()) return "not started: " + outcome.error().message();
    EXPECT_EQ(outcome.value().status.ShellCode(), 0) << outcome.value().output;
    return outcome.value().output;
  }
  std::string Shell(const std::string& script) { return Run({"/bin/busybox", "sh", "-c", script}); }
  // What the kernel answered to each attempt.
  std::map<std::string, std::string> Probe(const std::string& what) {
    std::istringstream output(Run({"/bin/probe", what}));
    std::map<std::string, std::string> answers;
    for (std::string name, answer; output >> name >> answer;) answers[name] = answer;
    EXPECT_FALSE(answers.empty());
    return answers;
  }

  std::unique_ptr<BusyboxRoot> busybox_;
  UniqueFd root_;
  ContainerSpec spec_;
};

// CVE-2022-0185 (fsconfig), CVE-2022-0847, CVE-2024-1086 (nf_tables behind unshare), CVE-2023-0386
// (overlayfs behind unshare), CVE-2022-29582 and CVE-2023-2598 (io_uring), CVE-2016-0728
// (keyrings), CVE-2015-3627-like open_by_handle_at: the calls that each of them begins with.
TEST_F(ConfinementTest, CallsThatEscapesBeginWithAnswerEperm) {
  std::map<std::string, std::string> answers = Probe("calls");
  const std::map<std::string, std::string> other = {
      {"clone3", "ENOSYS"}, {"unknown", "ENOSYS"}, {"getpid", "ok"}};
  EXPECT_GT(answers.size(), 40U);
  for (const auto& [call, answer] : answers) {
    auto found = other.find(call);
    EXPECT_EQ(answer, found == other.end() ? "EPERM" : found->second) << call;
  }
}

TEST_F(ConfinementTest, CloneMakesNoNamespaces) {
  for (const auto& [flag, answer] : Probe("clone")) {
    EXPECT_EQ(answer, flag == "fork" ? "ok" : "EPERM") << flag;
  }
}

// CVE-2020-14386 (AF_PACKET), CVE-2021-43267 (TIPC), CVE-2019-8912 (AF_ALG), CVE-2021-26708
// (AF_VSOCK), CVE-2023-32233 (nf_tables).
TEST_F(ConfinementTest, SocketsOfRarelyUsedFamiliesAreNotThere) {
  std::map<std::string, std::string> answers = Probe("sockets");
  for (int family = 0; family < 48; ++family) {
    bool is_allowed = family == 1 || family == 2 || family == 10 || family == 16;
    const std::string& answer = answers["family-" + std::to_string(family)];
    // A host without IPv6 says so itself.
    EXPECT_EQ(answer, is_allowed && answer == "ok" ? "ok" : "EAFNOSUPPORT") << family;
  }
  EXPECT_EQ(answers["family-2"], "ok");
  for (int protocol = 0; protocol < 24; ++protocol) {
    bool is_allowed = protocol == 0 || protocol == 4 || protocol == 15;
    EXPECT_EQ(answers["netlink-" + std::to_string(protocol)], is_allowed ? "ok" : "EPROTONOSUPPORT")
        << protocol;
  }
  EXPECT_EQ(answers["raw"], "EPERM");
}

TEST_F(ConfinementTest, ForeignArchitecturesAnswerEnosys) {
  for (const auto& [name, answer] : Probe("architectures")) {
    EXPECT_EQ(answer, name == "native" ? "ok" : "ENOSYS") << name;
  }
}

// CVE-2022-29162 and CVE-2022-24769: what an execve could inherit.
TEST_F(ConfinementTest, NothingIsInheritableAndNoFileRaisesRights) {
  std::string status = Shell("grep -E 'Cap|NoNewPrivs' /proc/self/status");
  EXPECT_THAT(status, HasSubstr("CapInh:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("CapAmb:\t0000000000000000"));
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1"));
}

TEST_F(ConfinementTest, SetuidFilesRaiseRightsOnlyWithoutNoNewPrivileges) {
  std::filesystem::permissions(busybox_->layer() + "/bin/probe", std::filesystem::perms(04755));
  spec_.user = ResolveUserIn(root_.get(), "web").value();
  spec_.capabilities = SetsForUser(DefaultCapabilities(), false);
  EXPECT_EQ(Run({"/bin/probe", "ids"}), "33 33\n");
  spec_.no_new_privileges = false;
  EXPECT_EQ(Run({"/bin/probe", "ids"}), "33 0\n");
}

// CVE-2022-0492 (release_agent of cgroup v1), and helpers of the kernel that run on the host:
// core_pattern, uevent_helper, modprobe, binfmt_misc.
TEST_F(ConfinementTest, NoHelperOfTheKernelCanBeNamed) {
  std::string output =
      Run({"/bin/probe", "write", "/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/cgroup.procs",
           "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/kernel/hotplug",
           "/sys/kernel/uevent_helper", "/proc/sys/fs/binfmt_misc/register", "/proc/sysrq-trigger",
           "/sys/kernel/security/apparmor/.load"});
  for (std::string_view line : Split(TrimSpace(output), '\n')) {
    EXPECT_THAT(std::string(line.substr(line.find(' ') + 1)), AnyOf("EROFS", "ENOENT", "EACCES"))
        << line;
  }
}

// CVE-2020-8694 (powercap), CVE-2018-10892 (/proc/acpi), CVE-2019-16884-like masks: every file of
// /proc and /sys, by the container's root.
TEST_F(ConfinementTest, NothingOfProcAndSysOpensForWritingButTheContainersOwn) {
  std::string output = Run({"/bin/probe", "walk", "/proc", "/sys"});
  for (std::string_view path : Split(TrimSpace(output), '\n')) {
    // Pressure triggers wake their writer and nobody else.
    EXPECT_TRUE(path.empty() || path.starts_with("/proc/pressure/")) << path;
  }
}

// CVE-2019-19921, CVE-2023-27561 and CVE-2023-28642: the image has a link where /proc or /sys
// belongs.
TEST_F(ConfinementTest, LinkInPlaceOfProcOrSysIsRefused) {
  for (const char* name : {"proc", "sys"}) {
    std::string place = busybox_->layer() + "/" + name;
    for (const char* target : {"/tmp/x", "..", "/proc/self", "tmp"}) {
      std::filesystem::remove_all(place);
      std::filesystem::create_directory_symlink(target, place);
      EXPECT_THAT(Shell("true"), HasSubstr(std::string("not started: mount /") + name +
                                           ": the image has a link in its place"))
          << target;
    }
    std::filesystem::remove(place);
    std::filesystem::create_directory(place);
  }
}

// CVE-2025-31133 and CVE-2026-41579: the image has links where /dev and its nodes belong, and the
// host would get their files.
TEST_F(ConfinementTest, LinksInPlaceOfDevReachNothingOfTheHost) {
  skiff::test::TempDir canary;
  for (const std::string& target :
       {canary.path(), "../../../../../../../.." + canary.path(), "/proc/1/root" + canary.path(),
        "/proc/self/root" + canary.path()}) {
    for (const char* name : {"dev", "etc"}) {
      std::filesystem::remove_all(busybox_->layer() + "/" + name);
      std::filesystem::create_directory_symlink(target, busybox_->layer() + "/" + name);
    }
    Run({"/bin/probe", "ids"});
    EXPECT_THAT(sys::ListDirectory(AT_FDCWD, canary.path()).value(), IsEmpty()) << target;
  }
}

TEST_F(ConfinementTest, MaskIsTheKernelsNullDeviceWhateverTheImageHas) {
  std::filesystem::remove_all(busybox_->layer() + "/dev");
  std::filesystem::create_directory(busybox_->layer() + "/dev");
  std::filesystem::create_symlink("/proc/sysrq-trigger", busybox_->layer() + "/dev/null");
  EXPECT_EQ(Shell("cat /proc/keys /proc/timer_list 2> /dev/null | wc -c"), "0\n");
  // Without the usual /dev in front, the image's link itself would be the mask: refused.
  std::erase_if(spec_.mounts, [](const MountSpec& mount) { return mount.target == "/dev"; });
  spec_.devices.clear();
  EXPECT_THAT(Shell("true"), HasSubstr("not started: "));
}

// CVE-2016-0728 and its like: keyrings have no namespace, so what one container keeps in an
// inherited session keyring is in the next one's reach, and in the host's.
TEST_F(ConfinementTest, SessionKeyringIsItsOwn) {
  // One that is there to be inherited.
  long before = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
  if (before < 0 && errno == ENOSYS) GTEST_SKIP() << "missing capability: keys of the kernel";
  spec_.seccomp = nullptr;  // it would refuse the question
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Run({"/bin/probe", "keyring", "skiff-test"}), "ENOKEY\nadded ok\n") << round;
  }
  EXPECT_EQ(syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "skiff-test", 0),
            -1);
  EXPECT_EQ(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1), before);
}

// CVE-2024-21626: a descriptor left open leads to the host.
TEST_F(ConfinementTest, OnlyThreeDescriptorsAreInherited) {
  UniqueFd host = sys::OpenDirectory(AT_FDCWD, "/").value();
  ASSERT_EQ(fcntl(host.get(), F_SETFD, 0), 0);  // as a careless library would leave it
  EXPECT_EQ(Shell("ls /proc/1/fd; true"), "0\n1\n2\n");
}

// CVE-2016-9962: who shares a pid namespace with a container that is being started looks into the
// process before its exec, a copy of the runtime with the runtime's descriptors. The worst case: no
// user namespace between the two, and the same user and capabilities.
TEST_F(ConfinementTest, NobodyLooksIntoAContainerThatIsBeingStarted) {
  auto nothing = [](void*) { return Result<>(); };
  sys::PidNamespace pids = sys::MakePidNamespace(nothing, nullptr).value();
  sys::Pipe output = sys::MakePipe().value();
  spec_.namespaces.new_pid = false;
  spec_.namespaces.join_pid = pids.fd.get();
  Mount();
  UniqueFd null = sys::Open(AT_FDCWD, "/dev/null", O_RDONLY).value();
  ContainerSpec watcher = spec_;
  watcher.arguments = {"/bin/probe", "pry"};
  watcher.standard_fds[0] = null.get();
  watcher.standard_fds[1] = watcher.standard_fds[2] = output.write_end.get();
  Launched prying = Launch(watcher, nullptr, nullptr).value();
  output.write_end.Reset();
  char ready[6];
  ASSERT_EQ(sys::Read(output.read_end.get(), ready, sizeof(ready)).value(), sizeof(ready));
  // The window is short; started often enough, it is met.
  for (int i = 0; i < 150; ++i) Run({"/bin/probe", "ids"});
  sys::SignalPidfd(prying.process.pidfd.get(), SIGTERM).value();
  EXPECT_EQ(sys::ReadAll(output.read_end.get(), "output").value(), "met many\n");
  sys::WaitPidfd(prying.process.pidfd.get(), true).value();
  sys::SignalPidfd(pids.init.pidfd.get(), SIGKILL).value();
  sys::WaitPidfd(pids.init.pidfd.get(), true).value();
}

// CVE-2021-30465: a neighbour that shares a volume swaps a directory on the way to a mount's target
// for a link, between the look and the use.
TEST_F(ConfinementTest, LinkSwappedUnderAMountLeadsNowhereOutside) {
  skiff::test::TempDir volume;
  skiff::test::TempDir canary;
  std::filesystem::create_directories(volume.path() + "/spot/inner");
  std::filesystem::create_directory_symlink(canary.path(), volume.path() + "/link");
  std::atomic<bool> is_over = false;
  std::atomic<int> swaps = 0;
  std::thread neighbour([&] {
    std::string spot = volume.path() + "/spot";
    std::string link = volume.path() + "/link";
    while (!is_over) {
      renameat2(AT_FDCWD, spot.c_str(), AT_FDCWD, link.c_str(), RENAME_EXCHANGE);
      ++swaps;
    }
  });
  MountSpec shared;
  shared.kind = MountSpec::Kind::kBind;
  shared.source = volume.path();
  shared.target = "/vol";
  MountSpec below;
  below.type = "tmpfs";
  below.target = "/vol/spot/inner";
  MountSpec file;
  file.kind = MountSpec::Kind::kBind;
  file.source = "/etc/passwd";
  file.target = "/vol/spot/file";
  for (const MountSpec& mount : {shared, below, file}) spec_.mounts.push_back(mount);
  int started = 0;
  for (int i = 0; i < 200 && !HasFailure(); ++i) {
    Mount();
    spec_.arguments = {"/bin/busybox", "ls", canary.path()};
    Result<Outcome> outcome = RunToEnd(spec_, nullptr);
    started += outcome.ok();
    EXPECT_THAT(sys::ListDirectory(AT_FDCWD, canary.path()).value(), IsEmpty()) << i;
  }
  is_over = true;
  neighbour.join();
  EXPECT_GT(started, 0);
  EXPECT_GT(swaps, 200);
  std::string mounts = sys::ReadFile(AT_FDCWD, "/proc/self/mountinfo").value();
  EXPECT_THAT(mounts, Not(HasSubstr(canary.path())));
}

// CVE-2022-0811-like: what a crash leaves is the container's own, and the kernel's helpers for it
// are not the container's to name (NoHelperOfTheKernelCanBeNamed).
TEST_F(ConfinementTest, CrashesLeaveNothingOutside) {
  skiff::test::TempDir here;
  std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(here.path());
  std::vector<std::string> root = sys::ListDirectory(AT_FDCWD, "/").value();
  Mount();
  spec_.arguments = {"/bin/busybox", "sh", "-c",
                     "for i in $(seq 100); do /bin/probe crash; done 2> /dev/null; true"};
  Result<Outcome> outcome = RunToEnd(spec_, nullptr);
  std::filesystem::current_path(before);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message();
  EXPECT_THAT(sys::ListDirectory(AT_FDCWD, here.path()).value(), IsEmpty());
  EXPECT_EQ(sys::ListDirectory(AT_FDCWD, "/").value(), root);
}

}  // namespace
}  // namespace skiff::isolation
