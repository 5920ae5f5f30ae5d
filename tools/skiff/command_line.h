// From arguments to a CommandLine, or to what there is to say instead (help, the version, wrong
// usage). Pure but for the environment, which may name the roots.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tools/skiff/options.h"

namespace skiff::tools {

struct ParsedArguments {
  std::optional<CommandLine> command_line;
  // Without one: what to exit with and print.
  int status = 0;
  std::string output;  // to standard output: help, version
  std::string error;   // to standard error: what is wrong
};

// `arguments` without the program's name.
ParsedArguments ParseArguments(std::vector<std::string> arguments);

}  // namespace skiff::tools
