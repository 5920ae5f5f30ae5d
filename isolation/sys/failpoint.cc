#include "isolation/sys/failpoint.h"

#ifdef SKIFF_FAILPOINTS
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "isolation/base/text.h"
#endif

namespace skiff::failpoint {

#ifdef SKIFF_FAILPOINTS
namespace {

struct Armed {
  std::string name;
  uint64_t remaining = 0;  // 0: not armed, or done
  bool is_kill = false;
  int error_number = 0;
  std::string marker;
};

Armed Parse(const char* text) {
  Armed armed;
  std::vector<std::string_view> parts = Split(text, ':');
  if (parts.size() < 3) abort();  // a test that arms nothing must not pass
  armed.name = parts[0];
  armed.remaining = ParseUint(parts[1]).value_or(0);
  armed.is_kill = parts[2] == "kill";
  armed.error_number = static_cast<int>(ParseUint(parts[2]).value_or(EIO));
  if (parts.size() > 3) armed.marker = parts[3];
  return armed;
}

Armed ReadEnvironment() {
  const char* text = getenv("SKIFF_FAILPOINT");
  if (text == nullptr) return {};
  const char* program = getenv("SKIFF_FAILPOINT_PROGRAM");
  if (program != nullptr && std::string(program) != program_invocation_short_name) return {};
  return Parse(text);
}

Armed& TheArmed() {
  static Armed armed = ReadEnvironment();
  return armed;
}

void LeaveMarker(const std::string& marker) {
  if (marker.empty()) return;
  int fd = open(marker.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (fd >= 0) close(fd);
}

}  // namespace

int Hit(const char* name) {
  Armed& armed = TheArmed();
  if (armed.remaining == 0 || (armed.name != "*" && armed.name != name)) return 0;
  if (--armed.remaining > 0) return 0;
  LeaveMarker(armed.marker);
  if (armed.is_kill) kill(getpid(), SIGKILL);
  return armed.error_number;
}

void Arm(const char* text) { TheArmed() = Parse(text); }
#endif

Result<> Check(const char* name) {
  if (int error_number = Hit(name)) return Error::FromErrno(error_number, name);
  return {};
}

}  // namespace skiff::failpoint
