#include "networking/http/server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "tests/support/temp_dir.h"

namespace skiff::networking::http {
namespace {

using skiff::test::TempDir;
using testing::HasSubstr;
using testing::StartsWith;

// A server on its own thread that answers with what it was asked.
class Echo {
 public:
  explicit Echo(ServerLimits limits = {}) {
    server_ = Server::Create(limits, [this](Request&& request, Server::Respond respond) {
                Answer(request, std::move(respond));
              }).value();
    port_ = server_->ListenTcp("127.0.0.1", 0).value();
  }
  ~Echo() {
    server_->Stop();
    if (thread_.joinable()) thread_.join();
    for (std::thread& thread : answers_) thread.join();
  }
  void Run() {
    thread_ = std::thread([this] { server_->Run(); });
  }
  Server& server() { return *server_; }
  uint16_t port() const { return port_; }

 private:
  void Answer(const Request& request, Server::Respond respond) {
    Response response;
    response.headers = {{"X-Peer", request.peer.address}};
    response.body = request.method + " " + std::string(request.Path()) + "|" +
                    std::string(request.Query()) + "|" + request.body;
    if (request.Path() != "/later") return respond(std::move(response));
    answers_.emplace_back([respond, response] { respond(response); });
  }

  std::unique_ptr<Server> server_;
  uint16_t port_ = 0;
  std::thread thread_;
  std::vector<std::thread> answers_;
};

UniqueFd Connect(uint16_t port) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

void Say(const UniqueFd& fd, const std::string& text) {
  // The server may refuse before all was sent.
  send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
}

// Until the server closes the connection.
std::string HearAll(const UniqueFd& fd) {
  std::string heard;
  char buffer[4096];
  for (;;) {
    ssize_t size = read(fd.get(), buffer, sizeof buffer);
    if (size <= 0) return heard;
    heard.append(buffer, static_cast<size_t>(size));
  }
}

std::string Hear(const UniqueFd& fd, const std::string& until) {
  std::string heard;
  char byte;
  while (!heard.ends_with(until) && read(fd.get(), &byte, 1) == 1) heard += byte;
  return heard;
}

std::string Ask(uint16_t port, const std::string& text) {
  UniqueFd fd = Connect(port);
  Say(fd, text);
  return HearAll(fd);
}

TEST(HttpServerTest, ConnectionCarriesSeveralRequests) {
  Echo echo;
  echo.Run();
  UniqueFd fd = Connect(echo.port());
  Say(fd, "POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
  std::string first = Hear(fd, "|hi");
  EXPECT_THAT(first, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(first, HasSubstr("X-Peer: 127.0.0.1\r\n"));
  EXPECT_THAT(first, HasSubstr("\r\n\r\nPOST /a|b=c|hi"));
  // Two at once, the second chunked, and answered from another thread.
  Say(fd,
      "GET /b HTTP/1.1\r\nHost: x\r\n\r\n"
      "PUT /later HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
      "\r\n3\r\nabc\r\n0\r\n\r\n");
  std::string rest = HearAll(fd);
  EXPECT_THAT(rest, HasSubstr("GET /b||"));
  EXPECT_THAT(rest, HasSubstr("PUT /later||abc"));
}

TEST(HttpServerTest, SizesHaveLimits) {
  ServerLimits limits;
  limits.body_bytes = 100;
  limits.header_bytes = 1024;
  Echo echo(limits);
  echo.Run();
  EXPECT_THAT(Ask(echo.port(), "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 101\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(Ask(echo.port(), "GET / HTTP/1.1\r\nA: " + std::string(2000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
  std::string many = "GET / HTTP/1.1\r\n";
  for (size_t i = 0; i <= kMaxHeaders; ++i) many += "a:\r\n";
  EXPECT_THAT(Ask(echo.port(), many + "\r\n"), StartsWith("HTTP/1.1 431 "));
}

TEST(HttpServerTest, WhatCouldBeReadInTwoWaysIsRefused) {
  Echo echo;
  echo.Run();
  for (const char* headers :
       {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 3\r\nContent-Length: 4\r\n", "Content-Length: -1\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n", "Content-Length: 3, 3\r\n",
        "Transfer-Encoding: gzip\r\n", "Transfer-Encoding: chunked, identity\r\n",
        "Content-Length : 3\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"}) {
    std::string request = std::string("POST / HTTP/1.1\r\nHost: x\r\n") + headers + "\r\n0\r\n\r\n";
    EXPECT_THAT(Ask(echo.port(), request), StartsWith("HTTP/1.1 400 ")) << headers;
  }
  EXPECT_THAT(Ask(echo.port(), "nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
}

TEST(HttpServerTest, SlowRequestLosesItsConnectionAndOthersAreServed) {
  ServerLimits limits;
  limits.request_timeout = std::chrono::seconds(1);
  Echo echo(limits);
  echo.Run();
  UniqueFd slow = Connect(echo.port());
  Say(slow, "GET / HTTP/1.1\r\nHo");
  EXPECT_THAT(Ask(echo.port(), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(HearAll(slow), "");
}

TEST(HttpServerTest, ConnectionsHaveALimit) {
  ServerLimits limits;
  limits.connections = 1;
  Echo echo(limits);
  echo.Run();
  UniqueFd first = Connect(echo.port());
  Say(first, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
  Hear(first, "GET /1||");
  EXPECT_THAT(HearAll(Connect(echo.port())), StartsWith("HTTP/1.1 503 "));
  Say(first, "GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(HearAll(first), HasSubstr("GET /2||"));
}

TEST(HttpServerTest, UnixSocketIsForItsOwnerAndReplacesADeadOne) {
  TempDir directory;
  std::string path = directory.path() + "/skiffd.sock";
  {
    Echo dead;
    ASSERT_TRUE(dead.server().ListenUnix(path, 0600).ok());
    dead.Run();
  }
  Echo echo;
  ASSERT_TRUE(echo.server().ListenUnix(path, 0600).ok());
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  Echo second;
  Result<> refused = second.server().ListenUnix(path, 0600);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), Code::kConflict);
  echo.Run();
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  Say(fd, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(HearAll(fd), HasSubstr("GET /||"));
}

TEST(HttpServerTest, PortThatIsTakenIsNamed) {
  Echo echo;
  Echo other;
  Result<uint16_t> refused = other.server().ListenTcp("127.0.0.1", echo.port());
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message(),
              HasSubstr("listen on 127.0.0.1:" + std::to_string(echo.port())));
  EXPECT_FALSE(other.server().ListenTcp("localhost", 0).ok());
}

}  // namespace
}  // namespace skiff::networking::http
