#include "runtime/plan/image_volumes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/plan/container_spec.h"
#include "runtime/plan/limits.h"
#include "runtime/plan/task_plan.h"

namespace skiff::runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> Planned(const std::vector<std::string>& volumes,
                                 std::vector<std::string>* warnings) {
  return PlanImageVolumes(volumes, "web", warnings).value();
}

std::string WhyNot(const std::string& path) {
  std::vector<std::string> warnings;
  Result<std::vector<std::string>> planned = PlanImageVolumes({path}, "web", &warnings);
  return planned.ok() ? "" : planned.error().message();
}

TEST(ImageVolumesTest, PathsAreCleanAndStandOnceTheOuterFirst) {
  std::vector<std::string> warnings;
  EXPECT_THAT(Planned({"/data/sub/", "data", "//data/./", "/a//b", "/data"}, &warnings),
              ElementsAre("/a/b", "/data", "/data/sub"));
  EXPECT_THAT(warnings, IsEmpty());
}

TEST(ImageVolumesTest, WhatCannotBeAVolumeIsRefusedByName) {
  EXPECT_EQ(WhyNot("/"), "the image's volume /: the root itself cannot be a volume");
  EXPECT_EQ(WhyNot(""), "the image's volume : the root itself cannot be a volume");
  EXPECT_EQ(WhyNot("/./"), "the image's volume /./: the root itself cannot be a volume");
  EXPECT_EQ(WhyNot("/proc"), "the image's volume /proc: nothing can be put into /proc");
  EXPECT_EQ(WhyNot("//proc/sys"), "the image's volume //proc/sys: nothing can be put into /proc");
  EXPECT_EQ(WhyNot("/../../etc"), "the image's volume /../../etc: leads upwards");
  EXPECT_EQ(WhyNot("/process"), "");
}

TEST(ImageVolumesTest, WhatSkiffMountsStays) {
  std::vector<std::string> warnings;
  EXPECT_THAT(Planned({"/sys/fs/cgroup", "/dev/shm", "/etc/hosts", "/etc", "/device"}, &warnings),
              ElementsAre("/device", "/etc"));
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("web: the image's volume /sys/fs/cgroup is not made"),
                                    HasSubstr("/dev/shm"), HasSubstr("/etc/hosts")));
}

TEST(ImageVolumesTest, TheirNumberHasALimit) {
  std::vector<std::string> volumes, warnings;
  for (size_t i = 0; i <= kMaxImageVolumes; ++i) volumes.push_back("/" + std::to_string(i));
  EXPECT_FALSE(PlanImageVolumes(volumes, "web", &warnings).ok());
  volumes.pop_back();
  EXPECT_TRUE(PlanImageVolumes(volumes, "web", &warnings).ok());
}

TEST(ImageVolumesTest, TheyStandInPlanAndSpecBeforeSingleFiles) {
  TaskDefinition definition;
  ContainerDefinition& container = definition.containers.emplace_back();
  container.name = "web";
  container.image = "i";
  container.readonly_root_filesystem = true;
  PlanRequest request{.id = TaskId::Parse("0123456789abcdef0123456789abcdef").value()};
  request.images["i"] = {"sha256:0", {}, {"/layer"}};
  request.images["i"].config.cmd = {"sh"};
  EXPECT_FALSE(MakePlan(definition, request).value().HasWritableFiles());
  request.images["i"].config.volumes = {"/data", "/etc"};
  TaskPlan plan = MakePlan(definition, request).value();
  EXPECT_TRUE(plan.HasWritableFiles());
  EXPECT_THAT(DecodePlan(EncodePlan(plan)).value().containers[0].volumes,
              ElementsAre("/data", "/etc"));
  std::vector<std::string> binds;
  for (const isolation::MountSpec& mount : SpecOf(plan, plan.containers[0], "").mounts) {
    if (mount.kind == isolation::MountSpec::Kind::kBind) binds.push_back(mount.target);
  }
  EXPECT_THAT(binds,
              ElementsAre("/data", "/etc", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname"));
}

}  // namespace
}  // namespace skiff::runtime
