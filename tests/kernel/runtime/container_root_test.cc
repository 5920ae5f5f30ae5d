// A container's files: what the image has as volumes, and a root that needs no writable layer.
#include "runtime/supervisor/container_root.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "runtime/supervisor/cleanup.h"
#include "runtime/supervisor/id_blocks.h"
#include "runtime/supervisor/task_storage.h"
#include "tests/support/capability.h"
#include "tests/support/supervised_task.h"

namespace skiff::runtime {
namespace {

using skiff::test::LogBytes;
using skiff::test::RemainsOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ContainerRootTest : public testing::Test {
 protected:
  void SetUp() override {
    SKIFF_REQUIRE(skiff::test::MissingRoot());
    SKIFF_REQUIRE(skiff::test::MissingBusybox());
    installation_ = std::make_unique<skiff::test::Installation>();
    layer_ = installation_->busybox().layer();
  }

  TaskPlan Plan(const std::string& script, std::vector<std::string> volumes,
                bool is_readonly = false) {
    TaskPlan plan = installation_->Plan({script}, NetworkMode::kNone);
    plan.containers[0].volumes = std::move(volumes);
    plan.containers[0].is_readonly_root = is_readonly;
    return plan;
  }
  // Of a task that ends well and leaves nothing.
  std::string Output(const TaskPlan& plan) {
    task_ = installation_->Run(plan);
    if (task_.containers.empty()) {
      ADD_FAILURE() << task_.stopped_reason
                    << sys::ReadFile(AT_FDCWD,
                                     installation_->TaskDirectory(plan) + "/supervisor.log")
                           .value();
      return "";
    }
    EXPECT_EQ(task_.containers.at(0).exit_code, 0) << task_.stopped_reason << LogBytes(plan, "c0");
    EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
    return LogBytes(plan, "c0");
  }
  std::string WhyNot(const TaskPlan& plan) {
    Task task = installation_->Run(plan);
    EXPECT_FALSE(task.containers.at(0).started_at);
    EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
    return task.containers.at(0).reason;
  }
  std::string InLayer(const std::string& path) const { return layer_ + "/" + path; }
  void MakeFile(const std::string& path, const std::string& text, mode_t mode, uint32_t owner) {
    sys::WriteFile(AT_FDCWD, InLayer(path), text, mode).value();
    sys::Chown(AT_FDCWD, InLayer(path), owner, owner + 1).value();
    sys::Chmod(AT_FDCWD, InLayer(path), mode).value();
  }
  void MakeDirectory(const std::string& path, mode_t mode, uint32_t owner) {
    sys::MakeDirectories(InLayer(path), mode).value();
    sys::Chown(AT_FDCWD, InLayer(path), owner, owner + 1).value();
    sys::Chmod(AT_FDCWD, InLayer(path), mode).value();
  }
  void MakeLink(const std::string& path, const std::string& target) {
    sys::Symlink(target, AT_FDCWD, InLayer(path)).value();
  }
  // Everything that an image's files can be.
  void MakeTree(const std::string& top) {
    MakeDirectory(top, 01750, 33);
    MakeDirectory(top + "/sub", 02775, 7);
    MakeFile(top + "/plain", "some text", 0640, 33);
    MakeFile(top + "/setuid", "x", 06755, 5);
    MakeFile(top + "/sub/empty", "", 0, 0);
    sys::Link(AT_FDCWD, InLayer(top + "/plain"), AT_FDCWD, InLayer(top + "/sub/again")).value();
    MakeLink(top + "/link", "/etc/passwd");
    MakeLink(top + "/nowhere", "../../../../nowhere");
    sys::MakeNode(AT_FDCWD, InLayer(top + "/fifo"), S_IFIFO | 0620, 0).value();
    MakeFile(top + "/holes", "", 0600, 1);
    UniqueFd holes = sys::Open(AT_FDCWD, InLayer(top + "/holes"), O_RDWR).value();
    sys::Truncate(holes.get(), 64 << 20).value();
    sys::WriteAllAt(holes.get(), "data", 32 << 20).value();
    timespec time{1'000'000'000, 0};
    for (const char* name :
         {"/sub/empty", "/sub", "/plain", "/setuid", "/link", "/fifo", "/nowhere", "/holes", ""}) {
      sys::SetTimes(AT_FDCWD, InLayer(top + name), time).value();
      ++time.tv_sec;
    }
  }

  std::unique_ptr<skiff::test::Installation> installation_;
  std::string layer_;
  Task task_{TaskId::Generate()};
};

constexpr const char* kCompare =
    "cd /data && find . | sort | while read f; do stat -c '%n %F %u %g %a %Y %s %h %N' $f; done > "
    "/tmp/v; cd /same && find . | sort | while read f; do stat -c '%n %F %u %g %a %Y %s %h %N' $f; "
    "done > /tmp/i; wc -l < /tmp/v; diff /tmp/v /tmp/i && echo alike;"
    "cmp /data/holes /same/holes && cat /data/plain; du -k /data/holes | cut -f1";

TEST_F(ContainerRootTest, AVolumeBeginsAsTheImageHasIt) {
  MakeTree("data");
  MakeTree("same");
  TaskPlan plan = Plan(kCompare, {"/data"});
  std::string output = Output(plan);
  EXPECT_THAT(output, HasSubstr("10\nalike\nsome text"));
  EXPECT_LT(std::stoi(output.substr(output.rfind("text") + 4)), 1024) << "holes stay holes";
}

TEST_F(ContainerRootTest, AttributesAndCapabilitiesOfFilesComeAlong) {
  MakeDirectory("data", 0755, 0);
  MakeFile("data/file", "x", 0755, 0);
  sys::SetXattr(AT_FDCWD, InLayer("data/file"), "trusted.note", "kept").value();
  // VFS_CAP_REVISION_2 with CAP_NET_BIND_SERVICE, effective.
  const std::string capability("\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
  sys::SetXattr(AT_FDCWD, InLayer("data/file"), "security.capability", capability).value();
  TaskPlan plan = Plan("trap 'exit 0' TERM; echo up; sleep 60 & wait", {"/data"});
  sys::Process supervisor = installation_->Start(plan).value();
  ASSERT_TRUE(installation_->WaitFor(
      plan, supervisor, [](const Task& task) { return task.last_status == TaskStatus::kRunning; }));
  std::string file = plan.roots.VolumeDirectory(plan.id, "c0", 0) + "/file";
  EXPECT_EQ(sys::GetXattr(AT_FDCWD, file, "trusted.note").value(), "kept");
  std::string kept = sys::GetXattr(AT_FDCWD, file, "security.capability").value();
  EXPECT_EQ(kept.substr(4, 16), capability.substr(4));
  if (kept.size() == 24) {  // revision 3: of this namespace's root
    uint32_t root = 0;
    memcpy(&root, kept.data() + 20, sizeof(root));
    EXPECT_EQ(root, plan.user_namespace.first_id);
  }
  sys::SignalPidfd(supervisor.pidfd.get(), SIGTERM).value();
  sys::WaitPidfd(supervisor.pidfd.get(), true).value();
}

TEST_F(ContainerRootTest, AVolumeIsOfItsOwnAndTheImagesFilesStayAsTheyAre) {
  MakeDirectory("data", 0755, 33);
  MakeFile("data/file", "old\n", 0644, 33);
  std::string write =
      "grep -c ' /data ' /proc/mounts; grep ' /data ' /proc/mounts | grep -o nodev;"
      "echo new > /data/file; touch /data/more; mkdir -p /new/volume; touch /new/volume/x;"
      "stat -c '%u %g %a' /new/volume; ls /data; cat /data/file";
  EXPECT_EQ(Output(Plan(write, {"/data", "/new/volume"})), "1\nnodev\n0 0 755\nfile\nmore\nnew\n");
  EXPECT_EQ(Output(Plan("ls /data; cat /data/file", {"/data"})), "file\nold\n");
  EXPECT_EQ(sys::ReadFile(AT_FDCWD, InLayer("data/file")).value(), "old\n");
}

TEST_F(ContainerRootTest, VolumesAreWritableInAReadonlyRoot) {
  MakeDirectory("data", 0755, 33);
  std::string script =
      "touch /data/x /var/lib/db/y && ls /data /var/lib/db; for d in / /etc /var /var/lib /tmp; do "
      "touch $d/x 2>/dev/null && echo wrote $d; done; echo end";
  TaskPlan plan = Plan(script, {"/data", "/var/lib/db"}, true);
  EXPECT_EQ(Output(plan), "/data:\nx\n\n/var/lib/db:\ny\nend\n");
}

TEST_F(ContainerRootTest, VolumesInsideOneAnother) {
  MakeDirectory("data/sub", 0755, 0);
  MakeFile("data/sub/file", "deep\n", 0644, 0);
  std::string script =
      "cat /data/sub/file; touch /data/a /data/sub/b /data/sub/new/c; grep -c ' /data' "
      "/proc/mounts; ls /data /data/sub";
  for (bool is_readonly : {false, true}) {
    EXPECT_EQ(Output(Plan(script, {"/data", "/data/sub", "/data/sub/new"}, is_readonly)),
              "deep\n3\n/data:\na\nsub\n\n/data/sub:\nb\nfile\nnew\n");
  }
}

TEST_F(ContainerRootTest, HostsAndResolverAreInAVolumeOfEtc) {
  for (bool is_readonly : {false, true}) {
    EXPECT_EQ(Output(Plan("grep -c 127.0.0.1 /etc/hosts; cat /etc/passwd | wc -l; touch /etc/new; "
                          "ls /etc | xargs",
                          {"/etc"}, is_readonly)),
              "2\n2\ngroup hostname hosts new passwd resolv.conf\n");
  }
}

// CVE-2022-23648: what a volume's path or a link under it names is looked for in the image alone.
TEST_F(ContainerRootTest, LinksLeadAVolumeNowhereOutside) {
  skiff::test::TempDir outside;
  sys::WriteFile(AT_FDCWD, outside.path() + "/secret", "of the host", 0644).value();
  MakeLink("absolute", outside.path());
  MakeLink("up", "../../../../../../.." + outside.path());
  MakeDirectory("real", 0755, 0);
  MakeFile("real/file", "inside\n", 0644, 0);
  MakeLink("var", "real");
  std::string script =
      "for v in /absolute /up /var/deep; do touch $v/x; ls $v | xargs echo; done; "
      "ls -d " +
      outside.path() + " /real/deep; cat /var/file";
  for (bool is_readonly : {false, true}) {
    EXPECT_EQ(Output(Plan(script, {"/absolute", "/up", "/var/deep"}, is_readonly)),
              "x\nx\nx\n/real/deep\n" + outside.path() + "\ninside\n");
    EXPECT_THAT(sys::ListDirectory(AT_FDCWD, outside.path()).value(), ElementsAre("secret"));
  }
}

TEST_F(ContainerRootTest, AVolumeThatCannotBeSaysWhy) {
  MakeFile("file", "x", 0644, 0);
  MakeLink("to-root", "/bin/..");
  MakeLink("to-proc", "proc");
  MakeLink("loop", "loop2");
  MakeLink("loop2", "loop");
  auto why = [&](const std::string& path) { return WhyNot(Plan("true", {path})); };
  EXPECT_THAT(why("/file"), HasSubstr("the image's volume /file: not a directory"));
  EXPECT_THAT(why("/file/below"), HasSubstr("the image's volume /file/below: path /file/below: "
                                            "not a directory"));
  EXPECT_THAT(why("/to-root"), HasSubstr("the root itself cannot be a volume"));
  EXPECT_THAT(why("/to-proc/sys"), HasSubstr("nothing can be put into /proc"));
  EXPECT_THAT(why("/loop/x"), HasSubstr("too many links"));
}

TEST_F(ContainerRootTest, WhatSkiffMountsStaysAndALinkMakesNoSecondVolume) {
  MakeDirectory("data", 0755, 0);
  MakeLink("again", "/data");
  MakeLink("devices", "/dev");
  TaskPlan plan = Plan(
      "touch /again/x; ls /data; grep -c ' /data' /proc/mounts; ls /dev/null; "
      "grep -c ' /dev ' /proc/mounts",
      {"/again", "/data", "/devices"});
  EXPECT_EQ(Output(plan), "x\n1\n/dev/null\n1\n");
  EXPECT_THAT(task_.warnings, ElementsAre(HasSubstr("volume /devices is not made")));
}

// T19 of the kinds of attack: what a container leaves in its volume leads no removal astray.
TEST_F(ContainerRootTest, RemovalOfAVolumeFollowsNoLinkOut) {
  skiff::test::TempDir outside;
  sys::MakeDirectories(outside.path() + "/kept/sub", 0755).value();
  sys::WriteFile(AT_FDCWD, outside.path() + "/kept/file", "of the host", 0644).value();
  MakeDirectory("data", 0755, 0);
  std::string leave = "ln -s " + outside.path() +
                      "/kept /data/link; mkdir -p /data/dir; ln -s ../../../../../../.." +
                      outside.path() + "/kept /data/dir/up; ln -s " + outside.path() +
                      "/kept/file /data/file; rm -rf /data/volumes; ln -s / /data/volumes; ";
  EXPECT_EQ(Output(Plan(leave + "echo left", {"/data"})), "left\n");
  // And when the supervisor cannot do it any more.
  TaskPlan plan = Plan(leave + "echo left; exec sleep 600", {"/data"});
  sys::Process supervisor = installation_->Start(plan).value();
  ASSERT_TRUE(installation_->WaitFor(
      plan, supervisor, [&](const Task&) { return LogBytes(plan, "c0") == "left\n"; }));
  sys::SignalPidfd(supervisor.pidfd.get(), SIGKILL).value();
  sys::WaitPidfd(supervisor.pidfd.get(), true).value();
  UniqueFd lock = TryLockTask(installation_->TaskDirectory(plan)).value();
  Result<> recovered = RecoverDeadTask(plan);
  EXPECT_TRUE(recovered.ok()) << recovered.error().message();
  EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
  EXPECT_THAT(sys::ListDirectory(AT_FDCWD, outside.path() + "/kept").value(),
              ElementsAre("file", "sub"));
  EXPECT_EQ(sys::ReadFile(AT_FDCWD, outside.path() + "/kept/file").value(), "of the host");
}

std::string Listing(const std::string& directory) {
  std::string text;
  for (const std::string& name : sys::ListDirectory(AT_FDCWD, directory).value()) {
    struct stat info = sys::Stat(AT_FDCWD, directory + "/" + name).value();
    text += name + " " + std::to_string(info.st_mode) + " " + std::to_string(info.st_mtime) + "\n";
    if (S_ISDIR(info.st_mode)) text += Listing(directory + "/" + name);
  }
  return text;
}

// Places for what is mounted are made beside the image, whose own directories look as before.
TEST_F(ContainerRootTest, AReadonlyRootNeedsNoWritableLayer) {
  MakeDirectory("etc", 01775, 7);
  sys::SetTimes(AT_FDCWD, InLayer("etc"), {1'000'000'000, 0}).value();
  sys::RemoveTree(AT_FDCWD, InLayer("proc")).value();
  std::string before = Listing(layer_);
  TaskPlan plan = Plan(
      "trap 'exit 0' TERM; stat -c '%u %g %a %Y' /etc; ls /proc/self/comm; pwd; "
      "ls -A /etc | xargs; touch /x 2>/dev/null || echo refused; grep -c 127.0.0.1 "
      "/etc/hosts; echo up; sleep 60 & wait",
      {}, true);
  plan.containers[0].working_directory = "/srv/app";
  plan.storage = {Bytes::MiB(16), true};
  sys::Process supervisor = installation_->Start(plan).value();
  ASSERT_TRUE(installation_->WaitFor(
      plan, supervisor,
      [&](const Task&) { return LogBytes(plan, "c0").find("up\n") != std::string::npos; }))
      << LogBytes(plan, "c0") << installation_->Observe(plan).stopped_reason;
  std::string directory = installation_->TaskDirectory(plan) + "/containers/c0";
  EXPECT_THAT(sys::ListDirectory(AT_FDCWD, directory).value(), ElementsAre("points"));
  EXPECT_FALSE(sys::Exists(AT_FDCWD, installation_->TaskDirectory(plan) + "/storage.img"));
  EXPECT_EQ(LookAtStorage(plan).value().keeper, StorageKeeper::kNoNeed);
  sys::SignalPidfd(supervisor.pidfd.get(), SIGTERM).value();
  sys::WaitPidfd(supervisor.pidfd.get(), true).value();
  EXPECT_EQ(LogBytes(plan, "c0"),
            "7 8 1775 1000000000\n/proc/self/comm\n/srv/app\ngroup hostname hosts passwd "
            "resolv.conf\nrefused\n2\nup\n");
  EXPECT_THAT(installation_->Observe(plan).warnings, IsEmpty());
  EXPECT_THAT(RemainsOf(plan.roots, plan.id), IsEmpty());
  EXPECT_EQ(Listing(layer_), before);
}

// What overlayfs has for "removed" is not to be seen, in however many layers.
TEST_F(ContainerRootTest, AReadonlyRootIsTheImagesLayersAndNothingElse) {
  for (const char* name : {"hosts", "hostname", "resolv.conf"}) {
    MakeFile(std::string("etc/") + name, "the image's\n", 0644, 0);
  }
  sys::MakeNode(AT_FDCWD, InLayer("removed"), S_IFCHR, 0).value();
  std::string before = Listing(layer_);
  skiff::test::TempDir second;
  sys::Chmod(AT_FDCWD, second.path(), 0755).value();
  sys::WriteFile(AT_FDCWD, second.path() + "/second", "layer\n", 0644).value();
  sys::MakeNode(AT_FDCWD, second.path() + "/root", S_IFCHR, 0).value();
  std::string script =
      "ls / | xargs; touch /etc/x 2>/dev/null || echo refused; grep -c the.image /etc/hosts; "
      "mount -o remount,rw / 2>/dev/null || echo refused; exit 0";
  EXPECT_EQ(Output(Plan(script, {}, true)), "bin dev etc proc root sys tmp\nrefused\n0\nrefused\n");
  TaskPlan plan = Plan(script, {}, true);
  plan.containers[0].layers.push_back(second.path());
  EXPECT_EQ(Output(plan), "bin dev etc proc second sys tmp\nrefused\n0\nrefused\n");
  EXPECT_EQ(Listing(layer_), before);
}

// As Docker has it: where nothing is, a directory of root's.
TEST_F(ContainerRootTest, AMissingWorkingDirectoryIsMadeForRoot) {
  for (bool is_readonly : {false, true}) {
    for (bool has_user_namespace : {true, false}) {
      TaskPlan plan = Plan("pwd; stat -c '%u %g %a' . ..", {"/data"}, is_readonly);
      plan.containers[0].working_directory = "/srv/app";
      plan.containers[0].user = "web";
      plan.user_namespace.is_wanted = has_user_namespace;
      if (!has_user_namespace) {
        ReleaseIdBlock(plan.roots, plan.id, plan.user_namespace.first_id).value();
        plan.user_namespace.first_id = 0;
      }
      EXPECT_EQ(Output(plan), "/srv/app\n0 0 755\n0 0 755\n");
    }
  }
}

TEST_F(ContainerRootTest, AUserThatTheImageDoesNotKnowEndsTheStartByName) {
  for (bool is_readonly : {false, true}) {
    TaskPlan plan = Plan("true", {}, is_readonly);
    plan.containers[0].user = "nobody";
    EXPECT_THAT(WhyNot(plan), HasSubstr("user 'nobody' is not in the image's /etc/passwd"));
    plan = Plan("true", {}, is_readonly);
    plan.containers[0].user = "4294967296";
    EXPECT_THAT(WhyNot(plan), HasSubstr("'4294967296' is not between 0 and 2147483647"));
  }
}

// With everything opened that can be, a container's root may mount its root again, for writing: the
// image's layer is out of its reach.
TEST_F(ContainerRootTest, RemountingAReadonlyRootReachesNoLayer) {
  for (const char* name : {"hosts", "hostname", "resolv.conf"}) {
    MakeFile(std::string("etc/") + name, "", 0644, 0);
  }
  std::string before = Listing(layer_);
  TaskPlan plan =
      installation_->Plan({"mount -o remount,rw / ; touch /x; rm /etc/passwd; "
                           "mount -o remount,bind,rw /; touch /x; rm /bin/sh; echo end"},
                          NetworkMode::kHost);
  ContainerPlan& container = plan.containers[0];
  container.is_readonly_root = true;
  container.capabilities |= isolation::CapabilityMask{1}
                            << isolation::CapabilityByName("SYS_ADMIN").value();
  container.confinement.seccomp = SeccompChoice::kNone;
  EXPECT_THAT(Output(plan), HasSubstr("end\n"));
  EXPECT_EQ(Listing(layer_), before);
}

}  // namespace
}  // namespace skiff::runtime
