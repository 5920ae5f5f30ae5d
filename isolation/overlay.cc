#include "isolation/overlay.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "isolation/base/scope_exit.h"
#include "isolation/erofs.h"
#include "isolation/limits.h"
#include "isolation/sys/file.h"
#include "isolation/sys/mount.h"
#include "isolation/sys/user_namespace.h"

namespace skiff::isolation {
namespace {

// Where the layers of a mount are, by descriptors named relative to /proc/self/fd.
class Layers {
 public:
  Result<> Open(const OverlaySpec& spec);
  // Highest first, as overlayfs wants them; an image lists its base first.
  std::string Names() const;
  Result<> Attach(const std::string& point);
  Result<> GiveRootTo(const std::string& upper) const;
  // Some are mounts of their own, not directories of an attached one.
  size_t mount_count() const {
    return static_cast<size_t>(std::count(is_mount_.begin(), is_mount_.end(), true));
  }

 private:
  std::vector<UniqueFd> places_;
  std::vector<bool> is_mount_;
};

Result<UniqueFd> OpenPlace(const std::string& directory) {
  return sys::Open(AT_FDCWD, directory, O_PATH | O_DIRECTORY);
}

Result<UniqueFd> OpenLayer(const std::string& layer, int user_namespace) {
  if (IsErofsLayer(layer)) return MountErofs(layer);
  return user_namespace < 0 ? OpenPlace(layer) : sys::CloneMount(AT_FDCWD, layer, false);
}

Result<> Layers::Open(const OverlaySpec& spec) {
  for (const std::string& layer : spec.layers) {
    UniqueFd place = TRY(OpenLayer(layer, spec.user_namespace));
    if (spec.user_namespace >= 0) {
      TRY(sys::ShowIdsThrough(place.get(), spec.user_namespace, false, layer));
    }
    is_mount_.push_back(spec.user_namespace >= 0 || IsErofsLayer(layer));
    places_.push_back(std::move(place));
  }
  if (spec.top.empty()) return {};
  // Among mounts it is one, too: where those must be attached, all places are.
  bool is_mount = mount_count() > 0;
  UniqueFd top = TRY(is_mount ? sys::CloneMount(AT_FDCWD, spec.top, false) : OpenPlace(spec.top));
  is_mount_.push_back(is_mount);
  places_.push_back(std::move(top));
  return {};
}

// The root directory of an overlay looks as its uppermost directory does: as the image has it.
Result<> Layers::GiveRootTo(const std::string& upper) const {
  struct stat root = TRY(sys::StatFd(places_.back().get()));
  TRY(sys::Chown(AT_FDCWD, upper, root.st_uid, root.st_gid));
  return sys::Chmod(AT_FDCWD, upper, root.st_mode & 07777);
}

std::string Layers::Names() const {
  std::string names;
  for (auto place = places_.rbegin(); place != places_.rend(); ++place) {
    names += (names.empty() ? "" : ":") + std::to_string(place->get());
  }
  return names;
}

// One upon the other: a descriptor names its mount wherever that is. Directories stay where they
// are.
Result<> Layers::Attach(const std::string& point) {
  for (size_t i = 0; i < places_.size(); ++i) {
    if (is_mount_[i]) TRY(sys::AttachMount(places_[i].get(), AT_FDCWD, point));
  }
  return {};
}

// The layer itself: what the mount that it lies on forbids holds for the host, not for it.
Result<UniqueFd> MountLayer(const OverlaySpec& spec) {
  const std::string& layer = spec.layers.front();
  UniqueFd mount =
      TRY(IsErofsLayer(layer) ? MountErofs(layer) : sys::CloneMount(AT_FDCWD, layer, false));
  if (spec.user_namespace >= 0) {
    TRY(sys::ShowIdsThrough(mount.get(), spec.user_namespace, false, layer));
  }
  TRY(sys::SetMountAttributes(mount.get(), MOUNT_ATTR_RDONLY,
                              MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, false));
  return mount;
}

void DetachAll(const std::string& point, size_t count) {
  for (size_t i = 0; i < count; ++i) sys::DetachMount(point).Ignore();
}

// In /proc/self/fd, where the descriptors are names.
Result<UniqueFd> MountNamed(const std::string& lower, const OverlaySpec& spec) {
  bool is_writable = !spec.upper.empty();
  UniqueFd upper, work;
  if (is_writable) {
    upper = TRY(OpenPlace(spec.upper));
    work = TRY(OpenPlace(spec.work));
  }
  UniqueFd old_directory = TRY(OpenPlace("."));
  if (chdir("/proc/self/fd") != 0) return Error::FromErrno(errno, "chdir /proc/self/fd");
  ScopeExit go_back([&] {
    if (fchdir(old_directory.get()) != 0) abort();  // every relative path would mean something else
  });
  sys::FilesystemContext context = TRY(sys::FilesystemContext::Open("overlay"));
  TRY(context.SetString("source", "skiff"));
  TRY(context.SetString("lowerdir", lower));
  if (is_writable) {
    TRY(context.SetString("upperdir", std::to_string(upper.get())));
    TRY(context.SetString("workdir", std::to_string(work.get())));
    TRY(context.SetFlag("volatile"));
  }
  TRY(context.Create());
  return context.Mount(is_writable ? 0 : MOUNT_ATTR_RDONLY);
}

// Whether this process found that layers must be attached (Linux before 6.15), and has a mount
// namespace for that.
bool must_attach = false;

Result<UniqueFd> MountAttached(const OverlaySpec& spec, Layers* layers) {
  if (!must_attach) TRY(sys::EnterFollowingMountNamespace());
  must_attach = true;
  ScopeExit detach([&] { DetachAll(spec.attach_point, layers->mount_count()); });
  TRY(layers->Attach(spec.attach_point));
  return MountNamed(layers->Names(), spec);
}

}  // namespace

// fsconfig(2) takes values of at most 255 bytes, far too few for the paths of an image's layers,
// and one parameter per layer ("lowerdir+") needs Linux 6.5. So every directory is named by
// descriptor number, relative to /proc/self/fd.
Result<UniqueFd> MountOverlay(const OverlaySpec& spec) {
  bool is_writable = !spec.upper.empty();
  if (!is_writable && spec.layers.size() == 1 && spec.top.empty()) return MountLayer(spec);
  if (spec.layers.empty() || spec.layers.size() > kMaxOverlayLayers) {
    return Error(Code::kInvalid, "an image of " + std::to_string(spec.layers.size()) +
                                     " layers: between 1 and " + std::to_string(kMaxOverlayLayers) +
                                     " can be mounted");
  }
  Layers layers;
  TRY(layers.Open(spec));
  if (is_writable) TRY(layers.GiveRootTo(spec.upper));
  bool has_mounts = layers.mount_count() > 0;
  if (has_mounts && must_attach) return MountAttached(spec, &layers);
  Result<UniqueFd> mounted = MountNamed(layers.Names(), spec);
  bool is_refused = !mounted.ok() && mounted.error().sys_errno() == EINVAL;
  if (!has_mounts || !is_refused) return mounted;
  // A try that failed leaves the mark of a volatile mount, and overlayfs takes no such directory.
  if (is_writable) TRY(sys::RemoveTree(AT_FDCWD, spec.work + "/work"));
  return MountAttached(spec, &layers);
}

}  // namespace skiff::isolation
