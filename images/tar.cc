#include "images/tar.h"

#include <algorithm>
#include <cstring>

#include "images/limits.h"
#include "images/tar_header.h"
#include "isolation/base/text.h"

namespace skiff::images {
namespace {

constexpr std::string_view kXattrPrefix = "SCHILY.xattr.";
// Old GNU sparse headers: four segments in the header, 21 in each block that follows.
constexpr size_t kGnuSegmentsAt = 386;
constexpr size_t kGnuHeaderSegments = 4;
constexpr size_t kGnuHeaderMoreAt = 482;
constexpr size_t kGnuRealSizeAt = 483;
constexpr size_t kGnuBlockSegments = 21;
constexpr size_t kGnuBlockMoreAt = 504;
constexpr size_t kGnuNumber = 12;

uint64_t PaddingOf(uint64_t size) { return (kTarBlock - size % kTarBlock) % kTarBlock; }

Error Invalid(std::string message) { return Error(Code::kInvalid, std::move(message)); }

// chown(2) takes 2^32 - 1 as "leave it".
Result<uint32_t> CheckId(uint64_t id, std::string_view what) {
  if (id < UINT32_MAX) return static_cast<uint32_t>(id);
  return Invalid(std::string(what) + " " + std::to_string(id) + " is out of range");
}

Result<uint64_t> PaxNumber(std::string_view key, const std::string& value) {
  std::optional<uint64_t> number = ParseUint(value, INT64_MAX);
  if (number) return *number;
  return Invalid("PAX " + std::string(key) + " '" + value + "' is not a number");
}

Result<> CheckName(const std::string& name, std::string_view what) {
  if (name.size() > kMaxTarName) {
    return Invalid("a " + std::string(what) + " is longer than " + std::to_string(kMaxTarName) +
                   " bytes");
  }
  if (name.find('\0') != std::string::npos) return Invalid("a " + std::string(what) + " has a NUL");
  return {};
}

// The older PAX forms of sparse files, as their records are met.
struct PaxSparse {
  bool is_sparse = false;
  bool map_in_body = false;  // 1.0
  std::optional<uint64_t> real_size;
  std::vector<TarSegment> segments;
};

Result<> AddSegment(uint64_t offset, uint64_t length, std::vector<TarSegment>* segments) {
  if (segments->size() == kMaxSparseSegments) return Invalid("a sparse file has too many segments");
  segments->push_back({offset, length});
  return {};
}

Result<> ReadSparseMap(const std::string& map, std::vector<TarSegment>* segments) {
  std::vector<std::string_view> numbers = Split(map, ',');
  if (numbers.size() % 2 != 0) return Invalid("PAX GNU.sparse.map has an odd number of numbers");
  for (size_t i = 0; i < numbers.size(); i += 2) {
    uint64_t offset = TRY(PaxNumber("GNU.sparse.map", std::string(numbers[i])));
    uint64_t length = TRY(PaxNumber("GNU.sparse.map", std::string(numbers[i + 1])));
    TRY(AddSegment(offset, length, segments));
  }
  return {};
}

Result<> ApplySparseRecord(std::string_view key, const std::string& value, PaxSparse* sparse,
                           TarEntry* entry) {
  sparse->is_sparse = true;
  if (key == "name") {
    entry->name = value;
  } else if (key == "size" || key == "realsize") {
    sparse->real_size = TRY(PaxNumber(key, value));
  } else if (key == "map") {
    return ReadSparseMap(value, &sparse->segments);
  } else if (key == "offset") {
    uint64_t offset = TRY(PaxNumber(key, value));
    return AddSegment(offset, 0, &sparse->segments);
  } else if (key == "numbytes") {
    if (sparse->segments.empty()) return Invalid("PAX GNU.sparse.numbytes before its offset");
    sparse->segments.back().length = TRY(PaxNumber(key, value));
  } else if (key == "major") {
    sparse->map_in_body = value == "1";
    if (value != "0" && value != "1") return Invalid("PAX sparse format " + value + " is unknown");
  }
  return {};
}

Result<> ApplyXattr(std::string_view name, const std::string& value, TarEntry* entry) {
  if (name.empty() || name.size() > 255 || value.size() > kMaxXattrValue) {
    return Invalid("extended attribute '" + std::string(name.substr(0, 255)) + "' is too long");
  }
  std::erase_if(entry->xattrs, [&](const auto& xattr) { return xattr.first == name; });
  if (entry->xattrs.size() == kMaxXattrs) return Invalid("too many extended attributes");
  entry->xattrs.emplace_back(name, value);
  return {};
}

// An empty value takes back what a global header said: nothing to apply.
Result<> ApplyRecord(const std::string& key, const std::string& value, PaxSparse* sparse,
                     uint64_t* stored_size, TarEntry* entry) {
  constexpr std::string_view kSparsePrefix = "GNU.sparse.";
  if (key.starts_with(kXattrPrefix)) {
    return ApplyXattr(std::string_view(key).substr(kXattrPrefix.size()), value, entry);
  }
  if (value.empty()) return {};
  if (key == "path") {
    entry->name = value;
  } else if (key == "linkpath") {
    entry->link_target = value;
  } else if (key == "size") {
    *stored_size = TRY(PaxNumber(key, value));
  } else if (key == "uid" || key == "gid") {
    uint64_t number = TRY(PaxNumber(key, value));
    (key == "uid" ? entry->uid : entry->gid) = TRY(CheckId(number, key));
  } else if (key == "mtime") {
    std::optional<timespec> time = ParsePaxTime(value);
    if (!time) return Invalid("PAX mtime '" + value + "' is not a time");
    entry->mtime = *time;
  } else if (key.starts_with(kSparsePrefix)) {
    return ApplySparseRecord(std::string_view(key).substr(kSparsePrefix.size()), value, sparse,
                             entry);
  }
  return {};  // access times, user names and comments mean nothing in a layer
}

Result<TarType> TypeOf(char flag, const std::string& name) {
  switch (flag) {
    case '\0':
    case '0':
    case '7':
      // Before ustar, a directory was a file with a slash at its end.
      return name.ends_with('/') ? TarType::kDirectory : TarType::kFile;
    case 'S':
      return TarType::kFile;
    case '1':
      return TarType::kHardLink;
    case '2':
      return TarType::kSymlink;
    case '3':
      return TarType::kCharacterDevice;
    case '4':
      return TarType::kBlockDevice;
    case '5':
      return TarType::kDirectory;
    case '6':
      return TarType::kFifo;
    default:
      break;
  }
  std::string shown = flag > ' ' && flag < 127 ? std::string(1, flag) : "0x" + HexEncode(&flag, 1);
  return Invalid("entry '" + name + "' has the unknown type " + shown);
}

// Segments in order, apart, and inside the file; together what the archive stores.
Result<> CheckSegments(const std::vector<TarSegment>& segments, uint64_t stored, uint64_t size) {
  uint64_t end = 0;
  uint64_t sum = 0;
  for (const TarSegment& segment : segments) {
    if (segment.offset < end || segment.offset > size || segment.length > size - segment.offset) {
      return Invalid("the map of a sparse file is not in order");
    }
    end = segment.offset + segment.length;
    sum += segment.length;
  }
  if (sum != stored) return Invalid("the map of a sparse file does not match its content");
  return {};
}

}  // namespace

struct TarReader::Header {
  char bytes[kTarBlock];
  TarBlock block() const { return TarBlock(bytes); }
};

struct TarReader::Extensions {
  Records records;
  std::optional<std::string> name;
  std::optional<std::string> link_target;
};

// The next bytes of the stream, at most `max`; empty at the end.
Result<std::string_view> TarReader::Take(uint64_t max) {
  if (piece_.empty()) piece_ = TRY(source_->Next());
  std::string_view taken = piece_.substr(0, static_cast<size_t>(std::min<uint64_t>(max, SIZE_MAX)));
  piece_.remove_prefix(taken.size());
  position_ += taken.size();
  return taken;
}

Result<> TarReader::TakeExactly(char* buffer, size_t size) {
  while (size > 0) {
    std::string_view bytes = TRY(Take(size));
    if (bytes.empty()) return Invalid("the archive ends in the middle of an entry");
    memcpy(buffer, bytes.data(), bytes.size());
    buffer += bytes.size();
    size -= bytes.size();
  }
  return {};
}

Result<> TarReader::Pass(uint64_t count) {
  while (count > 0) {
    if (piece_.empty()) {
      uint64_t skipped = source_->Skip(count);
      position_ += skipped;
      count -= skipped;
      if (count == 0) return {};
    }
    std::string_view bytes = TRY(Take(count));
    if (bytes.empty()) return Invalid("the archive ends in the middle of an entry");
    count -= bytes.size();
  }
  return {};
}

// False at the end of the archive: two blocks of zeros, or simply no more bytes.
Result<bool> TarReader::ReadHeader(Header* header) {
  std::string_view first = TRY(Take(kTarBlock));
  if (first.empty()) return false;
  memcpy(header->bytes, first.data(), first.size());
  TRY(TakeExactly(header->bytes + first.size(), kTarBlock - first.size()));
  if (header->block().IsZero()) {
    first = TRY(Take(kTarBlock));
    if (first.empty()) return false;
    memcpy(header->bytes, first.data(), first.size());
    TRY(TakeExactly(header->bytes + first.size(), kTarBlock - first.size()));
    if (header->block().IsZero()) return false;
    return Invalid("the archive goes on after a block of zeros");
  }
  if (++headers_ > kMaxTarEntries) {
    return Error(Code::kExhausted, "more than " + std::to_string(kMaxTarEntries) + " entries");
  }
  if (!header->block().HasValidChecksum()) return Invalid("a tar header has a wrong checksum");
  return true;
}

Result<std::string> TarReader::ReadBody(uint64_t size, size_t limit, std::string_view what) {
  if (size > limit) {
    return Invalid(std::string(what) + " is longer than " + std::to_string(limit) + " bytes");
  }
  std::string body(static_cast<size_t>(size), '\0');
  TRY(TakeExactly(body.data(), body.size()));
  TRY(Pass(PaddingOf(size)));
  return body;
}

Result<> TarReader::ReadExtension(const Header& header, Extensions* extensions) {
  uint64_t size = TRY(header.block().Number(124, 12, "size"));
  char type = header.block().type();
  if (type == 'L' || type == 'K') {
    std::string text = TRY(ReadBody(size, kMaxTarName + 1, "a GNU long name"));
    text.resize(strnlen(text.data(), text.size()));
    (type == 'L' ? extensions->name : extensions->link_target) = std::move(text);
    return {};
  }
  std::string body = TRY(ReadBody(size, kMaxPaxHeader, "a PAX header"));
  Records records = TRY(ParsePaxRecords(body));
  if (type == 'x' || type == 'X') {
    extensions->records = std::move(records);
    return {};
  }
  // Later global headers replace what they name and leave the rest.
  for (auto& [key, value] : records) {
    // clang 14 captures no structured binding by its own name.
    std::erase_if(globals_, [&same = key](const auto& old) { return old.first == same; });
    if (globals_.size() == kMaxPaxGlobals) return Invalid("too many global PAX records");
    globals_.emplace_back(key, std::move(value));
  }
  return {};
}

Result<bool> TarReader::Next(TarEntry* entry) {
  TRY(Pass(stored_left_ + padding_));
  stored_left_ = 0;
  padding_ = 0;
  Extensions extensions;
  Header header;
  bool is_extended = false;
  for (;;) {
    bool is_there = TRY(ReadHeader(&header));
    if (!is_there && is_extended) return Invalid("the archive ends after an extended header");
    if (!is_there) return false;
    if (std::string_view("xXgLK").find(header.block().type()) == std::string_view::npos) break;
    is_extended = header.block().type() != 'g';
    TRY(ReadExtension(header, &extensions));
  }
  TRY(FinishEntry(header, extensions, entry));
  return true;
}

Result<> TarReader::FinishEntry(const Header& header, const Extensions& extensions,
                                TarEntry* entry) {
  TarBlock block = header.block();
  *entry = TarEntry();
  entry->name = extensions.name.value_or(block.Name());
  entry->link_target = extensions.link_target.value_or(block.LinkTarget());
  uint64_t stored = TRY(block.Number(124, 12, "size"));
  uint64_t mode = TRY(block.Number(100, 8, "mode"));
  entry->mode = static_cast<uint32_t>(mode & 07777);
  entry->mtime.tv_sec = TRY(block.SignedNumber(136, 12, "mtime"));

  PaxSparse sparse;
  // The numbers of the header are only read where PAX does not replace them: writers put there
  // whatever fits.
  bool has_uid = false;
  bool has_gid = false;
  auto apply = [&](const Records& records) -> Result<> {
    for (const auto& [key, value] : records) {
      has_uid |= key == "uid";
      has_gid |= key == "gid";
      TRY(ApplyRecord(key, value, &sparse, &stored, entry));
    }
    return {};
  };
  TRY(apply(globals_));
  TRY(apply(extensions.records));
  if (extensions.name) entry->name = *extensions.name;
  if (extensions.link_target) entry->link_target = *extensions.link_target;
  if (!has_uid) {
    uint64_t uid = TRY(block.Number(108, 8, "uid"));
    entry->uid = TRY(CheckId(uid, "uid"));
  }
  if (!has_gid) {
    uint64_t gid = TRY(block.Number(116, 8, "gid"));
    entry->gid = TRY(CheckId(gid, "gid"));
  }
  TRY(CheckName(entry->name, "name"));
  TRY(CheckName(entry->link_target, "link target"));
  entry->type = TRY(TypeOf(block.type(), entry->name));
  if (entry->type == TarType::kCharacterDevice || entry->type == TarType::kBlockDevice) {
    uint64_t major = TRY(block.Number(329, 8, "device number"));
    uint64_t minor = TRY(block.Number(337, 8, "device number"));
    entry->device_major = TRY(CheckId(major, "device number"));
    entry->device_minor = TRY(CheckId(minor, "device number"));
  }

  // Only files have content; links and directories may carry a size that means nothing.
  stored_left_ = entry->type == TarType::kFile ? stored : 0;
  padding_ = PaddingOf(stored_left_);
  entry->size = stored_left_;
  segment_ = 0;
  segment_done_ = 0;
  if (entry->type == TarType::kFile && (sparse.is_sparse || block.type() == 'S')) {
    entry->is_sparse = true;
    entry->segments = std::move(sparse.segments);
    if (sparse.real_size) entry->size = *sparse.real_size;
    if (block.type() == 'S') TRY(ReadGnuSegments(header, entry));
    if (sparse.map_in_body) TRY(ReadPaxSegments(entry));
    TRY(CheckSegments(entry->segments, stored_left_, entry->size));
    segments_ = entry->segments;
  } else {
    segments_.assign(1, {0, stored_left_});
  }
  data_offset_ = position_;
  return {};
}

Result<> TarReader::ReadGnuSegments(const Header& header, TarEntry* entry) {
  auto read = [&](TarBlock block, size_t at, size_t count) -> Result<> {
    for (size_t i = 0; i < count; ++i, at += 2 * kGnuNumber) {
      if (block.IsEmptyField(at)) return {};
      uint64_t offset = TRY(block.Number(at, kGnuNumber, "sparse map"));
      uint64_t length = TRY(block.Number(at + kGnuNumber, kGnuNumber, "sparse map"));
      TRY(AddSegment(offset, length, &entry->segments));
    }
    return {};
  };
  entry->size = TRY(header.block().Number(kGnuRealSizeAt, kGnuNumber, "size"));
  TRY(read(header.block(), kGnuSegmentsAt, kGnuHeaderSegments));
  bool is_continued = header.block().Flag(kGnuHeaderMoreAt);
  while (is_continued) {
    Header more;
    TRY(TakeExactly(more.bytes, kTarBlock));
    size_t before = entry->segments.size();
    TRY(read(more.block(), 0, kGnuBlockSegments));
    if (entry->segments.size() == before) return Invalid("an empty sparse header");
    is_continued = more.block().Flag(kGnuBlockMoreAt);
  }
  return {};
}

// Format 1.0: decimal lines at the start of the content, filled up to a block.
Result<> TarReader::ReadPaxSegments(TarEntry* entry) {
  char block[kTarBlock];
  size_t at = kTarBlock;
  auto read_number = [&]() -> Result<uint64_t> {
    std::string digits;
    for (;;) {
      if (at == kTarBlock) {
        if (stored_left_ < kTarBlock) return Invalid("the map of a sparse file is cut short");
        TRY(TakeExactly(block, kTarBlock));
        stored_left_ -= kTarBlock;
        at = 0;
      }
      char c = block[at++];
      if (c == '\n') return PaxNumber("sparse map", digits);
      if (digits.size() == 20) return Invalid("the map of a sparse file is not numbers");
      digits += c;
    }
  };
  entry->segments.clear();
  uint64_t count = TRY(read_number());
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t offset = TRY(read_number());
    uint64_t length = TRY(read_number());
    TRY(AddSegment(offset, length, &entry->segments));
  }
  return {};
}

Result<TarData> TarReader::ReadData() {
  while (segment_ < segments_.size() && segment_done_ == segments_[segment_].length) {
    ++segment_;
    segment_done_ = 0;
  }
  if (segment_ == segments_.size() || stored_left_ == 0) return TarData();
  const TarSegment& segment = segments_[segment_];
  TarData data;
  data.offset = segment.offset + segment_done_;
  data.bytes = TRY(Take(segment.length - segment_done_));
  if (data.bytes.empty()) return Invalid("the archive ends in the middle of an entry");
  segment_done_ += data.bytes.size();
  stored_left_ -= data.bytes.size();
  return data;
}

}  // namespace skiff::images
