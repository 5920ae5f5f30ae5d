#include "isolation/mount_points.h"

#include <fcntl.h>

#include <algorithm>
#include <set>

#include "isolation/base/text.h"
#include "isolation/base/unique_fd.h"
#include "isolation/copy_up.h"
#include "isolation/in_root.h"
#include "isolation/sys/file.h"

namespace skiff::isolation {
namespace {

// Something is mounted there or above, and what is missing is made in that.
bool IsCovered(const std::string& path, const std::vector<MountPoint>& before) {
  return std::any_of(before.begin(), before.end(), [&](const MountPoint& each) {
    return path == each.path || path.starts_with(each.path + "/");
  });
}

class Layer {
 public:
  Layer(int root, std::string path, uint32_t owner)
      : root_(root), path_(std::move(path)), owner_(owner) {}
  Result<> Add(const InRootPath& place, bool is_file);
  // Directories that the root has, too, now that all is in them.
  Result<> Finish();
  bool is_empty() const { return parents_.empty(); }

 private:
  Result<> MakeParent(const std::string& relative);
  Result<> Own(const std::string& relative) {
    return sys::Chown(AT_FDCWD, path_ + "/" + relative, owner_, owner_);
  }

  int root_;
  std::string path_;
  uint32_t owner_;
  std::set<std::string> parents_;  // of the root's, relative: "" and "etc"
  std::set<std::string> made_;
};

Result<> Layer::MakeParent(const std::string& relative) {
  if (!parents_.insert(relative).second) return {};
  std::string path = path_ + (relative.empty() ? "" : "/" + relative);
  return relative.empty() ? sys::MakeDirectories(path, 0755)
                          : sys::MakeDirectory(AT_FDCWD, path, 0755);
}

Result<> Layer::Add(const InRootPath& place, bool is_file) {
  for (size_t i = 0; i <= place.existing; ++i) TRY(MakeParent(place.Prefix(i)));
  for (size_t i = place.existing + 1; i <= place.parts.size(); ++i) {
    std::string relative = place.Prefix(i);
    if (!made_.insert(relative).second) continue;
    std::string path = path_ + "/" + relative;
    bool is_last = i == place.parts.size();
    if (is_last && is_file) {
      TRY(sys::WriteFile(AT_FDCWD, path, "", 0644));
    } else {
      TRY(sys::MakeDirectory(AT_FDCWD, path, 0755));
    }
    TRY(Own(relative));
  }
  return {};
}

Result<> Layer::Finish() {
  // The deepest first: a parent's time is the last thing to be set.
  for (auto parent = parents_.rbegin(); parent != parents_.rend(); ++parent) {
    UniqueFd from = TRY(sys::OpenInRoot(root_, "/" + *parent, O_RDONLY | O_DIRECTORY));
    UniqueFd to = TRY(sys::OpenDirectory(AT_FDCWD, path_ + "/" + *parent));
    TRY(CopyLook(from.get(), to.get()).Context("mount point below /" + *parent));
  }
  return {};
}

}  // namespace

Result<bool> MakeMountPoints(int root, const std::vector<MountPoint>& points,
                             const std::string& layer, uint32_t owner) {
  Layer made(root, layer, owner);
  std::vector<MountPoint> before;
  for (const MountPoint& point : points) {
    InRootPath place = TRY(ResolveInRoot(root, point.path).Context("mount point"));
    std::string path = place.Text();
    if (!IsCovered(path, before) && !place.exists()) TRY(made.Add(place, point.is_file));
    before.push_back({std::move(path), point.is_file});
  }
  if (made.is_empty()) return false;
  TRY(made.Finish());
  return true;
}

Result<> MakeEmptyLayer(int root, const std::string& layer) {
  TRY(sys::MakeDirectories(layer, 0755));
  UniqueFd to = TRY(sys::OpenDirectory(AT_FDCWD, layer));
  return CopyLook(root, to.get());
}

}  // namespace skiff::isolation
