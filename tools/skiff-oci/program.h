// The file that this program runs from, which what is executed in a container can be made to be
// (/proc/self/exe) and to write to later (CVE-2019-5736).
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>

#include "isolation/base/result.h"

namespace skiff::oci_tool {

struct Program {
  std::string path;             // where it lies; executed from a mount, it knows no more itself
  std::optional<uid_t> caller;  // isolation::oci::CommandContext::caller
  bool is_sealed = false;       // it runs from a copy of BeginSealed's
  bool has_begun_anew = false;  // by one of those below
};

// The first thing that a program does: what it was told when it began anew, or where it lies.
Program FindProgram();

// By the words of the command line alone: an id or a file of such a name costs a millisecond, not
// more. `start` is told by the container's hooks.
bool RunsInContainer(std::span<char*> words);

// Goes on in a read-only mount of its own file, which root cannot write either, by executing it
// anew. A user without the right to mount does so when he has become root of a user namespace
// (BeginAgain).
void ProtectProgram(const Program& program, char** argv);

// For isolation::oci::CommandContext::begin_again: executes the program as root of the user
// namespace that this process has entered for `caller`, and from such a mount if there can be one.
Result<> BeginAgain(const Program& program, uid_t caller, char** argv);

// For isolation::oci::CommandContext::begin_sealed: executes the program where it is from a copy
// that nobody can write, for those who have no right to mount. Returns when it runs from one.
Result<> BeginSealed(const Program& program, char** argv);

}  // namespace skiff::oci_tool
