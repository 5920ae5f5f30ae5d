// Prints what a task's containers wrote: standard output to standard output, standard error to
// standard error, lines in the order each container completed them. Owns its readers; one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "isolation/base/result.h"
#include "runtime/logs/log_reader.h"
#include "runtime/plan/task_plan.h"

namespace skiff::tools {

struct LogPrinterOptions {
  std::string container;  // "": all
  std::optional<int64_t> since;
  std::optional<uint64_t> tail;
  bool with_names = true;  // "web | " before each line
  bool with_timestamps = false;
  bool is_json = false;  // instead of all this
};

// "web | 2026-01-31T12:00:00.123456789Z text\n", as the options say. A line that its writer did not
// end is ended only when something was put before it. Pure.
std::string FormatLogLine(const runtime::LogLine& line, const LogPrinterOptions& options,
                          const std::string& prefix);

// {"time":"2026-01-31T12:00:00.123456789Z","container":"web","stream":"stdout","message":"text"}
// and a newline; "isPartial" and "isNotice" where they hold. Bytes that are not UTF-8 become
// U+FFFD. Pure.
std::string FormatLogJson(const runtime::LogLine& line, const std::string& container);

class LogPrinter {
 public:
  LogPrinter(const runtime::TaskPlan& plan, LogPrinterOptions options);

  // Prints what is new. A container whose log directory is not there yet is looked for again.
  Result<> PrintAvailable();
  // Descriptors that are readable when PrintAvailable may print more; call before it.
  Result<std::vector<int>> Follow();

 private:
  struct Source {
    std::string container;
    std::string directory;
    std::string prefixes[2];  // by stream: stdout, stderr
    std::optional<runtime::LogReader> reader;
  };
  Result<> OpenReader(Source& source);
  LogPrinterOptions options_;
  std::deque<Source> sources_;
};

}  // namespace skiff::tools
