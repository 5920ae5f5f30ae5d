#include "images/background_hash.h"

#include <system_error>

#include "images/limits.h"

namespace skiff::images {

BackgroundHashingSource::~BackgroundHashingSource() {
  if (!worker_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_all();
  worker_.join();
}

Result<std::string_view> BackgroundHashingSource::Next() {
  WaitUntilHashed();
  std::string_view piece = TRY(input_->Next());
  count_ += piece.size();
  if (count_ > limit_.count()) {
    return Error(Code::kExhausted, "longer than " + std::to_string(limit_.count()) + " bytes");
  }
  Hash(piece);
  return piece;
}

void BackgroundHashingSource::Hash(std::string_view piece) {
  if (piece.empty()) return;
  if (!worker_.joinable() && !has_no_thread_ && count_ > kHashedInline) {
    try {
      worker_ = std::thread([this] { Work(); });
    } catch (const std::system_error&) {
      has_no_thread_ = true;
    }
  }
  if (!worker_.joinable()) return hash_.Update(piece);
  {
    std::lock_guard lock(mutex_);
    piece_ = piece;
  }
  changed_.notify_all();
}

void BackgroundHashingSource::WaitUntilHashed() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return piece_.empty(); });
}

void BackgroundHashingSource::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return is_ending_ || !piece_.empty(); });
    if (piece_.empty()) return;
    std::string_view piece = piece_;
    lock.unlock();
    hash_.Update(piece);
    lock.lock();
    piece_ = {};
    changed_.notify_all();
  }
}

Digest BackgroundHashingSource::Finish() {
  WaitUntilHashed();
  return hash_.Finish();
}

}  // namespace skiff::images
