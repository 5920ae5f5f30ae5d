// One log line on standard error: "2026-01-31T12:00:00.123456789Z warning skiff-supervisor: text".
// For what nobody returned an error to; what can be returned is returned. One write(2) a line, so
// lines of several processes never mix.
#pragma once

#include <string_view>

namespace skiff {

enum class LogLevel { kInfo, kWarning, kError };

void Log(LogLevel level, std::string_view text);

}  // namespace skiff
