// Any text as the name of an image: what parses comes back from both of its spellings.
#include "images/limits.h"
#include "images/reference.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using skiff::fuzz::Check;
  using skiff::images::ImageReference;
  auto reference = ImageReference::Parse(skiff::fuzz::TextOf(data, size));
  if (!reference.ok()) {
    Check(reference.error().code() == skiff::Code::kInvalid);
    return 0;
  }
  const ImageReference& given = reference.value();
  Check(!given.domain().empty() && !given.repository().empty());
  Check(!given.tag().empty() || given.digest().has_value());
  // A repository is a path in the store and in a registry's address.
  Check(("/" + given.repository() + "/").find("/../") == std::string::npos);
  for (const std::string& name : {given.Canonical(), given.Familiar()}) {
    auto again = ImageReference::Parse(name);
    // The default parts may carry a name over the limit of length.
    Check(again.ok() ? again.value() == given : name.size() > skiff::images::kMaxReferenceLength);
  }
  return 0;
}
