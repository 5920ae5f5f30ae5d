// What broke out of other OCI runtimes, tried on the built skiff-oci: each test names the hole.
// What is the launch's alone is in confinement_test.cc.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "isolation/oci/state.h"
#include "tests/kernel/isolation/oci_container.h"

namespace skiff::isolation::oci {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using skiff::test::TempDir;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

json MountOf(const std::string& target, const std::string& type, const std::string& source = "") {
  json mount = {{"destination", target}, {"type", type}, {"source", source}};
  if (type == "bind") mount["options"] = {"bind"};
  return mount;
}

// Emulated, a start takes fifty times as long: the machine's lane asks for less of them.
int Rounds(int count) {
  const char* stride = getenv("SKIFF_TEST_STRIDE");
  return count / (stride == nullptr ? 1 : static_cast<int>(ParseUint(stride, 10).value_or(1)));
}

class OciAttackTest : public OciRunTest {
 protected:
  void SetUp() override {
    OciRunTest::SetUp();
    if (IsSkipped()) return;
    fs::copy_file(SKIFF_PROBE, Root() + "/bin/probe");
    config_["root"]["readonly"] = false;
  }
  const std::string& Root() const { return busybox_->layer(); }
  void End() { EXPECT_EQ(Command({"delete", "--force", id_}).code, 0); }
};

// Exchanges two names as fast as it can, as a neighbour does who shares the volume.
class Swapper {
 public:
  Swapper(std::string one, std::string other)
      : thread_([this, one = std::move(one), other = std::move(other)] {
          while (!is_over_) {
            renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
            ++swaps_;
          }
        }) {}
  ~Swapper() {
    is_over_ = true;
    thread_.join();
  }
  int swaps() const { return swaps_; }

