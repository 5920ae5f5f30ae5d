#include "tools/skiff/wait.h"

#include <poll.h>

#include <deque>
#include <memory>

#include "isolation/sys/event_loop.h"

namespace skiff::tools {
namespace {

struct Ready final : sys::Completion {
  void OnComplete(int result, unsigned) override { is_set = result > 0; }
  bool is_set = false;
};

}  // namespace

Result<std::vector<bool>> WaitReadable(const std::vector<int>& fds,
                                       std::optional<std::chrono::milliseconds> timeout) {
  std::deque<Ready> completions(fds.size());
  Ready timer;
  // Ended before the completions: what is still pending is forgotten with it.
  std::unique_ptr<sys::EventLoop> loop = sys::MakePollLoop();
  for (size_t i = 0; i < fds.size(); ++i) {
    loop->Poll(fds[i], POLLIN, sys::Repeat::kOnce, completions[i]);
  }
  if (timeout) loop->Timeout(*timeout, timer);
  TRY(loop->RunOnce());
  std::vector<bool> ready;
  for (const Ready& completion : completions) ready.push_back(completion.is_set);
  return ready;
}

}  // namespace skiff::tools
