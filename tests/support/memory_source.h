// A byte source over a string, in pieces as small as a test wants.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "images/byte_source.h"

namespace skiff::test {

class MemorySource : public images::ByteSource {
 public:
  explicit MemorySource(std::string bytes, size_t piece = SIZE_MAX)
      : bytes_(std::move(bytes)), piece_(piece) {}

  Result<std::string_view> Next() override {
    std::string_view next = std::string_view(bytes_).substr(at_, piece_);
    at_ += next.size();
    return next;
  }

 private:
  std::string bytes_;
  size_t piece_;
  size_t at_ = 0;
};

// Everything a source gives, or its error.
inline Result<std::string> ReadToEnd(images::ByteSource* source) {
  std::string all;
  for (;;) {
    std::string_view piece = TRY(source->Next());
    if (piece.empty()) return all;
    all += piece;
  }
}

}  // namespace skiff::test
