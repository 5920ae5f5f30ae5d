#include "networking/http/transport.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "isolation/base/unique_fd.h"
#include "networking/http/limits.h"

namespace skiff::networking::http {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// What a peer or the way to it does is a matter of availability, whatever errno says.
Error NetworkError(int error_number, std::string_view what) {
  std::string text = Error::FromErrno(error_number, what).message();
  return Error(error_number == ETIMEDOUT ? Code::kTimeout : Code::kUnavailable, std::move(text));
}

class TcpTransport final : public Transport {
 public:
  explicit TcpTransport(UniqueFd socket) : socket_(std::move(socket)) {}

  Result<size_t> Read(char* buffer, size_t size) override {
    for (;;) {
      ssize_t count = recv(socket_.get(), buffer, size, 0);
      if (count >= 0) return static_cast<size_t>(count);
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return NetworkError(errno, "receive");
      TRY(Await(POLLIN));
    }
  }

  Result<> Write(std::string_view data) override {
    while (!data.empty()) {
      ssize_t count = send(socket_.get(), data.data(), data.size(), MSG_NOSIGNAL);
      if (count >= 0) {
        data.remove_prefix(static_cast<size_t>(count));
      } else if (errno == EAGAIN) {
        TRY(Await(POLLOUT));
      } else if (errno != EINTR) {
        return NetworkError(errno, "send");
      }
    }
    return {};
  }

  bool IsQuiet() override {
    char byte;
    ssize_t count = recv(socket_.get(), &byte, 1, MSG_PEEK);
    return count < 0 && errno == EAGAIN;
  }

  void SetTimeout(milliseconds idle) override { idle_ = idle; }
  void SetDeadline(Clock::time_point deadline) override { deadline_ = deadline; }

  int fd() const { return socket_.get(); }

  // Until the socket is ready for `events`.
  Result<> Await(short events) {
    Clock::time_point begin = Clock::now();
    Clock::time_point end = std::min(begin + idle_, deadline_);
    for (;;) {
      auto left = std::chrono::ceil<milliseconds>(end - Clock::now());
      if (left.count() <= 0) {
        bool is_deadline = end == deadline_ && deadline_ < begin + idle_;
        return Error(Code::kTimeout, is_deadline ? "the answer did not come in time"
                                                 : "nothing moved for " + Seconds(idle_));
      }
      pollfd entry{socket_.get(), events, 0};
      int ready = poll(&entry, 1, static_cast<int>(std::min<int64_t>(left.count(), 1 << 30)));
      if (ready > 0) return {};
      if (ready < 0 && errno != EINTR) return NetworkError(errno, "poll");
    }
  }

 private:
  static std::string Seconds(milliseconds time) {
    return std::to_string(std::chrono::ceil<std::chrono::seconds>(time).count()) + " s";
  }

