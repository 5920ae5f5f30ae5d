// The pulls that tasks wait for: of an image one at a time, however many tasks need it. Each is a
// process of its own, `skiff image pull` beside this program, so that the agent never waits for a
// network. When it ends, whoever waits is woken and looks at the store again; one that nobody waits
// for any more is killed. One thread, the loop's; must outlive the loop.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/sys/event_loop.h"
#include "isolation/sys/process.h"
#include "runtime/model/ids.h"

namespace skiff::runtime {

class ImagePulls {
 public:
  ImagePulls(sys::EventLoop& loop, std::string data_root, std::function<void(const TaskId&)> wake);
  // Kills what is at work: the next daemon begins anew.
  ~ImagePulls();

  // For an image that the store lacks. The error: the pull that the task waited for has ended, and
  // the image is still not there. Otherwise the pull is at work and `wake` follows.
  Result<> Await(const std::string& image, const TaskId& task);
  // The task waits no longer, whatever for.
  void Forget(const TaskId& task);

 private:
  struct Pull final : sys::Completion {
    void OnComplete(int result, unsigned flags) override;
    ImagePulls* owner = nullptr;
    std::string image;
    std::set<TaskId> waiting;
    sys::Process process;  // not valid: it has not begun
    UniqueFd errors;       // its standard error
    bool is_killed = false;
  };

  Result<> Begin(Pull& pull);
  void BeginNext();
  void Finish(Pull& pull);
  void Tell(Pull& pull, const std::optional<Error>& failure);

  sys::EventLoop& loop_;
  const std::string data_root_;
  const std::function<void(const TaskId&)> wake_;
  std::map<std::string, std::unique_ptr<Pull>> pulls_;  // by image
  std::deque<std::string> queue_;                       // those that have not begun
  size_t running_ = 0;
  // How the pulls ended that a task waited for; no error: it succeeded.
  std::map<TaskId, std::map<std::string, std::optional<Error>>> ended_;
};

}  // namespace skiff::runtime
