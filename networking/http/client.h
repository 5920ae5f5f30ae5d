// An HTTP/1.1 client for long downloads: TLS, proxies, redirects, kept connections, and a timeout
// for everything. Calls block; several threads may share a Client, an Exchange belongs to one.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/bytes.h"
#include "isolation/base/result.h"
#include "networking/http/ip_address.h"
#include "networking/http/limits.h"
#include "networking/http/message.h"
#include "networking/http/proxy.h"
#include "networking/http/response_reader.h"
#include "networking/http/transport.h"
#include "networking/http/url.h"

namespace skiff::networking::http {

struct ClientSettings {
  std::chrono::milliseconds connect_timeout = kConnectTimeout;
  std::chrono::milliseconds idle_timeout = kClientIdleTimeout;
  std::chrono::milliseconds head_timeout = kHeadTimeout;
  size_t redirects = kMaxRedirects;
  ProxySettings proxies;
  std::string user_agent = "skiff/" SKIFF_VERSION;
  // Whom to believe at an address; called from any thread. Default: the system's authorities.
  std::function<Result<TlsTrust>(const Url&)> trust;
  // Whether a request may go where somebody led it; called from any thread. Default: CheckLead.
  std::function<Result<>(const Leader&, const IpAddress&)> may_lead;
};

struct ClientRequest {
  std::string method = "GET";
  Url url;
  std::vector<Header> headers;  // Host, User-Agent, Content-Length and Connection are the client's
  // Sent whole, or, when `body_source` is set, that many bytes piece by piece.
  std::string body;
  std::function<Result<std::string_view>()> body_source;
  uint64_t body_size = 0;
  // GET and HEAD only. Authorization goes no further than the origin of `url`; from https to http
  // is an error.
  bool follows_redirects = true;
  // Who named `url`, when it was not the user; the address that is connected to has to be one that
  // he may lead to. Redirects are always led by whoever answered first. Behind a proxy only hosts
  // that are addresses themselves can be checked.
  std::optional<Leader> led_by;
};

// An answer whose body is still to be read.
class Exchange {
 public:
  virtual ~Exchange() = default;
  const ResponseHead& head() const { return head_; }
  int status() const { return head_.status; }
  const std::string* Find(std::string_view name) const { return head_.Find(name); }
  const Url& url() const { return url_; }  // after redirects
  // Whoever answered first, before any redirect.
  const Leader& leader() const { return leader_; }
  // The next piece of the body, valid until the following call; empty at its end.
  virtual Result<std::string_view> Next() = 0;
  // The rest of the body; kExhausted when it is longer.
  Result<std::string> ReadAll(Bytes limit);

 protected:
  ResponseHead head_;
  Url url_;

 private:
  friend class Client;
  Leader leader_;
};

class Client {
 public:
  explicit Client(ClientSettings settings);
  ~Client();

  // Any status is an answer. Errors begin with the address: kTimeout and kUnavailable are worth
  // another try; kDenied is a certificate that is not believed.
  Result<std::unique_ptr<Exchange>> Send(const ClientRequest& request);

 private:
  class Pool;
  class Connection;
  class ClientExchange;

  Result<std::unique_ptr<Exchange>> SendOnce(const ClientRequest& request);
  Result<std::unique_ptr<Connection>> Connect(const Url& url, const std::optional<Leader>& leader);
  Result<> CheckPeer(const std::optional<Leader>& leader, const IpAddress& peer) const;

  ClientSettings settings_;
  std::shared_ptr<Pool> pool_;
};

}  // namespace skiff::networking::http
