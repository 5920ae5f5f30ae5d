#include "images/layer_tree.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <set>

#include "images/limits.h"
#include "isolation/base/text.h"

namespace skiff::images {
namespace {

constexpr mode_t kImplicitMode = 0755;

bool IsAbsent(const Error& error) {
  return error.sys_errno() == ENOENT || error.sys_errno() == ENOTDIR;
}

std::string Below(const std::string& directory, std::string_view name) {
  std::string path = directory;
  if (!path.empty()) path += '/';
  return path.append(name);
}

// "." for the root, as the system calls want it.
std::string Relative(const std::string& clean) { return clean.empty() ? "." : clean; }

Result<std::optional<struct stat>> IfThere(Result<struct stat> info) {
  if (info.ok()) return std::optional(info.value());
  if (IsAbsent(info.error())) return std::optional<struct stat>();
  return std::move(info).error();
}

bool IsOpaque(const LowerLayer& layer, const std::string& path) {
  Result<std::string> value = layer.GetXattr(path, kOpaqueXattr);
  return value.ok() && value.value() == "y";
}

}  // namespace

Result<std::string> CleanName(std::string_view name) {
  std::vector<std::string_view> kept;
  for (std::string_view component : Split(name, '/')) {
    if (component.empty() || component == ".") continue;
    if (component != "..") {
      kept.push_back(component);
    } else if (kept.empty()) {
      return Error(Code::kInvalid, "the name leads out of the layer");
    } else {
      kept.pop_back();
    }
  }
  if (kept.size() > kMaxTarDepth) {
    return Error(Code::kInvalid, "nested deeper than " + std::to_string(kMaxTarDepth));
  }
  std::string clean;
  for (std::string_view component : kept) clean = Below(clean, component);
  return clean;
}

std::pair<std::string, std::string> SplitName(const std::string& clean) {
  size_t slash = clean.rfind('/');
  if (slash == std::string::npos) return {"", clean};
  return {clean.substr(0, slash), clean.substr(slash + 1)};
}

bool IsWhiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == 0; }

bool IsForbiddenXattr(std::string_view name) {
  return name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.") ||
         name == "security.selinux" || name == "security.ima" || name == "security.evm";
}

Result<> LowerLayers::Open() const {
  if (is_open_) return {};
  layers_ = TRY(opener_());
  std::reverse(layers_.begin(), layers_.end());
  is_open_ = true;
  return {};
}

Result<std::optional<LowerLayers::Found>> LowerLayers::Find(const std::string& clean) const {
  TRY(Open());
  std::vector<std::string_view> components;
  if (!clean.empty()) components = Split(clean, '/');
  for (const auto& layer : layers_) {
    struct stat info = TRY(layer->Stat(""));
    std::string path;
    bool is_there = true;
    bool is_last_word = false;  // layers further down do not show through here
    for (size_t i = 0; i < components.size(); ++i) {
      path = Below(path, components[i]);
      std::optional<struct stat> next = TRY(IfThere(layer->Stat(path)));
      if (!next) {
        is_there = false;
        break;
      }
      if (IsWhiteout(*next)) return std::optional<Found>();
      bool is_end = i + 1 == components.size();
      if (!S_ISDIR(next->st_mode) && !is_end) return std::optional<Found>();
      is_last_word |= !is_end && IsOpaque(*layer, path);
      info = *next;
    }
    if (is_there) return std::optional(Found{layer.get(), info});
    if (is_last_word) break;
  }
  return std::optional<Found>();
}

Result<std::vector<std::string>> LowerLayers::RootNames() const {
  TRY(Open());
  std::set<std::string> all;
  for (const auto& layer : layers_) {
    std::vector<std::string> names = TRY(layer->ListDirectory(""));
    all.insert(names.begin(), names.end());
  }
  return std::vector<std::string>(all.begin(), all.end());
}

Result<LayerTree::Place> LayerTree::Locate(const std::string& clean) {
  auto [parent, name] = SplitName(clean);
  int fd = TRY(LocateDirectory(parent));
  return Place{fd, name, !parent.empty() && is_current_plain_};
}

Result<int> LayerTree::LocateDirectory(const std::string& clean) {
  if (clean.empty()) return root_;
  if (current_name_ == clean) return current_.get();
  Result<LayerHandle> opened = sink_.OpenInRoot(clean, O_PATH | O_DIRECTORY);
  if (!opened.ok() && IsAbsent(opened.error())) {
    std::string resolved = TRY(MakeParents(clean));
    opened = sink_.OpenInRoot(Relative(resolved), O_PATH | O_DIRECTORY);
  }
  current_ = TRY(std::move(opened));
  struct stat info = TRY(sink_.StatHandle(current_.get()));
  is_current_plain_ = info.st_gid == 0 && (info.st_mode & S_ISGID) == 0;
  current_name_ = clean;
  return current_.get();
}

