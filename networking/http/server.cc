// The one file that sees Boost.Beast.
#include "networking/http/server.h"

// Beast 1.81 asserts that the last chunk is there in one piece, and only then looks for its end:
// where asserts are compiled in, anybody who sends "0\r\n\r" and waits would end the daemon.
#define BOOST_DISABLE_ASSERTS

#include <sys/socket.h>
#include <sys/un.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/version.hpp>
#include <cstring>
#include <new>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "isolation/base/log.h"
#include "isolation/sys/file.h"

namespace skiff::networking::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using boost::system::error_code;

// One socket type for TCP, Unix and adopted sockets.
using Protocol = asio::generic::stream_protocol;
using Stream = beast::basic_stream<Protocol, asio::io_context::executor_type>;
using Socket = asio::basic_stream_socket<Protocol, asio::io_context::executor_type>;
using Acceptor = asio::basic_socket_acceptor<Protocol, asio::io_context::executor_type>;

constexpr std::chrono::milliseconds kAcceptPause{100};  // after running out of descriptors

Error ErrorOf(const error_code& code, const std::string& what) {
  return Error::FromErrno(code.value(), what);
}

// nullopt when the other side has gone already.
std::optional<Peer> PeerOf(const Socket& socket) {
  error_code code;
  Protocol::endpoint local = socket.local_endpoint(code);
  if (code) return std::nullopt;
  if (local.data()->sa_family == AF_UNIX) return Peer{Peer::Kind::kUnix, "", true};
  Protocol::endpoint remote = socket.remote_endpoint(code);
  if (code) return std::nullopt;
  asio::ip::tcp::endpoint tcp;
  tcp.resize(remote.size());
  std::memcpy(tcp.data(), remote.data(), remote.size());
  return Peer{Peer::Kind::kTcp, tcp.address().to_string(), tcp.address().is_loopback()};
}

Response Refusal(bhttp::status status, const std::string& text) {
  Response response;
  response.status = static_cast<int>(status);
  response.headers = {{"Content-Type", "text/plain"}};
  response.body = text + "\n";
  return response;
}

// Whether everybody who reads the header sees the body end at the same place. Beast refuses what
// contradicts itself; a list of equal lengths, or codings other than chunked, others may read
// otherwise, and then a request hides in a body (request smuggling).
bool IsBodyPlain(const Request& request) {
  size_t count = 0;
  for (const Header& header : request.headers) {
    bool is_length = beast::iequals(header.name, "content-length");
    bool is_coding = beast::iequals(header.name, "transfer-encoding");
    if (!is_length && !is_coding) continue;
    ++count;
    if (is_coding && !beast::iequals(header.value, "chunked")) return false;
    bool is_number = header.value.find_first_not_of("0123456789") == std::string::npos;
    if (is_length && !is_number) return false;
  }
  return count <= 1;
}

class ServerImpl;

// One connection. Alive as long as an operation of its own, or the handler's Respond, holds it.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ServerImpl* server, Socket socket, Peer peer)
      : server_(server), stream_(std::move(socket)), peer_(std::move(peer)) {}

  void Start() { Read(); }
  void Refuse(Response response);
  void Close();
  bool is_idle() const { return is_idle_; }

 private:
  using Parser = bhttp::request_parser<bhttp::string_body>;

  void Read();
  void OnFirstByte(const error_code& code);
  void OnRequest(const error_code& code);
  void Handle();
  void Send(Response response);
  void OnSent(const error_code& code);
  Request TakeRequest();

  ServerImpl* server_;
  Stream stream_;
  Peer peer_;
  beast::flat_buffer buffer_;
  std::optional<Parser> parser_;
  bhttp::response<bhttp::string_body> response_;
  bool keep_alive_ = true;
  bool is_idle_ = true;
};

class ServerImpl final : public Server {
 public:
  ServerImpl(const ServerLimits& limits, Handler handler)
      : limits_(limits), handler_(std::move(handler)) {}
  ~ServerImpl() override {
    for (const auto& connection : connections_) connection->Close();
  }

  Result<uint16_t> ListenTcp(const std::string& address, uint16_t port) override;
  Result<> ListenUnix(const std::string& path, unsigned mode) override;
  Result<> ListenOn(UniqueFd socket) override;
  void Run() override;
  void Stop() override;
  void Post(std::function<void()> function) override { asio::post(context_, std::move(function)); }

  const ServerLimits& limits() const { return limits_; }
  const Handler& handler() const { return handler_; }
  asio::io_context& context() { return context_; }
  bool is_stopping() const { return is_stopping_; }
  void Forget(const std::shared_ptr<Connection>& connection) { connections_.erase(connection); }

