// A task's user namespace: its ids, what belongs to whom on both sides, and what the root inside
// can no longer do.
#include "isolation/sys/user_namespace.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "isolation/base/text.h"
#include "isolation/erofs.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "runtime/supervisor/cleanup.h"
#include "runtime/supervisor/id_blocks.h"
#include "runtime/supervisor/task_user_namespace.h"
#include "tests/support/busybox_image.h"
#include "tests/support/capability.h"
#include "tests/support/supervised_task.h"
#include "tests/support/temp_dir.h"

namespace skiff::runtime {
namespace {

using skiff::test::Installation;
using skiff::test::LogBytes;
using testing::HasSubstr;
using testing::IsEmpty;

class UserNamespaceTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(skiff::test::MissingRoot());
    SKIFF_REQUIRE(skiff::test::MissingBusybox());
    installation_ = std::make_unique<Installation>();
    TaskPlan plan = installation_->Plan({"true"}, NetworkMode::kNone);
    Result<> checked = CheckUserNamespace(plan);
    if (!checked.ok()) GTEST_SKIP() << "missing capability: " << checked.error().message();
  }
  std::string Output(const TaskPlan& plan) {
    Task task = installation_->Run(plan);
    EXPECT_EQ(task.containers.at(0).exit_code, 0) << task.stopped_reason << LogBytes(plan, "c0");
    EXPECT_THAT(task.warnings, IsEmpty());
    return LogBytes(plan, "c0");
  }
  std::string Output(const std::string& script, NetworkMode mode = NetworkMode::kNone) {
    return Output(installation_->Plan({script}, mode));
  }

  std::unique_ptr<Installation> installation_;
};

// What the layers' file system cannot show, the task's own would: here it is EROFS.
TEST_F(UserNamespaceTest, ATaskRunsFromAnImageThatIsMounted) {
  const std::string& data = installation_->roots().data;
  SKIFF_REQUIRE(skiff::test::MissingErofs(data));
  TaskPlan plan = installation_->Plan(
      {"busybox cat /proc/self/uid_map; busybox stat -c '%u %a %n' / /bin/busybox /bin/sh;"
       " echo new > /bin/new && busybox rm /bin/sh && busybox ls /bin"},
      NetworkMode::kNone);
  plan.containers[0].layers = {
      skiff::test::ImportBusybox(data, data + "/layout", images::LayerChoice::kErofs)};
  std::string output = Output(plan);
  EXPECT_THAT(output, HasSubstr(std::to_string(plan.user_namespace.first_id)));
  EXPECT_THAT(output, HasSubstr("0 755 /\n0 755 /bin/busybox\n0 777 /bin/sh\nbusybox\nnew\n"));
}

// Least of all without a user namespace.
TEST_F(UserNamespaceTest, ATaskWhoseImageCannotBeMountedDoesNotStart) {
  const std::string& data = installation_->roots().data;
  SKIFF_REQUIRE(skiff::test::MissingErofs(data));
  TaskPlan plan = installation_->Plan({"true"}, NetworkMode::kNone);
  std::string layer =
      skiff::test::ImportBusybox(data, data + "/layout", images::LayerChoice::kErofs);
  plan.containers[0].layers = {layer};
  UniqueFd image = sys::Open(AT_FDCWD, layer + "/" + isolation::kErofsImage, O_WRONLY).value();
  ASSERT_TRUE(sys::WriteAllAt(image.get(), "none", 1024).ok());
  image.Reset();
  Task task = installation_->Run(plan);
  EXPECT_THAT(task.stopped_reason, HasSubstr("EROFS layer " + layer));
  EXPECT_THAT(task.warnings, IsEmpty());
}

