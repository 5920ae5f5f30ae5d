#include "networking/http/client.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

namespace skiff::networking::http {
namespace {

using Clock = std::chrono::steady_clock;

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

bool IsSameName(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return tolower(static_cast<unsigned char>(x)) == tolower(static_cast<unsigned char>(y));
  });
}

bool IsSecret(std::string_view name) {
  return IsSameName(name, "Authorization") || IsSameName(name, "Cookie");
}

Result<> CheckHeaders(const ClientRequest& request) {
  for (const Header& header : request.headers) {
    if ((header.name + header.value).find_first_of(std::string_view("\r\n\0", 3)) ==
        std::string::npos) {
      continue;
    }
    return Error(Code::kInvalid, "header " + header.name + " has a line break");
  }
  return {};
}

}  // namespace

// A transport and what was read of it beyond the last answer.
class Client::Connection {
 public:
  Connection(std::unique_ptr<Transport> transport, std::string key, std::optional<Proxy> relay,
             Leader peer)
      : transport_(std::move(transport)),
        key_(std::move(key)),
        peer_(peer),
        relay_(std::move(relay)),
        buffer_(new char[kClientBuffer]) {}

  Transport& transport() { return *transport_; }
  const std::string& key() const { return key_; }
  const Leader& peer() const { return peer_; }
  // A proxy that is to be asked for the whole address.
  const std::optional<Proxy>& relay() const { return relay_; }

  Result<ResponseHead> ReadHead();
  // What was read already, or what comes next; empty at the end.
  Result<std::string_view> Fill() {
    if (!unread_.empty()) return std::exchange(unread_, {});
    size_t count = TRY(transport_->Read(buffer_.get(), kClientBuffer));
    return std::string_view(buffer_.get(), count);
  }
  void Unread(std::string_view rest) { unread_ = rest; }
  bool IsReusable() { return unread_.empty() && transport_->IsQuiet(); }

 private:
  std::unique_ptr<Transport> transport_;
  std::string key_;
  Leader peer_;
  std::optional<Proxy> relay_;
  std::unique_ptr<char[]> buffer_;
  std::string_view unread_;  // within buffer_
};

// Passes over interim answers.
Result<ResponseHead> Client::Connection::ReadHead() {
  std::string text;
  for (size_t interim = 0; interim < kMaxInterimResponses;) {
    size_t end = FindEndOfHead(text);
    if (end == std::string_view::npos) {
      if (text.size() > kMaxResponseHead) {
        return Error(Code::kInvalid, "malformed answer: its headers are too long");
      }
      std::string_view piece = TRY(Fill());
      if (piece.empty()) {
        return Error(Code::kUnavailable, text.empty() ? "the connection ended without an answer"
                                                      : "the connection ended in the headers");
      }
      // No more than a head's worth: the rest is the body's, and stays where it is.
      size_t before = text.size();
      text += piece.substr(0, kMaxResponseHead + 1);
      end = FindEndOfHead(text);
      if (end == std::string_view::npos) continue;
      Unread(piece.substr(end - before));
    }
    ResponseHead head = TRY(ParseResponseHead(std::string_view(text).substr(0, end)));
    if (head.status >= 200 || head.status == 101) return head;
    text.clear();  // what came behind it is still in the buffer
    ++interim;
  }
  return Error(Code::kInvalid, "malformed answer: too many interim answers");
}

