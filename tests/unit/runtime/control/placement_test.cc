#include "runtime/control/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/memory_store.h"

namespace skiff::runtime {
namespace {

void Put(Store& store, const std::string& key, std::optional<std::string> value) {
  Result<uint64_t> revision = store.Commit({{key, std::move(value), {}}}, Durability::kStatus);
  ASSERT_TRUE(revision.ok()) << revision.error().message();
}

std::string Share(int64_t cpu) { return Encode(TaskShare{cpu, 10, true}); }

TEST(PlacementTest, NamesTheResourceThatIsMissing) {
  HostRecord host;
  host.cpu = 1024;
  host.memory = 1000;
  host.enis = 2;
  HostUse used{.cpu = 768, .memory = 488, .enis = 1};
  EXPECT_EQ(MissingResource(host, used, {256, 512, true}), std::nullopt);
  EXPECT_EQ(MissingResource(host, used, {257, 512, true}), "RESOURCE:CPU");
  EXPECT_EQ(MissingResource(host, used, {256, 513, true}), "RESOURCE:MEMORY");
  used.enis = 2;
  EXPECT_EQ(MissingResource(host, used, {256, 512, true}), "RESOURCE:ENI");
  EXPECT_EQ(MissingResource(host, used, {256, 512, false}), std::nullopt);
}

TEST(PlacementTest, FollowsTheTasksThatComeAndGo) {
  MemoryStore store;
  Put(store, "active/a", Share(100));
  Placement placement(store);
  Put(store, "active/b", Share(20));
  EXPECT_EQ(placement.Use().value(), (HostUse{120, 20, 2}));
  Put(store, "active/c", Share(3));
  Put(store, "active/a", std::nullopt);
  Put(store, "active/b", Share(30));
  EXPECT_EQ(placement.Use().value(), (HostUse{33, 20, 2}));
  ASSERT_TRUE(store.Clear().ok());
  placement.Forget();
  EXPECT_EQ(placement.Use().value(), HostUse());
}

TEST(PlacementTest, ManyChangesUnseenAndManyTasksAddUpTheSame) {
  MemoryStore store;
  Placement placement(store);
  EXPECT_EQ(placement.Use().value(), HostUse());
  for (int i = 0; i < 3000; ++i) Put(store, "active/" + std::to_string(i), Share(1));
  EXPECT_EQ(placement.Use().value(), (HostUse{3000, 30000, 3000}));
}

TEST(PlacementTest, ADamagedShareIsSetAside) {
  MemoryStore store;
  Put(store, "active/a", Share(1));
  Put(store, "active/b", "garbage");
  Placement placement(store);
  EXPECT_EQ(placement.Use().value(), (HostUse{1, 10, 1}));
  EXPECT_EQ(store.quarantined().count("active/b"), 1U);
}

}  // namespace
}  // namespace skiff::runtime
