// What this host says about registries, in /etc/skiff/registries.json or the file that
// SKIFF_REGISTRIES names:
//
//   {"registries": {"registry.local:5000": {
//        "insecure": true,                   certificates are not verified; http when it has no TLS
//        "certificateAuthority": "/etc/...", a PEM file that is believed as well
//        "mirrors": ["mirror.local:5000"], asked first, in this order
//        "foreignLayers": true,            layers that are not for every registry to hand on, from
//                                          it or from where its manifests say; refused otherwise
//        "leadsTo": ["10.1.0.0/16"]}},     addresses that its redirects, token server, uploads and
//                                          manifests may name, beside those it could stand at
//                                          itself (networking/http/ip_address.h)
//    "certificateDirectories": ["/etc/skiff/certs.d", "/etc/containers/certs.d",
//                               "/etc/docker/certs.d"],
//    "helperSeconds": 30,                    how long a credential helper may take
//    "parallelLayers": 3, "attempts": 4, "retryDelayMilliseconds": 500, "connectSeconds": 10,
//    "idleSeconds": 30, "leastBytesPerSecond": 1024, "slowSeconds": 30}
//
// <certificate directory>/<host[:port]>/*.crt are believed for that host too; a *.cert there is
// shown to it when it asks for one, with the *.key of the same name. Values; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "networking/http/ip_address.h"
#include "networking/http/transport.h"

namespace skiff::images::registry {

struct RegistryRules {
  bool is_insecure = false;
  std::string authority;
  std::vector<std::string> mirrors;
  std::vector<networking::http::AddressBlock> leads_to;
  bool takes_foreign_layers = false;  // from the registry, or from where its manifests say
};

inline constexpr std::chrono::seconds kHelperTime{30};

struct Settings {
  std::map<std::string, RegistryRules> registries;  // by "host[:port]"
  std::vector<std::string> certificate_directories = {
      "/etc/skiff/certs.d", "/etc/containers/certs.d", "/etc/docker/certs.d"};
  std::chrono::seconds helper_time = kHelperTime;
  size_t parallel_layers = 3;                  // and so connections
  size_t attempts = 4;                         // of each request
  std::chrono::milliseconds retry_delay{500};  // doubles each time
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
// What is believed of `host`, and what is shown to it. A client certificate without its key is an
// error.
Result<networking::http::TlsTrust> TrustOf(const Settings& settings, const std::string& host);

}  // namespace skiff::images::registry