  UniqueFd socket_;
  milliseconds idle_ = kClientIdleTimeout;
  Clock::time_point deadline_ = Clock::time_point::max();
};

// ---- TLS ----

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

std::string LastTlsError() {
  unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown error";
}

// The socket below TLS, written to without SIGPIPE.
int SocketWrite(BIO* bio, const char* data, int size) {
  int fd = static_cast<TcpTransport*>(BIO_get_data(bio))->fd();
  BIO_clear_retry_flags(bio);
  ssize_t count = send(fd, data, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(count);
}

int SocketRead(BIO* bio, char* buffer, int size) {
  int fd = static_cast<TcpTransport*>(BIO_get_data(bio))->fd();
  BIO_clear_retry_flags(bio);
  ssize_t count = recv(fd, buffer, static_cast<size_t>(size), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
  return static_cast<int>(count);
}

long SocketControl(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* SocketMethod() {
  static BIO_METHOD* method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "skiff socket");
    BIO_meth_set_write(made, SocketWrite);
    BIO_meth_set_read(made, SocketRead);
    BIO_meth_set_ctrl(made, SocketControl);
    return made;
  }();
  return method;
}

class TlsTransport final : public Transport {
 public:
  explicit TlsTransport(std::unique_ptr<TcpTransport> below) : below_(std::move(below)) {}

  Result<> Handshake(const std::string& host, const TlsTrust& trust);

  Result<size_t> Read(char* buffer, size_t size) override {
    for (;;) {
      size_t count = 0;
      ERR_clear_error();
      if (SSL_read_ex(ssl_.get(), buffer, size, &count) == 1) return count;
      int error = SSL_get_error(ssl_.get(), 0);
      if (error == SSL_ERROR_ZERO_RETURN) return size_t{0};
      TRY(AwaitRetry(error, "receive"));
    }
  }

  Result<> Write(std::string_view data) override {
    while (!data.empty()) {
      size_t count = 0;
      ERR_clear_error();
      if (SSL_write_ex(ssl_.get(), data.data(), data.size(), &count) == 1) {
        data.remove_prefix(count);
        continue;
      }
      TRY(AwaitRetry(SSL_get_error(ssl_.get(), 0), "send"));
    }
    return {};
  }

  bool IsQuiet() override { return SSL_pending(ssl_.get()) == 0 && below_->IsQuiet(); }
  void SetTimeout(milliseconds idle) override { below_->SetTimeout(idle); }
  void SetDeadline(Clock::time_point deadline) override { below_->SetDeadline(deadline); }

 private:
  Result<> Configure(const std::string& host, const TlsTrust& trust);
  Result<> LoadIdentity(const TlsIdentity& own);
  Error HandshakeError(int error) const;

  Result<> AwaitRetry(int error, const char* what) {
    if (error == SSL_ERROR_WANT_READ) return below_->Await(POLLIN);
    if (error == SSL_ERROR_WANT_WRITE) return below_->Await(POLLOUT);
    if (error == SSL_ERROR_SYSCALL && errno != 0) return NetworkError(errno, what);
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    // Since TLS 1.3 this comes when the handshake is over for us.
    if (reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED ||
        reason == SSL_R_SSLV3_ALERT_BAD_CERTIFICATE || reason == SSL_R_TLSV1_ALERT_UNKNOWN_CA) {
      return Error(Code::kDenied, "it asks for a client certificate: " + LastTlsError());
    }
    // Includes an end without the peer's word for it.
    return Error(Code::kUnavailable, std::string(what) + ": " + LastTlsError());
  }

  std::unique_ptr<TcpTransport> below_;
  std::unique_ptr<SSL_CTX, FreeContext> context_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
};

Result<> TlsTransport::Configure(const std::string& host, const TlsTrust& trust) {
  context_.reset(SSL_CTX_new(TLS_client_method()));
  if (!context_) return Error(Code::kInternal, "TLS: " + LastTlsError());
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_AUTO_RETRY |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (trust.is_verified) {
    SSL_CTX_set_default_verify_paths(context_.get());
    for (const std::string& file : trust.authorities) {
      if (SSL_CTX_load_verify_file(context_.get(), file.c_str()) == 1) continue;
      return Error(Code::kInvalid, "certificate authority " + file + ": " + LastTlsError());
    }
  }
  for (const TlsIdentity& own : trust.identities) TRY(LoadIdentity(own));
  SSL_CTX_set_verify(context_.get(), trust.is_verified ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                     nullptr);
  ssl_.reset(SSL_new(context_.get()));
  BIO* bio = BIO_new(SocketMethod());
  if (!ssl_ || bio == nullptr) return Error(Code::kInternal, "TLS: " + LastTlsError());
  BIO_set_data(bio, below_.get());
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  unsigned char address[sizeof(in6_addr)];
  bool is_address = inet_pton(AF_INET, host.c_str(), address) == 1 ||
                    inet_pton(AF_INET6, host.c_str(), address) == 1;
  int is_set = is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str())
                          : SSL_set1_host(ssl_.get(), host.c_str());
  if (is_set == 1 && !is_address) {
    // As SSL_set_tlsext_host_name, whose macro casts in the old style.
    is_set = static_cast<int>(SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME,
                                       TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str())));
  }
  if (is_set == 1) return {};
  return Error(Code::kInvalid, "TLS: host '" + host + "': " + LastTlsError());
}

