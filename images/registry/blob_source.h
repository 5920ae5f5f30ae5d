// A blob as a stream that survives broken connections: it goes on where it stopped. Hands out
// exactly the bytes the manifest promises; their digest is the reader's to verify. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "images/byte_source.h"
#include "images/registry/settings.h"
#include "networking/http/client.h"

namespace skiff::images::registry {

class BlobSource : public ByteSource {
 public:
  // The blob from an offset on, as Repository::GetBlob.
  using Opener = std::function<Result<std::unique_ptr<networking::http::Exchange>>(uint64_t)>;

  // The first opener is asked first; one that has failed for good is followed by the next, from
  // where it stopped.
  BlobSource(std::vector<Opener> openers, uint64_t size, const Settings& settings)
      : openers_(std::move(openers)), size_(size), settings_(settings) {}

  Result<std::string_view> Next() override;

 private:
  Result<> Open();
  Result<std::string_view> Read();
  Result<> CheckSpeed(uint64_t bytes, int64_t nanoseconds);
  Result<> CheckEnd();
  bool IsWorthAnotherTry(const Error& error);

  const std::vector<Opener> openers_;
  size_t at_ = 0;  // of openers_
  const uint64_t size_;
  const Settings settings_;
  std::unique_ptr<networking::http::Exchange> exchange_;
  uint64_t done_ = 0;
  uint64_t skip_ = 0;  // of an answer that began at the start again
  size_t resumes_ = 0;
  size_t failures_ = 0;  // without a byte in between
  uint64_t window_bytes_ = 0;
  int64_t window_time_ = 0;  // nanoseconds spent waiting for the network
};

}  // namespace skiff::images::registry
