// A HashingSource whose hashing does not keep the reader waiting: a thread hashes a piece while the
// reader works on it, and is done before the next one is asked for.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string_view>
#include <thread>

#include "images/byte_source.h"
#include "images/digest.h"
#include "isolation/base/bytes.h"
#include "isolation/base/result.h"

namespace skiff::images {

// One thread uses it; the one it starts is its own, and short streams have none.
class BackgroundHashingSource : public ByteSource {
 public:
  BackgroundHashingSource(ByteSource* input, Bytes limit) : input_(input), limit_(limit) {}
  ~BackgroundHashingSource() override;
  Result<std::string_view> Next() override;
  uint64_t count() const { return count_; }
  Digest Finish();  // once, at the end

 private:
  void Hash(std::string_view piece);
  void WaitUntilHashed();
  void Work();

  ByteSource* input_;
  Bytes limit_;
  uint64_t count_ = 0;
  Sha256 hash_;  // of whoever has the piece

  std::mutex mutex_;
  std::condition_variable changed_;
  std::string_view piece_;  // to be hashed; empty once it is
  bool is_ending_ = false;
  bool has_no_thread_ = false;  // there could be none: the reader hashes
  std::thread worker_;
};

}  // namespace skiff::images
