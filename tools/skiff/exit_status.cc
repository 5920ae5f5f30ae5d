#include "tools/skiff/exit_status.h"

#include <cstdio>
#include <optional>

namespace skiff::tools {
namespace {

struct Row {
  int status;
  std::optional<Code> code;
  const char* meaning;
};

constexpr Row kRows[] = {
    {kExitOk, std::nullopt, "done"},
    {kExitFailure, Code::kInternal, "an error that nothing below describes"},
    {kExitUsage, std::nullopt, "wrong usage: an unknown flag, a missing argument"},
    {kExitInvalid, Code::kInvalid, "invalid input: a task definition, an image, a flag's value"},
    {kExitNotFound, Code::kNotFound, "no such file, image, task or container"},
    {kExitUnavailable, Code::kUnavailable, "not supported by this version, or not by this host"},
    {kExitConflict, Code::kConflict,
     "in use, or in a state that forbids it: a port, a running task"},
    {kExitTimeout, Code::kTimeout, "took too long"},
    {kExitExhausted, Code::kExhausted, "out of disk, memory or addresses, or a limit was reached"},
    {kExitDenied, Code::kDenied, "not permitted: skiff needs root"},
    {kExitNotStarted, std::nullopt, "run: the task failed before a container ran, or was lost"},
    {126, std::nullopt, "run: the command cannot be executed"},
    {127, std::nullopt, "run: the command was not found"},
};

}  // namespace

int ExitStatusOf(Code code) {
  for (const Row& row : kRows) {
    if (row.code == code) return row.status;
  }
  return kExitFailure;
}

std::string ExitStatusHelp() {
  std::string text = "Exit status:\n";
  for (const Row& row : kRows) {
    char line[128];
    snprintf(line, sizeof(line), "  %-4d %s\n", row.status, row.meaning);
    text += line;
  }
  return text +
         "  run exits with the code of the first essential container that ended, 128 + N when\n"
         "  signal N ended it.\n";
}

}  // namespace skiff::tools
