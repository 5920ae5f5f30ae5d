#include "images/byte_source.h"

#include <algorithm>

#include "images/limits.h"
#include "isolation/sys/file.h"

namespace skiff::images {

FileSource::FileSource(int fd, uint64_t offset, uint64_t size)
    : fd_(fd), offset_(offset), left_(size), buffer_(new char[kSourceChunk]) {}

Result<std::string_view> FileSource::Next() {
  size_t wanted = static_cast<size_t>(std::min<uint64_t>(left_, kSourceChunk));
  if (wanted == 0) return std::string_view();
  size_t count = TRY(sys::ReadAt(fd_, buffer_.get(), wanted, offset_));
  if (count == 0) return Error(Code::kInvalid, "the file became shorter while it was read");
  offset_ += count;
  left_ -= count;
  return std::string_view(buffer_.get(), count);
}

uint64_t FileSource::Skip(uint64_t count) {
  count = std::min(count, left_);
  offset_ += count;
  left_ -= count;
  return count;
}

Result<std::string_view> HashingSource::Next() {
  std::string_view piece = TRY(input_->Next());
  hash_.Update(piece);
  count_ += piece.size();
  if (count_ > limit_.count()) {
    return Error(Code::kExhausted, "longer than " + std::to_string(limit_.count()) + " bytes");
  }
  return piece;
}

Result<> Drain(ByteSource* source) {
  for (;;) {
    std::string_view piece = TRY(source->Next());
    if (piece.empty()) return {};
  }
}

}  // namespace skiff::images
