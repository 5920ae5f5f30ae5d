// How definition and --isolation together decide a container's confinement.
#include "runtime/plan/confinement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/model/supported.h"
#include "runtime/plan/container_spec.h"
#include "runtime/plan/task_plan.h"

namespace skiff::runtime {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TaskDefinition Definition(const std::string& members = "") {
  std::string json = R"({"family": "f", "networkMode": "none", "containerDefinitions": [
      {"name": "c", "image": "i", "memory": 64)" +
                     members + "}]}";
  return ParseTaskDefinition(json, "test").value().definition;
}

TaskPlan Plan(const TaskDefinition& definition, const IsolationOptions& options = {}) {
  PlanRequest request{.id = TaskId::Parse("0123456789abcdef0123456789abcdef").value()};
  request.images["i"] = {"sha256:0", {}, {"/layer"}};
  request.images["i"].config.cmd = {"sh"};
  request.isolation = options;
  return MakePlan(definition, request).value();
}

TEST(ConfinementTest, EverythingIsOnByDefault) {
  TaskPlan plan = Plan(Definition());
  const ContainerPlan& container = plan.containers[0];
  EXPECT_EQ(container.confinement, ConfinementPlan());
  EXPECT_TRUE(container.confinement.no_new_privileges);
  EXPECT_EQ(container.capabilities, isolation::DefaultCapabilities());
  EXPECT_TRUE(plan.user_namespace.is_wanted);
  EXPECT_FALSE(plan.user_namespace.is_required);
  EXPECT_THAT(plan.warnings, IsEmpty());
  isolation::ContainerSpec spec = SpecOf(plan, container, "");
  EXPECT_TRUE(spec.no_new_privileges);
  EXPECT_THAT(spec.masked_paths, Contains("/proc/kcore"));
  EXPECT_THAT(spec.readonly_paths, Contains("/proc/sys"));
  EXPECT_EQ(spec.capabilities.inheritable, 0U);
  EXPECT_EQ(spec.capabilities.ambient, 0U);
}

TEST(ConfinementTest, PidModeTaskAndTheCommandLineShareProcesses) {
  TaskDefinition definition = Definition();
  IsolationOptions shared;
  shared.share_pids = true;
  shared.landlock = true;
  TaskPlan plan = Plan(definition, shared);
  EXPECT_TRUE(plan.share_pids);
  EXPECT_TRUE(plan.containers[0].confinement.landlock);
  EXPECT_FALSE(SpecOf(plan, plan.containers[0], "").namespaces.new_pid);
  EXPECT_TRUE(DecodePlan(EncodePlan(plan)).value().share_pids);
  EXPECT_FALSE(Plan(definition).share_pids);
  definition.pid_mode = "task";
  EXPECT_TRUE(Plan(definition).share_pids);
}

TEST(ConfinementTest, DefinitionSwitchesNoNewPrivilegesAndTheCommandLineHasTheLastWord) {
  TaskDefinition off = Definition(R"(, "dockerSecurityOptions": ["no-new-privileges:false"])");
  EXPECT_FALSE(Plan(off).containers[0].confinement.no_new_privileges);
  IsolationOptions on;
  on.no_new_privileges = true;
  EXPECT_TRUE(Plan(off, on).containers[0].confinement.no_new_privileges);
  std::vector<std::string> warnings;
  EXPECT_TRUE(CheckSupported(off, &warnings).ok());
  TaskDefinition other = Definition(R"(, "dockerSecurityOptions": ["label:disable"])");
  EXPECT_THAT(CheckSupported(other, &warnings).error().message(),
              HasSubstr("containerDefinitions[0].dockerSecurityOptions: only no-new-privileges"));
}

TEST(ConfinementTest, CapabilitiesOfTheCommandLineComeBeforeAddAndDrop) {
  IsolationOptions none;
  none.capabilities = 0;
  TaskDefinition adds =
      Definition(R"(, "linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"]}})");
  const ContainerPlan container = Plan(adds, none).containers[0];
  EXPECT_THAT(isolation::CapabilityNames(container.capabilities),
              testing::ElementsAre("SYS_PTRACE"));
  EXPECT_TRUE(container.allow_ptrace);
}

TEST(ConfinementTest, WhatIsOpenedIsWarnedAbout) {
  IsolationOptions open;
  open.seccomp = SeccompChoice::kNone;
  open.no_new_privileges = false;
  open.mask_paths = false;
  TaskPlan plan = Plan(Definition(), open);
  EXPECT_EQ(plan.warnings.size(), 3U);
  isolation::ContainerSpec spec = SpecOf(plan, plan.containers[0], "");
  EXPECT_THAT(spec.masked_paths, IsEmpty());
  EXPECT_THAT(spec.readonly_paths, IsEmpty());
}

TEST(ConfinementTest, PlanKeepsItThroughItsFile) {
  IsolationOptions options;
  options.seccomp = SeccompChoice::kProfile;
  options.seccomp_program = {{0x20, 0, 0, 4}, {0x06, 1, 2, 0x7fff0000}};
  options.seccomp_flags = 2;
  options.no_new_privileges = false;
  options.mask_paths = false;
  options.trace_syscalls = true;
  TaskPlan plan = Plan(Definition(), options);
  TaskPlan read = DecodePlan(EncodePlan(plan)).value();
  EXPECT_EQ(read.containers[0].confinement, plan.containers[0].confinement);
  EXPECT_EQ(read.containers[0].confinement.seccomp_program.size(), 2U);
}

}  // namespace
}  // namespace skiff::runtime
