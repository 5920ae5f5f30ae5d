// What skiffd is told: flags, and a JSON file with the same names ({"listen": ["127.0.0.1:8770"],
// "anonymous": true}). A flag wins over the file. Pure but for reading the file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"
#include "runtime/control/settings.h"
#include "runtime/plan/paths.h"

namespace skiff::tools {

struct ListenAddress {
  std::string address;  // an IPv4 or IPv6 literal
  uint16_t port = 0;    // 0: any
  bool is_loopback() const;
  std::string text() const;  // "127.0.0.1:8770", "[::1]:8770"
};
Result<ListenAddress> ParseListenAddress(std::string_view text);

struct DaemonOptions {
  std::vector<ListenAddress> listen;  // none given: the default, unless sockets are inherited
  std::string socket;                 // default: <run root>/skiffd.sock
  std::string events_socket;          // default: <run root>/events.sock
  runtime::Roots roots;
  std::string state_directory;  // default: <data root>/state
  std::string keys_file;
  runtime::ControlSettings settings;
  bool is_ephemeral = false;
  bool is_anonymous = false;
  bool allow_reset = false;
  bool print_config = false;
};

struct ParsedDaemonArguments {
  std::optional<DaemonOptions> options;
  // Without them: what to exit with and print.
  int status = 0;
  std::string output;
  std::string error;
};

// `arguments` without the program's name.
ParsedDaemonArguments ParseDaemonArguments(std::vector<std::string> arguments);

// The members of a configuration file as flags; kInvalid naming what is unknown or of a wrong type.
Result<std::vector<std::string>> FlagsOfConfig(std::string_view text, const std::string& path);

// A configuration file that says the same.
std::string EncodeOptions(const DaemonOptions& options);

}  // namespace skiff::tools