 private:
  Result<> Listen(const Protocol::endpoint& endpoint, int family, const std::string& name);
  struct Listener {
    explicit Listener(asio::io_context& context)
        : acceptor(context.get_executor()), pause(context) {}
    Acceptor acceptor;
    asio::steady_timer pause;
  };
  void Accept(Listener& listener);
  void OnAccept(Listener& listener, const error_code& code, Socket socket);
  void Welcome(const std::shared_ptr<Connection>& connection);
  void StopHere();
  void CloseAll();

  ServerLimits limits_;
  Handler handler_;
  asio::io_context context_{1};
  bool is_stopping_ = false;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unordered_set<std::shared_ptr<Connection>> connections_;
};

// Waits for a request's first byte without its time running; then the whole must come in time.
void Connection::Read() {
  is_idle_ = true;
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(server_->limits().header_bytes));
  parser_->body_limit(server_->limits().body_bytes);
  if (buffer_.size() > 0) return OnFirstByte({});
  stream_.expires_after(server_->limits().idle_timeout);
  stream_.async_read_some(buffer_.prepare(8192),
                          [self = shared_from_this()](const error_code& code, size_t size) {
                            self->buffer_.commit(size);
                            self->OnFirstByte(code);
                          });
}

void Connection::OnFirstByte(const error_code& code) {
  if (code) return Close();
  is_idle_ = false;
  stream_.expires_after(server_->limits().request_timeout);
  bhttp::async_read(
      stream_, buffer_, *parser_,
      [self = shared_from_this()](const error_code& failure, size_t) { self->OnRequest(failure); });
}

void Connection::OnRequest(const error_code& code) {
  if (!code) return Handle();
  keep_alive_ = false;
  if (code == bhttp::error::body_limit) {
    return Send(Refusal(bhttp::status::payload_too_large, "the body is too large"));
  }
  if (code == bhttp::error::header_limit) {
    return Send(Refusal(bhttp::status::request_header_fields_too_large, "the header is too large"));
  }
  if (code == beast::error::timeout) {
    // The stream is closed already: there is nobody to tell.
    return Close();
  }
  if (code.category() == bhttp::make_error_code(bhttp::error::bad_method).category() &&
      code != bhttp::error::end_of_stream && code != bhttp::error::partial_message) {
    return Send(Refusal(bhttp::status::bad_request, code.message()));
  }
  Close();
}

Request Connection::TakeRequest() {
  auto message = parser_->release();
  Request request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  for (const auto& field : message) {
    request.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  }
  request.body = std::move(message.body());
  request.peer = peer_;
  return request;
}

void Connection::Handle() {
  keep_alive_ = parser_->keep_alive() && !server_->is_stopping();
  Request request = TakeRequest();
  if (request.headers.size() > kMaxHeaders) {
    keep_alive_ = false;
    return Send(Refusal(bhttp::status::request_header_fields_too_large, "too many headers"));
  }
  if (!IsBodyPlain(request)) {
    keep_alive_ = false;
    return Send(Refusal(bhttp::status::bad_request, "the length of the body is ambiguous"));
  }
  stream_.expires_never();
  auto respond = [self = shared_from_this()](Response response) {
    // On the server's thread at once, from another through the loop.
    asio::dispatch(self->server_->context(), [self, answer = std::move(response)]() mutable {
      self->Send(std::move(answer));
    });
  };
  server_->handler()(std::move(request), std::move(respond));
}

void Connection::Send(Response response) {
  response_ = {};
  response_.version(11);
  response_.result(static_cast<unsigned>(response.status));
  for (const Header& header : response.headers) response_.insert(header.name, header.value);
  response_.keep_alive(keep_alive_);
  response_.body() = std::move(response.body);
  response_.content_length(response_.body().size());
  stream_.expires_after(server_->limits().request_timeout);
  bhttp::async_write(
      stream_, response_,
      [self = shared_from_this()](const error_code& code, size_t) { self->OnSent(code); });
}

void Connection::OnSent(const error_code& code) {
  if (code || !keep_alive_ || server_->is_stopping()) return Close();
  Read();
}

void Connection::Refuse(Response response) {
  keep_alive_ = false;
  Send(std::move(response));
}

void Connection::Close() {
  auto self = shared_from_this();
  error_code ignored;
  stream_.socket().shutdown(Stream::socket_type::shutdown_both, ignored);
  stream_.close();
  server_->Forget(self);
}

Result<> ServerImpl::Listen(const Protocol::endpoint& endpoint, int family,
                            const std::string& name) {
  auto listener = std::make_unique<Listener>(context_);
  Acceptor& acceptor = listener->acceptor;
  error_code code;
  acceptor.open(Protocol(family, 0), code);
  if (!code && family != AF_UNIX) acceptor.set_option(Acceptor::reuse_address(true), code);
  if (!code) acceptor.bind(endpoint, code);
  if (!code) acceptor.listen(asio::socket_base::max_listen_connections, code);
  if (code) return ErrorOf(code, "listen on " + name);
  listeners_.push_back(std::move(listener));
  return {};
}

