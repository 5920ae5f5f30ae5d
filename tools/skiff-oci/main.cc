// skiff-oci: the command line of an OCI runtime over skiff's isolation. `run` so far.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "isolation/oci/run.h"
#include "tools/skiff-oci/log.h"

namespace {

namespace oci = skiff::isolation::oci;

constexpr char kVersion[] = "skiff-oci " SKIFF_VERSION "\nspec: 1.2.0";

struct Arguments {
  oci::RunOptions run;
  skiff::oci_tool::LogTarget log;
  std::string log_format = "text";
  std::string cgroup_manager = "cgroupfs";
  bool is_debug = false;
  bool is_systemd = false;
  bool no_pivot = false;
};

void AddGlobalFlags(CLI::App* app, Arguments* arguments) {
  app->set_version_flag("-v,--version", kVersion);
  app->add_option("--root", arguments->run.root, "Directory for the state of containers")
      ->default_val("/run/skiff-oci");
  app->add_option("--log", arguments->log.file, "Also append messages to this file");
  app->add_option("--log-format", arguments->log_format, "Format of --log")
      ->check(CLI::IsMember({"text", "json"}));
  app->add_flag("--debug", arguments->is_debug, "Show how long each step of the start took");
  app->add_flag("--systemd-cgroup", arguments->is_systemd, "Not supported: refused");
  app->add_option("--cgroup-manager", arguments->cgroup_manager,
                  "cgroupfs, or disabled: no cgroup, hence no device rules; limits are refused")
      ->check(CLI::IsMember({"cgroupfs", "disabled"}));
}

CLI::App* AddRun(CLI::App* app, Arguments* arguments) {
  CLI::App* run = app->add_subcommand("run", "Run a container in the foreground");
  run->add_option("-b,--bundle", arguments->run.bundle, "Directory that holds config.json")
      ->default_val(".");
  run->add_option("--pid-file", arguments->run.pid_file,
                  "File to write the number of the container's process to");
  run->add_flag("--no-pivot", arguments->no_pivot, "Not supported: refused");
  run->add_option("CONTAINER_ID", arguments->run.id, "Name of the container")->required();
  return run;
}

void Report(const Arguments& arguments, std::string_view level, std::string_view message) {
  skiff::oci_tool::AppendLog(arguments.log, level, message);
  std::string line = "skiff-oci: " + std::string(message) + "\n";
  fwrite(line.data(), 1, line.size(), stderr);
}

std::string RefusedFlag(const Arguments& arguments) {
  if (arguments.is_systemd) return "--systemd-cgroup is not supported: use cgroupfs";
  if (arguments.no_pivot)
    return "--no-pivot is not supported: it would leave the host's root in reach";
  return "";
}

int RunContainer(Arguments* arguments) {
  std::string refused = RefusedFlag(*arguments);
  if (!refused.empty()) {
    Report(*arguments, "error", refused);
    return oci::kRunFailed;
  }
  arguments->log.is_json = arguments->log_format == "json";
  arguments->run.has_cgroup = arguments->cgroup_manager != "disabled";
  arguments->run.warn = [&](std::string_view text) { Report(*arguments, "warning", text); };
  arguments->run.debug = [&](std::string_view text) {
    if (arguments->is_debug) Report(*arguments, "debug", text);
  };
  int failure_code = oci::kRunFailed;
  skiff::Result<int> code = oci::Run(arguments->run, &failure_code);
  if (code.ok()) return code.value();
  Report(*arguments, "error", code.error().message());
  return failure_code;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("skiff-oci runs containers from OCI bundles", "skiff-oci");
  Arguments arguments;
  AddGlobalFlags(&app, &arguments);
  AddRun(&app, &arguments);
  app.require_subcommand(1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : oci::kRunFailed;
  }
  return RunContainer(&arguments);
}
