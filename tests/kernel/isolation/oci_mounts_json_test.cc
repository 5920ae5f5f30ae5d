// Mounts with options: see oci_container.h.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#include <nlohmann/json.hpp>

#include "tests/kernel/isolation/oci_container.h"

namespace skiff::isolation::oci {
namespace {

using nlohmann::json;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class OciMountTest : public OciRunTest {
 protected:
  // A directory on a tmpfs of the test's own, which is gone with it.
  std::string HostDirectory() {
    std::string path = bundle_.path() + "/host";
    sys::MakeDirectories(path, 0755).value();
    EXPECT_EQ(mount("tmpfs", path.c_str(), "tmpfs", 0, "size=1m"), 0);
    mounted_.push_back(path);
    return path;
  }
  void TearDown() override {
    OciRunTest::TearDown();
    while (!mounted_.empty()) {
      umount2(mounted_.back().c_str(), MNT_DETACH);
      mounted_.pop_back();
    }
  }
  void Add(const std::string& destination, const std::string& type, const std::string& source,
           const std::vector<std::string>& options) {
    config_["mounts"].push_back(
        {{"destination", destination}, {"type", type}, {"source", source}, {"options", options}});
  }
  std::vector<std::string> mounted_;
};

TEST_F(OciMountTest, RecursiveAttributesReachWhatIsBelowAndPlainOnesDoNot) {
  std::string host = HostDirectory();
  std::string below = host + "/below";
  sys::MakeDirectories(below, 0755).value();
  ASSERT_EQ(mount("tmpfs", below.c_str(), "tmpfs", 0, "size=1m"), 0);
  mounted_.push_back(below);
  Add("/data", "none", host, {"rbind", "rro", "nosuid"});
  Finished run = Script("grep ' /data' /proc/self/mountinfo");
  EXPECT_THAT(run.output, ContainsRegex(" /data ro,nosuid,"));
  EXPECT_THAT(run.output, ContainsRegex(" /data/below ro,relatime"));
}

TEST_F(OciMountTest, AReadOnlyTmpfsTakesWhatIsMadeInItFirst) {
  config_["mounts"][1]["options"].push_back("ro");
  Finished run = Script("grep ' /dev ' /proc/self/mountinfo; : > /dev/null && echo null");
  EXPECT_THAT(run.output, HasSubstr(" /dev ro,"));
  EXPECT_THAT(run.output, HasSubstr("null"));
}

TEST_F(OciMountTest, TmpcopyupBeginsWithWhatTheImageHas) {
  Add("/etc", "tmpfs", "tmpfs", {"tmpcopyup", "nosuid"});
  Finished run = Script("cat /etc/passwd; echo more > /etc/more && cat /etc/more");
  EXPECT_THAT(run.output, HasSubstr("root:"));
  EXPECT_THAT(run.output, HasSubstr("more"));
  EXPECT_EQ(run.code, 0);
}

TEST_F(OciMountTest, APropagationThatIsAskedForIsSet) {
  std::string host = HostDirectory();
  ASSERT_EQ(mount(nullptr, host.c_str(), nullptr, MS_SHARED, nullptr), 0);
  Add("/slave", "none", host, {"bind", "rslave"});
  Add("/shared", "none", host, {"bind", "rshared"});
  Add("/private", "none", host, {"bind"});
  Finished run = Script("grep -E ' /(slave|shared|private) ' /proc/self/mountinfo");
  EXPECT_THAT(run.output, ContainsRegex(" /slave [a-z,]* master:"));
  EXPECT_THAT(run.output, ContainsRegex(" /shared [a-z,]* shared:"));
  EXPECT_THAT(run.output, ContainsRegex(" /private [a-z,]* - "));
}

TEST_F(OciMountTest, TheRootHasThePropagationOfTheConfig) {
  for (auto [name, mark] : {std::pair{"rshared", "shared:"}, {"unbindable", "unbindable"}}) {
    config_["linux"]["rootfsPropagation"] = name;
    EXPECT_THAT(Script("grep ' / / ' /proc/self/mountinfo || cat /proc/self/mountinfo").output,
                HasSubstr(mark));
  }
}

TEST_F(OciMountTest, IdsOfAMountAreShownAsItsMappingsSay) {
  std::string host = HostDirectory();
  sys::WriteFile(AT_FDCWD, host + "/file", "x", 0644).value();
  sys::Chown(AT_FDCWD, host + "/file", 5, 6).value();
  json mappings = {{{"containerID", 0}, {"hostID", 1000}, {"size", 100}}};
  Add("/data", "none", host, {"bind"});
  config_["mounts"].back()["uidMappings"] = mappings;
  config_["mounts"].back()["gidMappings"] = mappings;
  Finished run = Script("busybox stat -c %u:%g /data/file");
  if (run.output.find("no id-mapped mounts") != std::string::npos)
    GTEST_SKIP() << "missing capability: id-mapped mounts of tmpfs";
  EXPECT_EQ(run.output, "1005:1006\n");
}

TEST_F(OciMountTest, AFileIsBoundWhereADanglingLinkLeadsInsideTheRoot) {
  std::string host = HostDirectory();
  sys::WriteFile(AT_FDCWD, host + "/file", "bound\n", 0644).value();
  std::string links = host + "/links";
  sys::MakeDirectories(links, 0755).value();
  sys::Symlink("../../../links/made/there", AT_FDCWD, links + "/link").value();
  Add("/links", "none", links, {"bind"});
  Add("/links/link", "none", host + "/file", {"bind"});
  EXPECT_EQ(Script("cat /links/made/there /links/link").output, "bound\nbound\n");
}

TEST_F(OciMountTest, ARemountChangesWhatIsThere) {
  Add("/dev/shm", "tmpfs", "shm", {"remount", "bind", "ro"});
  EXPECT_THAT(Script("grep ' /dev/shm ' /proc/self/mountinfo").output, HasSubstr(" /dev/shm ro,"));
}

// What a ramfs does to pivot_root(2), anywhere: it fails for whoever is started under this.
constexpr sock_filter kNoPivot[] = {
    {BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},  // offsetof(seccomp_data, nr)
    {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_pivot_root},
    {BPF_RET | BPF_K, 0, 0, unsigned{SECCOMP_RET_ERRNO} | EINVAL},
    {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};

TEST_F(OciMountTest, WithNoPivotTheRootIsMovedWherePivotRootFails) {
  config_["process"]["args"] = {"/bin/busybox", "sh", "-c",
                                "busybox id -u; cat /proc/self/mountinfo"};
  auto run = [&](const std::vector<std::string>& flags) {
    WriteConfig();
    sys::Pipe output = sys::MakePipe().value();
    sys::SpawnSpec spec;
    spec.path = SKIFF_OCI;
    spec.arguments = {"skiff-oci", "--root", StateRoot(), "run", "-b", bundle_.path()};
    spec.arguments.insert(spec.arguments.end(), flags.begin(), flags.end());
    spec.arguments.push_back(id_);
    UniqueFd null = sys::Open(AT_FDCWD, "/dev/null", O_RDONLY).value();
    spec.fds = {null.get(), output.write_end.get(), output.write_end.get()};
    spec.filter = kNoPivot;
    spec.filter_size = std::size(kNoPivot);
    sys::Process process = sys::Spawn(spec).value();
    output.write_end.Reset();
    std::string text = sys::ReadAll(output.read_end.get(), "output").value();
    sys::WaitPidfd(process.pidfd.get(), true).value();
    return text;
  };
  EXPECT_THAT(run({}), HasSubstr("pivot root: invalid argument"));
  for (bool has_user : {false, true}) {
    if (has_user) {
      config_["linux"]["namespaces"].push_back({{"type", "user"}});
      json mapping = {{{"containerID", 0}, {"hostID", 100000}, {"size", 65536}}};
      config_["linux"]["uidMappings"] = config_["linux"]["gidMappings"] = mapping;
    }
    std::string output = run({"--no-pivot"});
    EXPECT_THAT(output, testing::StartsWith("0\n")) << has_user;
    EXPECT_THAT(output, ContainsRegex(" / ro,")) << has_user;
    // Nothing of the host's tree has a path here.
    EXPECT_THAT(output, Not(HasSubstr(bundle_.path()))) << has_user;
  }
}

// Linux 6.8 and later list the oldest first, and who checks a configuration goes by that.
TEST_F(OciMountTest, TheMountsAreListedInTheirOrder) {
  std::string shared = SharedDirectory();
  config_["mounts"].insert(config_["mounts"].begin(), config_["mounts"].back());
  config_["mounts"].back()["destination"] = "/last";
  std::string expected = "/\n";
  for (const json& mount : config_["mounts"])
    expected += mount["destination"].get<std::string>() + "\n";
  std::string seen = Script("busybox cut -d ' ' -f 5 /proc/self/mountinfo").output;
  std::string listed;
  for (std::string_view line : Split(seen, '\n')) {
    std::string entry = std::string(line) + "\n";
    // Beside them there are masks, and on hybrid hosts the hierarchies below /sys/fs/cgroup.
    bool is_asked_for = expected.find("\n" + entry) != std::string::npos || line == "/";
    if (is_asked_for && listed.find("\n" + entry) == std::string::npos) listed += entry;
  }
  EXPECT_EQ(listed, expected);
}

}  // namespace
}  // namespace skiff::isolation::oci