Result<uint16_t> ServerImpl::ListenTcp(const std::string& address, uint16_t port) {
  error_code code;
  asio::ip::address parsed = asio::ip::make_address(address, code);
  if (code) return Error(Code::kInvalid, "'" + address + "' is no IPv4 or IPv6 address");
  asio::ip::tcp::endpoint tcp(parsed, port);
  Protocol::endpoint endpoint(tcp.data(), tcp.size());
  std::string name = address + ":" + std::to_string(port);
  TRY(Listen(endpoint, parsed.is_v6() ? AF_INET6 : AF_INET, name));
  asio::ip::tcp::endpoint bound;
  Protocol::endpoint local = listeners_.back()->acceptor.local_endpoint();
  bound.resize(local.size());
  std::memcpy(bound.data(), local.data(), local.size());
  return bound.port();
}

// Whether somebody answers at the socket file.
bool IsAlive(asio::io_context& context, const std::string& path) {
  asio::local::stream_protocol::socket probe(context);
  error_code code;
  probe.connect(asio::local::stream_protocol::endpoint(path), code);
  return !code;
}

Result<> ServerImpl::ListenUnix(const std::string& path, unsigned mode) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error(Code::kInvalid, path + ": a socket's path has at most " +
                                     std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes");
  }
  if (sys::Exists(AT_FDCWD, path)) {
    if (IsAlive(context_, path)) {
      return Error(Code::kConflict, path + ": another process listens there");
    }
    TRY(sys::Unlink(AT_FDCWD, path));
  }
  asio::local::stream_protocol::endpoint local(path);
  TRY(Listen(Protocol::endpoint(local.data(), local.size()), AF_UNIX, path));
  return sys::Chmod(AT_FDCWD, path, mode);
}

Result<> ServerImpl::ListenOn(UniqueFd socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return Error::FromErrno(errno, "getsockname of a listening socket");
  }
  auto listener = std::make_unique<Listener>(context_);
  error_code code;
  listener->acceptor.assign(Protocol(address.ss_family, 0), socket.get(), code);
  if (code) return ErrorOf(code, "adopt a listening socket");
  static_cast<void>(socket.Release());
  listeners_.push_back(std::move(listener));
  return {};
}

void ServerImpl::Accept(Listener& listener) {
  listener.acceptor.async_accept([this, &listener](const error_code& code, Socket socket) {
    OnAccept(listener, code, std::move(socket));
  });
}

void ServerImpl::OnAccept(Listener& listener, const error_code& code, Socket socket) {
  if (is_stopping_) return;
  if (code) {
    // Out of descriptors or memory: the connection stays in the backlog. Asking again at once
    // would spin.
    Log(LogLevel::kWarning, "accept a connection: " + code.message());
    listener.pause.expires_after(kAcceptPause);
    listener.pause.async_wait([this, &listener](const error_code& cancelled) {
      if (!cancelled && !is_stopping_) Accept(listener);
    });
    return;
  }
  if (std::optional<Peer> peer = PeerOf(socket)) {
    Welcome(std::make_shared<Connection>(this, std::move(socket), std::move(*peer)));
  }
  Accept(listener);
}

void ServerImpl::Welcome(const std::shared_ptr<Connection>& connection) {
  bool is_full = connections_.size() >= limits_.connections;
  connections_.insert(connection);
  if (is_full) {
    connection->Refuse(Refusal(bhttp::status::service_unavailable, "too many connections"));
  } else {
    connection->Start();
  }
}

void ServerImpl::Run() {
  auto work = asio::make_work_guard(context_);
  for (auto& listener : listeners_) Accept(*listener);
  while (!is_stopping_ || !connections_.empty()) {
    try {
      if (context_.run_one() == 0) break;
    } catch (const std::bad_alloc&) {
      // Which connection was left in the middle is not known, and memory must come from somewhere:
      // they are all closed. Clients try again; new ones are taken as before.
      Log(LogLevel::kError, "http: no memory for a connection, all are closed");
      CloseAll();
    }
  }
}

void ServerImpl::CloseAll() {
  while (!connections_.empty()) {
    std::shared_ptr<Connection> connection = *connections_.begin();
    connection->Close();
    connections_.erase(connection);
  }
}

void ServerImpl::StopHere() {
  is_stopping_ = true;
  for (auto& listener : listeners_) {
    listener->pause.cancel();
    listener->acceptor.close();
  }
  auto connections = connections_;
  for (const auto& connection : connections) {
    if (connection->is_idle()) connection->Close();
  }
}

void ServerImpl::Stop() {
  asio::post(context_, [this] { StopHere(); });
}

}  // namespace

Result<std::unique_ptr<Server>> Server::Create(const ServerLimits& limits, Handler handler) {
  return std::unique_ptr<Server>(std::make_unique<ServerImpl>(limits, std::move(handler)));
}

}  // namespace skiff::networking::http