TEST_F(UserNamespaceTest, IdsOfTheContainerAreTheTasksBlockOnTheHost) {
  TaskPlan plan = installation_->Plan(
      {"trap 'exit 0' TERM; cat /proc/self/uid_map /proc/self/gid_map; id; sleep 60 & wait"},
      NetworkMode::kNone);
  uint32_t first = plan.user_namespace.first_id;
  sys::Process supervisor = installation_->Start(plan).value();
  ASSERT_TRUE(installation_->WaitFor(plan, supervisor, [&](const Task& task) {
    return task.last_status == TaskStatus::kRunning &&
           LogBytes(plan, "c0").find("uid=0") != std::string::npos;
  }));
  int64_t pid = 0;
  for (const Event& event : ReadEvents(installation_->TaskDirectory(plan)).value()) {
    if (event.pid > 0) pid = event.pid;
  }
  std::string process = "/proc/" + std::to_string(pid);
  EXPECT_EQ(sys::Stat(AT_FDCWD, process).value().st_uid, first);
  std::string status = sys::ReadFile(AT_FDCWD, process + "/status").value();
  std::string id = std::to_string(first);
  EXPECT_THAT(status, HasSubstr("Uid:\t" + id + "\t" + id + "\t" + id + "\t" + id));
  EXPECT_THAT(status, HasSubstr("Gid:\t" + id + "\t" + id + "\t" + id + "\t" + id));
  // The namespaces that hold its mounts and processes are not its root's to change.
  EXPECT_NE(sys::ReadLink(AT_FDCWD, process + "/ns/user").value(),
            sys::ReadLink(AT_FDCWD, "/proc/self/ns/user").value());
  sys::SignalPidfd(supervisor.pidfd.get(), SIGTERM).value();
  sys::WaitPidfd(supervisor.pidfd.get(), true).value();
  std::string map;
  std::string log = LogBytes(plan, "c0");
  for (std::string_view line : Split(log, '\n')) {
    for (std::string_view word : Split(line, ' ')) {
      if (!word.empty()) map.append(word).append(" ");
    }
  }
  std::string one = "0 " + id + " 65536 ";
  EXPECT_THAT(map, HasSubstr(one + one + "uid=0(root) gid=0(root)"));
}

