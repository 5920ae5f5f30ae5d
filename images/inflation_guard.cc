#include "images/inflation_guard.h"

#include <string>

#include "images/limits.h"

namespace skiff::images {

Result<std::string_view> InflationGuard::Next() {
  std::string_view piece = TRY(plain_->Next());
  count_ += piece.size();
  uint64_t allowed = kFreelyInflated.count() + file_->count() * kMaxInflation;
  if (count_ > allowed) {
    return Error(Code::kExhausted, "more than " + std::to_string(kMaxInflation) +
                                       " times its compressed size comes out of it");
  }
  if (count_ <= most_.count()) return piece;
  return Error(Code::kExhausted,
               "more than " + std::to_string(most_.count()) +
                   " bytes come out of it, all that it may have (limits of images.json)");
}

}  // namespace skiff::images
