// Ends a stream that grows beyond what may come out of a file: out of all proportion to it, or out
// of the room there is. Private to images/. One thread.
#pragma once

#include <cstdint>

#include "images/byte_source.h"
#include "isolation/base/bytes.h"
#include "isolation/base/result.h"

namespace skiff::images {

class InflationGuard : public ByteSource {
 public:
  // `file`: what `plain` is inflated from. Both are borrowed. `most`: bytes of the plain stream.
  InflationGuard(ByteSource* plain, const CountingSource* file, Bytes most)
      : plain_(plain), file_(file), most_(most) {}

  // kExhausted.
  Result<std::string_view> Next() override;
  uint64_t count() const { return count_; }

 private:
  ByteSource* plain_;
  const CountingSource* file_;
  Bytes most_;
  uint64_t count_ = 0;
};

}  // namespace skiff::images