// Layers are neither copied nor changed; what the container writes is its block's.
TEST_F(UserNamespaceTest, FilesOfTheImageKeepTheirOwnersOnBothSides) {
  std::string layer = installation_->busybox().layer();
  for (uint32_t id : {0U, 33U, 65'534U}) {
    std::string path = layer + "/owned" + std::to_string(id);
    sys::WriteFile(AT_FDCWD, path, "x", 0600).value();
    sys::Chown(AT_FDCWD, path, id, id).value();
  }
  TaskPlan plan = installation_->Plan(
      {"trap 'exit 0' TERM; stat -c '%n %u %g' / /owned* /dev /dev/shm /etc/hosts /dev/null; echo "
       "y >> /owned33;"
       " touch /new; chown 7:8 /new; chmod 4755 /new; echo '1.2.3.4 a' >> /etc/hosts;"
       " touch /dev/log /dev/shm/x; stat -c '%n %u %g %a' /owned33 /new;"
       " find / -xdev -user 65534 ! -path /owned65534 ! -path /proc ! -path /sys; echo the end; "
       "sleep 60 & wait"},
      NetworkMode::kNone);
  uint32_t first = plan.user_namespace.first_id;
  sys::Process supervisor = installation_->Start(plan).value();
  ASSERT_TRUE(installation_->WaitFor(plan, supervisor, [&](const Task&) {
    return LogBytes(plan, "c0").find("the end") != std::string::npos;
  }));
  std::string upper = installation_->TaskDirectory(plan) + "/containers/c0/upper";
  EXPECT_EQ(sys::Stat(AT_FDCWD, upper + "/new").value().st_uid, first + 7);
  EXPECT_EQ(sys::Stat(AT_FDCWD, upper + "/new").value().st_gid, first + 8);
  EXPECT_EQ(sys::Stat(AT_FDCWD, upper + "/owned33").value().st_uid, first + 33);
  EXPECT_EQ(sys::Stat(AT_FDCWD, layer + "/owned33").value().st_uid, 33U);
  EXPECT_EQ(sys::Stat(AT_FDCWD, layer + "/owned0").value().st_uid, 0U);
  // A bind of the host's: stored as the root's, as it was.
  struct stat hosts =
      sys::Stat(AT_FDCWD, installation_->TaskDirectory(plan) + "/etc/hosts").value();
  EXPECT_EQ(hosts.st_uid, 0U);
  sys::SignalPidfd(supervisor.pidfd.get(), SIGTERM).value();
  sys::WaitPidfd(supervisor.pidfd.get(), true).value();
  EXPECT_EQ(LogBytes(plan, "c0"),
            "/ 0 0\n/owned0 0 0\n/owned33 33 33\n/owned65534 65534 65534\n/dev 0 0\n/dev/shm 0 0\n"
            "/etc/hosts 0 0\n/dev/null 0 0\n/owned33 33 33 600\n/new 7 8 4755\nthe end\n");
  EXPECT_THAT(skiff::test::RemainsOf(plan.roots, plan.id), IsEmpty());
}

// What daemons do at their start: set-user-id, change of user, low ports, ping, devices, streams by
// their names, sysctl of their own network to read.
TEST_F(UserNamespaceTest, OrdinaryProgramsFindWhatTheyNeed) {
  EXPECT_EQ(Output("su web -s /bin/sh -c id 2>&1 || true; echo out > /dev/stdout;"
                   " echo err > /dev/stderr; head -c 4 /dev/urandom | wc -c; echo > /dev/null;"
                   " (nc -l -p 80 > /dev/null & sleep 0; kill $!) && echo port;"
                   " cat /proc/sys/net/ipv4/ip_unprivileged_port_start;"
                   " ls /sys/class/net; mkdir -m 700 /data && chown 33:33 /data && echo chowned"),
            "uid=33(web) gid=33(web) groups=33(web),44(logs)\nout\nerr\n4\nport\n0\nlo\nchowned\n");
}

TEST_F(UserNamespaceTest, StreamsBelongToTheUserWhoRuns) {
  for (bool is_wanted : {true, false}) {
    TaskPlan plan = installation_->Plan({"id -u; echo out > /dev/stdout"}, NetworkMode::kNone);
    if (!is_wanted) {
      ReleaseIdBlock(plan.roots, plan.id, plan.user_namespace.first_id).value();
      plan.user_namespace = {};
    }
    plan.containers[0].user = "web";
    EXPECT_EQ(Output(plan), "33\nout\n");
  }
}

// CVE-2016-9962, CVE-2022-0492, CVE-2022-0185 and whatever asks for a capability "in its own user
// namespace": mounts, processes and the host name belong to namespaces that are not the task's, so
// that even all capabilities and every system call reach none of them.
TEST_F(UserNamespaceTest, AllCapabilitiesOfTheTaskReachNothingThatConfinesIt) {
  TaskPlan plan = installation_->Plan(
      {"grep CapEff /proc/self/status; for i in 1; do"
       " umount /proc/kcore && echo umounted; mount -o remount,rw /proc/sys && echo remounted;"
       " mount -t tmpfs x /tmp && echo mounted; hostname evil && echo named;"
       " echo x > /proc/sys/kernel/core_pattern && echo pattern;"
       " mknod /tmp/mem c 1 1 && cat /tmp/mem && echo node;"
       " chroot / true && echo chroot; done 2> /dev/null; true"},
      NetworkMode::kNone);
  plan.containers[0].capabilities = isolation::AllCapabilities();
  plan.containers[0].confinement.seccomp = SeccompChoice::kNone;
  plan.containers[0].confinement.no_new_privileges = false;
  std::string output = Output(plan);
  EXPECT_THAT(output, testing::EndsWith("\nchroot\n"));
  EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 2) << output;
}

TEST_F(UserNamespaceTest, ContainersOfOneTaskShareTheirIdsAndTasksDoNot) {
  TaskPlan one =
      installation_->Plan({"cat /proc/self/uid_map", "cat /proc/self/uid_map"}, NetworkMode::kNone);
  TaskPlan other = installation_->Plan({"cat /proc/self/uid_map"}, NetworkMode::kNone);
  installation_->Run(one);
  installation_->Run(other);
  EXPECT_THAT(LogBytes(one, "c0"), HasSubstr("65536"));
  EXPECT_EQ(LogBytes(one, "c0"), LogBytes(one, "c1"));
  EXPECT_NE(LogBytes(one, "c0"), LogBytes(other, "c0"));
}

TEST_F(UserNamespaceTest, OwnNetworkBelongsToTheTask) {
  EXPECT_EQ(Output("ip -4 -o addr show eth0 | wc -l; stat -c '%u' /proc/sys/net/ipv4/ip_forward",
                   NetworkMode::kAwsvpc),
            "1\n0\n");
}

TEST_F(UserNamespaceTest, UserBeyondTheBlockIsRefusedByNumber) {
  TaskPlan plan = installation_->Plan({"true"}, NetworkMode::kNone);
  plan.containers[0].user = "65536";
  Task task = installation_->Run(plan);
  EXPECT_THAT(task.containers.at(0).reason,
              HasSubstr("user 65536: the task's user namespace has the ids 0 to 65535"));
  EXPECT_THAT(skiff::test::RemainsOf(plan.roots, plan.id), IsEmpty());
}

