#include "isolation/oci/seccomp.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>

#include <cerrno>
#include <cstddef>
#include <set>

#include "isolation/base/text.h"
#include "isolation/oci/limits.h"
#include "isolation/seccomp_filter.h"
#include "isolation/sys/file.h"
#include "isolation/sys/socket.h"

namespace skiff::isolation::oci {
namespace {

scmp_arg_cmp ToLibrary(const SeccompArgument& argument) {
  return {argument.index, static_cast<scmp_compare>(argument.comparison), argument.value,
          argument.value_two};
}

// libseccomp takes one condition an argument; further ones on the same argument are alternatives,
// as runc and crun read them.
bool RepeatsAnArgument(const std::vector<SeccompArgument>& arguments) {
  unsigned seen = 0;
  for (const SeccompArgument& argument : arguments) {
    unsigned bit = 1U << argument.index;
    if ((seen & bit) != 0) return true;
    seen |= bit;
  }
  return false;
}

Result<> AddConditions(void* filter, SeccompAction action, int call, const std::string& name,
                       const std::vector<scmp_arg_cmp>& conditions) {
  int added = seccomp_rule_add_array(filter, action, call, static_cast<unsigned>(conditions.size()),
                                     conditions.empty() ? nullptr : conditions.data());
  // A call that none of the filter's architectures has.
  if (added == -EDOM) return {};
  return CheckSeccomp(added, name);
}

Result<> AddRule(void* filter, const SeccompRule& rule) {
  std::vector<scmp_arg_cmp> conditions;
  for (const SeccompArgument& argument : rule.arguments) conditions.push_back(ToLibrary(argument));
  bool is_split = RepeatsAnArgument(rule.arguments);
  for (const std::string& name : rule.names) {
    int call = seccomp_syscall_resolve_name(name.c_str());
    if (call == __NR_SCMP_ERROR) continue;
    if (!is_split) {
      TRY(AddConditions(filter, rule.action, call, name, conditions));
      continue;
    }
    for (const scmp_arg_cmp& condition : conditions)
      TRY(AddConditions(filter, rule.action, call, name, {condition}));
  }
  return {};
}

// The newest call that the profile names, by number; 0: none that this architecture has.
uint32_t LastCall(const SeccompProfile& profile, uint32_t architecture) {
  int last = 0;
  for (const SeccompRule& rule : profile.rules) {
    for (const std::string& name : rule.names) {
      int number = seccomp_syscall_resolve_name_arch(architecture, name.c_str());
      if (number > last) last = number;
    }
  }
  return static_cast<uint32_t>(last);
}

constexpr SeccompInstruction Load(uint32_t offset) {
  return {BPF_LD | BPF_W | BPF_ABS, 0, 0, offset};
}
constexpr SeccompInstruction Jump(uint16_t condition, uint32_t value, uint8_t yes, uint8_t no) {
  return {static_cast<uint16_t>(BPF_JMP | condition | BPF_K), yes, no, value};
}
constexpr SeccompInstruction kNoSuchCall = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS};

// Answers ENOSYS to what is newer than `last`. `x32_last`: the same for x32, whose calls carry a
// bit of their own in x86-64's numbers; 0: its calls are left to the filter.
SeccompProgram NewCallsSection(uint32_t architecture, uint32_t last, uint32_t x32_last) {
  constexpr uint32_t kX32Bit = 0x40000000;
  constexpr SeccompInstruction kLeave = {BPF_JMP | BPF_JA, 0, 0, 0};  // settled by WithNewCalls
  SeccompProgram body = {Load(offsetof(seccomp_data, nr))};
  bool has_x32 = x32_last != 0;
  uint8_t to_leave = has_x32 ? 4 : 2;
  body.push_back(Jump(BPF_JGT, last, 0, to_leave));
  body.push_back(Jump(BPF_JGE, architecture == SCMP_ARCH_X86_64 ? kX32Bit : UINT32_MAX, 1, 0));
  body.push_back(kNoSuchCall);
  if (has_x32) {
    body.push_back(Jump(BPF_JGT, x32_last, 0, 1));
    body.push_back(kNoSuchCall);
  }
  body.push_back(kLeave);
  body.insert(body.begin(), Jump(BPF_JEQ, architecture, 0, static_cast<uint8_t>(body.size())));
  return body;
}

bool AnswersWithErrno(SeccompAction action) {
  return (action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO &&
         action != SCMP_ACT_ERRNO(ENOSYS);
}

SeccompProgram WithNewCalls(const SeccompProfile& profile, SeccompProgram program) {
  std::set<uint32_t> architectures(profile.architectures.begin(), profile.architectures.end());
  architectures.erase(SCMP_ARCH_NATIVE);
  architectures.insert(seccomp_arch_native());
  uint32_t x32_last =
      architectures.erase(SCMP_ARCH_X32) != 0 ? LastCall(profile, SCMP_ARCH_X32) : 0;
  SeccompProgram start = {Load(offsetof(seccomp_data, arch))};
  std::vector<size_t> leaves;
  for (uint32_t architecture : architectures) {
    uint32_t last = LastCall(profile, architecture);
    if (last == 0) continue;
    bool is_amd64 = architecture == SCMP_ARCH_X86_64;
    SeccompProgram section = NewCallsSection(architecture, last, is_amd64 ? x32_last : 0);
    start.insert(start.end(), section.begin(), section.end());
    leaves.push_back(start.size() - 1);
  }
  for (size_t leave : leaves) start[leave].k = static_cast<uint32_t>(start.size() - leave - 1);
  start.insert(start.end(), program.begin(), program.end());
  return start;
}

// FNV-1a. Only names the file: what it holds is compared in full.
uint64_t HashText(std::string_view text) {
  uint64_t hash = 14'695'981'039'346'656'037ULL;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211ULL;
  return hash;
}

std::string CachePath(const std::string& directory, const std::string& description) {
  uint64_t hash = HashText(description);
  return directory + "/seccomp-" + HexEncode(&hash, sizeof(hash));
}

// The description, an empty line, the program.
Result<SeccompProgram> ReadCached(const std::string& path, const std::string& description) {
  std::string text = TRY(sys::ReadFile(AT_FDCWD, path, kMaxSeccompCacheFile));
  if (text.rfind(description, 0) != 0) return Error(Code::kConflict, path + ": another profile's");
  return SeccompProgramFromBytes(std::string_view(text).substr(description.size()));
}

}  // namespace

std::string DescribeSeccomp(const SeccompProfile& profile) {
  const scmp_version* library = seccomp_version();
  std::string text = "libseccomp " + std::to_string(library->major) + "." +
                     std::to_string(library->minor) + "." + std::to_string(library->micro) +
                     " on " + std::to_string(seccomp_arch_native()) + ", newer: ENOSYS\ndefault " +
                     std::to_string(profile.default_action) + "\n";
  for (uint32_t architecture : profile.architectures)
    text += "arch " + std::to_string(architecture) + "\n";
  for (const SeccompRule& rule : profile.rules) {
    text += "rule " + std::to_string(rule.action);
    for (const SeccompArgument& argument : rule.arguments) {
      text += " [" + std::to_string(argument.index) + " " + std::to_string(argument.comparison) +
              " " + std::to_string(argument.value) + " " + std::to_string(argument.value_two) + "]";
    }
    for (const std::string& name : rule.names) text.append(" ").append(name);
    text += "\n";
  }
  return text + "\n";
}

Result<SeccompProgram> CompileSeccomp(const SeccompProfile& profile) {
  SeccompFilter filter(seccomp_init(profile.default_action));
  if (!filter) return Error(Code::kInvalid, "seccomp: libseccomp refuses the default action");
  // A binary tree loads in half the time of the linear program.
  TRY(CheckSeccomp(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimisation"));
  for (uint32_t architecture : profile.architectures) {
    int added = seccomp_arch_add(filter.get(), architecture);
    if (added != -EEXIST) TRY(CheckSeccomp(added, "architecture " + std::to_string(architecture)));
  }
  for (const SeccompRule& rule : profile.rules) {
    if (rule.action != profile.default_action) TRY(AddRule(filter.get(), rule));
  }
  SeccompProgram program = TRY(ExportSeccomp(filter.get()));
  return AnswersWithErrno(profile.default_action) ? WithNewCalls(profile, std::move(program))
                                                  : std::move(program);
}

// As runc says it, for those who look for the words.
constexpr char kNoAgent[] =
    "failed"
    " to connect with seccomp agent";

Result<> SendListener(const SeccompProfile& profile, const std::string& state, int listener) {
  auto send = [&]() -> Result<> {
    UniqueFd agent = TRY(sys::ConnectUnix(profile.listener_path).Context(kNoAgent));
    return sys::SendDescriptor(agent.get(), state, listener);
  };
  return send().Context("linux.seccomp.listenerPath");
}

Result<SeccompProgram> LoadSeccomp(const SeccompProfile& profile,
                                   const std::string& cache_directory) {
  std::string description = DescribeSeccomp(profile);
  std::string path = CachePath(cache_directory, description);
  Result<SeccompProgram> cached = ReadCached(path, description);
  if (cached.ok()) return cached;
  SeccompProgram program = TRY(CompileSeccomp(profile));
  Result<> made = sys::MakeDirectories(cache_directory, 0700);
  // A cache that cannot be written costs time, not correctness.
  if (made.ok()) {
    sys::StoreFile(AT_FDCWD, path, description + std::string(BytesOfSeccompProgram(program)))
        .Ignore();
  }
  return program;
}

}  // namespace skiff::isolation::oci
