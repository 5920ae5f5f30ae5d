// How much of the store's disk one image may take. Values; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "isolation/base/bytes.h"
#include "isolation/base/result.h"

namespace skiff::images {

struct StoreLimits {
  Bytes layer = Bytes::GiB(32);  // of one layer, uncompressed
  Bytes image = Bytes::GiB(64);  // of all layers that the store lacks
  // What must stay free; default: a fiftieth of the file system, but no more than 1 GiB. 0: the
  // disk may become full.
  std::optional<Bytes> reserve;
};

// What may be written to a file system until only the reserve is left.
class DiskRoom {
 public:
  // `directory`: of that file system, borrowed.
  DiskRoom(int directory, std::optional<Bytes> reserve)
      : directory_(directory), reserve_(reserve) {}

  // Bytes; everything when there is no reserve to keep.
  Result<Bytes> Left() const;
  // kExhausted (ENOSPC) when `wanted` is more than is left.
  Result<> Check(Bytes wanted, std::string_view what) const;

 private:
  int directory_;
  std::optional<Bytes> reserve_;
};

}  // namespace skiff::images
