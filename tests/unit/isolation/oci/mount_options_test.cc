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
  return {"mounts[2]", "/run", "tmpfs", "tmpfs", std::move(options), {}, {}};
}
Mount Bind(std::vector<std::string> options) {
  return {"mounts[2]", "/data", "none", "data", std::move(options), {}, {}};
}
std::string ErrorOf(const Mount& mount) {
  Result<MountSpec> spec = ParseMountOptions(mount, "/b", {});
  return spec.ok() ? "" : spec.error().message();
}

TEST(MountOptionsTest, AttributesAndParametersAreToldApart) {
  MountSpec spec =
      ParseMountOptions(Tmpfs({"nosuid", "strictatime", "mode=755", "size=1k"}), "/b", {}).value();
  EXPECT_EQ(spec.attributes, unsigned{MOUNT_ATTR_NOSUID} | unsigned{MOUNT_ATTR_STRICTATIME});
  EXPECT_THAT(spec.options,
              ElementsAre(Pair("source", "tmpfs"), Pair("mode", "755"), Pair("size", "1k")));
}

TEST(MountOptionsTest, TheLastOfOppositesCounts) {
  EXPECT_EQ(
      ParseMountOptions(Tmpfs({"ro", "noatime", "rw", "relatime"}), "/b", {}).value().attributes,
      0U);
}

// procfs and sysfs have labels of their own, an mqueue gets it when it is there.
TEST(MountOptionsTest, NewFileSystemsHaveTheMountLabel) {
  Config config;
  config.mount_label = "u:object_r:files_t:s0:c1,c2";
  auto parse = [&](const Mount& mount) { return ParseMountOptions(mount, "/b", config).value(); };
  Mount mount = Tmpfs({});
  EXPECT_THAT(parse(mount).options,
              ElementsAre(Pair("source", "tmpfs"), Pair("context", config.mount_label)));
  EXPECT_EQ(parse(mount).root_label, "");
  EXPECT_THAT(parse(Tmpfs({"context=own"})).options,
              ElementsAre(Pair("source", "tmpfs"), Pair("context", "own")));
  mount.type = "mqueue";
  EXPECT_THAT(parse(mount).options, ElementsAre(Pair("source", "tmpfs")));
  EXPECT_EQ(parse(mount).root_label, config.mount_label);
  for (const char* type : {"proc", "sysfs", "cgroup"}) {
    mount.type = type;
    EXPECT_THAT(parse(mount).options, ElementsAre(Pair("source", "tmpfs"))) << type;
    EXPECT_EQ(parse(mount).root_label, "") << type;
  }
  EXPECT_THAT(parse(Bind({"bind"})).options, testing::IsEmpty());
}

TEST(MountOptionsTest, RelativeBindSourceBeginsAtTheBundle) {
  MountSpec spec = ParseMountOptions(Bind({"rbind", "rprivate", "ro"}), "/b", {}).value();
  EXPECT_EQ(spec.kind, MountSpec::Kind::kBind);
  EXPECT_EQ(spec.source, "/b/data");
  EXPECT_TRUE(spec.is_recursive);
  EXPECT_FALSE(spec.is_attributes_recursive);
  EXPECT_EQ(spec.attributes, uint64_t{MOUNT_ATTR_RDONLY});
}

TEST(MountOptionsTest, RecursiveReadOnlyReachesWhatIsBelow) {
  MountSpec spec = ParseMountOptions(Bind({"rbind", "rro", "nosuid"}), "/b", {}).value();
  EXPECT_EQ(spec.recursive_attributes, uint64_t{MOUNT_ATTR_RDONLY});
  EXPECT_EQ(spec.attributes, uint64_t{MOUNT_ATTR_NOSUID});
}

TEST(MountOptionsTest, WhatIsNotSupportedIsRefusedByName) {
  EXPECT_EQ(ErrorOf(Bind({"bind", "tmpcopyup"})), "mounts[2].options: 'tmpcopyup' is for a tmpfs");
  EXPECT_EQ(ErrorOf(Bind({"bind", "idmap"})),
            "mounts[2].options: 'idmap' needs mappings, the mount's own or linux.uidMappings");
  EXPECT_EQ(ErrorOf(Bind({"bind", "idmap=uids=1-2"})),
            "mounts[2].options: 'idmap' holds '1-2', not FROM-TO-SIZE");
  EXPECT_EQ(ErrorOf(Tmpfs({"idmap=uids=0-1-1;gids=0-1-1"})),
            "mounts[2]: only a bind can show other ids");
  EXPECT_EQ(ErrorOf(Bind({"bind", "nosiud"})),
            "mounts[2].options: 'nosiud' is not an option of a bind");
  EXPECT_EQ(ErrorOf(Tmpfs({"size="})), "mounts[2].options: 'size=' is not of the form key=value");
  EXPECT_EQ(ErrorOf({"mounts[0]", "/x", "", "y", {}, {}, {}}), "mounts[0].type: missing");
  EXPECT_EQ(ErrorOf({"mounts[0]", "/x", "bind", "", {}, {}, {}}), "mounts[0].source: missing");
}

TEST(MountOptionsTest, ParametersOfAFileSystemSayNothingOnABind) {
  MountSpec spec = ParseMountOptions(Bind({"bind", "mode=755", "size=1k"}), "/b", {}).value();
  EXPECT_TRUE(spec.options.empty());
}

TEST(MountOptionsTest, PropagationIsTheLastThatIsNamed) {
  MountSpec spec = ParseMountOptions(Bind({"rbind", "private", "rslave"}), "/b", {}).value();
  EXPECT_EQ(spec.propagation, uint64_t{1} << 19);
  EXPECT_TRUE(spec.is_propagation_recursive);
  EXPECT_EQ(ParseMountOptions(Bind({"bind"}), "/b", {}).value().propagation, 0U);
}

TEST(MountOptionsTest, IdsAreMappedByTheOptionTheMountOrTheContainer) {
  Config config;
  config.uid_mappings = config.gid_mappings = {{0, 1, 10}};
  auto uids = [&](const Mount& mount) {
    IdMapping first = ParseMountOptions(mount, "/b", config).value().id_map->uids.front();
    return std::vector<uint32_t>{first.inside, first.outside, first.size};
  };
  EXPECT_THAT(uids(Bind({"bind", "idmap"})), ElementsAre(0, 1, 10));
  EXPECT_THAT(uids(Bind({"bind", "idmap=uids=0-2-5"})), ElementsAre(0, 2, 5));
  // "@": the second number is the container's own.
  EXPECT_THAT(uids(Bind({"bind", "idmap=uids=@0-1-10"})), ElementsAre(0, 2, 10));
  Mount mount = Bind({"bind"});
  mount.uid_mappings = mount.gid_mappings = {{3, 4, 1}};
  EXPECT_THAT(uids(mount), ElementsAre(3, 4, 1));
  // As crun up to 1.8 had it.
  mount.uid_mappings = mount.gid_mappings = {{2, 0, 10}};
  EXPECT_THAT(uids(mount), ElementsAre(0, 2, 10));
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
