#include "images/unpack.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>

#include "images/layer_tree.h"
#include "images/limits.h"
#include "images/tar.h"
#include "isolation/sys/process.h"

namespace skiff::images {
namespace {

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kOpaqueName = ".wh..wh..opq";
constexpr std::string_view kReservedPrefix = ".wh..wh.";  // where AUFS kept its own files
constexpr char kCapabilityXattr[] = "security.capability";
constexpr uint32_t kSpecialModes = 07000;  // set-user-ID, set-group-ID, sticky

using Place = LayerTree::Place;

Error Invalid(std::string message) { return Error(Code::kInvalid, std::move(message)); }

// For messages: a hostile name may fill pages.
std::string Shorten(const std::string& name) {
  constexpr size_t kShown = 200;
  return name.size() <= kShown ? name : name.substr(0, kShown) + "...";
}

// While it lives what is made gets the mode it is made with.
class NoUmask {
 public:
  NoUmask() : before_(sys::SetUmask(0)) {}
  ~NoUmask() { sys::SetUmask(before_); }
  NoUmask(const NoUmask&) = delete;
  NoUmask& operator=(const NoUmask&) = delete;

 private:
  mode_t before_;
};

class Unpacker {
 public:
  Unpacker(ByteSource* tar, LayerSink* sink, const LowerLayers* lower, ContentSums* sums)
      : reader_(tar), sink_(*sink), tree_(sink, lower), lower_(lower), sums_(sums) {}

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
  Result<> WriteContent(int file);
  Result<> NoteSum(int file, const ContentSum& sum);
  Result<> SetOwnerAndMode(const Place& place);
  Result<> SetNewOwnerAndMode(const Place& place);
  mode_t FirstMode() const;
  bool NeedsOwner(const Place& place) const;
  bool NeedsMode(const Place& place) const;
  Result<> SetXattrs(const Place& place);

  // Creates at a place by `create`, once more after clearing what is there.
  template <typename Create>
  auto Replace(const Place& place, Create create) -> decltype(create()) {
    auto made = create();
    if (made.ok() || made.error().sys_errno() != EEXIST) return made;
    TRY(tree_.Clear(place));
    return create();
  }

