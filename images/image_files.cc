#include "images/image_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "images/decompress.h"
#include "images/inflation_guard.h"
#include "images/layer_tree.h"
#include "images/limits.h"
#include "images/tar.h"
#include "isolation/sys/file.h"
#include "isolation/sys/inode.h"

namespace skiff::images {
namespace {

constexpr int kMaxLinks = 8;

// O_NONBLOCK: a fifo must not keep us waiting; it means nothing to files.
constexpr int kReadFlags = O_RDONLY | O_NONBLOCK;

Result<uint64_t> SizeOfFile(int fd) {
  struct stat info = TRY(sys::StatFd(fd));
  if (!S_ISREG(info.st_mode)) return Error(Code::kInvalid, "not a regular file");
  return static_cast<uint64_t>(info.st_size);
}

}  // namespace

Result<ImageFiles> ImageFiles::Open(const std::string& path, int scratch, const DiskRoom& room) {
  ImageFiles files;
  files.fd_ = TRY(sys::Open(AT_FDCWD, path, kReadFlags));
  struct stat info = TRY(sys::StatFd(files.fd_.get()));
  files.is_directory_ = S_ISDIR(info.st_mode);
  if (files.is_directory_) return files;
  TRY(files.Inflate(scratch, room));
  TRY(files.ReadContents());
  return files;
}

Result<> ImageFiles::Inflate(int scratch, const DiskRoom& room) {
  uint64_t size = TRY(SizeOfFile(fd_.get()));
  FileSource file(fd_.get(), 0, size);
  CountingSource packed(&file);
  std::unique_ptr<DecompressedSource> inflated = TRY(DecompressedSource::Open(&packed));
  if (inflated->compression() == Compression::kNone) return {};
  InflationGuard plain(inflated.get(), &packed, kMaxArchive);
  UniqueFd unnamed = TRY(sys::OpenUnnamed(scratch, "."));
  for (uint64_t offset = 0;;) {
    std::string_view piece = TRY(plain.Next().Context("the archive"));
    if (piece.empty()) break;
    TRY(room.Check(Bytes(piece.size()), "the next bytes of the archive"));
    TRY(sys::WriteAllAt(unnamed.get(), piece, offset));
    offset += piece.size();
  }
  fd_ = std::move(unnamed);
  return {};
}

Result<> ImageFiles::ReadContents() {
  uint64_t size = TRY(SizeOfFile(fd_.get()));
  FileSource file(fd_.get(), 0, size);
  TarReader reader(&file);
  TarEntry entry;
  for (;;) {
    bool is_there = TRY(reader.Next(&entry));
    if (!is_there) return {};
    Result<std::string> name = CleanName(entry.name);
    if (!name.ok()) return std::move(name).error().Context("member '" + entry.name + "'");
    Location location{reader.data_offset(), entry.size, ""};
    if (entry.type == TarType::kHardLink) {
      location.link = entry.link_target;
    } else if (entry.type == TarType::kSymlink) {
      // Old docker archives share a layer by a link to "../<other>/layer.tar".
      location.link = SplitName(name.value()).first + "/" + entry.link_target;
    } else if (entry.type != TarType::kFile || entry.is_sparse) {
      continue;
    }
    if (contents_.size() == kMaxArchiveMembers) {
      return Error(Code::kExhausted, "more than " + std::to_string(kMaxArchiveMembers) +
                                         " members: not an image archive");
    }
    contents_[std::move(name).value()] = std::move(location);
  }
}

bool ImageFiles::Has(const std::string& name) const { return Find(name).ok(); }

Result<ImageFiles::Member> ImageFiles::FindFile(const std::string& name) const {
  Result<UniqueFd> opened = sys::OpenInRoot(fd_.get(), name, kReadFlags);
  if (!opened.ok() && opened.error().sys_errno() == ENOENT) {
    return Error(Code::kNotFound, name + ": missing");
  }
  Member member{UniqueFd(), -1, 0, 0};
  member.own = TRY(std::move(opened));
  member.fd = member.own.get();
  member.size = TRY(SizeOfFile(member.fd).Context(name));
  return member;
}

Result<ImageFiles::Member> ImageFiles::Find(const std::string& name) const {
  if (is_directory_) return FindFile(name);
  std::string at = name;
  for (int hops = 0; hops < kMaxLinks; ++hops) {
    at = TRY(CleanName(at).Context(name));
    auto found = contents_.find(at);
    if (found == contents_.end()) break;
    const Location& location = found->second;
    if (location.link.empty()) return Member{UniqueFd(), fd_.get(), location.offset, location.size};
    at = location.link;
  }
  return Error(Code::kNotFound, name + ": missing");
}

Result<std::string> ImageFiles::Read(const std::string& name, Bytes limit) const {
  Member member = TRY(Find(name));
  if (member.size > limit.count()) {
    return Error(Code::kInvalid,
                 name + ": longer than " + std::to_string(limit.count()) + " bytes");
  }
  std::string text;
  FileSource source(member.fd, member.offset, member.size);
  for (;;) {
    std::string_view piece = TRY(source.Next().Context(name));
    if (piece.empty()) return text;
    text += piece;
  }
}

}  // namespace skiff::images
