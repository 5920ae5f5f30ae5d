// Any text as each kind of state that is read back: the store's records, a plan, an event, a word
// on the control socket. What decodes comes back the same.
#include "runtime/control/records.h"
#include "runtime/control/task_record.h"
#include "runtime/model/event.h"
#include "runtime/plan/task_plan.h"
#include "runtime/supervisor/control.h"
#include "tests/fuzz/check.h"

namespace {

using skiff::fuzz::Check;
using namespace skiff::runtime;  // all of it is about this one place

template <typename Decode, typename EncodeOne>
void RoundTrip(std::string_view text, Decode decode, EncodeOne encode) {
  auto first = decode(text);
  if (!first.ok()) return;
  std::string encoded = encode(first.value());
  auto second = decode(encoded);
  Check(second.ok());
  Check(encode(second.value()) == encoded);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text = skiff::fuzz::TextOf(data, size);
  auto encode = [](const auto& record) { return Encode(record); };
  RoundTrip(text, DecodeCluster, encode);
  RoundTrip(text, DecodeTaskDefinition, encode);
  RoundTrip(text, DecodeHost, encode);
  RoundTrip(text, DecodeLogGroup, encode);
  RoundTrip(text, DecodeLogStream, encode);
  RoundTrip(text, DecodeTask, encode);
  RoundTrip(text, DecodeShare, encode);
  RoundTrip(text, DecodeIndexEntry, encode);
  RoundTrip(text, DecodePlan, EncodePlan);
  RoundTrip(text, DecodeEvent, EncodeEvent);
  RoundTrip(text, DecodeRequest, EncodeRequest);
  return 0;
}
