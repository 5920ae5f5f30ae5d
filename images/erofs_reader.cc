#include "images/erofs_reader.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "images/erofs_checksum.h"
#include "images/erofs_format.h"
#include "images/layer_kind.h"
#include "images/limits.h"
#include "isolation/base/text.h"
#include "isolation/sys/file.h"

namespace skiff::images {
namespace {

using namespace erofs;  // NOLINT(google-build-using-namespace): its constants are all over this
                        // file

constexpr uint64_t kMaxSmallContent = uint64_t{1} << 30;  // of a directory with a million names

Error Damaged(std::string_view what) {
  return Error(Code::kInternal, "the layer's image is damaged: " + std::string(what));
}

uint64_t Number(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) {
    value |= uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  }
  return value;
}

uint32_t Word(std::string_view bytes, size_t at) {
  return static_cast<uint32_t>(Number(bytes, at, 4));
}

uint64_t Align(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

// As new_decode_dev() of the kernel.
dev_t DecodeDevice(uint32_t number) {
  return makedev((number & 0xfff00) >> 8, (number & 0xff) | (number >> 12 & 0xfff00));
}

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && name.find('/') == std::string_view::npos;
}

}  // namespace

// A file's bytes, holes as zeros.
class ErofsReader::Content : public ByteSource {
 public:
  Content(const ErofsReader& reader, std::vector<ErofsExtent> extents, uint64_t size)
      : reader_(reader), extents_(std::move(extents)), size_(size) {}

  Result<std::string_view> Next() override {
    for (;;) {
      if (part_) {
        std::string_view piece = TRY(part_->Next());
        position_ += piece.size();
        if (!piece.empty()) return piece;
        part_.reset();
        if (position_ != part_end_) return Damaged("a file's content ends early");
      }
      if (position_ == size_) return std::string_view();
      if (next_ < extents_.size() && extents_[next_].offset == position_) {
        const ErofsExtent& extent = extents_[next_++];
        part_end_ = position_ + extent.length;
        part_.emplace(extent.is_in_tar ? reader_.tar_.get() : reader_.image_.get(), extent.stored,
                      extent.length);
        continue;
      }
      uint64_t end = next_ < extents_.size() ? extents_[next_].offset : size_;
      zeros_.resize(std::min<uint64_t>(end - position_, kSourceChunk));
      position_ += zeros_.size();
      return std::string_view(zeros_);
    }
  }

 private:
  const ErofsReader& reader_;
  std::vector<ErofsExtent> extents_;
  uint64_t size_;
  uint64_t position_ = 0;
  size_t next_ = 0;
  std::optional<FileSource> part_;
  uint64_t part_end_ = 0;
  std::string zeros_;
};

Result<std::unique_ptr<LowerLayer>> ErofsReader::OpenLayer(const std::string& directory) {
  std::unique_ptr<ErofsReader> reader = TRY(OpenReader(directory));
  return std::unique_ptr<LowerLayer>(std::move(reader));
}

Result<std::unique_ptr<ErofsReader>> ErofsReader::OpenReader(const std::string& directory) {
  UniqueFd place = TRY(sys::OpenDirectory(AT_FDCWD, directory));
  UniqueFd image = TRY(sys::Open(place.get(), kErofsImage, O_RDONLY | O_NOFOLLOW));
  UniqueFd tar = TRY(sys::Open(place.get(), kErofsTar, O_RDONLY | O_NOFOLLOW));
  return Open(std::move(image), std::move(tar));
}

Result<std::unique_ptr<ErofsReader>> ErofsReader::Open(UniqueFd image, UniqueFd tar) {
  std::unique_ptr<ErofsReader> reader(new ErofsReader(std::move(image), std::move(tar)));
  TRY(reader->ReadSuper());
  return reader;
}

