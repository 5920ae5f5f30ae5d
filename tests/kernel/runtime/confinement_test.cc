// What of a task's confinement only its supervisor can show.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "isolation/oci/seccomp.h"
#include "isolation/seccomp_trace.h"
#include "isolation/sys/file.h"
#include "runtime/supervisor/cleanup.h"
#include "runtime/supervisor/id_blocks.h"
#include "tests/support/capability.h"
#include "tests/support/supervised_task.h"
#include "tools/skiff/syscall_profile.h"

namespace skiff::runtime {
namespace {

using skiff::test::Installation;
using testing::Contains;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

class TaskConfinementTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(skiff::test::MissingRoot());
    SKIFF_REQUIRE(skiff::test::MissingBusybox());
    installation_ = std::make_unique<Installation>();
  }
  std::unique_ptr<Installation> installation_;
};

// CVE-2019-5736: a container's process is our program until its exec, and /proc/PID/exe leads to
// its file. Kept as a path while it runs, it could be opened for writing once nothing runs it.
TEST_F(TaskConfinementTest, OurProgramCannotBeWrittenThroughProc) {
  TaskPlan plan = installation_->Plan({"trap 'exit 0' TERM; sleep 60 & wait"}, NetworkMode::kNone);
  sys::Process supervisor = installation_->Start(plan).value();
  ASSERT_TRUE(installation_->WaitFor(
      plan, supervisor, [](const Task& task) { return task.last_status == TaskStatus::kRunning; }));
  UniqueFd path =
      sys::Open(AT_FDCWD, "/proc/" + std::to_string(supervisor.pid) + "/exe", O_PATH).value();
  sys::SignalPidfd(supervisor.pidfd.get(), SIGTERM).value();
  sys::WaitPidfd(supervisor.pidfd.get(), true).value();
  Result<UniqueFd> program =
      sys::Open(AT_FDCWD, "/proc/self/fd/" + std::to_string(path.get()), O_WRONLY);
  ASSERT_FALSE(program.ok());
  EXPECT_EQ(program.error().sys_errno(), EROFS) << program.error().message();
}

// CVE-2019-5736, the other way in: the image asks for our program itself.
TEST_F(TaskConfinementTest, ImageThatExecutesOurProgramGetsNothingWritable) {
  std::string script = installation_->busybox().layer() + "/bin/script";
  sys::WriteFile(AT_FDCWD, script, "#!/proc/self/exe\n", 0755).value();
  for (const char* program : {"/proc/self/exe", "/bin/script"}) {
    TaskPlan plan = installation_->Plan({"true"}, NetworkMode::kNone);
    plan.containers[0].arguments = {program};
    Task task = installation_->Run(plan);
    EXPECT_NE(task.containers.at(0).exit_code, 0) << program;
    EXPECT_TRUE(skiff::test::RemainsOf(plan.roots, plan.id).empty());
  }
}

// CVE-2025-23266: a host's program that gets an image's LD_PRELOAD loads the image's library.
TEST_F(TaskConfinementTest, EnvironmentOfTheImageStaysInTheContainer) {
  TaskPlan plan = installation_->Plan({"echo $LD_PRELOAD; trap 'exit 0' TERM; sleep 60 & wait"},
                                      NetworkMode::kNone);
  plan.containers[0].environment.push_back("LD_PRELOAD=/evil.so");
  sys::Process supervisor = installation_->Start(plan).value();
  ASSERT_TRUE(installation_->WaitFor(
      plan, supervisor, [](const Task& task) { return task.last_status == TaskStatus::kRunning; }));
  std::string own =
      sys::ReadFile(AT_FDCWD, "/proc/" + std::to_string(supervisor.pid) + "/environ").value();
  EXPECT_THAT(own, Not(HasSubstr("evil")));
  sys::SignalPidfd(supervisor.pidfd.get(), SIGTERM).value();
  sys::WaitPidfd(supervisor.pidfd.get(), true).value();
  EXPECT_EQ(skiff::test::LogBytes(plan, "c0"), "/evil.so\n");
}

