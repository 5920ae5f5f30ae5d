// Any text as config.json: a configuration, and a plan of it, or an error that says where.
#include "isolation/oci/config.h"
#include "isolation/oci/container.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using skiff::fuzz::Check;
  auto config = skiff::isolation::oci::ParseConfig(skiff::fuzz::TextOf(data, size));
  if (!config.ok()) {
    Check(!config.error().message().empty());
    return 0;
  }
  const skiff::isolation::oci::Config& parsed = config.value();
  Check(!parsed.version.empty() && !parsed.root_path.empty());
  if (parsed.seccomp) Check(!skiff::isolation::oci::DescribeSeccomp(*parsed.seccomp).empty());
  auto plan = skiff::isolation::oci::PlanContainer(parsed, "/bundle", "id");
  Check(plan.ok() ? plan.value().rootfs[0] == '/' : !plan.error().message().empty());
  return 0;
}
