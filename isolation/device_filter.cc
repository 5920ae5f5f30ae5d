#include "isolation/device_filter.h"

namespace skiff::isolation {
namespace {

using sys::BpfInstruction;

// Registers while the program runs: 1 the context, 2 type, 3 access, 4 major, 5 minor, 6 scratch.
constexpr uint8_t kType = 2, kAccess = 3, kMajor = 4, kMinor = 5, kScratch = 6;

constexpr uint8_t kLoadWord = 0x61;       // BPF_LDX | BPF_MEM | BPF_W
constexpr uint8_t kMoveRegister = 0xbc;   // BPF_ALU | BPF_MOV | BPF_X
constexpr uint8_t kMoveImmediate = 0xb4;  // BPF_ALU | BPF_MOV | BPF_K
constexpr uint8_t kAnd = 0x54;            // BPF_ALU | BPF_AND | BPF_K
constexpr uint8_t kShiftRight = 0x74;     // BPF_ALU | BPF_RSH | BPF_K
constexpr uint8_t kJumpNotEqual = 0x56;   // BPF_JMP32 | BPF_JNE | BPF_K
constexpr uint8_t kJumpEqual = 0x16;      // BPF_JMP32 | BPF_JEQ | BPF_K
constexpr uint8_t kExit = 0x95;

constexpr uint8_t Registers(uint8_t destination, uint8_t source) {
  return static_cast<uint8_t>(source << 4 | destination);
}

BpfInstruction Immediate(uint8_t code, uint8_t destination, uint32_t value) {
  return {code, destination, 0, static_cast<int32_t>(value)};
}

// Falls through to the verdict when the rule speaks about the access, else jumps behind it.
std::vector<BpfInstruction> CompileRule(const DeviceRule& rule) {
  std::vector<BpfInstruction> block;
  constexpr uint32_t kBlock = 1, kCharacter = 2;  // BPF_DEVCG_DEV_*
  if (rule.type != 'a')
    block.push_back(Immediate(kJumpNotEqual, kType, rule.type == 'b' ? kBlock : kCharacter));
  block.push_back({kMoveRegister, Registers(kScratch, kAccess), 0, 0});
  block.push_back(Immediate(kAnd, kScratch, rule.is_allowed ? ~rule.access : rule.access));
  block.push_back(Immediate(rule.is_allowed ? kJumpNotEqual : kJumpEqual, kScratch, 0));
  if (rule.major) block.push_back(Immediate(kJumpNotEqual, kMajor, *rule.major));
  if (rule.minor) block.push_back(Immediate(kJumpNotEqual, kMinor, *rule.minor));
  block.push_back(Immediate(kMoveImmediate, 0, rule.is_allowed ? 1 : 0));
  block.push_back({kExit, 0, 0, 0});
  for (size_t i = 0; i < block.size(); ++i) {
    bool is_jump = block[i].code == kJumpNotEqual || block[i].code == kJumpEqual;
    if (is_jump) block[i].offset = static_cast<int16_t>(block.size() - i - 1);
  }
  return block;
}

}  // namespace

std::vector<BpfInstruction> CompileDeviceRules(const std::vector<DeviceRule>& rules) {
  // struct bpf_cgroup_dev_ctx: access << 16 | type, major, minor.
  std::vector<BpfInstruction> program = {
      {kLoadWord, Registers(kAccess, 1), 0, 0}, {kMoveRegister, Registers(kType, kAccess), 0, 0},
      Immediate(kAnd, kType, 0xffff),           Immediate(kShiftRight, kAccess, 16),
      {kLoadWord, Registers(kMajor, 1), 4, 0},  {kLoadWord, Registers(kMinor, 1), 8, 0}};
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
    std::vector<BpfInstruction> block = CompileRule(*rule);
    program.insert(program.end(), block.begin(), block.end());
    bool is_final = rule->type == 'a' && !rule->major && !rule->minor && rule->access == kDeviceAll;
    // The verifier refuses code that nothing reaches, so what a rule for everything hides is left
    // out; its own jumps still lead to the end.
    if (is_final) break;
  }
  program.push_back(Immediate(kMoveImmediate, 0, 1));
  program.push_back({kExit, 0, 0, 0});
  return program;
}

Result<> ApplyDeviceRules(const std::vector<DeviceRule>& rules, int cgroup) {
  std::vector<BpfInstruction> program = CompileDeviceRules(rules);
  UniqueFd loaded = TRY(sys::LoadDeviceProgram(program));
  return sys::AttachDeviceProgram(cgroup, loaded.get());
}

}  // namespace skiff::isolation
