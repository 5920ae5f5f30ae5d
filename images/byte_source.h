// A stream of bytes that is pulled: each call hands out the next piece, in the source's own buffer,
// so that file, hash, inflater and tar reader pass pieces along without copying. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "images/digest.h"
#include "isolation/base/bytes.h"
#include "isolation/base/result.h"

namespace skiff::images {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // The next bytes, valid until the following call; empty at the end, and again after it.
  virtual Result<std::string_view> Next() = 0;
  // Passes over up to `count` of the bytes that Next would hand out, where that costs less than
  // reading them; answers how many.
  virtual uint64_t Skip(uint64_t /*count*/) { return 0; }
};

// `size` bytes of a file from `offset` on. Borrows the descriptor and leaves its position alone.
class FileSource : public ByteSource {
 public:
  FileSource(int fd, uint64_t offset, uint64_t size);
  Result<std::string_view> Next() override;
  uint64_t Skip(uint64_t count) override;

 private:
  int fd_;
  uint64_t offset_;
  uint64_t left_;
  std::unique_ptr<char[]> buffer_;
};

// Passes its input through, counting it.
class CountingSource : public ByteSource {
 public:
  explicit CountingSource(ByteSource* input) : input_(input) {}
  Result<std::string_view> Next() override {
    std::string_view piece = TRY(input_->Next());
    count_ += piece.size();
    return piece;
  }
  uint64_t count() const { return count_; }

 private:
  ByteSource* input_;
  uint64_t count_ = 0;
};

// Passes its input through, counting and hashing it; more than `limit` bytes are an error.
class HashingSource : public ByteSource {
 public:
  HashingSource(ByteSource* input, Bytes limit) : input_(input), limit_(limit) {}
  Result<std::string_view> Next() override;
  uint64_t count() const { return count_; }
  Digest Finish() { return hash_.Finish(); }  // once, at the end

 private:
  ByteSource* input_;
  Bytes limit_;
  Sha256 hash_;
  uint64_t count_ = 0;
};

// Reads to the end.
Result<> Drain(ByteSource* source);

}  // namespace skiff::images
