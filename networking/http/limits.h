// The limits of the HTTP seam.
#pragma once

#include <chrono>
#include <cstddef>

namespace skiff::networking::http {

inline constexpr size_t kMaxConnections = 1024;
inline constexpr size_t kMaxHeaderBytes = 32 << 10;
inline constexpr size_t kMaxHeaders = 100;
inline constexpr size_t kMaxBodyBytes = 4 << 20;  // PutLogEvents: 1 MiB of text, escaped
inline constexpr std::chrono::seconds kRequestTimeout{30};
inline constexpr std::chrono::seconds kIdleTimeout{75};

// Of the client.
inline constexpr size_t kMaxUrl = 16 << 10;           // signed addresses of object stores are long
inline constexpr size_t kMaxResponseHead = 64 << 10;  // status line and headers
inline constexpr size_t kMaxResponseHeaders = 200;
inline constexpr size_t kMaxInterimResponses = 8;  // 1xx before the answer
inline constexpr size_t kMaxChunkLine = 1 << 10;
inline constexpr size_t kMaxRedirects = 8;
inline constexpr size_t kMaxKeptConnections = 8;  // idle, of one client
inline constexpr size_t kMaxAddresses = 16;       // of one host that are tried
inline constexpr size_t kClientBuffer = 256 << 10;
inline constexpr std::chrono::milliseconds kConnectTimeout{10'000};     // each address; TLS as well
inline constexpr std::chrono::milliseconds kClientIdleTimeout{30'000};  // without a byte
inline constexpr std::chrono::milliseconds kHeadTimeout{60'000};  // from request to whole headers

}  // namespace skiff::networking::http