// CVE-2020-15257: an abstract socket of the runtime is in reach of containers in the host's
// network.
TEST_F(TaskConfinementTest, NoAbstractSocketOfOursIsInTheHostsNetwork) {
  TaskPlan plan = installation_->Plan({"cat /proc/net/unix"}, NetworkMode::kHost);
  installation_->Run(plan);
  std::string sockets = skiff::test::LogBytes(plan, "c0");
  EXPECT_THAT(sockets, HasSubstr("Path"));
  EXPECT_THAT(sockets, Not(HasSubstr("@skiff")));
  EXPECT_THAT(sockets, Not(HasSubstr("@" + plan.roots.run)));
}

// What --isolation opens and closes, as the kernel tells it.
TEST_F(TaskConfinementTest, LayersAreSwitchedOneByOne) {
  TaskPlan plan = installation_->Plan({"grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status; "
                                       "(echo x > /proc/sys/kernel/domainname)"
                                       " 2> /dev/null && echo written"},
                                      NetworkMode::kNone);
  installation_->Run(plan);
  EXPECT_EQ(skiff::test::LogBytes(plan, "c0"),
            "CapEff:\t00000000800405fb\nNoNewPrivs:\t1\nSeccomp:\t2\n");
  TaskPlan open = installation_->Plan(
      {"grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status; wc -l < /proc/interrupts"},
      NetworkMode::kNone);
  open.containers[0].capabilities = 1;
  open.containers[0].confinement.no_new_privileges = false;
  open.containers[0].confinement.seccomp = SeccompChoice::kNone;
  open.containers[0].confinement.mask_paths = false;
  installation_->Run(open);
  std::string log = skiff::test::LogBytes(open, "c0");
  EXPECT_THAT(log, HasSubstr("CapEff:\t0000000000000001\nNoNewPrivs:\t0\nSeccomp:\t0\n"));
  EXPECT_THAT(log, Not(HasSubstr("\n0\n")));
}

// pidMode task: one pid namespace, whose init is not one of the containers.
TEST_F(TaskConfinementTest, ContainersOfATaskMayShareTheirProcesses) {
  TaskPlan plan = installation_->Plan(
      {"trap 'exit 0' TERM; sleep 60 & wait",
       "exec 2>&1; until ls -l /proc/*/exe 2> /dev/null | grep -q busybox; do :; done;"
       " ps -o pid,args | grep -c 'trap [^ ]*exit 0'; readlink /proc/1/exe; readlink /proc/1/root;"
       " ls /proc/1/fd /proc/1/map_files; cat /proc/1/environ; kill -9 1;"
       " grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/1/status;"
       " (sleep 0.01 & ); (sleep 60 &) ; echo $$ | grep -vc '^1$'"},
      NetworkMode::kNone);
  plan.share_pids = true;
  plan.containers[0].essential = false;
  Task task = installation_->Run(plan);
  std::string log = skiff::test::LogBytes(plan, "c1");
  EXPECT_THAT(log, testing::StartsWith("1\n")) << task.stopped_reason;
  EXPECT_THAT(log, HasSubstr("open '/proc/1/fd': Permission denied"));
  EXPECT_THAT(log, HasSubstr("open '/proc/1/map_files': Permission denied"));
  EXPECT_THAT(log, HasSubstr("open '/proc/1/environ': Permission denied"));
  EXPECT_THAT(log, HasSubstr("CapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n1\n"));
  EXPECT_THAT(log, Not(HasSubstr("skiff")));
  EXPECT_THAT(skiff::test::RemainsOf(plan.roots, plan.id), testing::IsEmpty());
}

TEST_F(TaskConfinementTest, SharedProcessesEndWithTheirSupervisor) {
  TaskPlan plan = installation_->Plan({"sleep 60"}, NetworkMode::kNone);
  plan.share_pids = true;
  sys::Process supervisor = installation_->Start(plan).value();
  ASSERT_TRUE(installation_->WaitFor(
      plan, supervisor, [](const Task& task) { return task.last_status == TaskStatus::kRunning; }));
  std::string number = std::to_string(supervisor.pid);
  std::string children =
      sys::ReadFile(AT_FDCWD, "/proc/" + number + "/task/" + number + "/children").value();
  std::vector<UniqueFd> processes;
  std::istringstream words(children);
  for (pid_t pid; words >> pid;) processes.push_back(sys::OpenPidfd(pid).value());
  EXPECT_EQ(processes.size(), 2U) << children;  // the init and the container
  sys::SignalPidfd(supervisor.pidfd.get(), SIGKILL).value();
  sys::WaitPidfd(supervisor.pidfd.get(), true).value();
  for (const UniqueFd& process : processes) {
    EXPECT_TRUE(sys::PollReadable(process.get(), std::chrono::seconds(60)).value());
  }
  EXPECT_TRUE(RecoverDeadTask(plan).ok());
  EXPECT_THAT(skiff::test::RemainsOf(plan.roots, plan.id), testing::IsEmpty());
}

