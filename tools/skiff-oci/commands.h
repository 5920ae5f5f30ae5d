// The commands of skiff-oci: each adds its flags to the parser, and its callback carries it out and
// leaves the exit status in Session::status.
#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <string_view>

#include "isolation/base/result.h"
#include "isolation/oci/run.h"
#include "tools/skiff-oci/log.h"

namespace skiff::oci_tool {

struct Session {
  isolation::oci::CommandContext context;
  LogTarget log;
  std::string log_format = "text";
  std::string cgroup_manager = "cgroupfs";
  std::string rootless = "auto";
  std::string criu;
  bool is_debug = false;
  bool is_systemd = false;
  int status = 0;

  void Report(std::string_view level, std::string_view message) const;
  // Reports an error and sets the status.
  void Settle(const Result<>& result, int failure_status = 1);
};

struct Command {
  const char* name;
  const char* help;
  void (*add_flags)(CLI::App* command, Session* session);
};

std::span<const Command> ContainerCommands();   // create, run, exec
std::span<const Command> LifecycleCommands();   // start, state, list, ps, kill, ...
std::span<const Command> DescribingCommands();  // spec, features, help

}  // namespace skiff::oci_tool
