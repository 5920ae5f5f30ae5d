#include "tools/skiff-oci/program.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "isolation/base/text.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "isolation/sys/mount.h"
#include "isolation/sys/process.h"

namespace skiff::oci_tool {
namespace {

// What the program tells itself. None is for hooks, which have this process's environment.
constexpr char kProtected[] = "_SKIFF_OCI_PROTECTED";
constexpr char kSealed[] = "_SKIFF_OCI_SEALED";
constexpr char kCaller[] = "_SKIFF_OCI_CALLER";
constexpr char kSelf[] = "/proc/self/exe";

// By its path, for in this mount namespace the link leads to a mount of another one. What lies
// there may have been replaced since.
Result<UniqueFd> OpenOwnFile(const std::string& path) {
  UniqueFd file = TRY(sys::Open(AT_FDCWD, kSelf, O_PATH));
  Result<UniqueFd> mount = sys::OpenProgramReadOnly(path);
  if (!mount.ok()) return file;
  struct stat own = TRY(sys::StatFd(file.get()));
  struct stat found = TRY(sys::StatFd(mount.value().get()));
  bool is_same = own.st_dev == found.st_dev && own.st_ino == found.st_ino;
  return is_same ? std::move(mount) : std::move(file);
}

}  // namespace

Program FindProgram() {
  Program own;
  const char* caller = getenv(kCaller);
  if (caller != nullptr) own.caller = ParseUint(caller, UINT32_MAX - 1);
  const char* path = getenv(kProtected);
  own.has_begun_anew = path != nullptr;
  own.path = own.has_begun_anew ? path : sys::ReadLink(AT_FDCWD, kSelf).ValueOr(std::string());
  unsetenv(kCaller);
  own.is_sealed = getenv(kSealed) != nullptr;
  unsetenv(kSealed);
  unsetenv(kProtected);
  return own;
}

bool RunsInContainer(std::span<char*> words) {
  return std::any_of(words.begin(), words.end(), [](std::string_view word) {
    return word == "create" || word == "run" || word == "exec";
  });
}

void ProtectProgram(const Program& program, char** argv) {
  struct statvfs info {};
  bool is_protected = program.has_begun_anew || geteuid() != 0 ||
                      (statvfs(kSelf, &info) == 0 && (info.f_flag & ST_RDONLY) != 0);
  if (is_protected) return;
  Result<UniqueFd> file = sys::OpenProgramReadOnly(kSelf);
  if (!file.ok()) return;  // a user namespace's root: the file is not his
  setenv(kProtected, program.path.c_str(), 1);
  sys::BecomeProgram(file.value().get(), argv).Ignore();
  unsetenv(kProtected);
}

Result<> BeginAgain(const Program& program, uid_t caller, char** argv) {
  UniqueFd file = TRY(OpenOwnFile(program.path));
  setenv(kProtected, program.path.c_str(), 1);
  setenv(kCaller, std::to_string(caller).c_str(), 1);
  return sys::BecomeProgram(file.get(), argv);
}

Result<> BeginSealed(const Program& program, char** argv) {
  if (program.is_sealed) return {};
  UniqueFd copy = TRY(sys::CopySealed(kSelf));
  setenv(kProtected, program.path.c_str(), 1);
  setenv(kSealed, "1", 1);
  return sys::BecomeProgram(copy.get(), argv);
}

}  // namespace skiff::oci_tool
