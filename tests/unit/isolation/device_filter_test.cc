#include "isolation/device_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace skiff::isolation {
namespace {

using sys::BpfInstruction;

struct Access {
  uint32_t type;  // 1 block, 2 character
  uint32_t major;
  uint32_t minor;
  uint32_t access;
};

// What the kernel does with the program.
uint32_t Execute(const std::vector<BpfInstruction>& program, const Access& asked) {
  uint32_t registers[10] = {};
  uint32_t context[3] = {asked.access << 16 | asked.type, asked.major, asked.minor};
  for (size_t at = 0;; ++at) {
    const BpfInstruction& instruction = program.at(at);
    uint32_t& destination = registers[instruction.registers & 15];
    uint32_t source = registers[instruction.registers >> 4];
    auto immediate = static_cast<uint32_t>(instruction.immediate);
    size_t target = at + static_cast<size_t>(instruction.offset);
    switch (instruction.code) {
      case 0x61:
        destination = context[instruction.offset / 4];
        break;
      case 0xbc:
        destination = source;
        break;
      case 0xb4:
        destination = immediate;
        break;
      case 0x54:
        destination &= immediate;
        break;
      case 0x74:
        destination >>= immediate;
        break;
      case 0x05:
        at = target;
        break;
      case 0x56:
        if (destination != immediate) at = target;
        break;
      case 0x16:
        if (destination == immediate) at = target;
        break;
      case 0x95:
        return registers[0];
      default:
        ADD_FAILURE() << "code " << int{instruction.code};
        return 2;
    }
  }
}

// The words of the header.
bool IsAllowed(const std::vector<DeviceRule>& rules, const Access& asked) {
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
    bool is_type = rule->type == 'a' || (rule->type == 'b') == (asked.type == 1);
    bool is_node = is_type && rule->major.value_or(asked.major) == asked.major &&
                   rule->minor.value_or(asked.minor) == asked.minor;
    bool is_access =
        rule->is_allowed ? (asked.access & ~rule->access) == 0 : (asked.access & rule->access) != 0;
    if (is_node && is_access) return rule->is_allowed;
  }
  return true;
}

class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}
  unsigned Below(unsigned end) { return static_cast<unsigned>(random_() % end); }

 private:
  std::minstd_rand random_;
};

// Few numbers, so that rules meet.
std::vector<DeviceRule> SomeRules(Dice* dice) {
  std::vector<DeviceRule> rules(dice->Below(12));
  for (DeviceRule& rule : rules) {
    rule.is_allowed = dice->Below(4) != 0;
    rule.type = "aabbcccc"[dice->Below(8)];
    if (dice->Below(4) != 0) rule.major = dice->Below(3);
    if (dice->Below(4) != 0) rule.minor = dice->Below(3);
    if (dice->Below(3) == 0) rule.access = 1 + dice->Below(kDeviceAll);
  }
  return rules;
}

TEST(DeviceFilterTest, AnyListOfRulesDoesWhatItSays) {
  for (unsigned seed = 1; seed <= 500; ++seed) {
    Dice dice(seed);
    std::vector<DeviceRule> rules = SomeRules(&dice);
    std::vector<BpfInstruction> program = CompileDeviceRules(rules);
    for (uint32_t each = 0; each < 2 * 4 * 4 * 8; ++each) {
      Access asked{1 + each % 2, each / 2 % 4, each / 8 % 4, each / 32};
      ASSERT_EQ(Execute(program, asked), IsAllowed(rules, asked) ? 1 : 0)
          << "seed " << seed << ", access " << each;
    }
  }
}

// The verifier takes no program with an instruction that nothing leads to.
TEST(DeviceFilterTest, NoInstructionIsUnreachable) {
  for (unsigned seed = 1; seed <= 500; ++seed) {
    Dice dice(seed);
    std::vector<BpfInstruction> program = CompileDeviceRules(SomeRules(&dice));
    std::vector<bool> is_led_to(program.size());
    is_led_to[0] = true;
    for (size_t at = 0; at < program.size(); ++at) {
      const BpfInstruction& instruction = program[at];
      if (!is_led_to[at]) continue;
      bool is_branch = instruction.code == 0x56 || instruction.code == 0x16;
      bool is_jump = is_branch || instruction.code == 0x05;
      if (is_jump) is_led_to.at(at + 1 + static_cast<size_t>(instruction.offset)) = true;
      if (is_branch || (!is_jump && instruction.code != 0x95)) is_led_to.at(at + 1) = true;
    }
    EXPECT_THAT(is_led_to, testing::Each(true)) << "seed " << seed;
  }
}

TEST(DeviceFilterTest, MoreRulesThanAJumpCanPassAreRefused) {
  std::vector<DeviceRule> rules(4200, {.type = 'c', .major = 1, .minor = 2, .access = kDeviceRead});
  rules.push_back({.is_allowed = true, .type = 'c', .major = 1, .minor = 3});
  EXPECT_GT(CompileDeviceRules(rules).size(), size_t{INT16_MAX});
  EXPECT_EQ(ApplyDeviceRules(rules, -1).error().message(), "4201 rules for devices are too many");
}

}  // namespace
}  // namespace skiff::isolation