// proc has no id-mapped mounts: as a layer it stands for a file system that cannot.
TEST_F(UserNamespaceTest, FileSystemThatCannotIsAWarningUnlessItWasAskedFor) {
  TaskPlan plan = installation_->Plan({"cat /proc/self/uid_map"}, NetworkMode::kNone);
  plan.containers[0].layers.insert(plan.containers[0].layers.begin(), "/proc/sys");
  Task task = installation_->Run(plan);
  ASSERT_EQ(task.warnings.size(), 1U);
  EXPECT_EQ(task.warnings[0],
            "no user namespace, the containers' root is the host's: /proc/sys: its file system has "
            "no id-mapped mounts");
  plan = installation_->Plan({"true"}, NetworkMode::kNone);
  plan.containers[0].layers.insert(plan.containers[0].layers.begin(), "/proc/sys");
  plan.user_namespace.is_required = true;
  task = installation_->Run(plan);
  EXPECT_THAT(task.stopped_reason, HasSubstr("user namespace: /proc/sys: its file system has no"));
  EXPECT_THAT(skiff::test::RemainsOf(plan.roots, plan.id), IsEmpty());
}

class IdBlocksTest : public testing::Test {
 protected:
  IdBlocksTest() { roots_.data = directory_.path(); }
  TaskId TaskWithDirectory() {
    TaskId id = TaskId::Generate();
    sys::MakeDirectories(roots_.TaskDirectory(id), 0700).value();
    return id;
  }
  // A task whose claim begins with this block: the place derives from the id.
  TaskId TaskThatTriesFirst(uint32_t block) {
    for (;;) {
      TaskId id = TaskId::Generate();
      size_t place = std::hash<std::string>{}(id.text()) % kIdBlocks;
      if (kFirstBlockId + place * sys::kIdBlockSize != block) continue;
      sys::MakeDirectories(roots_.TaskDirectory(id), 0700).value();
      return id;
    }
  }
  skiff::test::TempDir directory_;
  Roots roots_;
};

TEST_F(IdBlocksTest, NoTwoTasksHaveTheSameIds) {
  std::set<uint32_t> blocks;
  for (int i = 0; i < 500; ++i) {
    uint32_t first = ClaimIdBlock(roots_, TaskWithDirectory()).value();
    EXPECT_TRUE(blocks.insert(first).second);
    EXPECT_EQ(first % sys::kIdBlockSize, 0U);
    EXPECT_GE(first, kFirstBlockId);
    EXPECT_LT(uint64_t{first} + sys::kIdBlockSize, uint64_t{1} << 31);
  }
}

TEST_F(IdBlocksTest, BlockOfATaskThatIsGoneIsFreeAndOfALiveOneNot) {
  TaskId gone = TaskWithDirectory();
  uint32_t first = ClaimIdBlock(roots_, gone).value();
  TaskId next = TaskThatTriesFirst(first);
  EXPECT_NE(ClaimIdBlock(roots_, next).value(), first);
  sys::RemoveTree(AT_FDCWD, roots_.TaskDirectory(gone)).value();  // a crash: nothing was released
  EXPECT_EQ(ClaimIdBlock(roots_, next).value(), first);
}

TEST_F(IdBlocksTest, StartThatWasCutShortFindsItsOwnBlock) {
  TaskId task = TaskWithDirectory();
  uint32_t first = ClaimIdBlock(roots_, task).value();
  EXPECT_EQ(ClaimIdBlock(roots_, task).value(), first);
}

TEST_F(IdBlocksTest, OnlyItsOwnTaskReleasesABlock) {
  TaskId own = TaskWithDirectory();
  uint32_t first = ClaimIdBlock(roots_, own).value();
  TaskId other = TaskThatTriesFirst(first);
  EXPECT_TRUE(ReleaseIdBlock(roots_, other, first).ok());
  EXPECT_NE(ClaimIdBlock(roots_, other).value(), first);
  EXPECT_TRUE(ReleaseIdBlock(roots_, own, first).ok());
  EXPECT_TRUE(ReleaseIdBlock(roots_, own, first).ok());
  EXPECT_TRUE(ReleaseIdBlock(roots_, own, 0).ok());
  EXPECT_EQ(ClaimIdBlock(roots_, other).value(), first);
}

}  // namespace
}  // namespace skiff::runtime
