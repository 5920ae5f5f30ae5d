#include "isolation/device_filter.h"

#include <algorithm>
#include <span>
#include <utility>

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
constexpr uint8_t kJump = 0x05;           // BPF_JMP | BPF_JA
constexpr uint8_t kExit = 0x95;

constexpr uint8_t Registers(uint8_t destination, uint8_t source) {
  return static_cast<uint8_t>(source << 4 | destination);
}

BpfInstruction Immediate(uint8_t code, uint8_t destination, uint32_t value) {
  return {code, destination, 0, static_cast<int32_t>(value)};
}

uint32_t TypeNumber(const DeviceRule& rule) {
  constexpr uint32_t kBlock = 1, kCharacter = 2;  // BPF_DEVCG_DEV_*
  return rule.type == 'b' ? kBlock : kCharacter;
}

// Allows whatever is done to one node, or to all of a major number.
bool IsNode(const DeviceRule& rule) {
  return rule.is_allowed && rule.type != 'a' && rule.major && rule.access == kDeviceAll;
}

class DeviceProgram {
 public:
  // In the order in which they are asked: the last of the list first.
  std::vector<BpfInstruction> Compile(std::span<const DeviceRule> rules);

 private:
  using Rules = std::span<const DeviceRule>;
  Rules SideBySide(Rules rules, bool (*is_alike)(const DeviceRule&, const DeviceRule&)) const;
  void AddNodes(Rules rules);
  void AddNodesOfMajor(Rules rules);
  void AddRule(const DeviceRule& rule);
  size_t Add(const BpfInstruction& instruction);
  void LeadHere(size_t jump);

  std::vector<BpfInstruction> program_;
  std::vector<size_t> allowing_;  // jumps to the end
};

size_t DeviceProgram::Add(const BpfInstruction& instruction) {
  program_.push_back(instruction);
  return program_.size() - 1;
}

void DeviceProgram::LeadHere(size_t jump) {
  program_[jump].offset = static_cast<int16_t>(program_.size() - jump - 1);
}

// Those at the front that are like the first.
DeviceProgram::Rules DeviceProgram::SideBySide(Rules rules,
                                               bool (*is_alike)(const DeviceRule&,
                                                                const DeviceRule&)) const {
  size_t count = 1;
  while (count < rules.size() && is_alike(rules[0], rules[count])) ++count;
  return rules.first(count);
}

void DeviceProgram::AddNodesOfMajor(Rules rules) {
  size_t other_major = Add(Immediate(kJumpNotEqual, kMajor, *rules[0].major));
  for (const DeviceRule& rule : rules) {
    if (!rule.minor) {
      allowing_.push_back(Add({kJump, 0, 0, 0}));
      break;  // the rest says the same, and the verifier refuses code that nothing reaches
    }
    allowing_.push_back(Add(Immediate(kJumpEqual, kMinor, *rule.minor)));
  }
  LeadHere(other_major);
}

// Of one type.
void DeviceProgram::AddNodes(Rules rules) {
  size_t other_type = Add(Immediate(kJumpNotEqual, kType, TypeNumber(rules[0])));
  while (!rules.empty()) {
    Rules alike = SideBySide(rules, [](const DeviceRule& first, const DeviceRule& each) {
      return each.major == first.major;
    });
    AddNodesOfMajor(alike);
    rules = rules.subspan(alike.size());
  }
  LeadHere(other_type);
}

// Falls through to the verdict when the rule speaks about the access, else jumps behind it.
void DeviceProgram::AddRule(const DeviceRule& rule) {
  std::vector<size_t> silent;
  if (rule.type != 'a') silent.push_back(Add(Immediate(kJumpNotEqual, kType, TypeNumber(rule))));
  Add({kMoveRegister, Registers(kScratch, kAccess), 0, 0});
  Add(Immediate(kAnd, kScratch, rule.is_allowed ? ~rule.access : rule.access));
  silent.push_back(Add(Immediate(rule.is_allowed ? kJumpNotEqual : kJumpEqual, kScratch, 0)));
  if (rule.major) silent.push_back(Add(Immediate(kJumpNotEqual, kMajor, *rule.major)));
  if (rule.minor) silent.push_back(Add(Immediate(kJumpNotEqual, kMinor, *rule.minor)));
  Add(Immediate(kMoveImmediate, 0, rule.is_allowed ? 1 : 0));
  Add({kExit, 0, 0, 0});
  for (size_t jump : silent) LeadHere(jump);
}

// Nodes side by side ask for their type and major number once. The verifier follows each branch and
// forgets what it knew only where it asks anew: with a type, a major and a minor number for each of
// a dozen rules it took 0.3 ms of every start.
std::vector<BpfInstruction> DeviceProgram::Compile(Rules rules) {
  // struct bpf_cgroup_dev_ctx: access << 16 | type, major, minor.
  program_ = {
      {kLoadWord, Registers(kAccess, 1), 0, 0}, {kMoveRegister, Registers(kType, kAccess), 0, 0},
      Immediate(kAnd, kType, 0xffff),           Immediate(kShiftRight, kAccess, 16),
      {kLoadWord, Registers(kMajor, 1), 4, 0},  {kLoadWord, Registers(kMinor, 1), 8, 0}};
  while (!rules.empty()) {
    Rules alike = rules.first(1);
    if (IsNode(rules[0])) {
      alike = SideBySide(rules, [](const DeviceRule& first, const DeviceRule& each) {
        return IsNode(each) && each.type == first.type;
      });
      AddNodes(alike);
    } else {
      AddRule(rules[0]);
    }
    rules = rules.subspan(alike.size());
  }
  for (size_t jump : allowing_) LeadHere(jump);
  Add(Immediate(kMoveImmediate, 0, 1));
  Add({kExit, 0, 0, 0});
  return std::move(program_);
}

bool IsForEverything(const DeviceRule& rule) {
  return rule.type == 'a' && !rule.major && !rule.minor && rule.access == kDeviceAll;
}

}  // namespace

std::vector<BpfInstruction> CompileDeviceRules(const std::vector<DeviceRule>& rules) {
  std::vector<DeviceRule> asked(rules.rbegin(), rules.rend());
  // What a rule for everything hides is code that nothing reaches, too.
  auto last = std::find_if(asked.begin(), asked.end(), IsForEverything);
  if (last != asked.end()) asked.erase(last + 1, asked.end());
  return DeviceProgram().Compile(asked);
}

Result<> ApplyDeviceRules(const std::vector<DeviceRule>& rules, int cgroup) {
  std::vector<BpfInstruction> program = CompileDeviceRules(rules);
  // A jump has 16 bits, and one that is longer would lead elsewhere.
  if (program.size() > size_t{INT16_MAX}) {
    return Error(Code::kInvalid, std::to_string(rules.size()) + " rules for devices are too many");
  }
  UniqueFd loaded = TRY(sys::LoadDeviceProgram(program));
  return sys::AttachDeviceProgram(cgroup, loaded.get());
}

}  // namespace skiff::isolation
