#include "runtime/api/client_token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "isolation/base/clock.h"
#include "runtime/api/limits.h"
#include "tests/support/memory_store.h"

namespace skiff::runtime::api {
namespace {

using ::testing::IsEmpty;

constexpr int64_t kDay = std::chrono::nanoseconds(kClientTokenLife).count();

void Put(Store& store, const std::string& token, int64_t created_at) {
  std::string value = Encode(ClientToken{"print", {"task"}, created_at});
  Result<uint64_t> revision =
      store.Commit({{"client-tokens/default/" + token, value, {}}}, Durability::kStatus);
  ASSERT_TRUE(revision.ok()) << revision.error().message();
}

TEST(ClientTokenTest, ATokenHoldsForADay) {
  MemoryStore store;
  int64_t now = WallNanoseconds();
  Put(store, "fresh", now - kDay / 2);
  Put(store, "old", now - 2 * kDay);
  EXPECT_EQ(FindClientToken(store, "default", "fresh").value()->tasks,
            std::vector<std::string>{"task"});
  EXPECT_EQ(FindClientToken(store, "default", "old").value(), std::nullopt);
  EXPECT_EQ(FindClientToken(store, "default", "").value(), std::nullopt);
  EXPECT_EQ(store.records().size(), 1U);  // the old one is gone, so that it can be used again
}

TEST(ClientTokenTest, ADamagedTokenIsSetAside) {
  MemoryStore store;
  ASSERT_TRUE(store.Commit({{"client-tokens/default/a", "{}", {}}}, Durability::kStatus).ok());
  EXPECT_EQ(FindClientToken(store, "default", "a").value(), std::nullopt);
  EXPECT_EQ(store.quarantined().count("client-tokens/default/a"), 1U);
}

TEST(ClientTokenTest, OldTokensAreSweptAwayAFewAtATime) {
  MemoryStore store;
  for (int i = 0; i < 5; ++i) Put(store, "t" + std::to_string(i), i == 3 ? 2 * kDay : 0);
  std::string cursor;
  for (int i = 0; i < 3; ++i) {
    std::vector<RecordWrite> removals = ExpiredTokens(store, cursor, 2 * kDay).value();
    EXPECT_LE(removals.size(), kTokensLookedAt);
    ASSERT_TRUE(store.Commit(removals, Durability::kStatus).ok());
  }
  ASSERT_EQ(store.records().size(), 1U);
  EXPECT_EQ(store.records().begin()->first, "client-tokens/default/t3");
  EXPECT_THAT(ExpiredTokens(store, cursor, 2 * kDay).value(), IsEmpty());
}

}  // namespace
}  // namespace skiff::runtime::api
