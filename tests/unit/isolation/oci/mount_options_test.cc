#include "isolation/oci/mount_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/mount.h>

#include "isolation/oci/container.h"

namespace skiff::isolation::oci {
namespace {

using testing::ElementsAre;
using testing::Pair;

Mount Tmpfs(std::vector<std::string> options) {
  return {"mounts[2]", "/run", "tmpfs", "tmpfs", std::move(options)};
}
Mount Bind(std::vector<std::string> options) {
  return {"mounts[2]", "/data", "none", "data", std::move(options)};
}
std::string ErrorOf(const Mount& mount) {
  Result<MountSpec> spec = ParseMountOptions(mount, "/b");
  return spec.ok() ? "" : spec.error().message();
}

TEST(MountOptionsTest, AttributesAndParametersAreToldApart) {
  MountSpec spec =
      ParseMountOptions(Tmpfs({"nosuid", "strictatime", "mode=755", "size=1k"}), "/b").value();
  EXPECT_EQ(spec.attributes, unsigned{MOUNT_ATTR_NOSUID} | unsigned{MOUNT_ATTR_STRICTATIME});
  EXPECT_THAT(spec.options,
              ElementsAre(Pair("source", "tmpfs"), Pair("mode", "755"), Pair("size", "1k")));
}

TEST(MountOptionsTest, TheLastOfOppositesCounts) {
  EXPECT_EQ(ParseMountOptions(Tmpfs({"ro", "noatime", "rw", "relatime"}), "/b").value().attributes,
            0U);
}

TEST(MountOptionsTest, RelativeBindSourceBeginsAtTheBundle) {
  MountSpec spec = ParseMountOptions(Bind({"rbind", "rprivate", "ro"}), "/b").value();
  EXPECT_EQ(spec.kind, MountSpec::Kind::kBind);
  EXPECT_EQ(spec.source, "/b/data");
  EXPECT_TRUE(spec.is_recursive);
  EXPECT_FALSE(spec.is_attributes_recursive);
  EXPECT_EQ(spec.attributes, uint64_t{MOUNT_ATTR_RDONLY});
}

TEST(MountOptionsTest, RecursiveReadOnlyReachesWhatIsBelow) {
  EXPECT_TRUE(ParseMountOptions(Bind({"rbind", "rro"}), "/b").value().is_attributes_recursive);
}

TEST(MountOptionsTest, WhatIsNotSupportedIsRefusedByName) {
  EXPECT_EQ(ErrorOf(Bind({"rbind", "rshared"})),
            "mounts[2].options: 'rshared' is not supported by skiff-oci");
  EXPECT_EQ(ErrorOf(Tmpfs({"tmpcopyup"})),
            "mounts[2].options: 'tmpcopyup' is not supported by skiff-oci");
  EXPECT_EQ(ErrorOf(Bind({"bind", "size=1k"})),
            "mounts[2].options: 'size=1k' is not an option of a bind");
  EXPECT_EQ(ErrorOf(Tmpfs({"size="})), "mounts[2].options: 'size=' is not of the form key=value");
  EXPECT_EQ(ErrorOf({"mounts[0]", "/x", "", "y", {}}), "mounts[0].type: missing");
  EXPECT_EQ(ErrorOf({"mounts[0]", "/x", "bind", "", {}}), "mounts[0].source: missing");
}

TEST(ContainerIdTest, OnlyHarmlessNamesAreTaken) {
  for (const char* id : {"a", "web-1", "A_b+c.d"}) EXPECT_TRUE(CheckContainerId(id).ok()) << id;
  for (const char* id : {"", ".", "..", ".cache", "a/b", "a b", "ü"}) {
    EXPECT_FALSE(CheckContainerId(id).ok()) << id;
  }
  EXPECT_FALSE(CheckContainerId(std::string(129, 'a')).ok());
}

}  // namespace
}  // namespace skiff::isolation::oci
