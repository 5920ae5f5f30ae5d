// A connection as a stream of bytes: TCP, and TLS upon it (OpenSSL lives in transport.cc and
// nowhere else of this folder). Calls block, but never longer than the timeouts. One thread at a
// time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "networking/http/ip_address.h"

namespace skiff::networking::http {

// A certificate to show to those who ask for one, and its key (PEM files).
struct TlsIdentity {
  std::string certificate;
  std::string key;
};

// Whom to believe, and who we are. Verified: the system's authorities and those of `authorities`
// (PEM files).
struct TlsTrust {
  bool is_verified = true;
  std::vector<std::string> authorities;
  std::vector<TlsIdentity> identities;  // one per kind of key, as the peer takes them
};

class Transport {
 public:
  virtual ~Transport() = default;
  // At least one byte; 0 at the end. Errors: kTimeout, kUnavailable (reset), kInvalid.
  virtual Result<size_t> Read(char* buffer, size_t size) = 0;
  virtual Result<> Write(std::string_view data) = 0;
  // Whether a kept connection has anything to say: then it is over, or out of step.
  virtual bool IsQuiet() = 0;
  // No call waits longer than this from now on without a byte, nor past the deadline.
  virtual void SetTimeout(std::chrono::milliseconds idle) = 0;
  virtual void SetDeadline(std::chrono::steady_clock::time_point deadline) = 0;
};

struct Connected {
  std::unique_ptr<Transport> transport;
  IpAddress peer;
};

// Tries the host's addresses in order, but none that `check` (may be empty) refuses: it sees the
// very address that is connected to, whatever a name means the next time.
Result<Connected> ConnectTcp(const std::string& host, uint16_t port,
                             std::chrono::milliseconds timeout,
                             const std::function<Result<>(const IpAddress&)>& check);

// Certificates that are not believed are kDenied; a peer that does not speak TLS is kInvalid.
Result<std::unique_ptr<Transport>> StartTls(std::unique_ptr<Transport> plain,
                                            const std::string& host, const TlsTrust& trust);

}  // namespace skiff::networking::http
