// skiff-oci under SELinux. Runs where the kernel was booted with it (tools/vm/run --append
// selinux=1 --append security=selinux), with a policy of the test's own that forbids nothing: it is
// the labels that are looked at.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include <nlohmann/json.hpp>

#include "tests/kernel/isolation/oci_container.h"

namespace skiff::isolation::oci {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// The first three initial labels are the kernel's own, by their places. Without the capability
// no_new_privs would allow no other label than the caller's.
constexpr char kPolicy[] = R"(
class security
class process
class file
class dir
class filesystem
class process2
sid kernel
sid security
sid unlabeled
class security { load_policy }
class process { fork transition dyntransition setexec }
class file { read }
class dir { read }
class filesystem { mount }
class process2 { nnp_transition }
policycap nnp_nosuid_transition;
type kernel_t;
type box_t;
type other_t;
type files_t;
role r;
role r types { kernel_t box_t other_t };
allow kernel_t self:process fork;
user u roles { r };
sid kernel u:r:kernel_t
sid security u:object_r:files_t
sid unlabeled u:object_r:files_t
fs_use_trans tmpfs u:object_r:kernel_t;
fs_use_trans devpts u:object_r:kernel_t;
fs_use_trans mqueue u:object_r:kernel_t;
genfscon proc / u:object_r:kernel_t
genfscon sysfs / u:object_r:kernel_t
)";

class OciSelinuxTest : public OciRunTest {
 protected:
  void SetUp() override {
    OciRunTest::SetUp();
    if (IsSkipped()) return;
    bool has_module =
        sys::ReadFile(AT_FDCWD, "/proc/filesystems").value().find("selinuxfs") != std::string::npos;
    SKIFF_REQUIRE(has_module ? "" : "SELinux in the kernel");
    LoadPolicy();
    config_["process"]["selinuxLabel"] = "u:r:box_t";
    config_["linux"]["mountLabel"] = "u:object_r:files_t";
    config_["process"]["args"] = {"/bin/busybox", "sleep", "1000"};
  }
  // Once for the machine: a second one would be a reload.
  void LoadPolicy() {
    if (sys::Exists(AT_FDCWD, "/sys/fs/selinux/load")) return;
    ASSERT_EQ(mount("selinuxfs", "/sys/fs/selinux", "selinuxfs", 0, nullptr), 0);
    std::string source = bundle_.path() + "/policy.conf";
    std::string compiled = bundle_.path() + "/policy";
    sys::WriteFile(AT_FDCWD, source, kPolicy).value();
    sys::SpawnSpec spec;
    spec.path = "/usr/bin/checkpolicy";
    spec.arguments = {"checkpolicy", "-U", "allow", "-o", compiled, source};
    spec.fds = {STDIN_FILENO, STDERR_FILENO, STDERR_FILENO};
    sys::Process compiler = sys::Spawn(spec).value();
    ASSERT_EQ(sys::WaitPidfd(compiler.pidfd.get(), true).value()->ShellCode(), 0);
    sys::WriteControl(AT_FDCWD, "/sys/fs/selinux/load", sys::ReadFile(AT_FDCWD, compiled).value())
        .value();
  }
  std::string LabelOfFile(const std::string& name) const {
    std::string pid = sys::ReadFile(AT_FDCWD, bundle_.path() + "/pid").value();
    char label[256] = "";
    std::string path = "/proc/" + pid + "/root/" + name;
    return lgetxattr(path.c_str(), "security.selinux", label, sizeof(label) - 1) > 0 ? label : "";
  }
};

constexpr char kOwn[] = "/proc/self/attr/current";

TEST_F(OciSelinuxTest, ProcessesAndFileSystemsHaveTheirLabels) {
  WriteConfig();
  ASSERT_EQ(
      Command({"run", "--detach", "-b", bundle_.path(), "--pid-file", bundle_.path() + "/pid", id_})
          .output,
      "");
  std::string pid = sys::ReadFile(AT_FDCWD, bundle_.path() + "/pid").value();
  // The kernel's answer ends with its NUL.
  EXPECT_STREQ(sys::ReadFile(AT_FDCWD, "/proc/" + pid + "/attr/current").value().c_str(),
               "u:r:box_t");
  EXPECT_EQ(LabelOfFile("dev/null"), "u:object_r:files_t");
  EXPECT_EQ(LabelOfFile("dev/shm"), "u:object_r:files_t");
  EXPECT_EQ(LabelOfFile("dev/mqueue"), "u:object_r:files_t");
  EXPECT_EQ(LabelOfFile("proc"), "u:object_r:kernel_t");
  EXPECT_THAT(Command({"exec", id_, "/bin/busybox", "cat", kOwn}).output, HasSubstr("u:r:box_t"));
  EXPECT_THAT(
      Command({"exec", "--process-label", "u:r:other_t", id_, "/bin/busybox", "cat", kOwn}).output,
      HasSubstr("u:r:other_t"));
  EXPECT_EQ(Command({"delete", "--force", id_}).output, "");
}

TEST_F(OciSelinuxTest, ALabelThatThePolicyDoesNotKnowEndsTheStart) {
  config_["process"]["selinuxLabel"] = "u:r:absent_t";
  Finished finished = Run();
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.output,
              HasSubstr("set security label of SELinux, u:r:absent_t: invalid argument"));
}

// CVE-2019-16884, as OciAppArmorTest has it.
TEST_F(OciSelinuxTest, AProcOfTheImagesDoesNotTakeTheLabel) {
  std::string fake = bundle_.path() + "/fake";
  for (const char* task : {"self", "thread-self"}) {
    sys::MakeDirectories(fake + "/" + task + "/attr", 0755).value();
    sys::WriteFile(AT_FDCWD, fake + "/" + task + "/attr/exec", "").value();
  }
  config_["mounts"][0] = {
      {"destination", "/proc"}, {"type", "bind"}, {"source", fake}, {"options", {"rbind"}}};
  config_["linux"]["maskedPaths"] = config_["linux"]["readonlyPaths"] = json::array();
  WriteConfig();
  ASSERT_EQ(
      Command({"run", "--detach", "-b", bundle_.path(), "--pid-file", bundle_.path() + "/pid", id_})
          .output,
      "");
  std::string pid = sys::ReadFile(AT_FDCWD, bundle_.path() + "/pid").value();
  EXPECT_STREQ(sys::ReadFile(AT_FDCWD, "/proc/" + pid + "/attr/current").value().c_str(),
               "u:r:box_t");
  EXPECT_EQ(sys::ReadFile(AT_FDCWD, fake + "/thread-self/attr/exec").value(), "");
  EXPECT_EQ(Command({"delete", "--force", id_}).output, "");
}

}  // namespace
}  // namespace skiff::isolation::oci
