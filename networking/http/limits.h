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

}  // namespace skiff::networking::http
