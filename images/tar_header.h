// The 512-byte header block of a tar archive and the records of PAX headers, decoded. Pure; private
// to images/.
#pragma once

#include <time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "isolation/base/result.h"

namespace skiff::images {

inline constexpr size_t kTarBlock = 512;

using PaxRecords = std::vector<std::pair<std::string, std::string>>;  // in the order of the archive

// Views into one block. Offsets and widths are those of POSIX.1-1988 (ustar) and GNU tar.
class TarBlock {
 public:
  explicit TarBlock(const char* block) : block_(block) {}

  bool IsZero() const;
  bool HasValidChecksum() const;
  char type() const { return block_[156]; }
  std::string Name() const;  // with the ustar prefix
  std::string LinkTarget() const { return Text(157, 100); }
  Result<uint64_t> Number(size_t offset, size_t width, std::string_view what) const;
  Result<int64_t> SignedNumber(size_t offset, size_t width, std::string_view what) const;
  bool Flag(size_t offset) const { return block_[offset] != 0; }
  bool IsEmptyField(size_t offset) const { return block_[offset] == 0; }

 private:
  std::string Text(size_t offset, size_t width) const;
  const char* block_;
};

// "<length> <key>=<value>\n" ...
Result<PaxRecords> ParsePaxRecords(std::string_view body);
// "-12.5": seconds with any number of decimals, kept to the nanosecond.
std::optional<timespec> ParsePaxTime(std::string_view text);

}  // namespace skiff::images