Result<> ErofsReader::ReadSuper() {
  struct stat image = TRY(sys::StatFd(image_.get()));
  struct stat tar = TRY(sys::StatFd(tar_.get()));
  image_size_ = static_cast<uint64_t>(image.st_size);
  tar_size_ = static_cast<uint64_t>(tar.st_size);
  std::string block = TRY(Bytes(kSuperOffset, kBlock));
  if (Word(block, 0) != kMagic) return Damaged("it has no superblock");
  uint32_t checksum = Word(block, 4);
  std::fill_n(block.begin() + 4, 4, '\0');
  if (checksum != ErofsChecksum(block)) return Damaged("the superblock's checksum is wrong");
  constexpr size_t kInodes = 16;
  constexpr size_t kBlocksAt = 36;
  constexpr size_t kFeatures = 80;
  bool is_known = Number(block, 12, 1) == kBlockBits && Number(block, 14, 2) == kRoot &&
                  Word(block, kFeatures) == (kHasChunks | kHasDevices) &&
                  Number(block, kFeatures + 6, 2) == 1;
  if (!is_known) return Damaged("it is of another form");
  inodes_ = Number(block, kInodes, 8);
  meta_ = uint64_t{Word(block, kBlocksAt + 4)} * kBlock;
  if (uint64_t{Word(block, kBlocksAt)} * kBlock != image_size_) {
    return Damaged("it has another size");
  }
  if (uint64_t{Word(block, kSuperSize + 64)} * kBlock != Align(tar_size_, kBlock)) {
    return Damaged("its tar has another size");
  }
  return {};
}

Result<std::string> ErofsReader::Bytes(uint64_t position, uint64_t size) const {
  if (position > image_size_ || size > image_size_ - position) return Damaged("it ends early");
  std::string bytes(size, '\0');
  for (size_t done = 0; done < size;) {
    size_t count =
        TRY(sys::ReadAt(image_.get(), bytes.data() + done, size - done, position + done));
    if (count == 0) return Damaged("it ends early");
    done += count;
  }
  return bytes;
}

Result<ErofsReader::Inode> ErofsReader::ReadInode(uint64_t number) const {
  if (number > image_size_ / kSlot) return Damaged("an inode is outside of it");
  Inode inode;
  inode.number = number;
  inode.position = meta_ + number * kSlot;
  std::string bytes = TRY(Bytes(inode.position, kInode));
  uint64_t format = Number(bytes, 0, 2);
  inode.layout = static_cast<unsigned>(format >> 1);
  bool is_known = inode.layout == kPlain || inode.layout == kInline || inode.layout == kChunks;
  if ((format & 1) != kExtended || !is_known) return Damaged("an inode is of another form");
  uint64_t count = Number(bytes, 2, 2);
  inode.xattrs = count == 0 ? 0 : kXattrHeader + 4 * (count - 1);
  inode.mode = static_cast<uint32_t>(Number(bytes, 4, 2));
  inode.size = Number(bytes, 8, 8);
  inode.data = Word(bytes, 16);
  inode.uid = Word(bytes, 24);
  inode.gid = Word(bytes, 28);
  inode.mtime = {static_cast<time_t>(Number(bytes, 32, 8)), static_cast<long>(Word(bytes, 40))};
  inode.links = Word(bytes, 44);
  bool is_file = S_ISREG(inode.mode);
  if ((inode.layout == kChunks) != (is_file && inode.size > 0)) {
    return Damaged("an inode is of another form");
  }
  return inode;
}

// The content of a directory or symlink.
Result<std::string> ErofsReader::SmallContent(const Inode& inode) const {
  if (inode.size > kMaxSmallContent) return Damaged("a directory is too long");
  uint64_t position = uint64_t{inode.data} * kBlock;
  if (inode.layout == kInline) {
    position = inode.position + kInode + inode.xattrs;
    if (position % kBlock + inode.size > kBlock) return Damaged("a content goes over its block");
  }
  return Bytes(position, inode.size);
}

Result<std::vector<ErofsReader::Entry>> ErofsReader::ReadEntries(const Inode& inode) const {
  std::string content = TRY(SmallContent(inode));
  std::vector<Entry> entries;
  for (size_t start = 0; start < content.size(); start += kBlock) {
    std::string_view block = std::string_view(content).substr(start, kBlock);
    if (block.size() < kDirent) return Damaged("a directory ends early");
    size_t names = Number(block, 8, 2);
    if (names == 0 || names % kDirent != 0 || names > block.size()) {
      return Damaged("a directory's names are out of place");
    }
    for (size_t at = 0; at < names; at += kDirent) {
      size_t begin = Number(block, at + 8, 2);
      bool is_last = at + kDirent == names;
      size_t end = is_last ? block.size() : Number(block, at + kDirent + 8, 2);
      if (begin < names || end < begin || end > block.size()) {
        return Damaged("a directory's names are out of place");
      }
      std::string_view name = block.substr(begin, end - begin);
      if (is_last) name = name.substr(0, name.find('\0'));
      if (!IsName(name)) return Damaged("a name is none");
      entries.push_back({std::string(name), Number(block, at, 8),
                         static_cast<unsigned>(Number(block, at + 10, 1))});
    }
  }
  return entries;
}