 private:
  std::atomic<bool> is_over_ = false;
  std::atomic<int> swaps_ = 0;
  std::thread thread_;
};

// CVE-2016-9962: while it joins, exec's process is a copy of the runtime in the container's sight.
TEST_F(OciAttackTest, NobodyLooksIntoAnExec) {
  sys::Pipe output = sys::MakePipe().value();
  config_["process"]["args"] = {"/bin/busybox", "sh", "-c", "/bin/probe pry"};
  sys::Process prying = Start({}, output.write_end.get());
  output.write_end.Reset();
  char ready[6];
  ASSERT_EQ(sys::Read(output.read_end.get(), ready, sizeof(ready)).value(), sizeof(ready));
  // Its first words may come before the runtime has noted that it runs.
  while (Command({"state", id_}).output.find("running") == std::string::npos) {
  }
  for (int i = 0; i < Rounds(150); ++i) {
    EXPECT_EQ(Command({"exec", id_, "/bin/busybox", "true"}).code, 0);
  }
  EXPECT_EQ(Command({"exec", id_, "/bin/busybox", "killall", "probe"}).output, "");
  EXPECT_EQ(sys::ReadAll(output.read_end.get(), "output").value(), "met many\n");
  sys::WaitPidfd(prying.pidfd.get(), true).value();
}

// CVE-2019-5736, by exec: the program asked for is the runtime itself, and others write to it.
TEST_F(OciAttackTest, TheProgramCannotBeWrittenDuringAnExec) {
  std::string marks = bundle_.path() + "/marks";
  fs::create_directory(marks);
  config_["mounts"].push_back(MountOf("/marks", "bind", marks));
  sys::WriteFile(AT_FDCWD, Root() + "/bin/script", "#!/proc/self/exe features\n", 0755).value();
  Begin(
      "true; while :; do for p in /proc/[0-9]*; do case $(busybox readlink $p/exe) in *busybox) ;;"
      " ?*) : > /marks/met; (: >> $p/exe) 2> /dev/null && : > /marks/written;; esac;"
      " done; done");
  for (int i = 0; i < 200 && !sys::Exists(AT_FDCWD, marks + "/met"); ++i) {
    EXPECT_THAT(Command({"exec", id_, "/proc/self/exe", "features"}).output,
                HasSubstr("ociVersionMax"));
    EXPECT_THAT(Command({"exec", id_, "/bin/script"}).output,
                HasSubstr("not expected: /bin/script"));
  }
  EXPECT_TRUE(sys::Exists(AT_FDCWD, marks + "/met")) << "no exec was seen: the test shows nothing";
  EXPECT_FALSE(sys::Exists(AT_FDCWD, marks + "/written"));
  End();
}

// CVE-2021-30465: the target of a mount below a shared volume is swapped for a link.
TEST_F(OciAttackTest, LinkSwappedUnderAMountLeadsNowhereOutside) {
  TempDir volume;
  TempDir canary;
  fs::create_directories(volume.path() + "/spot/inner");
  fs::create_directory_symlink(canary.path(), volume.path() + "/link");
  config_["mounts"].push_back(MountOf("/vol", "bind", volume.path()));
  config_["mounts"].push_back(MountOf("/vol/spot/inner", "tmpfs"));
  config_["mounts"].push_back(MountOf("/vol/spot/file", "bind", "/etc/hostname"));
  Swapper neighbour(volume.path() + "/spot", volume.path() + "/link");
  int started = 0;
  for (int i = 0; i < Rounds(60); ++i) {
    started += Script("true").code == 0;
    ASSERT_THAT(sys::ListDirectory(AT_FDCWD, canary.path()).value(), IsEmpty()) << i;
  }
  EXPECT_GT(started, 0);
  EXPECT_GT(neighbour.swaps(), 0);
}

// CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: a link where /proc or /sys belongs.
TEST_F(OciAttackTest, LinkInPlaceOfProcOrSysIsRefused) {
  for (const char* name : {"proc", "sys"}) {
    fs::remove(Root() + "/" + name);
    fs::create_directory_symlink("tmp", Root() + "/" + name);
    Finished finished = Script("true");
    EXPECT_EQ(finished.code, 1);
    EXPECT_THAT(finished.output,
                HasSubstr(std::string("mount /") + name + ": the image has a link in its place"));
    fs::remove(Root() + "/" + name);
    fs::create_directory(Root() + "/" + name);
  }
}

// The race behind CVE-2019-19921, CVE-2025-31133 and CVE-2025-52881: another container of the same
// root takes /proc away after the mount and before the masks.
TEST_F(OciAttackTest, ProcThatIsMovedAwayIsProtectedNevertheless) {
  fs::create_directory(Root() + "/spare");
  const std::string attempt =
      "/bin/probe write /proc/sysrq-trigger /spare/sysrq-trigger /proc/sys/kernel/core_pattern "
      "/spare/sys/kernel/core_pattern";
  Swapper neighbour(Root() + "/proc", Root() + "/spare");
  int started = 0;
  for (int i = 0; i < Rounds(60); ++i) {
    Finished finished = Script(attempt);
    started += finished.code == 0;
    ASSERT_THAT(finished.output, Not(HasSubstr(" ok"))) << i;
  }
  EXPECT_GT(started, 0);
}

// CVE-2024-45310 and CVE-2026-41579: links in the image where mounts and nodes are made.
TEST_F(OciAttackTest, LinksInTheImageMakeNothingOnTheHost) {
  TempDir canary;
  config_["mounts"].push_back(MountOf("/run/secrets/deep", "tmpfs"));
  config_["mounts"].push_back(MountOf("/etc/resolv.conf", "bind", "/etc/hostname"));
  config_["mounts"].push_back(MountOf("/dev/pts", "devpts"));
  for (const std::string& target :
       {canary.path(), "../../../../../../.." + canary.path(), "/proc/self/root" + canary.path()}) {
    for (const char* name : {"dev", "etc", "run"}) {
      fs::remove_all(Root() + "/" + name);
      fs::create_directory_symlink(target, Root() + "/" + name);
    }
    Script("true");
    EXPECT_THAT(sys::ListDirectory(AT_FDCWD, canary.path()).value(), IsEmpty()) << target;
  }
}

// CVE-2025-31133: what masks a file is the image's /dev/null.
TEST_F(OciAttackTest, MaskIsTheNullDeviceOrThereIsNoStart) {
  json mounts = json::array();  // no /dev in front of the image's
  for (const json& mount : config_["mounts"]) {
    if (std::string(mount["destination"]).rfind("/dev", 0) != 0) mounts.push_back(mount);
  }
  config_["mounts"] = mounts;
  fs::remove_all(Root() + "/dev");
  fs::create_directory(Root() + "/dev");
  fs::create_symlink("/proc/sysrq-trigger", Root() + "/dev/null");
  EXPECT_NE(Script("echo started").output, "started\n");
  fs::remove(Root() + "/dev/null");
  sys::WriteFile(AT_FDCWD, Root() + "/dev/null", "", 0666).value();
  EXPECT_NE(Script("echo started").output, "started\n");
}

// CVE-2025-52881: what is written for a sysctl goes to another file of the kernel's, here one that
// does no harm.
TEST_F(OciAttackTest, SysctlIsWrittenToItsOwnFileWhateverCoversIt) {
  TempDir volume;
  fs::create_symlink("/proc/sys/kernel/domainname", volume.path() + "/ip_forward");
  config_["mounts"].push_back(MountOf("/proc/sys/net/ipv4", "bind", volume.path()));
  config_["linux"]["sysctl"] = {{"net.ipv4.ip_forward", "1"}};
  std::string domain = sys::ReadFile(AT_FDCWD, "/proc/sys/kernel/domainname").value();
  Finished finished = Script("busybox cat /proc/sys/kernel/domainname");
  EXPECT_EQ(finished.output, domain);
}

// CVE-2024-21626: every descriptor the runtime may have left, as working directory.
TEST_F(OciAttackTest, NoWorkingDirectoryIsReachedThroughADescriptor) {
  Begin("sleep 1000");
  for (int fd = 3; fd < 3 + Rounds(30); ++fd) {
    std::string directory = "/proc/self/fd/" + std::to_string(fd);
    Finished finished = Command({"exec", "--cwd", directory, id_, "/bin/busybox", "pwd"});
    EXPECT_NE(finished.code, 0) << directory << finished.output;
  }
  End();
  for (int fd = 3; fd < 32; fd += 4) {
    config_["process"]["cwd"] = "/proc/self/fd/" + std::to_string(fd);
    EXPECT_NE(Script("busybox pwd").code, 0) << fd;
  }
}

// CVE-2025-23266: a hook is a program of the host's and takes no environment from the image.
TEST_F(OciAttackTest, HooksHaveNothingOfTheContainersEnvironment) {
  std::string seen = bundle_.path() + "/seen";
  config_["process"]["env"] = {"PATH=/bin", "LD_PRELOAD=/evil.so", "GCONV_PATH=/evil"};
  json hook = {{{"path", "/bin/sh"}, {"args", {"sh", "-c", "env >> " + seen}}}};
  config_["hooks"] = {{"prestart", hook},
                      {"createRuntime", hook},
                      {"poststart", hook},
                      {"createContainer", hook},
                      {"poststop", hook}};
  EXPECT_EQ(Script("echo $LD_PRELOAD").output, "/evil.so\n");
  EXPECT_THAT(sys::ReadFile(AT_FDCWD, seen).value(), Not(HasSubstr("evil")));
}

// A number in the state may be another process's by now.
TEST_F(OciAttackTest, RecycledNumberIsNotSignalled) {
  Begin("sleep 1000");
  sys::SpawnSpec spec;
  spec.path = "/bin/busybox";
  spec.arguments = {"busybox", "sleep", "1000"};
  UniqueFd null = sys::Open(AT_FDCWD, "/dev/null", O_RDWR).value();
  spec.fds = {null.get(), null.get(), null.get()};
  std::string path = bundle_.path() + "/state/" + id_ + "/status";
  json status = json::parse(sys::ReadFile(AT_FDCWD, path).value());
  // Told apart by the time of their start, in ticks of a hundredth of a second.
  sys::Process other = sys::Spawn(spec).value();
  while (ProcessStart(other.pid).value() == ProcessStart(status["pid"]).value()) {
    sys::SignalPidfd(other.pidfd.get(), SIGKILL).value();
    sys::WaitPidfd(other.pidfd.get(), true).value();
    other = sys::Spawn(spec).value();
  }
  json original = status;
  status["pid"] = other.pid;
  sys::WriteFile(AT_FDCWD, path, status.dump()).value();
  EXPECT_THAT(Command({"kill", id_, "KILL"}).output, HasSubstr("is stopped"));
  EXPECT_NE(Command({"exec", id_, "/bin/busybox", "true"}).code, 0);
  EXPECT_FALSE(sys::PollReadable(other.pidfd.get(), std::chrono::milliseconds(0)).value());
  sys::WriteFile(AT_FDCWD, path, original.dump()).value();
  End();
  EXPECT_FALSE(sys::PollReadable(other.pidfd.get(), std::chrono::milliseconds(0)).value());
  sys::SignalPidfd(other.pidfd.get(), SIGKILL).value();
  sys::WaitPidfd(other.pidfd.get(), true).value();
}

// A process of that very number, clone(2)'s set_tid; 0 when it is taken.
pid_t CloneAs(pid_t number, int* pidfd) {
  clone_args arguments{};
  arguments.flags = CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<uintptr_t>(pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.set_tid = reinterpret_cast<uintptr_t>(&number);
  arguments.set_tid_size = 1;
  long made = syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (made == 0) {
    for (;;) pause();
  }
  return made > 0 ? static_cast<pid_t>(made) : 0;
}

// The same with the number really taken by another process once the container's is gone.
TEST_F(OciAttackTest, WhoHasTheNumberOfAnEndedContainerIsLeftAlone) {
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
  Begin("sleep 1000");
  pid_t number = json::parse(Command({"state", id_}).output)["pid"];
  uint64_t start = ProcessStart(number).value();
  EXPECT_EQ(Command({"kill", id_, "KILL"}).code, 0);
  ASSERT_EQ(waitpid(number, nullptr, 0), number);
  UniqueFd other;
  for (bool is_told_apart = false; !is_told_apart;) {
    int pidfd = -1;
    ASSERT_EQ(CloneAs(number, &pidfd), number) << strerror(errno);
    other.Reset(pidfd);
    is_told_apart = ProcessStart(number).value() != start;
    if (is_told_apart) break;
    sys::SignalPidfd(pidfd, SIGKILL).value();
    sys::WaitPidfd(pidfd, true).value();
  }
  EXPECT_EQ(Command({"kill", id_, "KILL"}).code, 1);
  EXPECT_EQ(Command({"kill", "--all", id_, "KILL"}).code, 0);
  EXPECT_NE(Command({"exec", id_, "/bin/busybox", "true"}).code, 0);
  EXPECT_EQ(json::parse(Command({"state", id_}).output)["status"], "stopped");
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
  EXPECT_FALSE(sys::PollReadable(other.get(), std::chrono::milliseconds(0)).value());
  sys::SignalPidfd(other.get(), SIGKILL).value();
  sys::WaitPidfd(other.get(), true).value();
  prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

}  // namespace
}  // namespace skiff::isolation::oci
