// What a supervisor can be told, over its Unix socket: one request a connection, one line of JSON
// each way.
//   {"verb":"stop","reason":"...","timeoutSeconds":5}   timeoutSeconds overrides every container's
//   stop timeout
//   {"verb":"signal","signal":1,"container":"web"}      no container: all that run
// Answers {"ok":true} or {"error":"..."}. Only root can connect (mode 0600 in a 0700 directory).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "isolation/base/result.h"

namespace skiff::runtime {

struct ControlRequest {
  enum class Verb { kStop, kSignal };
  Verb verb = Verb::kStop;
  std::string reason;
  std::optional<std::chrono::seconds> timeout;
  int signal = 0;
  std::string container;
};

std::string EncodeRequest(const ControlRequest& request);
Result<ControlRequest> DecodeRequest(std::string_view line);
std::string EncodeAnswer(const Result<>& result);

// Sends a request and waits for the answer. kNotFound or kUnavailable when nobody listens there.
Result<> SendRequest(const std::string& socket_path, const ControlRequest& request);

}  // namespace skiff::runtime
