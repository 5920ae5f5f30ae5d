#include "runtime/agent/own_program.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "isolation/sys/file.h"

namespace skiff::runtime {

Result<std::string> FindOwnProgram(const std::string& name, [[maybe_unused]] const char* variable) {
#ifdef SKIFF_FAILPOINTS
  if (const char* path = getenv(variable)) return std::string(path);
#endif
  std::error_code failure;
  std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return Error::FromErrno(failure.value(), "readlink /proc/self/exe");
  std::string path = (own.parent_path() / name).string();
  if (!sys::Exists(AT_FDCWD, path)) return Error(Code::kNotFound, path + ": no such program");
  return path;
}

std::vector<std::string> OwnEnvironment() {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) variables.emplace_back(*entry);
  return variables;
}

}  // namespace skiff::runtime
