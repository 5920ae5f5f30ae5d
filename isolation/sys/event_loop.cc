#include "isolation/sys/event_loop.h"

#include <cstdlib>
#include <string_view>

namespace skiff::sys {
namespace {

std::string_view Wanted() {
#ifdef SKIFF_FAILPOINTS
  const char* text = getenv("SKIFF_EVENT_LOOP");
  if (text != nullptr) return text;
#endif
  return "";
}

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::Create(unsigned entries) {
  std::string_view wanted = Wanted();
  if (wanted == "poll") return MakePollLoop();
  if (!wanted.empty() && wanted != "io_uring") {
    return Error(Code::kInvalid,
                 "SKIFF_EVENT_LOOP: expected io_uring or poll, got " + std::string(wanted));
  }
  auto ring = MakeIoUringLoop(entries);
  if (ring.ok() || wanted == "io_uring" || ring.error().code() != Code::kUnavailable) return ring;
  std::unique_ptr<EventLoop> loop = MakePollLoop();
  loop->fallback_reason_ = ring.error().message();
  return loop;
}

}  // namespace skiff::sys
