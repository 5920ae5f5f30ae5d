// The task operations on a store in memory, with a cluster, a definition and a host.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "runtime/api/ecs_tasks.h"
#include "runtime/control/keys.h"
#include "runtime/control/records.h"
#include "runtime/control/task_change.h"
#include "runtime/store/sqlite_store.h"

namespace skiff::runtime::api {

inline constexpr std::string_view kWeb = R"({
  "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
  "cpu": "256", "memory": "512",
  "containerDefinitions": [
    {"name": "web", "image": "nginx:1", "memory": 256, "cpu": 128},
    {"name": "log", "image": "busybox", "memoryReservation": 64, "essential": false}]})";

class EcsTasksTest : public ::testing::Test {
 protected:
  EcsTasksTest() : store_(OpenSqliteStore("").value()) {
    operations_ = std::make_unique<TaskOperations>(*store_, ControlSettings());
    operations_->AddTo(table_);
    PutCluster({.name = "default", .capacity_providers = {"FARGATE", "FARGATE_SPOT"}});
    PutDefinition(kWeb, 1);
    PutHost(1024, 4096, 3);
  }

  void Put(const std::string& key, const std::string& value) {
    Result<uint64_t> revision = store_->Commit({{key, value, {}}}, Durability::kStatus);
    ASSERT_TRUE(revision.ok()) << revision.error().message();
  }
  void PutCluster(const ClusterRecord& cluster) {
    Put(keys::Cluster(cluster.name), Encode(cluster));
  }
  void PutDefinition(std::string_view json, int64_t revision,
                     TaskDefinitionRecord::Status status = TaskDefinitionRecord::Status::kActive) {
    TaskDefinitionRecord record;
    record.definition = ParseTaskDefinition(json, "test").value().definition;
    record.revision = revision;
    record.status = status;
    record.tags = {{"team", "definition"}, {"only", "definition"}};
    Put(keys::TaskDefinition(record.definition.family, revision), Encode(record));
  }
  void PutHost(int64_t cpu, int64_t memory, int64_t enis) {
    HostRecord host;
    host.id = "ffffffffffffffffffffffffffffffff";
    host.cpu = cpu;
    host.memory = memory;
    host.enis = enis;
    Put(keys::kHost, Encode(host));
  }

  Result<std::string> Try(std::string_view operation, std::string_view input) {
    JsonDocument document = JsonDocument::Parse(input, "test").value();
    JsonCursor bare(&document.root().value(), "");
    return table_.operations.find(operation)->second.run(
        Call{std::string(operation), bare, Caller(), "request-1"});
  }
  // "ClusterNotFoundException: Cluster not found."
  std::string Refusal(std::string_view operation, std::string_view input) {
    Result<std::string> answer = Try(operation, input);
    if (answer.ok()) return "accepted: " + answer.value();
    return std::string(answer.error().kind()) + ": " + answer.error().message();
  }

  // What the agent does: changes the observed half of the stored task.
  template <typename Edit>
  void Observe(const std::string& id, Edit edit) {
    StoredRecord stored = store_->Get("tasks/" + id).value().value();
    TaskRecord before = DecodeTask(stored.value).value();
    TaskRecord after = before;
    edit(after.observed);
    Result<uint64_t> revision =
        store_->Commit(ChangeTask(before, stored.version, after), Durability::kStatus);
    ASSERT_TRUE(revision.ok()) << revision.error().message();
  }

  std::unique_ptr<Store> store_;
  std::unique_ptr<TaskOperations> operations_;
  OperationTable table_;
};

}  // namespace skiff::runtime::api
