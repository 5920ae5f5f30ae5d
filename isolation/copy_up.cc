#include "isolation/copy_up.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "isolation/base/unique_fd.h"
#include "isolation/limits.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"

namespace skiff::isolation {
namespace {

// overlayfs's own marks, in a layer that is looked at alone.
constexpr std::string_view kOverlayXattrs = "trusted.overlay.";
bool IsWhiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == 0; }

// The chown first: it takes set-user-id bits and file capabilities away.
Result<> CopyLookOf(const struct stat& info, int from, const std::string& from_name, int to,
                    const std::string& to_name) {
  TRY(sys::Chown(to, to_name, info.st_uid, info.st_gid));
  std::vector<std::string> names = TRY(sys::ListXattrs(from, from_name));
  for (const std::string& name : names) {
    if (name.starts_with(kOverlayXattrs)) continue;
    std::string value = TRY(sys::GetXattr(from, from_name, name));
    TRY(sys::SetXattr(to, to_name, name, value));
  }
  if (!S_ISLNK(info.st_mode)) TRY(sys::Chmod(to, to_name, info.st_mode & 07777));
  return sys::SetTimes(to, to_name, info.st_mtim);
}

class TreeCopy {
 public:
  explicit TreeCopy(int top) : top_(top) {}
  Result<> CopyBelow(int from, int to, const std::string& where, int depth);

 private:
  Result<> CopyEntry(int from, int to, const std::string& name, const std::string& path, int depth);
  Result<> Make(const struct stat& info, int from, int to, const std::string& name,
                const std::string& path, int depth);

  int top_;
  std::map<std::pair<dev_t, ino_t>, std::string> named_;  // paths below `top_`
};

Result<> CopyFile(int from, int to, const std::string& name) {
  UniqueFd source = TRY(sys::Open(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  UniqueFd target = TRY(sys::Open(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  return sys::CopyData(source.get(), target.get(), name);
}

Result<> TreeCopy::Make(const struct stat& info, int from, int to, const std::string& name,
                        const std::string& path, int depth) {
  if (S_ISREG(info.st_mode)) return CopyFile(from, to, name);
  if (S_ISLNK(info.st_mode)) {
    std::string target = TRY(sys::ReadLink(from, name));
    return sys::Symlink(target, to, name);
  }
  if (!S_ISDIR(info.st_mode)) return sys::MakeNode(to, name, info.st_mode, info.st_rdev);
  TRY(sys::MakeDirectory(to, name, 0700));
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
  UniqueFd source = TRY(sys::Open(from, name, kFlags));
  UniqueFd target = TRY(sys::Open(to, name, kFlags));
  return CopyBelow(source.get(), target.get(), path + "/", depth + 1);
}

Result<> TreeCopy::CopyEntry(int from, int to, const std::string& name, const std::string& path,
                             int depth) {
  struct stat info = TRY(sys::Stat(from, name));
  if (IsWhiteout(info)) return {};
  if (!S_ISDIR(info.st_mode) && info.st_nlink > 1) {
    auto [first, is_new] = named_.try_emplace({info.st_dev, info.st_ino}, path);
    if (!is_new) return sys::Link(top_, first->second, to, name);
  }
  TRY(Make(info, from, to, name, path, depth));
  return CopyLookOf(info, from, name, to, name);
}

Result<> TreeCopy::CopyBelow(int from, int to, const std::string& where, int depth) {
  if (depth > kMaxCopyDepth) {
    return Error(Code::kInvalid, "copy " + where + ": directories nested deeper than " +
                                     std::to_string(kMaxCopyDepth));
  }
  std::vector<std::string> names = TRY(sys::ListDirectory(from, "."));
  for (const std::string& name : names) TRY(CopyEntry(from, to, name, where + name, depth));
  return {};
}

}  // namespace

Result<> CopyTreeUp(int from, int to) {
  return TreeCopy(to).CopyBelow(from, to, "", 0).Context("copy of the image's files");
}

Result<> CopyLook(int from, int to) {
  struct stat info = TRY(sys::StatFd(from));
  return CopyLookOf(info, from, ".", to, ".");
}

}  // namespace skiff::isolation
