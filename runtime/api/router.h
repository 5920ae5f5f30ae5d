// The gate of the API: takes an HTTP request, finds out who calls and whether they may, finds the
// operation, and turns what comes back into AWS's JSON or XML.
//
// Who calls: on the Unix socket whoever could open it (0600); on TCP whoever signed, or anybody in
// anonymous mode from loopback. Host must be a name of this server (a web page that resolves its
// own name to 127.0.0.1 is refused) and Origin absent (no browser calls an ECS API). One thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "networking/http/message.h"
#include "runtime/api/credentials.h"
#include "runtime/api/operation.h"
#include "runtime/api/sigv4.h"
#include "runtime/control/settings.h"

namespace skiff::runtime::api {

struct RouterOptions {
  ControlSettings settings;
  bool is_anonymous = false;
  KeySet keys;
  std::vector<std::string> hosts;  // names this server has beside localhost and loopback addresses
  bool allow_reset = false;
  std::function<Result<>()> reset;  // POST /_skiff/reset
  // Told of every call: "ecs:RunTask" ("" when none was found), HTTP status, seconds.
  std::function<void(const std::string&, int, double)> observe;
  std::function<std::string()> metrics;  // GET /metrics: Prometheus text; null: not found
  std::function<int64_t()> now;          // wall nanoseconds; null: the clock
};

class Router {
 public:
  Router(RouterOptions options, std::vector<OperationTable> tables);

  networking::http::Response Handle(const networking::http::Request& request) const;

 private:
  // What a request asks for, once it is known to be well formed.
  struct Target {
    const OperationTable* table = nullptr;
    std::string operation;
    JsonDocument input;
  };
  struct Answer {
    Result<std::string> body;
    const OperationTable* table = nullptr;  // null: not found
    std::string operation;
    bool is_query = false;
  };

  Result<> CheckOrigin(const networking::http::Request& request) const;
  bool IsOwnHost(std::string_view host) const;
  Result<Caller> Authenticate(const networking::http::Request& request,
                              std::optional<SignatureClaim>* claim) const;
  Result<> Authorize(const Caller& caller, std::string_view action,
                     const std::vector<std::string>& resources) const;
  Result<Target> FindTarget(const networking::http::Request& request,
                            const std::optional<SignatureClaim>& claim) const;
  Result<Target> FindQueryTarget(const networking::http::Request& request,
                                 const std::optional<SignatureClaim>& claim) const;
  Answer Carry(const networking::http::Request& request, const std::string& request_id) const;
  Result<std::string> Run(const Target& target, const Caller& caller,
                          const std::string& request_id) const;
  networking::http::Response HandleCall(const networking::http::Request& request) const;
  networking::http::Response Render(Answer answer, bool is_xml,
                                    const std::string& request_id) const;
  networking::http::Response HandleGet(const networking::http::Request& request) const;
  networking::http::Response HandleReset(const networking::http::Request& request) const;
  Caller RootCaller() const;

  RouterOptions options_;
  std::vector<OperationTable> tables_;
};

}  // namespace skiff::runtime::api
