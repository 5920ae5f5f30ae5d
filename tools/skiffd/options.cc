#include "tools/skiffd/options.h"

#include <arpa/inet.h>
#include <fcntl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <sstream>

#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "tools/skiffd/limits.h"

namespace skiff::tools {
namespace {

constexpr int kUsage = 2;
constexpr size_t kAccountDigits = 12;

// What the flags are stored in; ends as DaemonOptions.
struct Flags {
  DaemonOptions options;
  std::vector<std::string> listen;
  std::string config;
};

void AddFlags(CLI::App* app, Flags* flags) {
  DaemonOptions& options = flags->options;
  app->add_option("--listen", flags->listen,
                  "Address of the API; repeatable (default: 127.0.0.1:8770)")
      ->type_name("ADDR:PORT");
  app->add_option("--socket", options.socket, "Unix socket (default: RUN_ROOT/skiffd.sock)")
      ->type_name("PATH");
  app->add_option("--events-socket", options.events_socket,
                  "Unix socket of task state change events (default: RUN_ROOT/events.sock)")
      ->type_name("PATH");
  app->add_option("--data-root", options.roots.data, "What survives a reboot")
      ->capture_default_str()
      ->envname("SKIFF_DATA_ROOT")
      ->type_name("DIR");
  app->add_option("--run-root", options.roots.run, "What a reboot may take")
      ->capture_default_str()
      ->envname("SKIFF_RUN_ROOT")
      ->type_name("DIR");
  app->add_option("--state-dir", options.state_directory, "The state (default: DATA_ROOT/state)")
      ->type_name("DIR");
  app->add_flag("--ephemeral", options.is_ephemeral, "Keep the state in memory only");
  app->add_option("--keys", options.keys_file, "Access keys and what they may do")
      ->type_name("FILE");
  app->add_flag("--anonymous", options.is_anonymous,
                "Take requests without a signature; only on loopback, for development");
  app->add_flag("--allow-reset", options.allow_reset,
                "POST /_skiff/reset kills all tasks and empties everything");
  app->add_option("--region", options.settings.region, "Region in ARNs")->capture_default_str();
  app->add_option("--account-id", options.settings.account_id, "Account in ARNs")
      ->capture_default_str();
  app->add_option("--config", flags->config, "JSON file with the same names")->type_name("FILE");
  app->add_flag("--print-config", options.print_config, "Print the configuration and exit");
}

// The names of the environment and the defaults hold for the first parse only.
void Parse(std::vector<std::string> arguments, Flags* flags) {
  CLI::App app("skiffd serves the ECS API and runs its tasks on this host.", "skiffd");
  app.set_version_flag("--version", "skiffd " SKIFF_VERSION);
  AddFlags(&app, flags);
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants them
  try {
    app.parse(arguments);
  } catch (const CLI::Success& success) {
    std::ostringstream output;
    std::ostringstream errors;
    app.exit(success, output, errors);
    throw CLI::Success(output.str(), CLI::ExitCodes::Success);
  }
}

std::string Normal(const std::string& path) {
  std::string text = std::filesystem::absolute(path).lexically_normal().string();
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

Result<> SetPaths(DaemonOptions* options) {
  options->roots.data = Normal(options->roots.data);
  options->roots.run = Normal(options->roots.run);
  if (options->socket.empty()) options->socket = options->roots.run + "/skiffd.sock";
  if (options->state_directory.empty()) options->state_directory = options->roots.data + "/state";
  if (options->events_socket.empty()) options->events_socket = options->roots.run + "/events.sock";
  options->socket = Normal(options->socket);
  options->events_socket = Normal(options->events_socket);
  options->state_directory = Normal(options->state_directory);
  if (!options->keys_file.empty()) options->keys_file = Normal(options->keys_file);
  return {};
}

Result<> Check(const DaemonOptions& options) {
  const std::string& account = options.settings.account_id;
  bool is_account = account.size() == kAccountDigits &&
                    account.find_first_not_of("0123456789") == std::string::npos;
  if (!is_account) {
    return Error(Code::kInvalid, "--account-id: expected 12 digits, got '" + account + "'");
  }
  const std::string& region = options.settings.region;
  if (region.empty() ||
      region.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") != std::string::npos) {
    return Error(Code::kInvalid, "--region: '" + region + "' is no region");
  }
  if (options.listen.size() > kMaxListeners) {
    return Error(Code::kInvalid, "--listen: more than " + std::to_string(kMaxListeners));
  }
  for (const ListenAddress& address : options.listen) {
    if (options.is_anonymous && !address.is_loopback()) {
      return Error(Code::kInvalid, "--anonymous: --listen " + address.text() +
                                       " is no loopback address; whoever reaches it could run "
                                       "anything on this host");
    }
  }
  if (options.socket == options.events_socket) {
    return Error(Code::kInvalid, "--socket and --events-socket: one path for both");
  }
  if (options.is_anonymous && !options.keys_file.empty()) {
    return Error(Code::kInvalid, "--anonymous and --keys exclude each other");
  }
  return {};
}

Result<DaemonOptions> Finish(Flags flags) {
  DaemonOptions& options = flags.options;
  for (const std::string& text : flags.listen) {
    ListenAddress address = TRY(ParseListenAddress(text).Context("--listen"));
    options.listen.push_back(std::move(address));
  }
  TRY(SetPaths(&options));
  TRY(Check(options));
  return std::move(options);
}

Result<DaemonOptions> ParseAll(const std::vector<std::string>& arguments) {
  Flags flags;
  Parse(arguments, &flags);
  if (!flags.config.empty()) {
    std::string text = TRY(sys::ReadFile(AT_FDCWD, flags.config, kMaxConfigFile));
    std::vector<std::string> from_file = TRY(FlagsOfConfig(text, flags.config));
    // Flags win: they are read again, over the file's.
    Flags both;
    Parse(from_file, &both);
    Parse(arguments, &both);
    flags = std::move(both);
  }
  return Finish(std::move(flags));
}

ParsedDaemonArguments Refused(const std::string& text) {
  ParsedDaemonArguments parsed;
  parsed.status = kUsage;
  parsed.error = "skiffd: " + text + "\n";
  return parsed;
}

}  // namespace

bool ListenAddress::is_loopback() const { return address.starts_with("127.") || address == "::1"; }

std::string ListenAddress::text() const {
  bool is_v6 = address.find(':') != std::string::npos;
  return (is_v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

Result<ListenAddress> ParseListenAddress(std::string_view text) {
  Error wrong(Code::kInvalid, "expected ADDRESS:PORT, got '" + std::string(text) + "'");
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  std::optional<uint64_t> port = ParseUint(text.substr(colon + 1), UINT16_MAX);
  ListenAddress parsed;
  parsed.address = text.substr(0, colon);
  bool is_bracketed = parsed.address.starts_with('[') && parsed.address.ends_with(']');
  if (is_bracketed) parsed.address = parsed.address.substr(1, parsed.address.size() - 2);
  in6_addr ignored{};
  int family = is_bracketed ? AF_INET6 : AF_INET;
  if (!port || inet_pton(family, parsed.address.c_str(), &ignored) != 1) return wrong;
  parsed.port = static_cast<uint16_t>(*port);
  return parsed;
}

ParsedDaemonArguments ParseDaemonArguments(std::vector<std::string> arguments) {
  ParsedDaemonArguments parsed;
  try {
    Result<DaemonOptions> options = ParseAll(arguments);
    if (!options.ok()) return Refused(options.error().message());
    parsed.options = std::move(options).value();
  } catch (const CLI::Success& success) {
    parsed.output = success.what();
  } catch (const CLI::ParseError& error) {
    return Refused(std::string(error.what()) + " (see --help)");
  }
  return parsed;
}

}  // namespace skiff::tools
