// Any text as a task definition, on to its plan: types, rules, what is supported, the plan, and the
// plan's file. Each stage refuses or hands on what the next one takes.
#include <string>

#include "runtime/model/supported.h"
#include "runtime/model/validate.h"
#include "runtime/plan/task_plan.h"
#include "tests/fuzz/check.h"

namespace {

using skiff::fuzz::Check;
using namespace skiff::runtime;  // all of it is about this one place

PlanRequest RequestFor(const TaskDefinition& definition) {
  PlanRequest request{.id = TaskId::Parse("0123456789abcdef0123456789abcdef").value()};
  request.host.cpus = 2;
  request.host.memory = skiff::Bytes::GiB(4);
  request.host.hard_limits = {{7, 1024}};
  PlannedImage image;
  image.config.entrypoint = {"/bin/sh"};
  image.layers = {"/layers/one"};
  for (const ContainerDefinition& container : definition.containers) {
    request.images[container.image] = image;
  }
  return request;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto parsed = ParseTaskDefinition(skiff::fuzz::TextOf(data, size), "fuzz");
  if (!parsed.ok()) return 0;
  const TaskDefinition& definition = parsed.value().definition;
  std::string encoded = EncodeTaskDefinition(definition);
  auto again = ParseTaskDefinition(encoded, "fuzz");
  Check(again.ok());
  Check(EncodeTaskDefinition(again.value().definition) == encoded);
  std::vector<std::string> warnings;
  if (!ValidateTaskDefinition(definition, &warnings).ok()) return 0;
  if (!CheckSupported(definition, &warnings).ok()) return 0;
  auto plan = MakePlan(definition, RequestFor(definition));
  if (!plan.ok()) return 0;
  Check(plan.value().containers.size() == definition.containers.size());
  std::string file = EncodePlan(plan.value());
  auto read = DecodePlan(file);
  Check(read.ok() && EncodePlan(read.value()) == file);
  return 0;
}
