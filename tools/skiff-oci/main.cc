// skiff-oci: the command line of an OCI runtime over skiff's isolation.
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/oci/rootless.h"
#include "isolation/sys/inode.h"
#include "isolation/sys/mount.h"
#include "isolation/sys/process.h"
#include "tools/skiff-oci/commands.h"

namespace {

using skiff::oci_tool::Session;

// What asks a runtime for its version looks for these lines: docker, containerd and runc's own
// suite.
constexpr char kVersion[] = "skiff-oci version " SKIFF_VERSION
                            " (commands as of crun version 1.8.1 and runc version 1.1.5)\n"
                            "commit: " SKIFF_COMMIT "\nspec: 1.2.0\n+SYSTEMD +SECCOMP";
constexpr char kProtected[] = "_SKIFF_OCI_PROTECTED";

std::string DefaultRoot() {
  const char* own = getenv("XDG_RUNTIME_DIR");
  bool is_host_root = geteuid() == 0 && !skiff::isolation::oci::IsInUserNamespace();
  if (is_host_root || (geteuid() == 0 && own == nullptr)) return "/run/skiff-oci";
  if (own != nullptr && *own == '/') return std::string(own) + "/skiff-oci";
  return "/run/user/" + std::to_string(geteuid()) + "/skiff-oci";
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
      ->default_val(DefaultRoot());
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

// By the words alone, as it is asked before they are parsed: an id or a file of that name costs a
// millisecond, not more.
bool MayRunInContainer(int argc, char** argv) {
  return std::any_of(argv + 1, argv + argc, [](std::string_view word) {
    return word == "create" || word == "run" || word == "exec" || word == "start";
  });
}

std::string ProgramPath() {
  return skiff::sys::ReadLink(AT_FDCWD, "/proc/self/exe").ValueOr(std::string());
}

// What is executed in a container could be made to be this program (/proc/self/exe) and write to
// it later. From a read-only mount of its own it cannot be written, by root neither
// (CVE-2019-5736). A user without the right to mount does not own the program either.
// Where this program lies; executed from that mount, it knows no more itself.
std::string ProtectProgram(int argc, char** argv) {
  const char* protected_path = getenv(kProtected);
  std::string path = protected_path != nullptr ? protected_path : ProgramPath();
  struct statvfs info {};
  bool is_protected = protected_path != nullptr || geteuid() != 0 ||
                      !MayRunInContainer(argc, argv) ||
                      (statvfs("/proc/self/exe", &info) == 0 && (info.f_flag & ST_RDONLY) != 0);
  if (is_protected) {
    unsetenv(kProtected);
    return path;
  }
  skiff::Result<skiff::UniqueFd> program = skiff::sys::OpenProgramReadOnly("/proc/self/exe");
  if (!program.ok()) return path;  // a user namespace's root: the file is not his
  setenv(kProtected, path.c_str(), 1);
  skiff::sys::BecomeProgram(program.value().get(), argv).Ignore();
  unsetenv(kProtected);
  return path;
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
  std::string path = ProtectProgram(argc, argv);
  CLI::App app("Open Container Initiative runtime: runs containers from bundles", "skiff-oci");
  Session session;
  session.context.warn = [&](std::string_view text) { session.Report("warning", text); };
  session.context.debug = [&](std::string_view text) {
    if (session.is_debug) session.Report("debug", text);
  };
  session.context.systemd_program = path.substr(0, path.rfind('/') + 1) + "skiff-oci-systemd";
  AddGlobalFlags(&app, &session);
  app.parse_complete_callback([&] {
    session.log.is_json = session.log_format == "json";
    using skiff::isolation::oci::CgroupSource;
    CgroupSource& source = session.context.cgroups;
    if (session.cgroup_manager == "disabled") source = CgroupSource::kNone;
    if (session.is_systemd || session.cgroup_manager == "systemd") source = CgroupSource::kSystemd;
    if (session.rootless != "auto") session.context.may_lack_cgroup = session.rootless == "true";
  });
  AddContainerCommands(&app, &session);
  AddLifecycleCommands(&app, &session);
  AddDescribingCommands(&app, &session);
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