// Landlock alone, with the capabilities and system calls for it: no device, no mount, no way
// around.
TEST_F(TaskConfinementTest, LandlockHoldsWhenAllElseIsOpen) {
  for (bool is_on : {false, true}) {
    TaskPlan plan = installation_->Plan(
        {"mknod /tmp/null c 1 3 && echo node; mount -t tmpfs x /tmp && echo mount;"
         " mkdir /a /b && touch /a/f && mv /a/f /b/f && ln /b/f /a/g && echo moved; true"},
        NetworkMode::kNone);
    ReleaseIdBlock(plan.roots, plan.id, plan.user_namespace.first_id).value();
    plan.user_namespace = {};
    for (const char* name : {"SYS_ADMIN", "MKNOD"}) {
      plan.containers[0].capabilities |= isolation::CapabilityMask{1}
                                         << *isolation::CapabilityByName(name);
    }
    plan.containers[0].confinement.seccomp = SeccompChoice::kNone;
    plan.containers[0].confinement.no_new_privileges = false;
    plan.containers[0].confinement.landlock = is_on;
    Task task = installation_->Run(plan);
    std::string log = skiff::test::LogBytes(plan, "c0");
    if (is_on && task.stopped_reason.find("Landlock") != std::string::npos) {
      GTEST_SKIP() << "missing capability: " << task.stopped_reason;
    }
    EXPECT_EQ(log.find("node\n") == 0, !is_on) << log;
    EXPECT_EQ(log.find("\nmount\n") != std::string::npos, !is_on) << log;
    EXPECT_THAT(log, HasSubstr("moved\n"));
  }
}

// What a task was seen to call is enough for it the next time, and nothing else is.
TEST_F(TaskConfinementTest, TracedCallsMakeAProfileThatHolds) {
  const std::string work = "echo one; ls / > /dev/null; (echo two); mkdir /made && echo three";
  TaskPlan traced = installation_->Plan({work}, NetworkMode::kNone);
  traced.containers[0].confinement.trace_syscalls = true;
  installation_->Run(traced);
  EXPECT_EQ(skiff::test::LogBytes(traced, "c0"), "one\ntwo\nthree\n");
  std::string path = traced.roots.TracedCallsDirectory(traced.id) + "/c0";
  isolation::TracedCalls calls =
      isolation::DecodeTracedCalls(sys::ReadFile(AT_FDCWD, path).value()).value();
  EXPECT_THAT(calls.names, IsSupersetOf({"execve", "mkdir", "getdents64", "exit_group", "write"}));
  // Those of the set-up before the program are not the program's.
  for (const char* call : {"mount", "pivot_root", "move_mount", "capset", "sethostname", "rmdir"}) {
    EXPECT_THAT(calls.names, Not(Contains(call)));
  }

  auto run = [&](const isolation::TracedCalls& allowed, const std::string& script) {
    std::string profile = tools::EncodeSyscallProfile(allowed);
    TaskPlan plan = installation_->Plan({script}, NetworkMode::kNone);
    plan.containers[0].confinement.seccomp = SeccompChoice::kProfile;
    plan.containers[0].confinement.seccomp_program =
        isolation::oci::CompileSeccomp(isolation::oci::ParseSeccompProfile(profile).value())
            .value();
    installation_->Run(plan);
    return skiff::test::LogBytes(plan, "c0");
  };
  EXPECT_EQ(run(calls, work), "one\ntwo\nthree\n");
  EXPECT_THAT(run(calls, "rmdir /tmp"), HasSubstr("Function not implemented"));
  calls.names.erase("mkdir");
  EXPECT_THAT(run(calls, work), HasSubstr("one\ntwo\nmkdir: can't create directory '/made': Fun"));
}

}  // namespace
}  // namespace skiff::runtime
