// Any bytes sent to the HTTP server over a socket, whole and in pieces: the same requests come out,
// and none that a proxy before the server could read otherwise (request smuggling).
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "isolation/base/text.h"
#include "networking/http/server.h"
#include "tests/fuzz/check.h"

namespace {

using skiff::UniqueFd;
using skiff::fuzz::Check;
using skiff::networking::http::Header;
using skiff::networking::http::Request;
using skiff::networking::http::Server;

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return tolower(x) == tolower(y); });
}

int Count(const Request& request, std::string_view name) {
  return static_cast<int>(
      std::count_if(request.headers.begin(), request.headers.end(),
                    [&](const Header& header) { return EqualsIgnoringCase(header.name, name); }));
}

void CheckRequest(const Request& request) {
  Check(!request.method.empty() && !request.target.empty());
  Check(request.target.find_first_of(std::string_view("\0 \r\n", 4)) == std::string::npos);
  for (const Header& header : request.headers) {
    Check(!header.name.empty());
    Check(header.name.find_first_of(std::string_view("\0 \t\r\n:", 6)) == std::string::npos);
    Check(header.value.find_first_of(std::string_view("\0\r\n", 3)) == std::string::npos);
  }
  // Two ways to say where the body ends are one too many.
  int lengths = Count(request, "content-length");
  int codings = Count(request, "transfer-encoding");
  Check(lengths == 0 || codings == 0);
  Check(lengths <= 1);
  if (lengths == 1) {
    std::optional<uint64_t> length = skiff::ParseUint(*request.Find("content-length"));
    Check(length == request.body.size());
  }
  if (lengths == 0 && codings == 0) Check(request.body.empty());
}

// The server in a thread of its own, on an abstract socket.
class RunningServer {
 public:
  RunningServer() {
    server_ = Server::Create({}, [this](Request&& request, const Server::Respond& respond) {
                CheckRequest(request);
                {
                  std::lock_guard lock(mutex_);
                  seen_.push_back(std::move(request));
                }
                respond({});
              }).value();
    UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un any{.sun_family = AF_UNIX, .sun_path = {}};
    Check(bind(listener.get(), reinterpret_cast<sockaddr*>(&any), sizeof(sa_family_t)) == 0);
    Check(listen(listener.get(), 16) == 0);
    size_ = sizeof(address_);
    Check(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address_), &size_) == 0);
    Check(server_->ListenOn(std::move(listener)).ok());
    thread_ = std::thread([this] { server_->Run(); });
  }
  ~RunningServer() {
    server_->Stop();
    thread_.join();
  }

  std::vector<Request> Send(std::string_view bytes, size_t piece) {
    UniqueFd client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    Check(connect(client.get(), reinterpret_cast<sockaddr*>(&address_), size_) == 0);
    while (!bytes.empty()) {
      std::string_view part = bytes.substr(0, piece);
      // libFuzzer's clock interrupts calls.
      ssize_t sent = TEMP_FAILURE_RETRY(send(client.get(), part.data(), part.size(), MSG_NOSIGNAL));
      if (sent < 0) break;  // refused meanwhile
      bytes.remove_prefix(static_cast<size_t>(sent));
      if (piece != SIZE_MAX) WaitUntilRead(client.get());
    }
    shutdown(client.get(), SHUT_WR);
    char answer[4096];
    while (TEMP_FAILURE_RETRY(recv(client.get(), answer, sizeof(answer), 0)) > 0) {
    }
    std::lock_guard lock(mutex_);
    return std::exchange(seen_, {});
  }

 private:
  // A piece counts as one only once the other side has taken it.
  static void WaitUntilRead(int client) {
    int unread = 1;
    while (ioctl(client, SIOCOUTQ, &unread) == 0 && unread > 0) sched_yield();
  }

  std::unique_ptr<Server> server_;
  std::thread thread_;
  sockaddr_un address_{};
  socklen_t size_ = 0;
  std::mutex mutex_;
  std::vector<Request> seen_;
};

std::string Describe(const std::vector<Request>& requests) {
  std::string text;
  for (const Request& request : requests) {
    text += request.method + " " + request.target + "\n";
    for (const Header& header : request.headers) text += header.name + "=" + header.value + "\n";
    text += std::to_string(request.body.size()) + ":" + request.body;
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static RunningServer server;
  std::string_view bytes = skiff::fuzz::TextOf(data, size);
  constexpr size_t kMostPieces = 64;
  size_t piece = std::max<size_t>(1 + size % 7, size / kMostPieces);
  std::string whole = Describe(server.Send(bytes, SIZE_MAX));
  Check(whole == Describe(server.Send(bytes, piece)));
  return 0;
}
