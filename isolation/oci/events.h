// `events`: what a container uses, again and again, and when memory ran out for it, as JSON lines
// in runc's form.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "isolation/base/result.h"
#include "isolation/oci/run.h"

namespace skiff::isolation::oci {

struct EventOptions {
  std::chrono::milliseconds interval{5000};  // between two statistics
  bool is_once = false;                      // one statistic, at once
};

// Until the container ends. `emit` gets each line with its newline.
Result<> WatchEvents(const CommandContext& context, const std::string& id,
                     const EventOptions& options,
                     const std::function<void(std::string_view)>& emit);

// "5s", "100ms", "1m30s".
Result<std::chrono::milliseconds> ParseInterval(const std::string& text);

}  // namespace skiff::isolation::oci
