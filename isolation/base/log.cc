#include "isolation/base/log.h"

#include <errno.h>
#include <unistd.h>

#include <string>

#include "isolation/base/clock.h"

namespace skiff {

void Log(LogLevel level, std::string_view text) {
  std::string line = FormatRfc3339(WallNanoseconds());
  line += level == LogLevel::kInfo      ? " info "
          : level == LogLevel::kWarning ? " warning "
                                        : " error ";
  line += program_invocation_short_name;
  line += ": ";
  for (char c : text) line += c == '\n' ? ' ' : c;
  line += '\n';
  // There is nowhere to report a failing log to.
  [[maybe_unused]] ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace skiff
