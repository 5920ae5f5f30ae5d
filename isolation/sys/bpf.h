// The two bpf(2) calls that device control of a cgroup needs: load a small program, attach it. Any
// thread.
#pragma once

#include <cstdint>
#include <span>

#include "isolation/base/result.h"
#include "isolation/base/unique_fd.h"

namespace skiff::sys {

// Laid out as the kernel's struct bpf_insn.
struct BpfInstruction {
  uint8_t code = 0;
  uint8_t registers = 0;  // source << 4 | destination
  int16_t offset = 0;
  int32_t immediate = 0;
};

// A BPF_PROG_TYPE_CGROUP_DEVICE program.
Result<UniqueFd> LoadDeviceProgram(std::span<const BpfInstruction> program);
// To a cgroup v2 directory; it goes with the group. Programs of the groups above stay in force.
Result<> AttachDeviceProgram(int cgroup, int program);

}  // namespace skiff::sys
