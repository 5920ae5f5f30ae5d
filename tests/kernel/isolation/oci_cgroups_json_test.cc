// Where the groups of a container are, and which limits are set in which of them.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/kernel/isolation/oci_container.h"

namespace skiff::isolation::oci {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST_F(OciRunTest, UpdateTakesTheFlagsOfItsPeers) {
  Begin("sleep 1000");
  EXPECT_EQ(Command({"update", "--cpu-quota", "50000", "--cpu-burst", "1000", id_}).output, "");
  std::string burst;
  for (const std::string& directory : host_->Directories(id_)) {
    for (const char* file : {"/cpu.max.burst", "/cpu.cfs_burst_us"})
      burst += sys::ReadFile(AT_FDCWD, directory + file).ValueOr("");
  }
  EXPECT_EQ(burst, "1000\n");
  EXPECT_THAT(Command({"update", "--kernel-memory", "50M", id_}).output,
              HasSubstr("memory.kernel: is ignored"));
  EXPECT_THAT(Command({"update", "--blkio-weight", "5", id_}).output,
              HasSubstr("blockIO: weight: is below 10"));
  EXPECT_THAT(Command({"update", "--l3-cache-schema", "L3:0=f", id_}).output,
              HasSubstr("--l3-cache-schema: Intel RDT is not supported"));
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
}

TEST_F(OciRunTest, EveryHierarchyHasTheContainerAndWhatIsExecutedInIt) {
  Begin("sleep 1000");
  std::string expected = "\n";
  std::string own = sys::ReadFile(AT_FDCWD, "/proc/self/cgroup").value();
  for (std::string_view line : Split(TrimSpace(own), '\n'))
    expected += std::string(line.substr(0, line.find(":/"))) + ":/" + id_ + "\n";
  std::string look = "busybox cat /proc/1/cgroup; echo; busybox cat /proc/self/cgroup";
  std::string inside = expected.substr(1);
  Finished seen = Command({"exec", id_, "/bin/busybox", "sh", "-c", look});
  EXPECT_EQ(seen.output, inside + expected);
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
}

TEST_F(OciRunTest, ALimitIsSetWhereItsControllerSitsOrRefused) {
  config_["linux"]["resources"]["cpu"] = {{"cpus", "0"}};
  EXPECT_EQ(Script("busybox nproc").output, "1\n");
  config_["linux"]["resources"]["memory"] = {{"swappiness", 10}};
  if (host_->PlacementOf(Controller::kMemory) != CgroupHost::Placement::kLegacy) {
    EXPECT_THAT(Script("busybox true").output,
                HasSubstr("linux.resources.memory.swappiness: cgroup v2 has no memory.swappiness"));
    return;
  }
  Begin("sleep 1000");
  std::string swappiness;
  for (const std::string& directory : host_->Directories(id_))
    swappiness += sys::ReadFile(AT_FDCWD, directory + "/memory.swappiness").ValueOr("");
  EXPECT_EQ(swappiness, "10\n");
  EXPECT_EQ(Command({"delete", "--force", id_}).code, 0);
}

TEST_F(OciRunTest, ARelativePathOfGroupsIsGoneWithItsParents) {
  config_["linux"]["cgroupsPath"] = id_ + "/middle/group";
  EXPECT_THAT(Script("busybox tail -n 1 /proc/self/cgroup").output,
              HasSubstr("/" + id_ + "/middle/group\n"));
}  // TearDown looks for what is left

}  // namespace
}  // namespace skiff::isolation::oci
