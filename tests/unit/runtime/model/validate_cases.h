// A right task definition, changes to it, and what ValidateTaskDefinition says to them.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/model/validate.h"

namespace skiff::runtime {

inline ContainerDefinition Container(std::string name) {
  ContainerDefinition container;
  container.name = std::move(name);
  container.image = "busybox";
  return container;
}

// A Fargate task of two containers, "web" and "side"; "side" is not essential.
inline TaskDefinition FargateTask() {
  TaskDefinition task;
  task.family = "web";
  task.requires_compatibilities = {"FARGATE"};
  task.network_mode = NetworkMode::kAwsvpc;
  task.cpu = CpuUnits(256);
  task.memory = Bytes::MiB(512);
  task.containers = {Container("web"), Container("side")};
  task.containers[1].essential = false;
  return task;
}

inline TaskDefinition Ec2Task() {
  TaskDefinition task = FargateTask();
  task.requires_compatibilities = {};
  return task;
}

// What a case may change.
struct Parts {
  TaskDefinition& task;
  ContainerDefinition& web;
  ContainerDefinition& side;
};

struct Case {
  std::string error;  // empty: accepted
  std::function<void(Parts)> change;
};

inline void Check(const std::vector<Case>& cases, const TaskDefinition& base) {
  for (size_t i = 0; i < cases.size(); ++i) {
    TaskDefinition task = base;
    cases[i].change({task, task.containers[0], task.containers[1]});
    std::vector<std::string> warnings;
    Result<> result = ValidateTaskDefinition(task, &warnings);
    EXPECT_EQ(result.ok() ? "" : result.error().message(), cases[i].error) << "case " << i;
    EXPECT_TRUE(result.ok() || result.error().code() == Code::kInvalid) << "case " << i;
  }
}

}  // namespace skiff::runtime