Result<ErofsReader::Xattrs> ErofsReader::ReadXattrs(const Inode& inode) const {
  Xattrs xattrs;
  if (inode.xattrs == 0) return xattrs;
  std::string bytes = TRY(Bytes(inode.position + kInode, inode.xattrs));
  // Shared attributes, and a filter of names, would be here.
  if (std::count(bytes.begin(), bytes.begin() + kXattrHeader, '\0') != kXattrHeader) {
    return Damaged("attributes are of another form");
  }
  for (size_t at = kXattrHeader; at + kXattrEntry <= bytes.size();) {
    size_t name_size = Number(bytes, at, 1);
    uint64_t index = Number(bytes, at + 1, 1);
    size_t value_size = Number(bytes, at + 2, 2);
    auto prefix = std::find_if(std::begin(kXattrPrefixes), std::end(kXattrPrefixes),
                               [&](const XattrPrefix& known) { return known.index == index; });
    at += kXattrEntry;
    bool is_good =
        prefix != std::end(kXattrPrefixes) && name_size + value_size <= bytes.size() - at;
    if (!is_good) return Damaged("an attribute is out of place");
    xattrs.emplace_back(std::string(prefix->prefix) + bytes.substr(at, name_size),
                        bytes.substr(at + name_size, value_size));
    at = Align(at + name_size + value_size, 4);
  }
  return xattrs;
}

Result<std::vector<ErofsExtent>> ErofsReader::ExtentsOf(const Inode& inode) const {
  std::vector<ErofsExtent> extents;
  if (inode.size == 0) return extents;
  if ((inode.data & ~kChunkBitsMask) != kChunkIndexes) return Damaged("a file is of another form");
  if (inode.size > kMaxLayer.count()) return Damaged("a file is too long");
  uint64_t chunk = kBlock << (inode.data & kChunkBitsMask);
  uint64_t count = (inode.size - 1) / chunk + 1;
  if (count > kMaxErofsFileChunks) return Damaged("a file has too many parts");
  uint64_t position = Align(inode.position + kInode + inode.xattrs, kChunkIndex);
  std::string indexes = TRY(Bytes(position, count * kChunkIndex));
  for (uint64_t i = 0; i < count; ++i) {
    uint32_t block = Word(indexes, i * kChunkIndex + 4);
    if (block == kHole) continue;
    uint64_t device = Number(indexes, i * kChunkIndex + 2, 2);
    ErofsExtent extent;
    extent.offset = i * chunk;
    extent.length = std::min(chunk, inode.size - extent.offset);
    extent.stored = uint64_t{block} * kBlock;
    extent.is_in_tar = device == kTarDevice;
    uint64_t limit = extent.is_in_tar ? tar_size_ : image_size_;
    if (device > kTarDevice || extent.stored > limit || extent.length > limit - extent.stored) {
      return Damaged("a file's content is outside of it");
    }
    extents.push_back(extent);
  }
  return extents;
}

Result<ErofsReader::Inode> ErofsReader::Find(const std::string& path) const {
  Inode at = TRY(ReadInode(kRoot));
  if (path.empty()) return at;
  for (std::string_view component : Split(path, '/')) {
    if (!S_ISDIR(at.mode)) return Error::FromErrno(ENOTDIR, "open " + path);
    std::vector<Entry> entries = TRY(ReadEntries(at));
    auto found = std::find_if(entries.begin(), entries.end(),
                              [&](const Entry& entry) { return entry.name == component; });
    if (found == entries.end()) return Error::FromErrno(ENOENT, "open " + path);
    at = TRY(ReadInode(found->number));
  }
  return at;
}

Result<struct stat> ErofsReader::Stat(const std::string& path) const {
  Inode inode = TRY(Find(path));
  struct stat info {};
  info.st_ino = inode.number;
  info.st_mode = inode.mode;
  info.st_uid = inode.uid;
  info.st_gid = inode.gid;
  info.st_nlink = inode.links;
  info.st_size = static_cast<off_t>(inode.size);
  info.st_mtim = inode.mtime;
  bool is_device = S_ISCHR(inode.mode) || S_ISBLK(inode.mode);
  if (is_device) info.st_rdev = DecodeDevice(inode.data);
  return info;
}

Result<std::string> ErofsReader::ReadLink(const std::string& path) const {
  Inode inode = TRY(Find(path));
  if (!S_ISLNK(inode.mode)) return Error::FromErrno(EINVAL, "readlink " + path);
  return SmallContent(inode);
}

Result<std::vector<std::string>> ErofsReader::ListXattrs(const std::string& path) const {
  Inode inode = TRY(Find(path));
  Xattrs xattrs = TRY(ReadXattrs(inode));
  std::vector<std::string> names;
  for (auto& [name, value] : xattrs) names.push_back(std::move(name));
  return names;
}

