#include <gtest/gtest.h>

#include "runtime/plan/limits.h"
#include "runtime/plan/task_plan.h"

namespace skiff::runtime {
namespace {

TaskPlan Plan(std::optional<EphemeralStorage> storage) {
  TaskDefinition definition;
  definition.family = "f";
  ContainerDefinition& container = definition.containers.emplace_back();
  container.name = "c";
  container.image = "i";
  definition.ephemeral_storage = storage;
  PlanRequest request{.id = TaskId::Parse("0123456789abcdef0123456789abcdef").value()};
  request.images["i"] = {"sha256:0", {}, {"/layer"}};
  request.images["i"].config.cmd = {"sh"};
  return MakePlan(definition, request).value();
}

TEST(StoragePlanTest, ALimitIsThereAlwaysAndKeptThroughTheFile) {
  EXPECT_EQ(Plan({}).storage, (StoragePlan{kDefaultStorage, false}));
  StoragePlan asked{Bytes::GiB(21), true};
  EXPECT_EQ(Plan(EphemeralStorage{21}).storage, asked);
  EXPECT_EQ(DecodePlan(EncodePlan(Plan(EphemeralStorage{21}))).value().storage, asked);
}

TEST(StoragePlanTest, APlanOfBeforeThereWasOneHasNone) {
  std::string text = EncodePlan(Plan(EphemeralStorage{21}));
  size_t at = text.find("\"storage\"");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 9, "\"ignored\"");
  EXPECT_EQ(DecodePlan(text).value().storage, StoragePlan());
}

}  // namespace
}  // namespace skiff::runtime