// Walks `clean` as the kernel would in a chroot, making what is missing, and answers the path
// without symlinks. What is no directory gives way to one, as a later entry does to an earlier.
Result<std::string> LayerTree::MakeParents(const std::string& clean) {
  std::vector<std::string> pending;  // the next component last
  auto push = [&](std::string_view path) {
    std::vector<std::string_view> components = Split(path, '/');
    for (auto it = components.rbegin(); it != components.rend(); ++it) pending.emplace_back(*it);
  };
  push(clean);
  std::string resolved;
  size_t symlinks = 0;
  while (!pending.empty()) {
    std::string component = std::move(pending.back());
    pending.pop_back();
    TRY(StepInto(component, &resolved, &pending, &symlinks));
  }
  return resolved;
}

Result<> LayerTree::StepInto(const std::string& component, std::string* resolved,
                             std::vector<std::string>* pending, size_t* symlinks) {
  if (component.empty() || component == ".") return {};
  if (component == "..") {
    *resolved = SplitName(*resolved).first;
    return {};
  }
  std::string path = Below(*resolved, component);
  std::optional<struct stat> info = TRY(IfThere(sink_.Stat(root_, path)));
  if (!info) {
    TRY(MakeImplicit(path, false));
  } else if (S_ISLNK(info->st_mode)) {
    if (++*symlinks > kMaxSymlinks) return Error(Code::kInvalid, "too many symlinks");
    std::string target = TRY(sink_.ReadLink(root_, path));
    if (target.starts_with('/')) resolved->clear();
    std::vector<std::string_view> components = Split(target, '/');
    for (auto it = components.rbegin(); it != components.rend(); ++it) pending->emplace_back(*it);
    return {};
  } else if (!S_ISDIR(info->st_mode)) {
    TRY(sink_.Unlink(root_, path));
    TRY(MakeImplicit(path, true));
  }
  *resolved = path;
  return {};
}

// `is_opaque`: something that hid what is beneath stood here before.
Result<> LayerTree::MakeImplicit(const std::string& resolved, bool is_opaque) {
  TRY(sink_.MakeDirectory(root_, resolved, kImplicitMode));
  TRY(sink_.Chown(root_, resolved, 0, 0));
  TRY(sink_.Chmod(root_, resolved, kImplicitMode));
  TRY(RememberTime(resolved, timespec{}));
  if (is_opaque) return sink_.SetXattr(root_, resolved, kOpaqueXattr, "y");
  return InheritDirectory(resolved);
}

Result<> LayerTree::InheritDirectory(const std::string& clean) {
  std::optional<LowerLayers::Found> found = TRY(lower_->Find(clean));
  if (!found || !S_ISDIR(found->info.st_mode)) return {};
  const struct stat& info = found->info;
  std::string path = Relative(clean);
  if (info.st_uid != 0 || info.st_gid != 0 || (info.st_mode & 07777) != kImplicitMode) {
    TRY(sink_.Chown(root_, path, info.st_uid, info.st_gid));
    TRY(sink_.Chmod(root_, path, info.st_mode & 07777));
    RelyOnLower();
  }
  std::vector<std::string> names = TRY(found->layer->ListXattrs(clean));
  for (const std::string& name : names) {
    if (IsForbiddenXattr(name)) continue;
    std::string value = TRY(found->layer->GetXattr(clean, name));
    TRY(sink_.SetXattr(root_, path, name, value));
    NoteXattr(name);
    RelyOnLower();
  }
  return {};
}

Result<> LayerTree::Clear(const Place& place) {
  // What goes may be the directory that is open, or a symlink on the way to it.
  ForgetDirectory();
  return sink_.RemoveTree(place.parent, place.name);
}

Result<> LayerTree::RememberTime(const std::string& clean, const timespec& time) {
  if (times_.Add(clean, time) <= kMaxDirectoryNames) return {};
  return Error(Code::kExhausted, "too many directories in one layer");
}

Result<> LayerTree::ApplyTimes() {
  return times_.ForEach([&](const std::string& clean, const timespec& time) -> Result<> {
    Result<LayerHandle> directory =
        sink_.OpenInRoot(Relative(clean), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (directory.ok()) return sink_.SetTimesHandle(directory.value().get(), time);
    // A later entry took its place.
    bool is_gone = IsAbsent(directory.error()) || directory.error().sys_errno() == ELOOP;
    return is_gone ? Result<>() : Result<>(std::move(directory).error());
  });
}

}  // namespace skiff::images
