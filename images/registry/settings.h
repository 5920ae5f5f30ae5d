// What this host says about registries, in /etc/skiff/registries.json or the file that
// SKIFF_REGISTRIES names:
//
//   {"registries": {"registry.local:5000": {
//        "insecure": true,                   certificates are not verified; http when it has no TLS
//        "certificateAuthority": "/etc/...", a PEM file that is believed as well
//        "mirrors": ["mirror.local:5000"]}}, asked first, in this order
//    "parallelLayers": 3, "attempts": 4, "retryDelayMilliseconds": 500, "connectSeconds": 10,
//    "idleSeconds": 30, "leastBytesPerSecond": 1024, "slowSeconds": 30}
//
// Certificates of /etc/skiff/certs.d/<host[:port]>/*.crt and /etc/docker/certs.d/... are believed
// for that host too. Values; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::images::registry {

struct RegistryRules {
  bool is_insecure = false;
  std::string authority;
  std::vector<std::string> mirrors;
};

struct Settings {
  std::map<std::string, RegistryRules> registries;  // by "host[:port]"
  size_t parallel_layers = 3;                       // and so connections
  size_t attempts = 4;                              // of each request
  std::chrono::milliseconds retry_delay{500};       // doubles each time
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds idle_timeout{30'000};
  uint64_t least_bytes_per_second = 1024;
  // How long a download may be slower before it is given up.
  std::chrono::seconds speed_window{30};

  RegistryRules For(const std::string& host) const;
};

Result<Settings> DecodeSettings(std::string_view text, std::string_view what);
// An absent file is no error unless SKIFF_REGISTRIES names it.
Result<Settings> LoadSettings();
// The PEM files believed for `host`, beside the system's.
Result<std::vector<std::string>> AuthoritiesOf(const Settings& settings, const std::string& host);

}  // namespace skiff::images::registry