class Client::Pool {
 public:
  std::unique_ptr<Connection> Take(const std::string& key) {
    std::lock_guard lock(mutex_);
    for (auto at = idle_.begin(); at != idle_.end(); ++at) {
      if ((*at)->key() != key) continue;
      std::unique_ptr<Connection> connection = std::move(*at);
      idle_.erase(at);
      return connection;
    }
    return nullptr;
  }
  void Keep(std::unique_ptr<Connection> connection) {
    std::lock_guard lock(mutex_);
    if (idle_.size() == kMaxKeptConnections) idle_.erase(idle_.begin());
    idle_.push_back(std::move(connection));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

class Client::ClientExchange final : public Exchange {
 public:
  ClientExchange(std::shared_ptr<Pool> pool, std::unique_ptr<Connection> connection,
                 ResponseHead head, Url url, bool has_body)
      : pool_(std::move(pool)), connection_(std::move(connection)), body_(head, has_body) {
    head_ = std::move(head);
    url_ = std::move(url);
    GiveBackWhenDone();
  }

  Result<std::string_view> Next() override {
    Result<std::string_view> piece = Read();
    if (!piece.ok()) connection_.reset();
    return std::move(piece).Context(url_.Shown());
  }

 private:
  Result<std::string_view> Read() {
    for (;;) {
      GiveBackWhenDone();
      if (body_.is_done()) return std::string_view();
      if (!connection_) return Error(Code::kUnavailable, "the connection is gone");
      std::string_view input = TRY(connection_->Fill());
      if (input.empty()) {
        TRY(body_.EndOfInput());
        continue;
      }
      while (!input.empty() && !body_.is_done()) {
        std::string_view piece = TRY(body_.Feed(&input));
        if (piece.empty()) continue;
        // The piece lies in the connection's buffer, which must live until the next call.
        connection_->Unread(input);
        return piece;
      }
      connection_->Unread(input);
    }
  }

  void GiveBackWhenDone() {
    if (!connection_ || !body_.is_done()) return;
    if (head_.is_keep_alive && connection_->IsReusable()) pool_->Keep(std::move(connection_));
    connection_.reset();
  }

  std::shared_ptr<Pool> pool_;
  std::unique_ptr<Connection> connection_;
  BodyReader body_;
};

Result<std::string> Exchange::ReadAll(Bytes limit) {
  std::string text;
  for (;;) {
    std::string_view piece = TRY(Next());
    if (piece.empty()) return text;
    if (text.size() + piece.size() > limit.count()) {
      return Error(Code::kExhausted, url_.Shown() + ": the answer is longer than " +
                                         std::to_string(limit.count()) + " bytes");
    }
    text += piece;
  }
}

Client::Client(ClientSettings settings)
    : settings_(std::move(settings)), pool_(std::make_shared<Pool>()) {}
Client::~Client() = default;

namespace {

// Asks a proxy for a tunnel; the transport is the other side's afterwards.
std::string TunnelRequest(const Url& url, const Proxy& proxy) {
  std::string name = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  name += ":" + std::to_string(url.port);
  std::string text = "CONNECT " + name + " HTTP/1.1\r\nHost: " + name + "\r\n";
  if (!proxy.authorization.empty()) text += "Proxy-Authorization: " + proxy.authorization + "\r\n";
  return text + "\r\n";
}

// Byte by byte, so that nothing of what follows is taken: this is rare and short.
Result<> ReadTunnelAnswer(Transport* transport) {
  std::string text;
  while (FindEndOfHead(text) == std::string_view::npos) {
    if (text.size() > kMaxResponseHead) return Error(Code::kInvalid, "its headers are too long");
    char byte = 0;
    size_t count = TRY(transport->Read(&byte, 1));
    if (count == 0) return Error(Code::kUnavailable, "the connection ended without an answer");
    text += byte;
  }
  ResponseHead head = TRY(ParseResponseHead(text.substr(0, FindEndOfHead(text))));
  if (head.status == 200) return {};
  return Error(head.status >= 500 ? Code::kUnavailable : Code::kDenied,
               "it refuses a tunnel with status " + std::to_string(head.status));
}

}  // namespace

Result<> Client::CheckPeer(const std::optional<Leader>& leader, const IpAddress& peer) const {
  if (!leader) return {};
  return settings_.may_lead ? settings_.may_lead(*leader, peer) : CheckLead(*leader, peer);
}

Result<std::unique_ptr<Client::Connection>> Client::Connect(const Url& url,
                                                            const std::optional<Leader>& leader) {
  std::optional<Proxy> proxy = settings_.proxies.For(url);
  const Url& first = proxy ? proxy->url : url;
  std::string what = proxy ? "proxy " + first.Authority() : "";
  Leader peer;
  std::function<Result<>(const IpAddress&)> check;
  if (proxy) {
    peer.address = IpAddress::ParseHost(url.host);
    if (peer.address) TRY(CheckPeer(leader, *peer.address));
  } else {
    check = [&](const IpAddress& address) { return CheckPeer(leader, address); };
  }
  Result<Connected> opened = ConnectTcp(first.host, first.port, settings_.connect_timeout, check);
  if (!opened.ok()) {
    Error error = std::move(opened).error();
    return proxy ? std::move(error).Context(what) : std::move(error);
  }
  if (!proxy) peer.address = opened.value().peer;
  std::unique_ptr<Transport> transport = std::move(opened.value().transport);
  transport->SetTimeout(settings_.connect_timeout);
  if (proxy && url.is_tls) {
    TRY(transport->Write(TunnelRequest(url, *proxy)).Context(what));
    TRY(ReadTunnelAnswer(transport.get()).Context(what));
    proxy.reset();
  }
  if (url.is_tls) {
    TlsTrust trust;
    if (settings_.trust) trust = TRY(settings_.trust(url));
    transport->SetDeadline(Clock::now() + settings_.connect_timeout);
    transport = TRY(StartTls(std::move(transport), url.host, trust));
  }
  transport->SetTimeout(settings_.idle_timeout);
  return std::make_unique<Connection>(std::move(transport), url.Origin(), std::move(proxy), peer);
}

namespace {

std::string RequestText(const ClientRequest& request, const std::string& user_agent,
                        const std::optional<Proxy>& relay) {
  std::string text = request.method + " ";
  text += relay ? request.url.ToString() : request.url.target;
  text +=
      " HTTP/1.1\r\nHost: " + request.url.Authority() + "\r\nUser-Agent: " + user_agent + "\r\n";
  if (relay && !relay->authorization.empty()) {
    text += "Proxy-Authorization: " + relay->authorization + "\r\n";
  }
  for (const Header& header : request.headers) text += header.name + ": " + header.value + "\r\n";
  uint64_t size = request.body_source ? request.body_size : request.body.size();
  bool may_have_body = request.method != "GET" && request.method != "HEAD";
  if (may_have_body) text += "Content-Length: " + std::to_string(size) + "\r\n";
  return text + "\r\n";
}

Result<> WriteBody(const ClientRequest& request, Transport* transport) {
  if (!request.body_source) return transport->Write(request.body);
  uint64_t sent = 0;
  for (;;) {
    Result<std::string_view> piece = request.body_source();
    // Whatever is wrong with our own data, sending it again does not mend it.
    if (!piece.ok()) return Error(Code::kInvalid, piece.error().message());
    if (piece.value().empty()) break;
    sent += piece.value().size();
    if (sent > request.body_size) break;
    TRY(transport->Write(piece.value()));
  }
  if (sent == request.body_size) return {};
  return Error(Code::kInternal, "the body to send is not as long as it was said to be");
}

}  // namespace

Result<std::unique_ptr<Exchange>> Client::SendOnce(const ClientRequest& request) {
  std::unique_ptr<Connection> connection = pool_->Take(request.url.Origin());
  bool is_kept = connection != nullptr;
  bool is_usable = is_kept && connection->IsReusable();
  // Nor one whose peer was good enough for somebody else only.
  if (is_usable && connection->peer().address) {
    is_usable = CheckPeer(request.led_by, *connection->peer().address).ok();
  }
  if (is_kept && !is_usable) {
    connection.reset();
    is_kept = false;
  }
  auto exchange = [&]() -> Result<ResponseHead> {
    if (!connection) connection = TRY(Connect(request.url, request.led_by));
    Transport& transport = connection->transport();
    transport.SetDeadline(Clock::time_point::max());
    Result<> written =
        transport.Write(RequestText(request, settings_.user_agent, connection->relay()));
    if (written.ok()) written = WriteBody(request, &transport);
    // Who refuses what we send may say so before it has it all, and then be gone.
    if (!written.ok() && written.error().code() != Code::kUnavailable) {
      return std::move(written).error();
    }
    transport.SetDeadline(Clock::now() + settings_.head_timeout);
    Result<ResponseHead> head = connection->ReadHead();
    bool is_said = head.ok() || head.error().code() != Code::kUnavailable;
    if (!is_said && !written.ok()) return std::move(written).error();
    ResponseHead answer = TRY(std::move(head));
    if (!written.ok()) answer.is_keep_alive = false;
    transport.SetDeadline(Clock::time_point::max());
    return answer;
  };
  Result<ResponseHead> head = exchange();
  // A kept connection may have ended just when it was taken.
  if (!head.ok() && is_kept && !request.body_source && head.error().code() == Code::kUnavailable) {
    connection.reset();
    head = exchange();
  }
  ResponseHead answer = TRY(std::move(head));
  bool has_body = request.method != "HEAD" && answer.status != 204 && answer.status != 304;
  Leader peer = connection->peer();
  std::unique_ptr<Exchange> done = std::make_unique<ClientExchange>(
      pool_, std::move(connection), std::move(answer), request.url, has_body);
  done->leader_ = peer;
  return done;
}

Result<std::unique_ptr<Exchange>> Client::Send(const ClientRequest& request) {
  TRY(CheckHeaders(request).Context(request.url.Shown()));
  ClientRequest current = request;
  bool may_follow =
      request.follows_redirects && (request.method == "GET" || request.method == "HEAD");
  std::optional<Leader> first;
  for (size_t hops = 0;; ++hops) {
    std::unique_ptr<Exchange> exchange = TRY(SendOnce(current).Context(current.url.Shown()));
    if (!first) first = exchange->leader_;
    exchange->leader_ = *first;
    if (!current.led_by) current.led_by = first;
    const std::string* location = exchange->Find("Location");
    if (!may_follow || !IsRedirect(exchange->status()) || location == nullptr) return exchange;
    if (hops == settings_.redirects) {
      return Error(Code::kInvalid, request.url.Shown() + ": more than " +
                                       std::to_string(settings_.redirects) + " redirects");
    }
    Url next = TRY(current.url.Resolve(*location).Context(current.url.Shown() + ": redirect"));
    if (current.url.is_tls && !next.is_tls) {
      return Error(Code::kDenied, current.url.Shown() + ": it redirects from https to http");
    }
    if (next.Origin() != request.url.Origin()) {
      std::erase_if(current.headers, [](const Header& header) { return IsSecret(header.name); });
    }
    current.url = std::move(next);
  }
}

}  // namespace skiff::networking::http
