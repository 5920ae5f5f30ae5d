// Who we are at a registry: the config.json of docker and podman ("auths", "credHelpers",
// "credsStore") and the docker-credential-* programs it names. One thread at a time.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::images::registry {

struct Credential {
  std::string user;
  std::string password;
  std::string identity_token;  // in place of a password: exchanged for access tokens
};

// A parsed config.json. Pure.
class CredentialConfig {
 public:
  static Result<CredentialConfig> Decode(std::string_view text, std::string_view what);

  // The program that knows `host` ("ecr-login"), or "".
  std::string HelperFor(const std::string& host) const;
  // The most specific entry: "host/team/app", "host/team", "host".
  std::optional<Credential> Find(const std::string& host, const std::string& repository) const;

  // The document with the entry of `host` set or erased; everything else stays. `is_changed` tells
  // whether there was anything to erase.
  static Result<std::string> WithEntry(std::string_view text, std::string_view what,
                                       const std::string& host,
                                       const std::optional<Credential>& credential,
                                       bool* is_changed);

 private:
  struct Entry {
    std::string key;  // without scheme and "/v1/"
    Credential credential;
  };
  std::vector<Entry> entries_;
  std::vector<std::pair<std::string, std::string>> helpers_;  // host, program
  std::string store_;
};

// Of a helper's answer to "get"; and what it is told by "store".
Result<Credential> DecodeHelperAnswer(std::string_view text);
std::string EncodeHelperEntry(const std::string& host, const Credential& credential);

class CredentialStore {
 public:
  // `file` empty: REGISTRY_AUTH_FILE; else DOCKER_CONFIG/config.json or ~/.docker/config.json, and
  // where podman keeps its: XDG_RUNTIME_DIR/containers/auth.json (without that variable
  // /run/containers/<uid>), ~/.config/containers/auth.json. The first that knows a registry
  // counts; the first of all is written to. `helper_time`: how long a helper may take.
  explicit CredentialStore(std::string file, std::chrono::seconds helper_time);

  Result<std::optional<Credential>> Find(const std::string& host, const std::string& repository);
  Result<> Store(const std::string& host, const Credential& credential);
  Result<bool> Erase(const std::string& host);  // from every file; false: there was none

 private:
  std::vector<std::string> files_;  // of a service without a home: none
  std::chrono::seconds helper_time_;
};

}  // namespace skiff::images::registry
