// The daemon: the store, the agent in a thread of its own, and the server in another. The caller's
// thread waits for a signal. Ending it ends no task.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "networking/http/server.h"
#include "runtime/agent/agent.h"
#include "runtime/api/api_metrics.h"
#include "runtime/api/ecs_account_settings.h"
#include "runtime/api/ecs_host.h"
#include "runtime/api/ecs_registry.h"
#include "runtime/api/ecs_tasks.h"
#include "runtime/api/logs.h"
#include "runtime/api/router.h"
#include "runtime/store/store.h"
#include "tools/skiffd/event_feed.h"
#include "tools/skiffd/limits.h"
#include "tools/skiffd/options.h"

namespace skiff::tools {

class Daemon {
 public:
  // Takes the data root for itself (kConflict when another daemon has it), opens the store and
  // listens. `inherited`: sockets that listen already.
  static Result<std::unique_ptr<Daemon>> Open(DaemonOptions options,
                                              std::vector<UniqueFd> inherited);

  // Until SIGTERM, SIGINT or SIGHUP, or until one of the threads fails.
  Result<> Run();

 private:
  explicit Daemon(DaemonOptions options) : options_(std::move(options)) {}
  Result<> LockDataRoot();
  Result<> Listen(std::vector<UniqueFd> inherited);
  Result<> MakeRouter();
  Result<> Reset();
  Result<> CollectImages();
  Result<> WaitForSignal();

  DaemonOptions options_;
  UniqueFd lock_;
  UniqueFd signals_;
  std::chrono::milliseconds upkeep_interval_ = kRetentionInterval;
  int64_t collected_ = 0;  // monotonic nanoseconds of the last look; 0: none yet
  std::unique_ptr<runtime::Store> store_;
  std::unique_ptr<runtime::Agent> agent_;
  std::unique_ptr<runtime::api::TaskOperations> tasks_;
  std::unique_ptr<runtime::api::EcsRegistry> registry_;
  std::unique_ptr<runtime::api::EcsHost> host_;
  std::unique_ptr<runtime::api::EcsAccountSettings> account_settings_;
  std::unique_ptr<runtime::api::LogsService> logs_;
  runtime::api::ApiMetrics api_metrics_;
  std::unique_ptr<EventFeed> events_;
  std::unique_ptr<runtime::api::Router> router_;
  std::unique_ptr<networking::http::Server> server_;
};

}  // namespace skiff::tools