Result<std::string> ErofsReader::GetXattr(const std::string& path, const std::string& name) const {
  Inode inode = TRY(Find(path));
  Xattrs xattrs = TRY(ReadXattrs(inode));
  for (auto& [known, value] : xattrs) {
    if (known == name) return std::move(value);
  }
  return Error::FromErrno(ENODATA, "getxattr " + path);
}

Result<std::vector<std::string>> ErofsReader::ListDirectory(const std::string& path) const {
  Inode inode = TRY(Find(path));
  if (!S_ISDIR(inode.mode)) return Error::FromErrno(ENOTDIR, "open " + path);
  std::vector<Entry> entries = TRY(ReadEntries(inode));
  std::vector<std::string> names;
  for (Entry& entry : entries) {
    if (entry.name != "." && entry.name != "..") names.push_back(std::move(entry.name));
  }
  return names;
}

Result<std::unique_ptr<ByteSource>> ErofsReader::OpenFile(const std::string& path) const {
  Inode inode = TRY(Find(path));
  if (!S_ISREG(inode.mode)) return Error::FromErrno(EINVAL, "open " + path);
  std::vector<ErofsExtent> extents = TRY(ExtentsOf(inode));
  return std::unique_ptr<ByteSource>(
      std::make_unique<Content>(*this, std::move(extents), inode.size));
}

class ErofsReader::Checker {
 public:
  explicit Checker(const ErofsReader& reader) : reader_(reader) {}

  Result<> Run() {
    pending_.emplace_back(kRoot, kRoot);
    names_[kRoot] = 1;
    while (!pending_.empty()) {
      auto [number, parent] = pending_.back();
      pending_.pop_back();
      TRY(CheckDirectory(number, parent));
    }
    for (const auto& [number, links] : links_) {
      if (links != names_[number]) return Damaged("a file has another number of names");
    }
    if (names_.size() != reader_.inodes_) return Damaged("it has another number of inodes");
    return {};
  }

 private:
  Result<> CheckDirectory(uint64_t number, uint64_t parent) {
    Inode inode = TRY(reader_.ReadInode(number));
    if (!S_ISDIR(inode.mode)) return Damaged("a directory is none");
    TRY(reader_.ReadXattrs(inode));
    std::vector<Entry> entries = TRY(reader_.ReadEntries(inode));
    size_t own = 0;
    uint32_t directories = 0;
    for (size_t i = 0; i < entries.size(); ++i) {
      const Entry& entry = entries[i];
      if (i > 0 && entries[i - 1].name >= entry.name) return Damaged("names are out of order");
      if (entry.name == "." || entry.name == "..") {
        ++own;
        if (entry.number != (entry.name == "." ? number : parent)) {
          return Damaged("a directory's own names lead elsewhere");
        }
        continue;
      }
      Inode child = TRY(reader_.ReadInode(entry.number));
      if (FileType(child.mode) == 0 || FileType(child.mode) != entry.type) {
        return Damaged("a name is of another kind");
      }
      bool is_first = ++names_[entry.number] == 1;
      if (S_ISDIR(child.mode)) {
        ++directories;
        if (!is_first) return Damaged("a directory has two names");
        pending_.emplace_back(entry.number, number);
      } else if (is_first) {
        TRY(CheckFile(child));
      }
    }
    constexpr size_t kOwn = 2;
    if (own != kOwn || inode.links != kOwn + directories) {
      return Damaged("a directory has another number of names");
    }
    return {};
  }

  Result<> CheckFile(const Inode& inode) {
    links_.emplace(inode.number, inode.links);
    TRY(reader_.ReadXattrs(inode));
    if (S_ISREG(inode.mode)) TRY(reader_.ExtentsOf(inode));
    if (S_ISLNK(inode.mode)) TRY(reader_.SmallContent(inode));
    return {};
  }

  const ErofsReader& reader_;
  std::vector<std::pair<uint64_t, uint64_t>> pending_;  // a directory and its parent
  std::map<uint64_t, uint64_t> names_;                  // how many each inode has
  std::map<uint64_t, uint64_t> links_;                  // how many it says
};

Result<> ErofsReader::Check() const { return Checker(*this).Run(); }

Result<> CheckErofsLayer(const std::string& directory) {
  std::unique_ptr<ErofsReader> reader = TRY(ErofsReader::OpenReader(directory));
  return reader->Check();
}

}  // namespace skiff::images
