// What GET /metrics answers: the numbers of the API, of the agent, and of every active task.
#pragma once

#include <string>

#include "runtime/agent/agent_metrics.h"
#include "runtime/api/api_metrics.h"
#include "runtime/plan/paths.h"
#include "runtime/store/store.h"
#include "tools/skiffd/event_feed.h"

namespace skiff::tools {

struct MetricsSources {
  runtime::Store& store;
  const runtime::Roots& roots;
  const runtime::AgentMetrics& agent;
  const runtime::api::ApiMetrics& api;
  const EventFeed& events;
  int64_t started_wall_ns = 0;  // of the daemon
};

// Prometheus' text format. Reads a few files of every active task. The server's thread.
std::string MetricsOf(const MetricsSources& sources);

}  // namespace skiff::tools
