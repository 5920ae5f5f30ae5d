// Scripts that complete skiff's commands, flags and task ids in a shell, made from the same
// description of the command line that parses it. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::tools {

// One command as a shell should know it.
struct CompletedCommand {
  std::string path;                // "image list"; "" is the program
  std::string help;                // one line
  std::vector<std::string> words;  // names of its commands
  std::vector<std::string> flags;  // "--json"
  bool takes_tasks = false;        // an argument is the id of a task
};

// `shell`: bash, zsh or fish; kInvalid for others.
Result<std::string> CompletionScript(std::string_view shell,
                                     const std::vector<CompletedCommand>& commands);

}  // namespace skiff::tools
