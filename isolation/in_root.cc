#include "isolation/in_root.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <deque>
#include <optional>

#include "isolation/base/text.h"
#include "isolation/limits.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"

namespace skiff::isolation {
namespace {

class Walk {
 public:
  Walk(int root, std::string_view path) : root_(root), path_(path) { Prepend(path); }
  Result<InRootPath> Run();

 private:
  void Prepend(std::string_view path);
  Result<> Take(const std::string& part);
  void GoUp();
  Error Refuse(const char* why) const {
    return Error(Code::kInvalid, "path " + path_ + ": " + why);
  }

  int root_;
  std::string path_;
  std::deque<std::string> pending_;
  InRootPath found_{{}, 0, S_IFDIR};
  int links_ = 0;
};

void Walk::Prepend(std::string_view path) {
  std::vector<std::string_view> parts = Split(path, '/');
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (!part->empty() && *part != ".") pending_.emplace_front(*part);
  }
}

// From what is not there one gets up by name alone: the directory will be made.
void Walk::GoUp() {
  if (found_.parts.empty()) return;
  found_.parts.pop_back();
  if (found_.existing <= found_.parts.size()) return;
  found_.existing = found_.parts.size();
  found_.mode = S_IFDIR;
}

Result<> Walk::Take(const std::string& part) {
  if (!S_ISDIR(found_.mode)) return Refuse("not a directory");
  if (part == "..") {
    GoUp();
    return {};
  }
  found_.parts.push_back(part);
  if (found_.existing + 1 < found_.parts.size()) return {};
  // Everything before it is known to be free of links.
  Result<UniqueFd> opened =
      sys::OpenInRoot(root_, found_.Prefix(found_.parts.size()), O_PATH | O_NOFOLLOW);
  if (!opened.ok() && opened.error().sys_errno() == ENOENT) return {};
  UniqueFd fd = TRY(std::move(opened));
  struct stat info = TRY(sys::StatFd(fd.get()));
  // What overlayfs has for "removed", in a layer that is looked at alone.
  if (S_ISCHR(info.st_mode) && info.st_rdev == 0) return {};
  if (!S_ISLNK(info.st_mode)) {
    found_.existing = found_.parts.size();
    found_.mode = info.st_mode;
    return {};
  }
  if (++links_ > kMaxInRootLinks) return Refuse("too many links");
  std::string target = TRY(sys::ReadLink(fd.get(), ""));
  found_.parts.pop_back();
  if (!target.empty() && target[0] == '/') found_ = {{}, 0, S_IFDIR};
  Prepend(target);
  return {};
}

Result<InRootPath> Walk::Run() {
  while (!pending_.empty()) {
    if (found_.parts.size() + pending_.size() > kMaxContainerPath) return Refuse("too long");
    std::string part = std::move(pending_.front());
    pending_.pop_front();
    TRY(Take(part));
  }
  return std::move(found_);
}

}  // namespace

std::string InRootPath::Prefix(size_t count) const {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += (i == 0 ? "" : "/") + parts[i];
  return text;
}

std::string InRootPath::Text() const { return "/" + Prefix(parts.size()); }

Result<InRootPath> ResolveInRoot(int root, std::string_view path) { return Walk(root, path).Run(); }

}  // namespace skiff::isolation
