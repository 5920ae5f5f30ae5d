// Serves the control socket on the supervisor's event loop. At most kMaxControlConnections at a
// time; a further one is closed at once. One owner, one thread; destroyed after the loop.
#pragma once

#include <functional>
#include <list>
#include <string>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "isolation/sys/event_loop.h"
#include "runtime/supervisor/control.h"
#include "runtime/supervisor/limits.h"

namespace skiff::runtime {

class ControlServer {
 public:
  using Handler = std::function<Result<>(const ControlRequest&)>;

  ControlServer(sys::EventLoop* loop, Handler handler)
      : loop_(loop), handler_(std::move(handler)) {}
  Result<> Listen(const std::string& path);

 private:
  struct Connection final : sys::Completion {
    void OnComplete(int result, unsigned flags) override;
    ControlServer* server = nullptr;
    UniqueFd fd;
    char buffer[kMaxControlRequest];
    std::list<Connection>::iterator place;
  };
  void OnAccept(int result, unsigned flags);
  void Answer(Connection& connection, int size);

  sys::EventLoop* loop_;
  Handler handler_;
  UniqueFd listener_;
  std::list<Connection> connections_;
  sys::MemberCompletion<ControlServer, &ControlServer::OnAccept> accept_{this};
};

}  // namespace skiff::runtime
