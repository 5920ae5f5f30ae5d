// skiff-oci under AppArmor. Runs where the kernel was booted with it (tools/vm/run --append
// apparmor=1 --append security=apparmor).
#include <fcntl.h>
#include <sys/mount.h>

#include <nlohmann/json.hpp>

#include "tests/kernel/isolation/oci_container.h"

namespace skiff::isolation::oci {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

constexpr char kProfiles[] = R"(
profile skiff-test-box flags=(attach_disconnected,mediate_deleted) {
  file, capability, network, signal, unix, ptrace, mount, umount, pivot_root,
  deny /secret r,
}
profile skiff-test-other flags=(attach_disconnected,mediate_deleted) {
  file, capability, network, signal, unix, ptrace, mount, umount, pivot_root,
}
)";

std::string MissingAppArmor() {
  Result<std::string> enabled = sys::ReadFile(AT_FDCWD, "/sys/module/apparmor/parameters/enabled");
  bool is_on = enabled.ok() && TrimSpace(enabled.value()) == "Y";
  return is_on ? "" : "AppArmor in the kernel";
}

class OciAppArmorTest : public OciRunTest {
 protected:
  void SetUp() override {
    OciRunTest::SetUp();
    if (IsSkipped()) return;
    SKIFF_REQUIRE(MissingAppArmor());
    mount("securityfs", "/sys/kernel/security", "securityfs", 0, nullptr);  // or it is there
    UniqueFd profiles = sys::MakeMemoryFile(kProfiles).value();
    UniqueFd null = sys::Open(AT_FDCWD, "/dev/null", O_RDWR).value();
    sys::SpawnSpec spec;
    spec.path = "/usr/sbin/apparmor_parser";
    spec.arguments = {"apparmor_parser", "--replace", "--skip-cache"};
    spec.fds = {profiles.get(), null.get(), STDERR_FILENO};
    sys::Process parser = sys::Spawn(spec).value();
    ASSERT_EQ(sys::WaitPidfd(parser.pidfd.get(), true).value()->ShellCode(), 0);
    std::string secret = bundle_.path() + "/secret";
    sys::WriteFile(AT_FDCWD, secret, "known\n").value();
    config_["root"]["readonly"] = false;
    config_["mounts"].push_back(
        {{"destination", "/secret"}, {"type", "bind"}, {"source", secret}, {"options", {"bind"}}});
    config_["process"]["apparmorProfile"] = "skiff-test-box";
  }
  // As the host sees it, whatever the container's /proc shows.
  std::string ProfileOf(const std::string& pid_file) const {
    std::string pid = sys::ReadFile(AT_FDCWD, pid_file).value();
    return std::string(
        TrimSpace(sys::ReadFile(AT_FDCWD, "/proc/" + pid + "/attr/current").value()));
  }
};

constexpr char kLook[] = "busybox cat /proc/self/attr/current /secret";

TEST_F(OciAppArmorTest, TheProfileHoldsWithAndWithoutNewPrivilegesAndAFilter) {
  for (bool has_filter : {false, true}) {
    if (has_filter) config_["linux"]["seccomp"] = {{"defaultAction", "SCMP_ACT_ALLOW"}};
    for (bool no_new_privileges : {true, false}) {
      config_["process"]["noNewPrivileges"] = no_new_privileges;
      Finished finished = Script(kLook);
      EXPECT_THAT(finished.output, AllOf(HasSubstr("skiff-test-box (enforce)\n"),
                                         HasSubstr("/secret': Permission denied")));
    }
  }
  config_["process"]["user"] = {{"uid", 1000}, {"gid", 1000}};
  EXPECT_THAT(Script(kLook).output, HasSubstr("skiff-test-box (enforce)\n"));
  config_["process"]["apparmorProfile"] = "unconfined";
  EXPECT_THAT(Script(kLook).output, HasSubstr("unconfined\n"));
}

TEST_F(OciAppArmorTest, AnExecHasTheContainersProfileOrItsOwn) {
  config_["process"]["args"] = {"/bin/busybox", "sleep", "1000"};
  WriteConfig();
  ASSERT_EQ(Command({"create", "-b", bundle_.path(), id_}).output, "");
  ASSERT_EQ(Command({"start", id_}).output, "");
  std::vector<std::string> look = {id_, "/bin/busybox", "sh", "-c", kLook};
  auto exec = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), "exec");
    flags.insert(flags.end(), look.begin(), look.end());
    return Command(flags).output;
  };
  EXPECT_THAT(exec({}), AllOf(HasSubstr("skiff-test-box (enforce)\n"),
                              HasSubstr("/secret': Permission denied")));
  EXPECT_THAT(exec({"--apparmor", "skiff-test-other"}),
              AllOf(HasSubstr("skiff-test-other (enforce)\n"), HasSubstr("known\n")));
  EXPECT_THAT(exec({"--apparmor", "skiff-test-absent"}),
              HasSubstr("set security label of AppArmor, profile skiff-test-absent: no such file"));
  EXPECT_EQ(Command({"delete", "--force", id_}).output, "");
}

TEST_F(OciAppArmorTest, AProfileThatIsNotLoadedEndsTheCreation) {
  config_["process"]["apparmorProfile"] = "skiff-test-absent";
  config_["process"]["args"] = {"/bin/busybox", "true"};
  WriteConfig();
  Finished finished = Command({"create", "-b", bundle_.path(), id_});
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.output,
              HasSubstr("set security label of AppArmor, profile skiff-test-absent: no such file"));
}

// CVE-2019-16884: a volume on /proc, with files of those names, took what was meant for the kernel.
TEST_F(OciAppArmorTest, AProcOfTheImagesDoesNotTakeTheProfile) {
  std::string fake = bundle_.path() + "/fake";
  std::vector<std::string> names;
  for (const char* task : {"self", "thread-self", "1"}) {
    sys::MakeDirectories(fake + "/" + task + "/attr/apparmor", 0755).value();
    for (const char* file : {"/attr/exec", "/attr/apparmor/exec"}) {
      names.push_back(fake + "/" + task + file);
      sys::WriteFile(AT_FDCWD, names.back(), "").value();
    }
  }
  config_["mounts"][0] = {
      {"destination", "/proc"}, {"type", "bind"}, {"source", fake}, {"options", {"rbind"}}};
  config_["linux"]["maskedPaths"] = config_["linux"]["readonlyPaths"] = json::array();
  config_["process"]["args"] = {"/bin/busybox", "sleep", "1000"};
  WriteConfig();
  std::string pid_file = bundle_.path() + "/pid";
  ASSERT_EQ(Command({"run", "--detach", "-b", bundle_.path(), "--pid-file", pid_file, id_}).output,
            "");
  EXPECT_EQ(ProfileOf(pid_file), "skiff-test-box (enforce)");
  ASSERT_EQ(Command({"exec", "--detach", "--pid-file", pid_file, "--apparmor", "skiff-test-other",
                     id_, "/bin/busybox", "sleep", "1000"})
                .output,
            "");
  EXPECT_EQ(ProfileOf(pid_file), "skiff-test-other (enforce)");
  for (const std::string& name : names)
    EXPECT_EQ(sys::ReadFile(AT_FDCWD, name).value(), "") << name;
  EXPECT_EQ(Command({"delete", "--force", id_}).output, "");
}

}  // namespace
}  // namespace skiff::isolation::oci