Result<> TlsTransport::LoadIdentity(const TlsIdentity& own) {
  if (SSL_CTX_use_certificate_chain_file(context_.get(), own.certificate.c_str()) != 1) {
    return Error(Code::kInvalid, "client certificate " + own.certificate + ": " + LastTlsError());
  }
  if (SSL_CTX_use_PrivateKey_file(context_.get(), own.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Error(Code::kInvalid, "client key " + own.key + ": " + LastTlsError());
  }
  return {};
}

Error TlsTransport::HandshakeError(int error) const {
  long verified = SSL_get_verify_result(ssl_.get());
  if (verified != X509_V_OK) {
    ERR_clear_error();
    return Error(Code::kDenied, std::string("its certificate is not trusted: ") +
                                    X509_verify_cert_error_string(verified));
  }
  if (error == SSL_ERROR_SYSCALL && errno != 0) return NetworkError(errno, "TLS handshake");
  int reason = ERR_GET_REASON(ERR_peek_last_error());
  if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
      reason == SSL_R_PACKET_LENGTH_TOO_LONG) {
    ERR_clear_error();
    return Error(Code::kInvalid, "it does not speak TLS");
  }
  return Error(Code::kUnavailable, "TLS handshake: " + LastTlsError());
}

Result<> TlsTransport::Handshake(const std::string& host, const TlsTrust& trust) {
  TRY(Configure(host, trust));
  for (;;) {
    ERR_clear_error();
    errno = 0;
    int done = SSL_connect(ssl_.get());
    if (done == 1) return {};
    int error = SSL_get_error(ssl_.get(), done);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return HandshakeError(error);
    TRY(AwaitRetry(error, "TLS handshake"));
  }
}

// ---- TCP ----

Result<std::unique_ptr<TcpTransport>> ConnectTo(const addrinfo& address, milliseconds timeout) {
  UniqueFd fd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return NetworkError(errno, "socket");
  int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  int connected = connect(fd.get(), address.ai_addr, address.ai_addrlen);
  bool is_begun = connected == 0 || errno == EINPROGRESS || errno == EINTR;
  if (!is_begun) return NetworkError(errno, "connect");
  int raw = fd.get();
  auto transport = std::make_unique<TcpTransport>(std::move(fd));
  transport->SetTimeout(timeout);
  TRY(transport->Await(POLLOUT).Context("connect"));
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(raw, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return NetworkError(error, "connect");
  return transport;
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

}  // namespace

// Resolving is bounded by the resolver's own timeouts (resolv.conf(5)).
Result<Connected> ConnectTcp(const std::string& host, uint16_t port, milliseconds timeout,
                             const std::function<Result<>(const IpAddress&)>& check) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  unsigned char address[sizeof(in6_addr)];
  // AI_ADDRCONFIG would hide the loopback's own addresses on a host without a network.
  bool is_literal = inet_pton(AF_INET, host.c_str(), address) == 1 ||
                    inet_pton(AF_INET6, host.c_str(), address) == 1 || host == "localhost";
  if (is_literal) hints.ai_flags = 0;
  addrinfo* found = nullptr;
  int failure = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (failure != 0) {
    return Error(Code::kUnavailable, "resolve host " + host + ": " + gai_strerror(failure));
  }
  std::unique_ptr<addrinfo, FreeAddresses> addresses(found);
  std::optional<Error> last;
  size_t tried = 0;
  for (addrinfo* at = found; at != nullptr && tried < kMaxAddresses; at = at->ai_next, ++tried) {
    std::optional<IpAddress> peer = IpAddress::Of(*at->ai_addr);
    if (!peer) continue;
    Result<> allowed = check ? check(*peer) : Result<>();
    if (!allowed.ok()) {
      last = std::move(allowed).error();
      continue;
    }
    Result<std::unique_ptr<TcpTransport>> transport = ConnectTo(*at, timeout);
    if (transport.ok()) return Connected{std::move(transport).value(), *peer};
    last = std::move(transport).error();
  }
  if (!last) return Error(Code::kUnavailable, "resolve host " + host + ": it has no address");
  return std::move(*last);
}

Result<std::unique_ptr<Transport>> StartTls(std::unique_ptr<Transport> plain,
                                            const std::string& host, const TlsTrust& trust) {
  // Only ConnectTcp makes what is not TLS yet.
  auto below = std::unique_ptr<TcpTransport>(static_cast<TcpTransport*>(plain.release()));
  auto transport = std::make_unique<TlsTransport>(std::move(below));
  TRY(transport->Handshake(host, trust));
  return std::unique_ptr<Transport>(std::move(transport));
}

}  // namespace skiff::networking::http
