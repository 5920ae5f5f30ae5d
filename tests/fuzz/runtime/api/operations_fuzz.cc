// Any JSON to every operation of ECS, CloudWatch Logs and STS, several in a row, through the router
// and on one store: no input is the server's fault, and what was stored can be read.
//
// The input: lines of "<service>.<operation> <JSON>".
#include <fcntl.h>

#include <memory>
#include <string>

#include "isolation/base/json.h"
#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "runtime/api/ecs_not_offered.h"
#include "runtime/api/ecs_registry.h"
#include "runtime/api/ecs_tasks.h"
#include "runtime/api/logs.h"
#include "runtime/api/router.h"
#include "runtime/api/sts.h"
#include "runtime/control/keys.h"
#include "runtime/control/records.h"
#include "runtime/control/task_record.h"
#include "tests/fuzz/check.h"
#include "tests/support/memory_store.h"
#include "tests/support/temp_dir.h"

namespace {

using namespace skiff::runtime;  // all of it is about this one place
using skiff::fuzz::Check;
using skiff::networking::http::Peer;
using skiff::networking::http::Request;
using skiff::networking::http::Response;

constexpr int64_t kNow = 1'800'000'000'000'000'000;
constexpr size_t kMostCalls = 16;

// The daemon's API on a store in memory, with a host to place tasks on.
struct Service {
  explicit Service(const std::string& directory)
      : tasks(store, {}), registry(store, {}), logs(store, {{}, directory, [] { return kNow; }}) {
    HostRecord host;
    host.id = "ffffffffffffffffffffffffffffffff";
    host.cpu = 4096;
    host.memory = 8192;
    host.enis = 8;
    Check(store.Commit({{keys::kHost, Encode(host), {}}}, Durability::kStatus).ok());
    api::OperationTable ecs;
    ecs.service = "ecs";
    ecs.target_prefix = "AmazonEC2ContainerServiceV20141113";
    tasks.AddTo(ecs);
    registry.AddTo(ecs);
    ecs.not_offered.assign(std::begin(api::kEcsNotOffered), std::end(api::kEcsNotOffered));
    api::RouterOptions options;
    options.is_anonymous = true;
    options.now = [] { return kNow; };
    router = std::make_unique<api::Router>(
        std::move(options),
        std::vector{std::move(ecs), api::StsOperations({}), api::LogsOperations(&logs)});
  }

  Response Ask(std::string_view service, std::string_view operation, std::string_view json) {
    Request request;
    request.method = "POST";
    request.target = "/";
    request.peer = {Peer::Kind::kTcp, "127.0.0.1", true};
    request.headers = {{"Host", "localhost"}};
    if (service == "sts") {
      request.headers.push_back({"Content-Type", "application/x-www-form-urlencoded"});
      request.body = "Action=" + std::string(operation) + "&" + std::string(json);
      return router->Handle(request);
    }
    std::string prefix = service == "logs" ? "Logs_20140328" : "AmazonEC2ContainerServiceV20141113";
    request.headers.push_back({"X-Amz-Target", prefix + "." + std::string(operation)});
    request.body = json;
    return router->Handle(request);
  }

  MemoryStore store;
  api::TaskOperations tasks;
  api::EcsRegistry registry;
  api::LogsService logs;
  std::unique_ptr<api::Router> router;
};

void CheckAnswer(const Response& answer, bool is_json) {
  Check(answer.status == 200 || (answer.status >= 400 && answer.status < 500));
  if (!is_json || answer.body.empty()) return;
  auto document = skiff::JsonDocument::Parse(answer.body, "answer", 64 << 20);
  Check(document.ok() && document.value().root().IsObject());
  if (answer.status == 200) return;
  auto type = document.value().root().FindString("__type");
  Check(type.ok() && type.value() && !type.value()->empty());
}

void CheckStore(const MemoryStore& store) {
  Check(store.quarantined().empty());
  for (const auto& [key, record] : store.records()) {
    if (key.starts_with(keys::kClusters)) Check(DecodeCluster(record.value).ok());
    if (key.starts_with("task-definitions/")) Check(DecodeTaskDefinition(record.value).ok());
    if (key.starts_with(keys::kTasks)) Check(DecodeTask(record.value).ok());
    if (key.starts_with(keys::kActive)) Check(DecodeShare(record.value).ok());
    if (key.starts_with("task-index/")) Check(DecodeIndexEntry(record.value).ok());
    if (key.starts_with(keys::kLogGroups)) Check(DecodeLogGroup(record.value).ok());
    if (key.starts_with("log-streams/")) Check(DecodeLogStream(record.value).ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static skiff::test::TempDir temp;
  std::string directory = temp.path() + "/events";
  Service service(directory);
  size_t calls = 0;
  for (std::string_view line : skiff::Split(skiff::fuzz::TextOf(data, size), '\n')) {
    size_t dot = line.find('.');
    size_t space = line.find(' ');
    if (dot == std::string_view::npos || space == std::string_view::npos || space < dot) continue;
    if (++calls > kMostCalls) break;
    std::string_view name = line.substr(0, dot);
    std::string_view operation = line.substr(dot + 1, space - dot - 1);
    CheckAnswer(service.Ask(name, operation, line.substr(space + 1)), name != "sts");
  }
  CheckStore(service.store);
  skiff::sys::RemoveTree(AT_FDCWD, directory).Ignore();
  return 0;
}
