// skiff-oci: the command line of an OCI runtime over skiff's isolation.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/oci/rootless.h"
#include "tools/skiff-oci/commands.h"
#include "tools/skiff-oci/program.h"

namespace {

using skiff::oci_tool::Command;
using skiff::oci_tool::Session;

// What asks a runtime for its version looks for these lines: docker, containerd and runc's own
// suite.
constexpr char kVersion[] = "skiff-oci version " SKIFF_VERSION
                            " (commands as of crun version 1.8.1 and runc version 1.1.5)\n"
                            "commit: " SKIFF_COMMIT "\nspec: 1.3.0\n+SYSTEMD +SECCOMP";

std::string DefaultRoot(std::optional<uid_t> caller) {
  const char* own = getenv("XDG_RUNTIME_DIR");
  bool is_root = geteuid() == 0 && !caller;
  bool is_host_root = is_root && !skiff::isolation::oci::IsInUserNamespace();
  if (is_host_root || (is_root && own == nullptr)) return "/run/skiff-oci";
  if (own != nullptr && *own == '/') return std::string(own) + "/skiff-oci";
  return "/run/user/" + std::to_string(caller.value_or(geteuid())) + "/skiff-oci";
}

// Help begins as runc's does, for it is in its place that this program is called.
class HelpText : public CLI::Formatter {
 public:
  std::string make_description(const CLI::App* app) const override {
    bool is_command = app->get_parent() != nullptr;
    std::string command = is_command ? " " + app->get_name() : "";
    return "NAME:\n   skiff-oci" + command + ", as crun and runc" + command + " - " +
           app->get_description() + "\n\n";
  }
};

void AddGlobalFlags(CLI::App* app, Session* session) {
  app->formatter(std::make_shared<HelpText>());
  app->set_help_flag("-h,-?,--help,--usage", "Print this help and exit");
  app->set_version_flag("-v,-V,--version", kVersion);
  app->add_option("--root", session->context.root, "Directory for the state of containers")
      ->default_val(DefaultRoot(session->context.caller));
  app->add_option("--log", session->log.file, "Also append messages to this file");
  app->add_option("--log-format", session->log_format, "Format of --log")
      ->check(CLI::IsMember({"text", "json"}));
  app->add_flag("--debug", session->is_debug,
                "Tell how long each step of a start took, in --log or else on standard error");
  app->add_flag("--systemd-cgroup", session->is_systemd, "As --cgroup-manager systemd");
  app->add_option("--cgroup-manager", session->cgroup_manager,
                  "cgroupfs; systemd: scopes, cgroupsPath is slice:prefix:name; or disabled: no "
                  "cgroup, hence no device rules; limits are refused")
      ->check(CLI::IsMember({"cgroupfs", "systemd", "disabled"}));
  app->add_option("--rootless", session->rootless,
                  "Whether a container without limits goes without a cgroup where none may be "
                  "made: auto, where the caller is not the host's root")
      ->check(CLI::IsMember({"auto", "true", "false"}));
  app->add_option("--criu", session->criu, "Ignored: nothing is checkpointed");
}

}  // namespace

namespace skiff::oci_tool {

void Session::Report(std::string_view level, std::string_view message) const {
  AppendLog(log, level, message);
  // Standard error is the container's, too: what only developers read stays out of it.
  if (level == "debug" && !log.file.empty()) return;
  std::string line = "skiff-oci: ";
  if (level == "debug") line = "skiff-oci: level=debug ";
  line.append(message).append("\n");
  fwrite(line.data(), 1, line.size(), stderr);
}

void Session::Settle(const Result<>& result, int failure_status) {
  if (result.ok()) return;
  Report("error", result.error().message());
  status = failure_status;
}

}  // namespace skiff::oci_tool

namespace {

std::vector<Command> AllCommands() {
  std::vector<Command> all;
  for (std::span<const Command> some :
       {skiff::oci_tool::ContainerCommands(), skiff::oci_tool::LifecycleCommands(),
        skiff::oci_tool::DescribingCommands()})
    all.insert(all.end(), some.begin(), some.end());
  return all;
}

// Those that the words name: the flags of all would cost every call a third of a millisecond. Who
// names none is told of all, and so is who wants help.
void AddCommands(CLI::App* app, std::span<char*> words, Session* session) {
  auto is_named = [&](std::string_view name) {
    return std::find(words.begin(), words.end(), name) != words.end();
  };
  std::vector<Command> all = AllCommands();
  bool is_any_named = std::any_of(all.begin(), all.end(),
                                  [&](const Command& command) { return is_named(command.name); });
  bool wants_all = !is_any_named || is_named("help");
  for (const Command& command : all) {
    if (wants_all || is_named(command.name))
      command.add_flags(app->add_subcommand(command.name, command.help), session);
  }
}

// Help and versions are no errors, but for those of a command that is none: as runc and crun have
// it.
int Explain(const CLI::App& app, const CLI::ParseError& error, Session* session) {
  session->log.is_json = session->log_format == "json";
  std::vector<std::string> unknown = app.remaining();
  if (app.get_subcommands().empty() && !unknown.empty()) {
    const std::string& word = unknown.front();
    std::string message = (word.starts_with("-") ? "unknown option " : "unknown command ") + word;
    // In runc's words, which its suite looks for.
    if (error.get_exit_code() == 0) message += ": No help topic for '" + word + "'";
    session->Report("error", message + ": see skiff-oci --help");
    return 1;
  }
  if (error.get_exit_code() == 0) return app.exit(error);
  session->Report("error", error.what());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  // Linux before 5.18 starts a program without a single argument.
  std::span<char*> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  const skiff::oci_tool::Program program = skiff::oci_tool::FindProgram();
  auto protect = [&] { skiff::oci_tool::ProtectProgram(program, argv); };
  if (skiff::oci_tool::RunsInContainer(words)) protect();
  CLI::App app("Open Container Initiative runtime: runs containers from bundles", "skiff-oci");
  Session session;
  session.context.warn = [&](std::string_view text) { session.Report("warning", text); };
  session.context.debug = [&](std::string_view text) {
    if (session.is_debug) session.Report("debug", text);
  };
  session.context.systemd_program =
      program.path.substr(0, program.path.rfind('/') + 1) + "skiff-oci-systemd";
  session.context.caller = program.caller;
  session.context.protect_program = protect;
  session.context.begin_again = [&program, argv, caller = geteuid()] {
    return skiff::oci_tool::BeginAgain(program, caller, argv);
  };
  session.context.begin_sealed = [&program, argv] {
    return skiff::oci_tool::BeginSealed(program, argv);
  };
  AddGlobalFlags(&app, &session);
  app.parse_complete_callback([&] {
    session.log.is_json = session.log_format == "json";
    using skiff::isolation::oci::CgroupSource;
    CgroupSource& source = session.context.cgroups;
    if (session.cgroup_manager == "disabled") source = CgroupSource::kNone;
    if (session.is_systemd || session.cgroup_manager == "systemd") source = CgroupSource::kSystemd;
    if (session.rootless != "auto") session.context.may_lack_cgroup = session.rootless == "true";
  });
  AddCommands(&app, words, &session);
  app.require_subcommand(1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& error) {
    return error.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return Explain(app, error, &session);
  }
  return session.status;
}
