#include "isolation/sys/bpf.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

#include "isolation/sys/call.h"

namespace skiff::sys {
namespace {

static_assert(sizeof(BpfInstruction) == sizeof(bpf_insn));

int Bpf(int command, bpf_attr* attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, attributes, sizeof(*attributes)));
}

}  // namespace

Result<UniqueFd> LoadDeviceProgram(std::span<const BpfInstruction> program) {
  bpf_attr attributes;
  memset(&attributes, 0, sizeof(attributes));  // a union: {} would clear its first member only
  attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  attributes.insns = reinterpret_cast<uint64_t>(program.data());
  attributes.insn_cnt = static_cast<uint32_t>(program.size());
  attributes.license = reinterpret_cast<uint64_t>("Apache-2.0");
  int fd = TRY(Call("bpf", "load device program", [&] { return Bpf(BPF_PROG_LOAD, &attributes); }));
  return UniqueFd(fd);
}

Result<> AttachDeviceProgram(int cgroup, int program) {
  bpf_attr attributes;
  memset(&attributes, 0, sizeof(attributes));
  attributes.target_fd = static_cast<uint32_t>(cgroup);
  attributes.attach_bpf_fd = static_cast<uint32_t>(program);
  attributes.attach_type = BPF_CGROUP_DEVICE;
  attributes.attach_flags = BPF_F_ALLOW_MULTI;
  return CallVoid("bpf", "attach device program",
                  [&] { return Bpf(BPF_PROG_ATTACH, &attributes); });
}

}  // namespace skiff::sys
