// Any text as linux.seccomp of config.json, compiled to the kernel's program: an error, or a
// program that the kernel's own limit allows and that is the same the next time.
#include <string>

#include "isolation/oci/config.h"
#include "isolation/oci/seccomp.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using skiff::fuzz::Check;
  std::string text = R"({"ociVersion":"1.2.0","root":{"path":"rootfs"},
    "process":{"args":["sh"],"cwd":"/","user":{"uid":0,"gid":0}},
    "linux":{"namespaces":[{"type":"mount"}],"seccomp":)";
  text += skiff::fuzz::TextOf(data, size);
  auto config = skiff::isolation::oci::ParseConfig(text + "}}");
  if (!config.ok() || !config.value().seccomp) return 0;
  const skiff::isolation::oci::SeccompProfile& profile = *config.value().seccomp;
  auto program = skiff::isolation::oci::CompileSeccomp(profile);
  if (!program.ok()) return 0;
  constexpr size_t kMostInstructions = 4096;  // BPF_MAXINSNS
  Check(!program.value().empty() && program.value().size() <= kMostInstructions);
  auto again = skiff::isolation::oci::CompileSeccomp(profile);
  Check(again.ok() && again.value().size() == program.value().size());
  return 0;
}
