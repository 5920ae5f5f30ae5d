#include "images/unpack.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>

#include "images/layer_tree.h"
#include "images/limits.h"
#include "images/tar.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"

namespace skiff::images {
namespace {

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kOpaqueName = ".wh..wh..opq";
constexpr std::string_view kReservedPrefix = ".wh..wh.";  // where AUFS kept its own files
constexpr char kCapabilityXattr[] = "security.capability";

using Place = LayerTree::Place;

Error Invalid(std::string message) { return Error(Code::kInvalid, std::move(message)); }

// For messages: a hostile name may fill pages.
std::string Shorten(const std::string& name) {
  constexpr size_t kShown = 200;
  return name.size() <= kShown ? name : name.substr(0, kShown) + "...";
}

class Unpacker {
 public:
  Unpacker(ByteSource* tar, int directory, const LowerLayers* lower, ContentSums* sums)
      : reader_(tar), tree_(directory, lower), lower_(lower), sums_(sums) {}

  Result<UnpackedLayer> Run();

 private:
  Result<> StartRoot();
  Result<> FinishRoot();
  Result<> HideLowerRoot();
  Result<> Apply();
  Result<> ApplyWhiteout(const std::string& parent, std::string_view name);
  Result<> ApplyFile(const Place& place);
  Result<> ApplyDirectory(const std::string& clean, const Place& place);
  Result<> ApplyHardLink(const std::string& clean);
  Result<> ApplyNode(const Place& place);
  Result<> CopyUp(const std::string& clean);
  Result<> WriteContent(int fd);
  Result<> NoteSum(int fd, const ContentSum& sum);
  Result<> SetOwnerAndMode(const Place& place);
  Result<> SetXattrs(const Place& place);

  // Creates at a place by `create`, once more after clearing what is there.
  template <typename Create>
  auto Replace(const Place& place, Create create) -> decltype(create()) {
    auto made = create();
    if (made.ok() || made.error().sys_errno() != EEXIST) return made;
    TRY(tree_.Clear(place));
    return create();
  }

