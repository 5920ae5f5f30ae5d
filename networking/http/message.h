// What an HTTP/1.1 exchange is made of. Values; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace skiff::networking::http {

struct Header {
  std::string name;
  std::string value;
};

// Where a request came from.
struct Peer {
  enum class Kind { kTcp, kUnix };
  Kind kind = Kind::kTcp;
  std::string address;       // "127.0.0.1"; empty for kUnix
  bool is_loopback = false;  // also true for kUnix
};

struct Request {
  std::string method;  // "POST"
  std::string target;  // as sent: path and query, not decoded
  std::vector<Header> headers;
  std::string body;
  Peer peer;

  std::string_view Path() const;   // before '?', not decoded
  std::string_view Query() const;  // behind '?'
  // The first header of that name, in any case; nullptr when there is none.
  const std::string* Find(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::vector<Header> headers;  // Content-Length, Date and Connection are the server's
  std::string body;
};

}  // namespace skiff::networking::http
