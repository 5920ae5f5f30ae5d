#include "images/erofs_tree.h"

#include <fcntl.h>
#include <limits.h>

#include <cerrno>

#include "images/erofs_format.h"
#include "images/limits.h"
#include "images/posix_acl.h"
#include "isolation/base/text.h"
#include "isolation/sys/inode.h"

namespace skiff::images {
namespace {

constexpr mode_t kModeBits = 07777;
constexpr size_t kMaxXattrName = 255;
constexpr uint32_t kCapabilityRevision = 0xff000000;  // the mask; see linux/capability.h
constexpr uint32_t kCapability2 = 0x02000000;
constexpr size_t kCapability2Size = 20;
constexpr uint32_t kCapability3 = 0x03000000;
constexpr size_t kCapability3Size = 24;

Error Failure(int number, std::string_view call, const std::string& path) {
  return Error::FromErrno(number, std::string(call) + " " + path);
}

bool IsDirectory(const ErofsNode& node) { return S_ISDIR(node.mode); }

uint64_t AlignBlock(uint64_t offset) {
  return (offset + erofs::kBlock - 1) / erofs::kBlock * erofs::kBlock;
}

// As validheader() of the kernel's security/commoncap.c.
bool IsCapability(std::string_view value) {
  if (value.size() < sizeof(uint32_t)) return false;
  auto byte = [&](size_t i) { return uint32_t{static_cast<unsigned char>(value[i])}; };
  uint32_t revision =
      (byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24) & kCapabilityRevision;
  return (revision == kCapability2 && value.size() == kCapability2Size) ||
         (revision == kCapability3 && value.size() == kCapability3Size);
}

// What xattr(7) and the kernel's handlers say to `name` on a file of this kind: an errno, or 0.
int RefusalOfName(const ErofsNode& node, std::string_view name) {
  for (const erofs::XattrPrefix& known : erofs::kXattrPrefixes) {
    if (!name.starts_with(known.prefix)) continue;
    std::string_view rest = name.substr(known.prefix.size());
    bool is_whole = known.prefix.back() != '.';
    if (is_whole && !rest.empty()) return EOPNOTSUPP;
    if (!is_whole && rest.empty()) return EINVAL;
    if (name.size() > kMaxXattrName) return ERANGE;
    bool is_plain = S_ISREG(node.mode) || S_ISDIR(node.mode);
    return known.prefix == "user." && !is_plain ? EPERM : 0;
  }
  return EOPNOTSUPP;
}

}  // namespace

ErofsTree::ErofsTree(int image) : image_(image), data_end_(erofs::kDataStart) {
  ErofsNode& root = nodes_.emplace_back();
  root.mode = S_IFDIR | 0755;
  root.links = 1;
  root.children = std::make_unique<ErofsNode::Children>();
}

Result<uint64_t> ErofsTree::TakeSpace(uint64_t size) {
  uint64_t start = AlignBlock(data_end_);
  if (size > kMaxLayer.count() || start > kMaxLayer.count() - size) {
    return Error(Code::kExhausted, "more is copied into the image than it can hold");
  }
  data_end_ = start + size;
  return start;
}

Result<uint32_t> ErofsTree::Enter(uint32_t directory, std::string_view name) {
  const ErofsNode& node = nodes_[directory];
  if (!IsDirectory(node)) return Failure(ENOTDIR, "open", std::string(name));
  if (name.empty() || name == ".") return directory;
  if (name == "..") return node.parent;
  if (name.size() > erofs::kMaxName) return Failure(ENAMETOOLONG, "open", std::string(name));
  auto child = node.children->find(std::string(name));
  if (child == node.children->end()) return Failure(ENOENT, "open", std::string(name));
  return child->second;
}

Result<uint32_t> ErofsTree::Find(int directory, const std::string& path) {
  if (path.size() >= PATH_MAX) return Failure(ENAMETOOLONG, "open", path);
  uint32_t at = static_cast<uint32_t>(directory);
  for (std::string_view component : Split(path, '/')) at = TRY(Enter(at, component));
  return at;
}

Result<ErofsTree::Spot> ErofsTree::FindSpot(int directory, const std::string& path) {
  size_t slash = path.rfind('/');
  bool is_plain = slash == std::string::npos;
  Spot spot{static_cast<uint32_t>(directory), path};
  if (!is_plain) {
    spot.parent = TRY(Find(directory, path.substr(0, slash)));
    spot.name = path.substr(slash + 1);
  }
  if (!IsDirectory(nodes_[spot.parent])) return Failure(ENOTDIR, "open", path);
  if (spot.name.size() > erofs::kMaxName) return Failure(ENAMETOOLONG, "open", path);
  return spot;
}

// As openat2(2) with RESOLVE_IN_ROOT: symlinks and ".." lead nowhere else.
Result<LayerHandle> ErofsTree::OpenInRoot(const std::string& path, int flags) {
  if (path.size() >= PATH_MAX) return Failure(ENAMETOOLONG, "open", path);
  std::vector<std::string> pending;  // the next component last
  auto push = [&](std::string_view text) {
    std::vector<std::string_view> components = Split(text, '/');
    for (auto it = components.rbegin(); it != components.rend(); ++it) pending.emplace_back(*it);
  };
  push(path);
  uint32_t at = 0;
  size_t symlinks = 0;
  while (!pending.empty()) {
    std::string component = std::move(pending.back());
    pending.pop_back();
    uint32_t next = TRY(Enter(at, component));
    const ErofsNode& node = nodes_[next];
    bool is_kept = pending.empty() && (flags & O_NOFOLLOW) != 0;
    if (!S_ISLNK(node.mode) || is_kept) {
      at = next;
      continue;
    }
    if (++symlinks > kMaxSymlinks) return Failure(ELOOP, "open", path);
    if (node.target.starts_with('/')) at = 0;
    push(node.target);
  }
  if (!IsDirectory(nodes_[at])) return Failure(ENOTDIR, "open", path);
  return LayerHandle(static_cast<int>(at));
}

Result<struct stat> ErofsTree::StatHandle(int handle) {
  const ErofsNode& node = At(handle);
  struct stat info {};
  info.st_ino = static_cast<ino_t>(handle) + 1;
  info.st_mode = node.mode;
  info.st_uid = node.uid;
  info.st_gid = node.gid;
  info.st_nlink = node.links;
  info.st_rdev = node.device;
  info.st_size = static_cast<off_t>(S_ISLNK(node.mode) ? node.target.size() : node.size);
  info.st_mtim = node.mtime;
  return info;
}

Result<struct stat> ErofsTree::Stat(int directory, const std::string& path) {
  uint32_t number = TRY(Find(directory, path));
  return StatHandle(static_cast<int>(number));
}

Result<std::string> ErofsTree::ReadLink(int directory, const std::string& path) {
  uint32_t number = TRY(Find(directory, path));
  if (!S_ISLNK(nodes_[number].mode)) return Failure(EINVAL, "readlink", path);
  return nodes_[number].target;
}

Result<std::vector<std::string>> ErofsTree::ListXattrs(int directory, const std::string& path) {
  uint32_t number = TRY(Find(directory, path));
  std::vector<std::string> names;
  if (nodes_[number].xattrs == nullptr) return names;
  for (const auto& [name, value] : *nodes_[number].xattrs) names.push_back(name);
  return names;
}

Result<uint32_t> ErofsTree::Make(int directory, const std::string& path, mode_t mode) {
  Spot spot = TRY(FindSpot(directory, path));
  bool is_special = spot.name.empty() || spot.name == "." || spot.name == "..";
  if (is_special || nodes_[spot.parent].children->contains(spot.name)) {
    return Failure(EEXIST, "create", path);
  }
  uint32_t number = static_cast<uint32_t>(nodes_.size());
  ErofsNode& node = nodes_.emplace_back();
  node.mode = mode;
  node.links = 1;
  node.parent = spot.parent;
  if (S_ISDIR(mode)) node.children = std::make_unique<ErofsNode::Children>();
  nodes_[spot.parent].children->emplace(std::move(spot.name), number);
  return number;
}

Result<> ErofsTree::MakeDirectory(int directory, const std::string& path, mode_t mode) {
  TRY(Make(directory, path, S_IFDIR | mode));
  return {};
}

Result<> ErofsTree::MakeNode(int directory, const std::string& path, mode_t mode, dev_t device) {
  uint32_t number = TRY(Make(directory, path, mode));
  nodes_[number].device = device;
  return {};
}

Result<> ErofsTree::Symlink(const std::string& target, int directory, const std::string& path) {
  if (target.size() >= PATH_MAX) return Failure(ENAMETOOLONG, "symlink", path);
  uint32_t number = TRY(Make(directory, path, S_IFLNK | 0777));
  nodes_[number].target = target;
  return {};
}

Result<LayerHandle> ErofsTree::CreateFile(int directory, const std::string& path, mode_t mode) {
  uint32_t number = TRY(Make(directory, path, S_IFREG | mode));
  return LayerHandle(static_cast<int>(number));
}

Result<> ErofsTree::Link(int from_directory, const std::string& from, int to_directory,
                         const std::string& to) {
  uint32_t number = TRY(Find(from_directory, from));
  if (IsDirectory(nodes_[number])) return Failure(EPERM, "link", from);
  Spot spot = TRY(FindSpot(to_directory, to));
  auto [place, is_new] = nodes_[spot.parent].children->emplace(spot.name, number);
  if (!is_new) return Failure(EEXIST, "link", to);
  ++nodes_[number].links;
  return {};
}

// One name less. A directory goes with all that is in it.
void ErofsTree::Drop(uint32_t number) {
  std::vector<uint32_t> pending = {number};
  while (!pending.empty()) {
    ErofsNode& node = nodes_[pending.back()];
    pending.pop_back();
    --node.links;
    if (!IsDirectory(node)) continue;
    for (const auto& [name, child] : *node.children) pending.push_back(child);
    node.children->clear();
  }
}

Result<> ErofsTree::RemoveTree(int directory, const std::string& path) {
  Spot spot = TRY(FindSpot(directory, path));
  ErofsNode::Children& children = *nodes_[spot.parent].children;
  auto found = children.find(spot.name);
  if (found == children.end()) return {};
  Drop(found->second);
  children.erase(found);
  return {};
}

Result<> ErofsTree::Unlink(int directory, const std::string& path) {
  uint32_t number = TRY(Find(directory, path));
  if (IsDirectory(nodes_[number])) return Failure(EISDIR, "unlink", path);
  return RemoveTree(directory, path);
}

Result<> ErofsTree::ChownHandle(int handle, uint32_t uid, uint32_t gid) {
  // chown(2) takes it for "leave it as it is".
  if (uid != UINT32_MAX) At(handle).uid = uid;
  if (gid != UINT32_MAX) At(handle).gid = gid;
  return {};
}

Result<> ErofsTree::ChmodHandle(int handle, mode_t mode) {
  ErofsNode& node = At(handle);
  node.mode = (node.mode & ~kModeBits) | (mode & kModeBits);
  if (node.xattrs == nullptr) return {};
  auto acl = node.xattrs->find(std::string(kAccessAcl));
  if (acl != node.xattrs->end()) acl->second = AclOfMode(acl->second, mode);
  return {};
}

Result<> ErofsTree::SetTimesHandle(int handle, const timespec& time) {
  At(handle).mtime = time;
  return {};
}

Result<> ErofsTree::Chown(int directory, const std::string& path, uint32_t uid, uint32_t gid) {
  uint32_t number = TRY(Find(directory, path));
  return ChownHandle(static_cast<int>(number), uid, gid);
}

Result<> ErofsTree::Chmod(int directory, const std::string& path, mode_t mode) {
  uint32_t number = TRY(Find(directory, path));
  return ChmodHandle(static_cast<int>(number), mode);
}

Result<> ErofsTree::SetTimes(int directory, const std::string& path, const timespec& time) {
  uint32_t number = TRY(Find(directory, path));
  return SetTimesHandle(static_cast<int>(number), time);
}

Result<> ErofsTree::SetXattr(int directory, const std::string& path, const std::string& name,
                             std::string_view value) {
  uint32_t number = TRY(Find(directory, path));
  ErofsNode& node = nodes_[number];
  if (int refusal = RefusalOfName(node, name)) return Failure(refusal, "setxattr", name);
  if (value.size() > UINT16_MAX) return Failure(E2BIG, "setxattr", name);
  if (name == "security.capability" && !IsCapability(value)) {
    return Failure(EINVAL, "setxattr", name);
  }
  bool is_acl = name == kAccessAcl || name == kDefaultAcl;
  return is_acl ? SetAcl(&node, name, value) : Keep(&node, name, value);
}

Result<> ErofsTree::SetAcl(ErofsNode* node, const std::string& name, std::string_view value) {
  if (S_ISLNK(node->mode)) return Failure(EOPNOTSUPP, "setxattr", name);
  TRY(CheckAcl(value));
  std::optional<std::string> kept{std::string(value)};
  constexpr size_t kEmptyAcl = 4;
  if (name == kAccessAcl) {
    node->mode = ModeOfAcl(value, node->mode, &kept);
  } else if (value.size() == kEmptyAcl) {
    kept.reset();
  } else if (!IsDirectory(*node)) {
    return Failure(EACCES, "setxattr", name);
  }
  if (kept) return Keep(node, name, *kept);
  if (node->xattrs != nullptr) node->xattrs->erase(name);
  return {};
}

Result<> ErofsTree::Keep(ErofsNode* node, const std::string& name, std::string_view value) {
  xattr_bytes_ += name.size() + value.size();
  if (xattr_bytes_ > kMaxLayerXattrs.count()) {
    return Error(Code::kExhausted, "the layer has too many extended attributes");
  }
  if (node->xattrs == nullptr) {
    node->xattrs = std::make_unique<std::map<std::string, std::string>>();
  }
  (*node->xattrs)[name] = std::string(value);
  return {};
}

Result<> ErofsTree::WriteAt(int file, std::string_view bytes, uint64_t offset,
                            std::optional<uint64_t> stored) {
  ErofsNode& node = At(file);
  bool is_in_tar = stored.has_value();
  if (!is_in_tar) {
    // One file after the other is copied, each from its beginning on.
    if (node.extents.empty()) TRY(TakeSpace(0));
    stored = data_end_;
    TRY(sys::WriteAllAt(image_, bytes, data_end_));
    data_end_ += bytes.size();
  }
  node.size = std::max(node.size, offset + bytes.size());
  if (!node.extents.empty()) {
    ErofsExtent& last = node.extents.back();
    bool continues = last.offset + last.length == offset && last.stored + last.length == *stored &&
                     last.is_in_tar == is_in_tar;
    if (continues) {
      last.length += bytes.size();
      return {};
    }
  }
  if (++extents_ > kMaxErofsExtents) {
    return Error(Code::kExhausted, "the layer's sparse files have too many parts");
  }
  node.extents.push_back({offset, bytes.size(), *stored, is_in_tar});
  return {};
}

Result<> ErofsTree::SetSize(int file, uint64_t size) {
  At(file).size = size;
  return {};
}

}  // namespace skiff::images
