// The HTTP/1.1 server seam: Boost.Beast lives behind it and nowhere else.
//
// One thread: Run's. The handler is called there and must not block for long; it may answer later
// and from any thread. Keep-alive; one request at a time per connection. Without a request nothing
// wakes up.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"
#include "networking/http/limits.h"
#include "networking/http/message.h"

namespace skiff::networking::http {

struct ServerLimits {
  size_t connections = kMaxConnections;  // further ones get 503 and are closed
  size_t header_bytes = kMaxHeaderBytes;
  size_t body_bytes = kMaxBodyBytes;                       // 413 beyond
  std::chrono::seconds request_timeout = kRequestTimeout;  // from the first byte to the last: 408
  std::chrono::seconds idle_timeout = kIdleTimeout;        // of a kept connection
};

class Server {
 public:
  using Respond = std::function<void(Response)>;  // once; any thread
  using Handler = std::function<void(Request&&, Respond)>;

  static Result<std::unique_ptr<Server>> Create(const ServerLimits& limits, Handler handler);
  virtual ~Server() = default;

  // The port listened on (for port 0). `address`: an IPv4 or IPv6 literal.
  virtual Result<uint16_t> ListenTcp(const std::string& address, uint16_t port) = 0;
  // Replaces a socket file that nobody listens on; kConflict when somebody does.
  virtual Result<> ListenUnix(const std::string& path, unsigned mode) = 0;
  // A socket that listens already (socket activation).
  virtual Result<> ListenOn(UniqueFd socket) = 0;

  // Until Stop: then no new connection is taken, requests at work are answered.
  virtual void Run() = 0;
  virtual void Stop() = 0;  // any thread, and signal-safe callers' threads
  virtual void Post(std::function<void()> function) = 0;  // runs it on Run's thread; any thread
};

}  // namespace skiff::networking::http