  NoUmask no_umask_;
  TarReader reader_;
  TarEntry entry_;
  LayerSink& sink_;
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
  TRY(sink_.Chown(tree_.root(), ".", 0, 0));
  TRY(sink_.Chmod(tree_.root(), ".", 0755));
  std::vector<std::string> inherited = TRY(sink_.ListXattrs(tree_.root(), "."));
  for (const std::string& name : inherited) tree_.NoteXattr(name);
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
    return sink_.SetXattr(directory, ".", kOpaqueXattr, "y");
  }
  if (name.starts_with(kReservedPrefix)) return {};
  std::string hidden(name.substr(kWhiteoutPrefix.size()));
  if (hidden.empty() || hidden == "." || hidden == "..") {
    return Invalid("the whiteout names nothing");
  }
  int directory = TRY(tree_.LocateDirectory(parent));
  Result<> made = sink_.MakeNode(directory, hidden, S_IFCHR, 0);
  if (made.ok()) return sink_.SetTimes(directory, hidden, timespec{});
  if (made.error().sys_errno() != EEXIST) return made;
  struct stat info = TRY(sink_.Stat(directory, hidden));
  if (!S_ISDIR(info.st_mode)) return {};
  return sink_.SetXattr(directory, hidden, kOpaqueXattr, "y");
}

Result<> Unpacker::ApplyFile(const Place& place) {
  LayerHandle file =
      TRY(Replace(place, [&] { return sink_.CreateFile(place.parent, place.name, FirstMode()); }));
  TRY(WriteContent(file.get()));
  // In this order: a write clears file capabilities, a change of owner clears set-user-ID.
  if (NeedsOwner(place)) TRY(sink_.ChownHandle(file.get(), entry_.uid, entry_.gid));
  if (NeedsMode(place)) TRY(sink_.ChmodHandle(file.get(), entry_.mode));
  TRY(SetXattrs(place));
  return sink_.SetTimesHandle(file.get(), entry_.mtime);
}

Result<> Unpacker::WriteContent(int file) {
  if (entry_.size > kMaxLayer.count()) return Error(Code::kExhausted, "the file is too long");
  uint64_t end = 0;
  uint64_t stored = reader_.data_offset();
  ContentSum sum;
  for (;;) {
    TarData data = TRY(reader_.ReadData());
    if (data.bytes.empty()) break;
    TRY(sink_.WriteAt(file, data.bytes, data.offset, stored));
    stored += data.bytes.size();
    if (sums_ != nullptr) sum.Update(data.bytes);
    end = data.offset + data.bytes.size();
    layer_.size += data.bytes.size();
  }
  if (end < entry_.size) TRY(sink_.SetSize(file, entry_.size));
  // Holes may be far longer than what is worth reading.
  return entry_.is_sparse ? Result<>() : NoteSum(file, sum);
}

Result<> Unpacker::NoteSum(int file, const ContentSum& sum) {
  if (sums_ == nullptr) return {};
  struct stat info = TRY(sink_.StatHandle(file));
  sums_->Note(info.st_ino, sum.value());
  return {};
}

Result<> Unpacker::ApplyDirectory(const std::string& clean, const Place& place) {
  bool is_new = false;
  if (!clean.empty()) {
    Result<> made = sink_.MakeDirectory(place.parent, place.name, FirstMode());
    is_new = made.ok();
    if (!made.ok() && made.error().sys_errno() == EEXIST) {
      struct stat info = TRY(sink_.Stat(place.parent, place.name));
      made = Result<>();
      if (!S_ISDIR(info.st_mode)) {
        // What stood here hid the layers beneath; the directory in its place must go on doing so.
        TRY(tree_.Clear(place));
        TRY(sink_.MakeDirectory(place.parent, place.name, 0700));
        made = sink_.SetXattr(place.parent, place.name, kOpaqueXattr, "y");
      }
    }
    TRY(std::move(made));
  }
  TRY(is_new ? SetNewOwnerAndMode(place) : SetOwnerAndMode(place));
  if (entry_.gid != 0 || (entry_.mode & S_ISGID) != 0) tree_.ForgetDirectory();
  TRY(SetXattrs(place));
  return tree_.RememberTime(clean, entry_.mtime);
}

Result<> Unpacker::ApplyNode(const Place& place) {
  dev_t device = makedev(entry_.device_major, entry_.device_minor);
  auto create = [&]() -> Result<> {
    switch (entry_.type) {
      case TarType::kSymlink:
        if (entry_.link_target.empty()) return Invalid("the symlink has no target");
        return sink_.Symlink(entry_.link_target, place.parent, place.name);
      case TarType::kCharacterDevice:
        return sink_.MakeNode(place.parent, place.name, S_IFCHR | FirstMode(), device);
      case TarType::kBlockDevice:
        return sink_.MakeNode(place.parent, place.name, S_IFBLK | FirstMode(), device);
      default:
        return sink_.MakeNode(place.parent, place.name, S_IFIFO | FirstMode(), 0);
    }
  };
  TRY(Replace(place, create));
  TRY(SetNewOwnerAndMode(place));
  TRY(SetXattrs(place));
  return sink_.SetTimes(place.parent, place.name, entry_.mtime);
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
  auto find = [&]() -> Result<LayerHandle> {
    LayerHandle directory =
        TRY(sink_.OpenInRoot(target_parent.empty() ? "." : target_parent, O_PATH | O_DIRECTORY));
    TRY(sink_.Stat(directory.get(), target_name));
    return directory;
  };
  Result<LayerHandle> directory = find();
  bool is_absent = !directory.ok() && (directory.error().sys_errno() == ENOENT ||
                                       directory.error().sys_errno() == ENOTDIR);
  if (is_absent) {
    TRY(CopyUp(target).Context("hard link to '" + entry_.link_target + "'"));
    directory = find();
  }
  LayerHandle from = TRY(std::move(directory));
  struct stat source = TRY(sink_.Stat(from.get(), target_name));
  if (S_ISDIR(source.st_mode)) return Invalid("the hard link's target is a directory");
  if (IsWhiteout(source)) return Invalid("the hard link's target was removed by this layer");
  Place place = TRY(tree_.Locate(clean));
  Result<struct stat> existing = sink_.Stat(place.parent, place.name);
  // Two names of one file already; clearing one might remove the other's way.
  if (existing.ok() && existing.value().st_ino == source.st_ino) return {};
  return Replace(place,
                 [&] { return sink_.Link(from.get(), target_name, place.parent, place.name); });
}

// Makes this layer's own copy of a file of the layers beneath, as overlayfs does before a link.
Result<> Unpacker::CopyUp(const std::string& clean) {
  std::optional<LowerLayers::Found> found = TRY(lower_->Find(clean));
  if (!found) return Error(Code::kInvalid, "there is no such file");
  tree_.RelyOnLower();
  const struct stat& info = found->info;
  Place place = TRY(tree_.Locate(clean));
  if (S_ISLNK(info.st_mode)) {
    std::string target = TRY(found->layer->ReadLink(clean));
    TRY(sink_.Symlink(target, place.parent, place.name));
  } else if (S_ISREG(info.st_mode)) {
    std::unique_ptr<ByteSource> content = TRY(found->layer->OpenFile(clean));
    LayerHandle to = TRY(sink_.CreateFile(place.parent, place.name, 0600));
    ContentSum sum;
    for (uint64_t offset = 0;;) {
      std::string_view piece = TRY(content->Next());
      if (piece.empty()) break;
      TRY(sink_.WriteAt(to.get(), piece, offset, std::nullopt));
      offset += piece.size();
      sum.Update(piece);
    }
    TRY(NoteSum(to.get(), sum));
    layer_.size += static_cast<uint64_t>(info.st_size);
  } else {
    return Invalid("it is neither a file nor a symlink");
  }
  TRY(sink_.Chown(place.parent, place.name, info.st_uid, info.st_gid));
  if (S_ISREG(info.st_mode)) TRY(sink_.Chmod(place.parent, place.name, info.st_mode & 07777));
  std::vector<std::string> names = TRY(found->layer->ListXattrs(clean));
  for (const std::string& name : names) {
    if (IsForbiddenXattr(name)) continue;
    std::string value = TRY(found->layer->GetXattr(clean, name));
    TRY(sink_.SetXattr(place.parent, place.name, name, value));
  }
  return sink_.SetTimes(place.parent, place.name, info.st_mtim);
}

Result<> Unpacker::SetOwnerAndMode(const Place& place) {
  TRY(sink_.Chown(place.parent, place.name, entry_.uid, entry_.gid));
  if (entry_.type == TarType::kSymlink) return {};  // has no mode of its own
  return sink_.Chmod(place.parent, place.name, entry_.mode);
}

// Of what was made a moment ago, with FirstMode: mostly it is as it should be.
Result<> Unpacker::SetNewOwnerAndMode(const Place& place) {
  if (NeedsOwner(place)) TRY(sink_.Chown(place.parent, place.name, entry_.uid, entry_.gid));
  if (entry_.type == TarType::kSymlink || !NeedsMode(place)) return {};
  return sink_.Chmod(place.parent, place.name, entry_.mode);
}

// Never special before the owner is right.
mode_t Unpacker::FirstMode() const { return entry_.mode & ~kSpecialModes; }

bool Unpacker::NeedsOwner(const Place& place) const {
  return !sink_.makes_for_root() || !place.is_parent_plain || entry_.uid != 0 || entry_.gid != 0;
}

bool Unpacker::NeedsMode(const Place& place) const {
  return (entry_.mode & kSpecialModes) != 0 || !place.is_parent_plain || tree_.has_default_acls();
}

Result<> Unpacker::SetXattrs(const Place& place) {
  for (const auto& [name, value] : entry_.xattrs) {
    if (IsForbiddenXattr(name)) continue;
    tree_.NoteXattr(name);
    Result<> set = sink_.SetXattr(place.parent, place.name, name, value);
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

Result<std::vector<std::unique_ptr<LowerLayer>>> OpenDirectories(
    const std::vector<std::string>& paths) {
  std::vector<std::unique_ptr<LowerLayer>> layers;
  for (const std::string& path : paths) {
    std::unique_ptr<LowerLayer> layer = TRY(LowerDirectory::Open(path));
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace

Result<UnpackedLayer> UnpackLayer(ByteSource* tar, LayerSink* sink, LowerOpener lower,
                                  ContentSums* sums) {
  LowerLayers layers(std::move(lower));
  Unpacker unpacker(tar, sink, &layers, sums);
  UnpackedLayer layer = TRY(unpacker.Run());
  // Padding after the end of the archive counts in the digest.
  TRY(Drain(tar));
  return layer;
}

Result<UnpackedLayer> UnpackLayer(ByteSource* tar, int directory,
                                  const std::vector<std::string>& lower) {
  LayerDirectory sink(directory);
  return UnpackLayer(tar, &sink, [&] { return OpenDirectories(lower); });
}

}  // namespace skiff::images
