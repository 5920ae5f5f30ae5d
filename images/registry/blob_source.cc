#include "images/registry/blob_source.h"

#include <algorithm>
#include <thread>

#include "images/registry/headers.h"
#include "images/registry/limits.h"
#include "isolation/base/clock.h"

namespace skiff::images::registry {
namespace {

Error WrongLength(uint64_t offered, uint64_t expected) {
  return Error(Code::kInvalid, "the registry has " + std::to_string(offered) +
                                   " bytes, the manifest says " + std::to_string(expected));
}

}  // namespace

Result<> BlobSource::Open() {
  exchange_ = TRY(openers_[at_](done_));
  bool is_whole = exchange_->status() == 200;
  skip_ = is_whole ? done_ : 0;
  if (!is_whole) {
    const std::string* header = exchange_->Find("Content-Range");
    std::optional<ContentRange> range;
    if (header != nullptr) range = ParseContentRange(*header);
    if (!range || range->first != done_) {
      return Error(Code::kInvalid, "the registry answers with another range than was asked for");
    }
    if (range->size && *range->size != size_) return WrongLength(*range->size, size_);
  }
  std::optional<uint64_t> length = exchange_->head().content_length;
  uint64_t offered = length.value_or(0) + (is_whole ? 0 : done_);
  if (length && offered != size_) return WrongLength(offered, size_);
  return {};
}

// Time that the reader takes is not the network's.
Result<> BlobSource::CheckSpeed(uint64_t bytes, int64_t nanoseconds) {
  window_bytes_ += bytes;
  window_time_ += nanoseconds;
  if (window_time_ < Nanoseconds(settings_.speed_window).count()) return {};
  uint64_t seconds = static_cast<uint64_t>(settings_.speed_window.count());
  uint64_t least = settings_.least_bytes_per_second * seconds;
  if (window_bytes_ < least) {
    return Error(Code::kTimeout, "slower than " + std::to_string(settings_.least_bytes_per_second) +
                                     " bytes a second for " + std::to_string(seconds) + " s");
  }
  window_bytes_ = 0;
  window_time_ = 0;
  return {};
}

// One piece beyond what is to be skipped; empty when the answer ended before its time.
Result<std::string_view> BlobSource::Read() {
  for (;;) {
    int64_t begin = MonotonicNanoseconds();
    std::string_view piece = TRY(exchange_->Next());
    TRY(CheckSpeed(piece.size(), MonotonicNanoseconds() - begin));
    if (piece.empty()) return piece;
    size_t passed = static_cast<size_t>(std::min<uint64_t>(skip_, piece.size()));
    skip_ -= passed;
    piece.remove_prefix(passed);
    if (piece.empty()) continue;
    if (piece.size() > size_ - done_) return WrongLength(done_ + piece.size(), size_);
    return piece;
  }
}

Result<> BlobSource::CheckEnd() {
  if (!exchange_) return {};
  Result<std::string_view> rest = exchange_->Next();
  exchange_.reset();
  if (rest.ok() && !rest.value().empty()) return WrongLength(done_ + rest.value().size(), size_);
  return {};
}

// Of the same opener, or of the one behind it.
bool BlobSource::IsWorthAnotherTry(const Error& error) {
  bool is_passing = error.code() == Code::kUnavailable || error.code() == Code::kTimeout;
  bool is_slow = window_time_ >= Nanoseconds(settings_.speed_window).count();
  ++failures_;
  if (is_passing && !is_slow && failures_ < settings_.attempts && ++resumes_ <= kMaxResumes) {
    std::this_thread::sleep_for(settings_.retry_delay);
    return true;
  }
  if (at_ + 1 == openers_.size()) return false;
  ++at_;
  resumes_ = failures_ = 0;
  window_bytes_ = 0;
  window_time_ = 0;
  return true;
}

Result<std::string_view> BlobSource::Next() {
  for (;;) {
    if (done_ == size_) {
      TRY(CheckEnd());
      return std::string_view();
    }
    Result<> opened = exchange_ ? Result<>() : Open();
    Result<std::string_view> piece =
        opened.ok() ? Read() : Result<std::string_view>(std::move(opened).error());
    if (piece.ok() && !piece.value().empty()) {
      done_ += piece.value().size();
      failures_ = 0;
      return piece;
    }
    exchange_.reset();
    Error error = piece.ok()
                      ? Error(Code::kUnavailable, "the blob ended after " + std::to_string(done_) +
                                                      " of " + std::to_string(size_) + " bytes")
                      : std::move(piece).error();
    if (!IsWorthAnotherTry(error)) return error;
  }
}

}  // namespace skiff::images::registry
