#include "runtime/api/api_metrics.h"

namespace skiff::runtime::api {

void ApiMetrics::Note(const std::string& operation, int status, double seconds) {
  times_[operation].Observe(seconds);
  ++counts_[{operation, status}];
}

void ApiMetrics::Write(MetricsText& text) const {
  text.Family("skiff_api_requests_total", "counter", "Requests by operation and HTTP status.");
  for (const auto& [key, count] : counts_) {
    text.Sample({{"operation", key.first}, {"status", std::to_string(key.second)}}, count);
  }
  text.Family("skiff_api_request_seconds", "histogram", "Time until the answer, by operation.");
  for (const auto& [operation, histogram] : times_) {
    text.Add({{"operation", operation}}, histogram);
  }
}

}  // namespace skiff::runtime::api
