// Reads tar streams: ustar, PAX (global and per entry), GNU long names, base-256 numbers, sparse
// files of GNU and PAX. Checks headers strictly, touches no file. Names and numbers come out as the
// archive has them; where they may lead is the caller's business. One thread.
#pragma once

#include <time.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "images/byte_source.h"
#include "isolation/base/result.h"

namespace skiff::images {

enum class TarType {
  kFile,
  kHardLink,
  kSymlink,
  kCharacterDevice,
  kBlockDevice,
  kDirectory,
  kFifo,
};

struct TarSegment {
  uint64_t offset = 0;
  uint64_t length = 0;
};

struct TarEntry {
  TarType type = TarType::kFile;
  std::string name;
  std::string link_target;
  uint32_t mode = 0;  // the lowest twelve bits
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint64_t size = 0;  // of the file once written; a sparse one has less than that in the archive
  timespec mtime{};
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  std::vector<std::pair<std::string, std::string>> xattrs;
  bool is_sparse = false;
  std::vector<TarSegment> segments;  // of a sparse file: what the archive holds, in order
};

// A piece of a file's content; empty bytes are the end.
struct TarData {
  uint64_t offset = 0;  // in the file
  std::string_view bytes;
};

class TarReader {
 public:
  explicit TarReader(ByteSource* source) : source_(source) {}

  // Reads the next entry, passing over what was not read of the one before. False at the end.
  Result<bool> Next(TarEntry* entry);
  // The content of the entry that Next read, piece by piece.
  Result<TarData> ReadData();
  // Where the content of the current entry begins in the stream.
  uint64_t data_offset() const { return data_offset_; }

 private:
  using Records = std::vector<std::pair<std::string, std::string>>;
  struct Extensions;  // what headers before an entry say about it
  struct Header;

  Result<std::string_view> Take(uint64_t max);
  Result<> TakeExactly(char* buffer, size_t size);
  Result<bool> ReadHeader(Header* header);
  Result<> Pass(uint64_t count);
  Result<std::string> ReadBody(uint64_t size, size_t limit, std::string_view what);
  Result<> ReadExtension(const Header& header, Extensions* extensions);
  Result<> FinishEntry(const Header& header, const Extensions& extensions, TarEntry* entry);
  Result<> ReadGnuSegments(const Header& header, TarEntry* entry);
  Result<> ReadPaxSegments(TarEntry* entry);

  ByteSource* source_;
  std::string_view piece_;
  uint64_t position_ = 0;
  uint64_t data_offset_ = 0;
  Records globals_;
  size_t headers_ = 0;

  // Of the current entry.
  std::vector<TarSegment> segments_;
  size_t segment_ = 0;
  uint64_t segment_done_ = 0;
  uint64_t stored_left_ = 0;
  uint64_t padding_ = 0;
};

}  // namespace skiff::images
