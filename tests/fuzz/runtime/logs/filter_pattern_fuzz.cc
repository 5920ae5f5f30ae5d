// Any text as a filter pattern over any message: an error or a verdict, in time that does not grow
// beyond the two lengths.
//
// The input: pattern, "---", message.
#include "runtime/logs/filter_pattern.h"
#include "runtime/logs/limits.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using skiff::fuzz::Check;
  auto parts = skiff::fuzz::Parts(skiff::fuzz::TextOf(data, size), 2);
  auto pattern = skiff::runtime::FilterPattern::Parse(parts[0]);
  if (!pattern.ok()) {
    Check(pattern.error().code() == skiff::Code::kInvalid);
    return 0;
  }
  Check(parts[0].size() <= skiff::runtime::kMaxFilterPattern);
  bool matches = pattern.value().Matches(parts[1]);
  Check(matches == skiff::runtime::FilterPattern::Parse(parts[0]).value().Matches(parts[1]));
  if (parts[0].empty()) Check(matches);
  return 0;
}
