// How the API's requests went, for /metrics: count and time by operation and status. One thread:
// the server's.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/control/metrics.h"

namespace skiff::runtime::api {

class ApiMetrics {
 public:
  // `operation` is one of the API's own names, "ecs:RunTask", or "" when none was found.
  void Note(const std::string& operation, int status, double seconds);
  void Write(MetricsText& text) const;

 private:
  std::map<std::string, Histogram> times_;
  std::map<std::pair<std::string, int>, uint64_t> counts_;
};

}  // namespace skiff::runtime::api
