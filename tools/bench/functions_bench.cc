// What the parts of a task's start cost that touch no kernel object: reading a task definition,
// planning, the plan's way through JSON, the event log. The rest is in kernel_bench.cc.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "isolation/base/json.h"
#include "runtime/model/task_definition.h"
#include "runtime/plan/limits.h"
#include "runtime/plan/task_plan.h"
#include "runtime/supervisor/event_log.h"

namespace skiff::bench {
namespace {

constexpr const char* kDefinition = R"({
  "family": "web", "networkMode": "awsvpc", "cpu": "512", "memory": "1024",
  "requiresCompatibilities": ["FARGATE"],
  "containerDefinitions": [
    {"name": "web", "image": "nginx", "essential": true, "memory": 512, "cpu": 256,
     "portMappings": [{"containerPort": 80, "protocol": "tcp"}],
     "environment": [{"name": "MODE", "value": "production"}, {"name": "LEVEL", "value": "info"}],
     "ulimits": [{"name": "nofile", "softLimit": 1024, "hardLimit": 4096}]},
    {"name": "client", "image": "busybox", "essential": false, "memoryReservation": 64,
     "command": ["sh", "-c", "wget -qO- http://127.0.0.1/"],
     "dependsOn": [{"containerName": "web", "condition": "START"}]}]})";

runtime::PlanRequest MakeRequest() {
  runtime::PlanRequest request{runtime::TaskId::Generate(), 1, {}, {}, {}, {}};
  request.host.cpus = 2;
  request.host.memory = Bytes::GiB(8);
  request.host.can_raise_limits = true;
  request.host.max_open_files = 1 << 20;
  for (const char* name : {"nginx", "busybox"}) {
    runtime::PlannedImage& image = request.images[name];
    image.id = "sha256:" + std::string(64, 'a');
    image.config.cmd = {"/bin/sh"};
    image.config.env = {"PATH=/usr/bin:/bin"};
    image.layers = {"/var/lib/skiff/layers/a/diff", "/var/lib/skiff/layers/b/diff"};
  }
  return request;
}

runtime::TaskPlan MakeThePlan() {
  runtime::TaskDefinition definition =
      runtime::ParseTaskDefinition(kDefinition, "bench").value().definition;
  return runtime::MakePlan(definition, MakeRequest()).value();
}

void JsonParse(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        JsonDocument::Parse(kDefinition, "bench", runtime::kMaxPlanBytes.count()));
  }
}
BENCHMARK(JsonParse);

void ParseTaskDefinition(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(runtime::ParseTaskDefinition(kDefinition, "bench"));
}
BENCHMARK(ParseTaskDefinition);

void MakePlan(benchmark::State& state) {
  runtime::TaskDefinition definition =
      runtime::ParseTaskDefinition(kDefinition, "bench").value().definition;
  runtime::PlanRequest request = MakeRequest();
  for (auto _ : state) benchmark::DoNotOptimize(runtime::MakePlan(definition, request));
}
BENCHMARK(MakePlan);

void EncodePlan(benchmark::State& state) {
  runtime::TaskPlan plan = MakeThePlan();
  for (auto _ : state) benchmark::DoNotOptimize(runtime::EncodePlan(plan));
}
BENCHMARK(EncodePlan);

void DecodePlan(benchmark::State& state) {
  std::string text = runtime::EncodePlan(MakeThePlan());
  for (auto _ : state) benchmark::DoNotOptimize(runtime::DecodePlan(text));
}
BENCHMARK(DecodePlan);

void EventLogAppend(benchmark::State& state) {
  std::string directory = std::filesystem::temp_directory_path() / "skiff-bench-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) return state.SkipWithError("no temporary directory");
  {
    runtime::EventLog log = runtime::EventLog::Open(directory).value();
    runtime::Event event;
    event.type = runtime::EventType::kContainerExited;
    event.container = "web";
    event.exit_code = 0;
    for (auto _ : state) log.Append(event);
  }
  std::filesystem::remove_all(directory);
}
BENCHMARK(EventLogAppend);

}  // namespace
}  // namespace skiff::bench

BENCHMARK_MAIN();
