#include "runtime/supervisor/container_root.h"

#include <fcntl.h>

#include <algorithm>
#include <set>

#include "isolation/copy_up.h"
#include "isolation/in_root.h"
#include "isolation/mount_points.h"
#include "isolation/overlay.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"
#include "runtime/plan/image_volumes.h"

namespace skiff::runtime {
namespace {

using isolation::ContainerSpec;
using isolation::InRootPath;
using isolation::MountSpec;

class RootBuilder {
 public:
  RootBuilder(const ContainerRootSpec& from, ContainerSpec* spec)
      : from_(from),
        spec_(*spec),
        directory_(from.task->roots.ContainerDirectory(from.task->id, from.container->name)),
        volumes_(directory_ + "/volumes/") {}
  Result<ContainerRoot> Build();

 private:
  Result<UniqueFd> MountWritable();
  Result<UniqueFd> MountReadonly(const std::string& top);
  Result<> AddMountPoints(ContainerRoot* made);
  Result<> PlaceVolumes(int root);
  Result<bool> PlaceVolume(int root, MountSpec* mount);
  Result<> FillVolume(int root, const InRootPath& place, const std::string& directory);

  const ContainerRootSpec& from_;
  ContainerSpec& spec_;
  std::string directory_;
  std::string volumes_;  // where theirs begin
  std::set<std::string> places_;
  std::vector<std::string> warnings_;
};

Result<UniqueFd> RootBuilder::MountWritable() {
  std::string upper = directory_ + "/upper";
  TRY(sys::MakeDirectories(upper, 0755));
  TRY(sys::MakeDirectories(directory_ + "/work", 0755));
  return isolation::MountOverlay({.layers = from_.container->layers,
                                  .upper = upper,
                                  .work = directory_ + "/work",
                                  .user_namespace = from_.user_namespace,
                                  .attach_point = from_.task->roots.AttachPoint()});
}

Result<UniqueFd> RootBuilder::MountReadonly(const std::string& top) {
  return isolation::MountOverlay({.layers = from_.container->layers,
                                  .user_namespace = from_.user_namespace,
                                  .attach_point = from_.task->roots.AttachPoint(),
                                  .top = top});
}

// A layer by itself would show what overlayfs has for "removed", and whoever may mount it again
// could write into what other containers use: an overlay of one layer gets an empty one above it.
Result<> RootBuilder::AddMountPoints(ContainerRoot* made) {
  std::vector<isolation::MountPoint> points;
  for (const MountSpec& mount : spec_.mounts) {
    bool is_file = mount.kind == MountSpec::Kind::kBind && !mount.source.starts_with(volumes_);
    points.push_back({mount.target, is_file});
  }
  points.push_back({spec_.working_directory, false});
  std::string layer = directory_ + "/points";
  int root = made->mount.get();
  bool is_made = TRY(isolation::MakeMountPoints(root, points, layer, from_.first_id));
  if (!is_made && from_.container->layers.size() > 1) return {};
  if (!is_made) TRY(isolation::MakeEmptyLayer(root, layer));
  made->looked_up = std::move(made->mount);
  made->mount = TRY(MountReadonly(layer));
  return {};
}

Result<> RootBuilder::FillVolume(int root, const InRootPath& place, const std::string& directory) {
  TRY(sys::MakeDirectories(directory, 0755));
  if (!place.exists()) return sys::Chown(AT_FDCWD, directory, from_.first_id, from_.first_id);
  UniqueFd from = TRY(sys::OpenInRoot(root, place.Text(), O_RDONLY | O_DIRECTORY));
  UniqueFd to = TRY(sys::OpenDirectory(AT_FDCWD, directory));
  TRY(isolation::CopyTreeUp(from.get(), to.get()));
  return isolation::CopyLook(from.get(), to.get());
}

// False: no volume there after all.
Result<bool> RootBuilder::PlaceVolume(int root, MountSpec* mount) {
  InRootPath place = TRY(isolation::ResolveInRoot(root, mount->target));
  std::string path = place.Text();
  VolumeVerdict verdict = TRY(JudgeVolume(path));
  if (verdict == VolumeVerdict::kLeave) {
    warnings_.push_back(VolumeLeftWarning(mount->target));
    return false;
  }
  if (!places_.insert(path).second) return false;
  if (!S_ISDIR(place.mode)) return Error(Code::kInvalid, "not a directory");
  TRY(FillVolume(root, place, mount->source));
  mount->target = path;
  return true;
}

Result<> RootBuilder::PlaceVolumes(int root) {
  std::vector<MountSpec> others, volumes;
  for (MountSpec& mount : spec_.mounts) {
    bool is_volume = mount.source.starts_with(volumes_);
    if (!is_volume) {
      others.push_back(std::move(mount));
      continue;
    }
    std::string path = mount.target;
    bool is_placed = TRY(PlaceVolume(root, &mount).Context("the image's volume " + path));
    if (is_placed) volumes.push_back(std::move(mount));
  }
  // Links may have led one into another: what holds another one is mounted first.
  std::sort(volumes.begin(), volumes.end(),
            [](const MountSpec& a, const MountSpec& b) { return a.target < b.target; });
  // ... and before single files, one of which may be in it.
  auto is_file = [](const MountSpec& mount) { return mount.kind == MountSpec::Kind::kBind; };
  auto first_file = std::find_if(others.begin(), others.end(), is_file);
  others.insert(first_file, std::make_move_iterator(volumes.begin()),
                std::make_move_iterator(volumes.end()));
  spec_.mounts = std::move(others);
  return {};
}

Result<ContainerRoot> RootBuilder::Build() {
  ContainerRoot made;
  if (from_.container->is_readonly_root) {
    made.mount = TRY(MountReadonly(""));
    TRY(PlaceVolumes(made.mount.get()));
    TRY(AddMountPoints(&made));
  } else {
    made.mount = TRY(MountWritable());
    TRY(PlaceVolumes(made.mount.get()));
  }
  made.warnings = std::move(warnings_);
  return made;
}

}  // namespace

Result<ContainerRoot> MakeContainerRoot(const ContainerRootSpec& from, ContainerSpec* spec) {
  return RootBuilder(from, spec).Build();
}

}  // namespace skiff::runtime