  TarReader reader_;
  TarEntry entry_;
  LayerTree tree_;
  const LowerLayers* lower_;
  ContentSums* sums_;
  UnpackedLayer layer_;
  bool has_root_entry_ = false;
  bool is_root_opaque_ = false;
};

Result<UnpackedLayer> Unpacker::Run() {
  TRY(StartRoot());
  for (;;) {
    bool is_there = TRY(reader_.Next(&entry_));
    if (!is_there) break;
    ++layer_.entries;
    Result<> applied = Apply();
    if (!applied.ok()) {
      return std::move(applied).error().Context("entry '" + Shorten(entry_.name) + "'");
    }
  }
  TRY(FinishRoot());
  TRY(tree_.ApplyTimes());
  layer_.relies_on_lower = tree_.relies_on_lower();
  return layer_;
}

Result<> Unpacker::StartRoot() {
  TRY(sys::Chown(tree_.root(), ".", 0, 0));
  TRY(sys::Chmod(tree_.root(), ".", 0755));
  return tree_.RememberTime("", timespec{});
}

Result<> Unpacker::FinishRoot() {
  if (!has_root_entry_) TRY(tree_.InheritDirectory(""));
  return is_root_opaque_ ? HideLowerRoot() : Result<>();
}

// overlayfs merges the roots of its layers whatever they say, so an opaque root hides what is
// beneath name by name.
Result<> Unpacker::HideLowerRoot() {
  std::vector<std::string> names = TRY(lower_->RootNames());
  for (const std::string& name : names) {
    tree_.RelyOnLower();
    TRY(ApplyWhiteout("", std::string(kWhiteoutPrefix) + name));
  }
  return {};
}

Result<> Unpacker::Apply() {
  std::string clean = TRY(CleanName(entry_.name));
  if (clean.empty()) {
    if (entry_.type != TarType::kDirectory) return Invalid("the root is not a directory");
    has_root_entry_ = true;
    return ApplyDirectory(clean, {tree_.root(), "."});
  }
  auto [parent, name] = SplitName(clean);
  if (("/" + parent).find("/.wh.") != std::string::npos) {
    return Invalid("a directory has a name that is reserved for whiteouts");
  }
  if (name.starts_with(kWhiteoutPrefix)) return ApplyWhiteout(parent, name);
  if (entry_.type == TarType::kHardLink) return ApplyHardLink(clean);
  Place place = TRY(tree_.Locate(clean));
  if (entry_.type == TarType::kFile) return ApplyFile(place);
  if (entry_.type == TarType::kDirectory) return ApplyDirectory(clean, place);
  return ApplyNode(place);
}

// Whiteouts speak of the layers beneath, never of this one, so their order among the entries must
// not matter: a directory of this layer becomes opaque, anything else hides what is beneath anyway.
Result<> Unpacker::ApplyWhiteout(const std::string& parent, std::string_view name) {
  if (name == kOpaqueName) {
    if (parent.empty()) {
      is_root_opaque_ = true;
      return {};
    }
    int directory = TRY(tree_.LocateDirectory(parent));
    return sys::SetXattr(directory, ".", kOpaqueXattr, "y");
  }
  if (name.starts_with(kReservedPrefix)) return {};
  std::string hidden(name.substr(kWhiteoutPrefix.size()));
  if (hidden.empty() || hidden == "." || hidden == "..") {
    return Invalid("the whiteout names nothing");
  }
  int directory = TRY(tree_.LocateDirectory(parent));
  Result<> made = sys::MakeNode(directory, hidden, S_IFCHR, 0);
  if (made.ok()) return sys::SetTimes(directory, hidden, timespec{});
  if (made.error().sys_errno() != EEXIST) return made;
  struct stat info = TRY(sys::Stat(directory, hidden));
  if (!S_ISDIR(info.st_mode)) return {};
  return sys::SetXattr(directory, hidden, kOpaqueXattr, "y");
}

Result<> Unpacker::ApplyFile(const Place& place) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
  UniqueFd file =
      TRY(Replace(place, [&] { return sys::Open(place.parent, place.name, kFlags, 0600); }));
  TRY(WriteContent(file.get()));
  // In this order: a write clears file capabilities, a change of owner clears set-user-ID.
  TRY(sys::ChownFd(file.get(), entry_.uid, entry_.gid));
  TRY(sys::ChmodFd(file.get(), entry_.mode));
  TRY(SetXattrs(place));
  return sys::SetTimesFd(file.get(), entry_.mtime);
}

Result<> Unpacker::WriteContent(int fd) {
  if (entry_.size > kMaxLayer.count()) return Error(Code::kExhausted, "the file is too long");
  uint64_t end = 0;
  ContentSum sum;
  for (;;) {
    TarData data = TRY(reader_.ReadData());
    if (data.bytes.empty()) break;
    TRY(sys::WriteAllAt(fd, data.bytes, data.offset));
    if (sums_ != nullptr) sum.Update(data.bytes);
    end = data.offset + data.bytes.size();
    layer_.size += data.bytes.size();
  }
  if (end < entry_.size) TRY(sys::Truncate(fd, static_cast<int64_t>(entry_.size)));
  // Holes may be far longer than what is worth reading.
  return entry_.is_sparse ? Result<>() : NoteSum(fd, sum);
}

Result<> Unpacker::NoteSum(int fd, const ContentSum& sum) {
  if (sums_ == nullptr) return {};
  struct stat info = TRY(sys::StatFd(fd));
  sums_->Note(info.st_ino, sum.value());
  return {};
}

Result<> Unpacker::ApplyDirectory(const std::string& clean, const Place& place) {
  if (!clean.empty()) {
    Result<> made = sys::MakeDirectory(place.parent, place.name, 0700);
    if (!made.ok() && made.error().sys_errno() == EEXIST) {
      struct stat info = TRY(sys::Stat(place.parent, place.name));
      made = Result<>();
      if (!S_ISDIR(info.st_mode)) {
        // What stood here hid the layers beneath; the directory in its place must go on doing so.
        TRY(tree_.Clear(place));
        TRY(sys::MakeDirectory(place.parent, place.name, 0700));
        made = sys::SetXattr(place.parent, place.name, kOpaqueXattr, "y");
      }
    }
    TRY(std::move(made));
  }
  TRY(SetOwnerAndMode(place));
  TRY(SetXattrs(place));
  return tree_.RememberTime(clean, entry_.mtime);
}

Result<> Unpacker::ApplyNode(const Place& place) {
  dev_t device = makedev(entry_.device_major, entry_.device_minor);
  auto create = [&]() -> Result<> {
    switch (entry_.type) {
      case TarType::kSymlink:
        if (entry_.link_target.empty()) return Invalid("the symlink has no target");
        return sys::Symlink(entry_.link_target, place.parent, place.name);
      case TarType::kCharacterDevice:
        return sys::MakeNode(place.parent, place.name, S_IFCHR | 0600, device);
      case TarType::kBlockDevice:
        return sys::MakeNode(place.parent, place.name, S_IFBLK | 0600, device);
      default:
        return sys::MakeNode(place.parent, place.name, S_IFIFO | 0600, 0);
    }
  };
  TRY(Replace(place, create));
  TRY(SetOwnerAndMode(place));
  TRY(SetXattrs(place));
  return sys::SetTimes(place.parent, place.name, entry_.mtime);
}

Result<> Unpacker::ApplyHardLink(const std::string& clean) {
  if (entry_.link_target.empty()) return Invalid("the hard link has no target");
  std::string target =
      TRY(CleanName(entry_.link_target).Context("hard link to '" + entry_.link_target + "'"));
  if (target.empty()) return Invalid("the hard link's target is a directory");
  if (target == clean) return {};
  // References, for clang 14 captures no structured binding.
  const auto parts = SplitName(target);
  const auto& target_parent = parts.first;
  const auto& target_name = parts.second;
  auto find = [&]() -> Result<UniqueFd> {
    UniqueFd directory = TRY(sys::OpenInRoot(
        tree_.root(), target_parent.empty() ? "." : target_parent, O_PATH | O_DIRECTORY));
    TRY(sys::Stat(directory.get(), target_name));
    return directory;
  };
  Result<UniqueFd> directory = find();
  bool is_absent = !directory.ok() && (directory.error().sys_errno() == ENOENT ||
                                       directory.error().sys_errno() == ENOTDIR);
  if (is_absent) {
    TRY(CopyUp(target).Context("hard link to '" + entry_.link_target + "'"));
    directory = find();
  }
  UniqueFd from = TRY(std::move(directory));
  struct stat source = TRY(sys::Stat(from.get(), target_name));
  if (S_ISDIR(source.st_mode)) return Invalid("the hard link's target is a directory");
  if (IsWhiteout(source)) return Invalid("the hard link's target was removed by this layer");
  Place place = TRY(tree_.Locate(clean));
  Result<struct stat> existing = sys::Stat(place.parent, place.name);
  // Two names of one file already; clearing one might remove the other's way.
  if (existing.ok() && existing.value().st_ino == source.st_ino) return {};
  return Replace(place,
                 [&] { return sys::Link(from.get(), target_name, place.parent, place.name); });
}

// Makes this layer's own copy of a file of the layers beneath, as overlayfs does before a link.
Result<> Unpacker::CopyUp(const std::string& clean) {
  std::optional<LowerLayers::Found> found = TRY(lower_->Find(clean));
  if (!found) return Error(Code::kInvalid, "there is no such file");
  tree_.RelyOnLower();
  const struct stat& info = found->info;
  Place place = TRY(tree_.Locate(clean));
  if (S_ISLNK(info.st_mode)) {
    std::string target = TRY(sys::ReadLink(found->layer, clean));
    TRY(sys::Symlink(target, place.parent, place.name));
  } else if (S_ISREG(info.st_mode)) {
    UniqueFd from = TRY(sys::OpenBeneath(found->layer, clean, O_RDONLY));
    UniqueFd to =
        TRY(sys::Open(place.parent, place.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    FileSource content(from.get(), 0, static_cast<uint64_t>(info.st_size));
    ContentSum sum;
    for (uint64_t offset = 0;;) {
      std::string_view piece = TRY(content.Next());
      if (piece.empty()) break;
      TRY(sys::WriteAllAt(to.get(), piece, offset));
      offset += piece.size();
      sum.Update(piece);
    }
    TRY(NoteSum(to.get(), sum));
    layer_.size += static_cast<uint64_t>(info.st_size);
  } else {
    return Invalid("it is neither a file nor a symlink");
  }
  TRY(sys::Chown(place.parent, place.name, info.st_uid, info.st_gid));
  if (S_ISREG(info.st_mode)) TRY(sys::Chmod(place.parent, place.name, info.st_mode & 07777));
  std::vector<std::string> names = TRY(sys::ListXattrs(found->layer, clean));
  for (const std::string& name : names) {
    if (IsForbiddenXattr(name)) continue;
    std::string value = TRY(sys::GetXattr(found->layer, clean, name));
    TRY(sys::SetXattr(place.parent, place.name, name, value));
  }
  return sys::SetTimes(place.parent, place.name, info.st_mtim);
}

Result<> Unpacker::SetOwnerAndMode(const Place& place) {
  TRY(sys::Chown(place.parent, place.name, entry_.uid, entry_.gid));
  if (entry_.type == TarType::kSymlink) return {};  // has no mode of its own
  return sys::Chmod(place.parent, place.name, entry_.mode);
}

Result<> Unpacker::SetXattrs(const Place& place) {
  for (const auto& [name, value] : entry_.xattrs) {
    if (IsForbiddenXattr(name)) continue;
    Result<> set = sys::SetXattr(place.parent, place.name, name, value);
    if (set.ok()) continue;
    // A label that this file system or kernel does not know is counted and left; a program without
    // its capabilities would not be the program.
    int error = set.error().sys_errno();
    bool is_unsupported = error == EOPNOTSUPP || error == EPERM;
    if (!is_unsupported || name == kCapabilityXattr) return set;
    ++layer_.refused_xattrs;
  }
  return {};
}

}  // namespace

Result<UnpackedLayer> UnpackLayer(ByteSource* tar, int directory, LowerDirectories lower,
                                  ContentSums* sums) {
  LowerLayers layers(std::move(lower));
  Unpacker unpacker(tar, directory, &layers, sums);
  UnpackedLayer layer = TRY(unpacker.Run());
  // Padding after the end of the archive counts in the digest.
  TRY(Drain(tar));
  return layer;
}

Result<UnpackedLayer> UnpackLayer(ByteSource* tar, int directory,
                                  const std::vector<std::string>& lower) {
  return UnpackLayer(tar, directory, [&]() -> Result<std::vector<std::string>> { return lower; });
}

}  // namespace skiff::images
